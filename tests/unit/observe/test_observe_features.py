"""Observations: hand-worked rows, ranges over random contexts, and no glance at the truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaelp_sim.events import NONE
from gaelp_sim.observe.beliefs import Beliefs
from gaelp_sim.observe.features import Context, Standing, Truth, observe
from gaelp_sim.observe.memory import (
    SLOTS,
    Emails,
    Impressions,
    Losses,
    Memory,
    remember_emails,
    remember_impressions,
    remember_losses,
)
from gaelp_sim.observe.table import COLUMN, FEATURES, HIGH, LOW

T0 = 1_756_684_800
"""Monday, 2025-09-01, 00:00 UTC."""
HOUR, DAY = 3_600, 86_400


def standing(**given_values: float) -> Standing:
    """One row of a calm market and half-spent budgets."""
    values = {
        "avg_cpc_trend": 0.1,
        "competitor_aggression": 0.8,
        "seasonality": 1.2,
        "daily_remaining_micros": 450_000_000,
        "monthly_remaining_micros": NONE,
        "spent_micros": 100_000_000,
        "revenue_micros": 330_000_000,
        "pacing_ratio": 0.9,
    } | given_values
    return Standing(**{name: np.array([value]) for name, value in values.items()})


def context(count: int = 1, *, second: int = T0, channel: int = 0, signal: int = 0) -> Context:
    """Opportunities of the first `count` people on their accounts."""
    zeros = np.zeros(count, np.int64)
    codes = zeros.astype(np.int16)
    return Context(
        rows=np.arange(count),
        slots=zeros,
        second=zeros + second,
        channel=codes + channel,
        signal=codes + signal,
        device=codes + 1,
        on_list=np.ones(count, bool),
        standing_row=zeros,
        standing=standing(),
    )


def random_truth(rng: np.random.Generator, count: int) -> Truth:
    """Any truth, far outside what people can be."""
    codes = (rng.integers(-1, 40, count) for _ in range(6))
    return Truth(*codes, *(rng.normal(0, 3, count) for _ in range(3)))


def random_context(rng: np.random.Generator, count: int) -> Context:
    """Any context: times before and after memory's, any money, any market."""
    rows = rng.permutation(count)
    money = (rng.integers(-(10**9), 10**14, 3) for _ in range(4))
    return Context(
        rows=rows,
        slots=rng.integers(0, SLOTS, count),
        second=T0 + rng.integers(-DAY, 900 * DAY, count),
        channel=rng.integers(0, 2, count).astype(np.int16),
        signal=rng.integers(0, 4, count).astype(np.int16),
        device=rng.integers(0, 3, count).astype(np.int16),
        on_list=rng.random(count) < 0.5,
        standing_row=rng.integers(0, 3, count),
        standing=Standing(*(rng.normal(0, 9, 3) for _ in range(3)), *money, rng.normal(0, 9, 3)),
        utc_offset_s=int(rng.integers(-12, 15)) * HOUR,
        truth=random_truth(rng, count),
    )


def random_memory(rng: np.random.Generator, count: int, beliefs: Beliefs) -> Memory:
    """A memory after a few rounds of impressions, losses and e-mails."""
    memory = Memory.empty(count, beliefs)
    for _ in range(rng.integers(0, 8)):
        place = (rng.permutation(count), rng.integers(0, SLOTS, count), T0 + rng.integers(0, 60 * DAY, count))
        codes = tuple(rng.integers(0, 2, count) for _ in range(3))
        charge_micros, clicked = rng.integers(0, 10**9, count), rng.random(count) < 0.4
        remember_impressions(memory, Impressions(*place, *codes, charge_micros, clicked))
        remember_losses(memory, Losses(*place, *codes[:2]))
        remember_emails(memory, Emails(*place, codes[0], charge_micros, clicked))
    return memory


def value(row: np.ndarray[tuple[int, ...], np.dtype[np.float32]], name: str) -> float:
    """A feature of an observation by name."""
    return float(row[COLUMN[name]])


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(0, 12), full=st.booleans())
def test_every_value_is_in_range(beliefs: Beliefs, seed: int, count: int, full: bool) -> None:
    """Whatever happened, an observation is float32, in C order, finite and inside the table's bounds."""
    rng = np.random.default_rng(seed)
    memory = random_memory(rng, count, beliefs)
    seen = observe(memory, random_context(rng, count), full=full)
    assert seen.shape == (count, 41) and seen.dtype == np.float32 and seen.flags.c_contiguous
    assert np.isfinite(seen).all() and (seen >= LOW).all() and (seen <= HIGH).all()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_observed_never_reads_the_truth(beliefs: Beliefs, seed: int) -> None:
    """Another truth, or none, gives the same bytes; in full only latent columns may differ from observed ones."""
    rng = np.random.default_rng(seed)
    memory, seen = random_memory(rng, 9, beliefs), random_context(rng, 9)
    here = observe(memory, seen)
    for truth in (None, random_truth(rng, 9)):
        assert observe(memory, replace(seen, truth=truth)).tobytes() == here.tobytes()
    own = [not feature.latent for feature in FEATURES]
    assert (observe(memory, seen, full=True)[:, own] == here[:, own]).all()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_an_observation_does_not_depend_on_the_batch(beliefs: Beliefs, seed: int) -> None:
    """A row alone gives the bytes that it has among others, and observing changes no memory."""
    rng = np.random.default_rng(seed)
    memory, seen = random_memory(rng, 9, beliefs), random_context(rng, 9)
    before, together = memory.records.tobytes(), observe(memory, seen)
    columns = ("rows", "slots", "second", "channel", "signal", "device", "on_list", "standing_row")
    for i in range(9):
        alone = replace(seen, **{name: getattr(seen, name)[i : i + 1] for name in columns})
        assert observe(memory, alone).tobytes() == together[i].tobytes()
    assert memory.records.tobytes() == before


def test_a_stranger_by_hand(beliefs: Beliefs) -> None:
    """Before any touch: no history, the prior of the place, and the surroundings as given."""
    row = observe(Memory.empty(1, beliefs), context(second=T0 + 6 * HOUR))[0]
    assert not row[COLUMN["last_channel_1"] : COLUMN["days_in_journey"] + 1].any()
    assert value(row, "hours_since_last_touch") == value(row, "hours_since_last_click") == 720
    assert not row[COLUMN["total_spend_on_user_usd"] : COLUMN["competitor_exposures"] + 1].any()
    np.testing.assert_allclose(row[12:16], beliefs.given[:4, 0], rtol=1e-6)
    assert [value(row, name) for name in ("channel", "signal", "device", "on_list")] == [1, 1, 2, 1]
    assert [value(row, name) for name in ("hour_sin", "weekday")] == [1, 0]
    assert value(row, "hour_cos") == pytest.approx(0, abs=1e-7)
    assert row[COLUMN["avg_cpc_trend"] :].tolist() == pytest.approx([0.1, 0.8, 1.2, 450, 1e6, 2.3, 0.9])


def test_a_known_user_by_hand(beliefs: Beliefs) -> None:
    """An impression on social on Monday and a clicked one on search on Wednesday, seen Wednesday three hours later."""
    memory, one = Memory.empty(1, beliefs), np.ones(1, np.int64)
    place = (0 * one, 0 * one)
    remember_impressions(memory, Impressions(*place, T0 * one, one, 0 * one, 0 * one, 500_000 * one, one < 0))
    second = T0 + 2 * DAY
    remember_impressions(memory, Impressions(*place, second * one, 0 * one, one, one, 1_800_000 * one, one > 0))
    remember_losses(memory, Losses(*place, (second + HOUR) * one, one, one))
    row = observe(memory, context(second=second + 3 * HOUR, signal=1))[0]
    assert row[:3].tolist() == [1, 2, 0]
    assert value(row, "days_since_first_touch") == pytest.approx(2 + 3 / 24)
    assert value(row, "days_in_journey") == 3
    assert (value(row, "hours_since_last_touch"), value(row, "hours_since_last_click")) == (3, 3)
    assert value(row, "total_spend_on_user_usd") == pytest.approx(2.3)
    assert row[COLUMN["impressions"] : COLUMN["competitor_exposures"] + 1].tolist() == [2, 1, 0, 1]
    assert value(row, "fatigue_teach") == pytest.approx(0.5 * 2 ** (-(2 + 3 / 24) / 3), rel=1e-5)
    clicked = 2 ** (-(3 / 24) / 3)
    assert value(row, "fatigue_offer") == pytest.approx(clicked, rel=1e-5)
    recent = clicked / (1 + clicked + value(row, "fatigue_teach"))
    assert value(row, "engagement_trend") == pytest.approx(recent - 1 / 3, rel=1e-5)
    stranger = observe(Memory.empty(1, beliefs), context(signal=1))[0]
    assert value(row, "stage_intent") > value(stranger, "stage_intent")
    assert row[12:16].sum() == pytest.approx(1)


def test_full_holds_the_truth(beliefs: Beliefs) -> None:
    """In full the latent columns are the person's true ones."""
    codes = (np.array([code]) for code in (1, 3, 2, 1, 0, 3))
    truth = Truth(*codes, np.array([0.7]), np.array([0.5]), np.array([0.9]))
    row = observe(Memory.empty(1, beliefs), replace(context(), truth=truth), full=True)[0]
    assert row[12:16].tolist() == [0, 0, 0, 1]
    assert row[COLUMN["segment_0"] : COLUMN["segment_0"] + 3].tolist() == [0, 1, 0]
    names = ("goodwill", "competitor_exposures", "fatigue_teach", "fatigue_offer")
    assert [value(row, name) for name in names] == [2, 1, 0, 3]
    assert [value(row, name) for name in ("attention", "price_sensitivity", "urgency")] == pytest.approx([0.7, 0.5, 0.9])
    expected = float((beliefs.stage_prior[:, 0] * np.arange(4)).sum())
    assert value(row, "stage_progression") == pytest.approx(3 - expected, rel=1e-5)


def test_a_journey_that_timed_out_is_over(beliefs: Beliefs) -> None:
    """After 14 silent days the user is in no journey; the first touch is still remembered."""
    memory, one = Memory.empty(1, beliefs), np.ones(1, np.int64)
    remember_impressions(memory, Impressions(0 * one, 0 * one, T0 * one, *(0 * one,) * 4, one < 0))
    last, after = (observe(memory, context(second=T0 + 14 * DAY + extra))[0] for extra in (0, 1))
    assert (value(last, "days_in_journey"), value(after, "days_in_journey")) == (15, 0)
    assert value(after, "days_since_first_touch") == pytest.approx(14, rel=1e-4)


def test_clock_is_local(beliefs: Beliefs) -> None:
    """Monday 00:30 UTC is Sunday evening five hours west."""
    seen = replace(context(second=T0 + HOUR // 2), utc_offset_s=-5 * HOUR)
    row = observe(Memory.empty(1, beliefs), seen)[0]
    angle = 2 * np.pi * 19 / 24
    assert value(row, "weekday") == 6
    assert value(row, "hour_sin") == pytest.approx(np.sin(angle), rel=1e-6)


def test_full_needs_the_truth(beliefs: Beliefs) -> None:
    """Asking for full without a truth is the caller's mistake."""
    with pytest.raises(AssertionError, match="needs the truth"):
        observe(Memory.empty(1, beliefs), context(), full=True)
