"""The reward: worked figures, and what must hold whatever the journey."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaelp_sim.attribution.reward import (
    DOCUMENT,
    DOCUMENT_SIGNED,
    PROFIT,
    RULES,
    Journeys,
    late_micros,
    reward_micros,
    stepwise,
)
from gaelp_sim.errors import UsageError

TARGET = 100_000_000
DAY = 86_400
JOURNEY = st.tuples(
    st.booleans(), st.floats(0, 1), st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 60 * DAY),
)


def journeys(*rows: tuple[bool, float, int, int, int]) -> Journeys:
    """Journeys of (sold, credit, value, cost, duration)."""
    sold, credit, value, cost, duration = zip(*rows, strict=True)
    return Journeys(np.array(sold), np.array(credit), np.array(value), np.array(cost), np.array(duration))


def paid(rule: str, *rows: tuple[bool, float, int, int, int]) -> list[int]:
    """What they pay."""
    return reward_micros(journeys(*rows), rule, TARGET).tolist()


def test_the_documents_figure() -> None:
    """180 x .6 - 8.70 = 99.30, after six days and under the target."""
    assert paid(DOCUMENT, (True, 0.6, 180_000_000, 8_700_000, 6 * DAY)) == [99_300_000]
    assert paid(DOCUMENT_SIGNED, (True, 0.6, 180_000_000, 8_700_000, 6 * DAY)) == [99_300_000]
    assert paid(PROFIT, (True, 0.6, 180_000_000, 8_700_000, 6 * DAY)) == [171_300_000]


def test_multipliers() -> None:
    """Quick, dear, both, and neither at the very bounds."""
    quick, slow = 3 * DAY - 1, 3 * DAY
    assert paid(DOCUMENT, (True, 1.0, 180_000_000, 30_000_000, quick)) == [180_000_000]
    assert paid(DOCUMENT, (True, 1.0, 180_000_000, 30_000_000, slow)) == [150_000_000]
    assert paid(DOCUMENT, (True, 1.0, 180_000_000, TARGET, slow)) == [80_000_000]
    assert paid(DOCUMENT, (True, 1.0, 180_000_000, TARGET + 10, slow)) == [63_999_992]
    assert paid(DOCUMENT, (True, 1.0, 180_000_000, 130_000_000, quick)) == [48_000_000]


def test_signs() -> None:
    """Literally, a bonus on a loss makes it greater; signed, it makes it smaller and the penalty greater."""
    row = (True, 0.1, 180_000_000, 138_000_000, DAY)
    assert paid(DOCUMENT, row) == [-115_200_000]  # -120 x 1.2 x .8
    assert paid(DOCUMENT_SIGNED, row) == [-125_000_000]  # -120 / 1.2 / .8


def test_lost_journeys_and_rivals_sales() -> None:
    """What was spent for nothing."""
    for rule in RULES:
        assert paid(rule, (False, 0.7, 180_000_000, 8_700_000, DAY)) == [-8_700_000]


@given(st.lists(JOURNEY, min_size=1, max_size=20), st.sampled_from(RULES))
def test_the_rule_in_fractions(rows: list[tuple[bool, float, int, int, int]], rule: str) -> None:
    """Against the rule written down in exact fractions, rounded once."""
    for row, got in zip(rows, paid(rule, *rows), strict=True):
        exact = _exact(rule, *row)
        assert abs(exact - got) <= Fraction(1, 2)


def _exact(rule: str, sold: bool, credit: float, value: int, cost: int, duration: int) -> Fraction:
    if not sold:
        return Fraction(-cost)
    if rule == PROFIT:
        return Fraction(value - cost)
    amount = Fraction(round(credit * value) - cost)
    for applies, factor in ((duration < 3 * DAY, Fraction(6, 5)), (cost > TARGET, Fraction(4, 5))):
        if applies:
            amount = amount / factor if rule == DOCUMENT_SIGNED and amount < 0 else amount * factor
    return amount


@given(JOURNEY, st.integers(0, 60 * DAY))
def test_signed_bonus_never_loses(row: tuple[bool, float, int, int, int], other: int) -> None:
    """A quicker sale never pays less, and a dearer journey never more."""
    slow = (*row[:4], max(row[4], other))
    quick = (*row[:4], min(row[4], other))
    assert paid(DOCUMENT_SIGNED, quick)[0] >= paid(DOCUMENT_SIGNED, slow)[0]
    dearer = (*row[:3], row[3] + other, row[4])
    assert paid(DOCUMENT_SIGNED, dearer)[0] <= paid(DOCUMENT_SIGNED, row)[0]


@given(
    st.lists(st.tuples(JOURNEY, st.lists(st.integers(0, 10**8), max_size=8)), min_size=1, max_size=10),
    st.sampled_from(RULES),
)
def test_both_forms_sum_alike(rows: list[tuple[tuple[bool, float, int, int, int], list[int]]], rule: str) -> None:
    """Paid at once or step by step: the same to the micro, journey by journey."""
    made = [(sold, credit, value, sum(prices), duration) for (sold, credit, value, _, duration), prices in rows]
    reward = reward_micros(journeys(*made), rule, TARGET)
    starts = np.concatenate([[0], np.cumsum([len(prices) for _, prices in rows])])
    prices = np.array([price for _, prices in rows for price in prices], dtype=np.int64)
    steps = stepwise(starts, prices, reward)
    for i, (_, listed) in enumerate(rows):
        assert steps.touch_micros[starts[i] : starts[i + 1]].tolist() == [-price for price in listed]
        assert steps.touch_micros[starts[i] : starts[i + 1]].sum() + steps.end_micros[i] == reward[i]
        if not made[i][0]:
            assert steps.end_micros[i] == 0


@given(JOURNEY, st.sampled_from(RULES))
def test_a_late_sale_pays_what_is_left(row: tuple[bool, float, int, int, int], rule: str) -> None:
    """Given up first and sold later, a journey pays in all what it pays if sold at once."""
    given_up = reward_micros(journeys((False, *row[1:])), rule, TARGET)
    sold = reward_micros(journeys((True, *row[1:])), rule, TARGET)
    assert (given_up + late_micros(sold, given_up)).tolist() == sold.tolist()


def test_unknown_rules_are_told() -> None:
    """The line names the rules."""
    with pytest.raises(UsageError, match="profit, document"):
        paid("revenue", (True, 1.0, 1, 1, 1))
