"""What every policy that knows users must keep to: `check_policy` faces each registered one, and yours."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from gaelp_sim.events import Bids, Opportunities
from gaelp_sim.market.bidder import BID_MICROS_MAX, Bidder, Informed, Known, Moment, Truth, informed
from gaelp_sim.observe.table import COLUMN, FEATURES, HIGH, LOW
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import PPM
from tests.checks.bidders import moment, opportunities, outcomes

N, ROUNDS = 60, 4
Make = Callable[[Scenario], Bidder]


def check_policy(make: Make, scenario: Scenario) -> None:
    """Ranges, purity, one user at a time, memories that are each user's own, and no peeking at what people are."""
    policy = _informed(make, scenario)
    rounds = [_round(scenario, turn) for turn in range(ROUNDS)]
    together = _lived(policy, scenario, rounds)
    for bids in together:
        _check_ranges(bids, scenario)
    _assert_equal(together, _lived(_informed(make, scenario), scenario, rounds), "the same again")
    sent = pickle.loads(pickle.dumps(_informed(make, scenario)))
    _assert_equal(together, _lived(sent, scenario, rounds), "in another process")
    for user in (0, N // 2, N - 1):
        alone = _lived(_informed(make, scenario), scenario, [_only(one, user) for one in rounds])
        _assert_equal([_at(bids, user) for bids in together], alone, f"user {user} alone")
    if not policy.sees_truth:
        others = [(one, now, replace(known, truth=_truth(turn + 50))) for turn, (one, now, known) in enumerate(rounds)]
        _assert_equal(together, _lived(_informed(make, scenario), scenario, others), "whatever people truly are")
    _check_silence(_informed(make, scenario), scenario)


def _informed(make: Make, scenario: Scenario) -> Informed:
    policy = informed(make(scenario))
    assert policy is not None, "it has bid_knowing and note"
    return policy


def _round(scenario: Scenario, turn: int) -> tuple[Opportunities, Moment, Known]:
    """A day on: every user meets something, in one unit."""
    rng = np.random.default_rng(turn)
    one = opportunities(scenario, N)
    one = replace(one, unit=np.zeros(N, dtype=np.int64), second=np.arange(N) + (30 + 24 * turn) * 3_600)
    now = moment(scenario, N, hour=30 + 24 * turn)
    whole = np.full((1, len(scenario.channels)), PPM)
    now = replace(now, price_factor=np.ones(1), multiplier_ppm=whole, participate_ppm=whole)
    seen = (LOW + (HIGH - LOW) * rng.random((N, 41)) ** 4).astype(np.float32)
    books = [place for place, feature in enumerate(FEATURES) if feature.group == "budget"]
    seen[:, books] = seen[0, books]  # one world, one set of books
    seen[:, COLUMN["channel"]], seen[:, COLUMN["signal"]] = one.channel + 1, one.signal + 1
    return one, now, Known(np.arange(N), rng.random(N) < 0.2, np.zeros((0, 0), dtype=np.float32), _truth(turn), seen)


def _truth(turn: int) -> Truth:
    rng = np.random.default_rng(1_000 + turn)
    level = np.stack([rng.integers(0, most, N) for most in (4, 3, 4, 4)]).astype(np.int8)
    return Truth(rng.integers(0, 3, N), rng.integers(0, 4, N), level, rng.random(N) < 0.2)


def _lived(policy: Informed, scenario: Scenario, rounds: list[tuple[Opportunities, Moment, Known]]) -> list[Bids]:
    """Bids of each round; the notes go on, and arguments stay as they are."""
    notes, answers = np.zeros((N, policy.notes), dtype=np.float32), []
    for one, now, known in rounds:
        here = replace(known, notes=notes)
        before = [column.copy() for column in (*vars(one).values(), now.luck, here.observation)]
        bids = policy.bid_knowing(one, now, here)
        ended = replace(outcomes(scenario, N), **outcomes(scenario, N).take(one.row))
        policy.note(one, (bids, ended), here)
        after = (*vars(one).values(), now.luck, here.observation)
        assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True)), "arguments are read only"
        answers.append(bids)
    return answers


def _only(told: tuple[Opportunities, Moment, Known], user: int) -> tuple[Opportunities, Moment, Known]:
    one, now, known = told
    at = np.array([user])
    few = replace(now, luck=now.luck[at], returning=now.returning[at],
                  recent=now.recent[:, at] if now.recent.shape[1] else now.recent)
    assert known.truth is not None and known.observation is not None
    truth = Truth(known.truth.segment[at], known.truth.stage[at], known.truth.level[:, at], known.truth.decided[at])
    return Opportunities(**one.take(at)), few, replace(
        known, user=known.user[at], on_list=known.on_list[at], truth=truth, observation=known.observation[at]
    )


def _at(bids: Bids, user: int) -> Bids:
    return Bids(**bids.take(np.array([user])))


def _assert_equal(these: list[Bids], those: list[Bids], why: str) -> None:
    for turn, (one, other) in enumerate(zip(these, those, strict=True)):
        for name in ("bid_micros", "level", "creative"):
            assert np.array_equal(getattr(one, name), getattr(other, name)), f"round {turn}: {name}: {why}"
        assert np.allclose(one.propensity, other.propensity, atol=1e-6), f"round {turn}: propensity: {why}"


def _check_ranges(bids: Bids, scenario: Scenario) -> None:
    assert np.issubdtype(bids.bid_micros.dtype, np.integer), "money in integers"
    assert bids.bid_micros.min() >= 0 and bids.bid_micros.max() <= BID_MICROS_MAX
    assert ((bids.propensity > 0) & (bids.propensity <= 1)).all(), "what was chosen had a chance"
    assert ((bids.bid_micros > 0) <= (bids.level > 0)).all(), "level 0 stays out"
    assert (bids.creative < len(scenario.creatives)).all()


def _check_silence(policy: Informed, scenario: Scenario) -> None:
    """A round in which nobody meets anything is no error."""
    one, now = opportunities(scenario, 0), moment(scenario, 0, hour=30)
    none = np.zeros(0, dtype=np.int64)
    truth = Truth(none, none, np.zeros((4, 0), dtype=np.int8), none > 0)
    known = Known(none, none > 0, np.zeros((N, policy.notes), dtype=np.float32), truth, np.zeros((0, 41), dtype=np.float32))
    assert len(policy.bid_knowing(one, now, known)) == 0
