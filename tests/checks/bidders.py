"""What every bidder must keep to: `check_bidder` faces each registered one, and yours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from gaelp_sim.draws import Draws, Purpose
from gaelp_sim.events import NONE, US, Bids, Opportunities, Outcomes
from gaelp_sim.market.auction import Codes
from gaelp_sim.market.bidder import BID_MICROS_MAX, Bidder, Moment
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import PPM

N, UNITS = 400, 3
Make = Callable[[Scenario], Bidder]


def opportunities(scenario: Scenario, n: int = N) -> Opportunities:
    """Opportunities on every channel, in three units."""
    words = Draws(seed=4).words(Purpose.SALE, 0, np.arange(n), 0)
    counts = np.array([len(channel.signals) for channel in scenario.channels])
    channel = (words[0] % len(counts)).astype(np.int16)
    first = (np.cumsum(counts) - counts)[channel]
    return Opportunities(
        np.arange(n), np.sort(words[1] % UNITS).astype(np.int64), np.arange(n), channel,
        (first + words[2] % counts[channel]).astype(np.int16), (words[3] % 3).astype(np.int16),
    )


def moment(scenario: Scenario, n: int = N, hour: int = 20) -> Moment:
    """What a bidder knows of an hour; luck is keyed."""
    luck = Draws(seed=5).words(Purpose.SALE, 0, np.arange(n), hour)
    pace = np.full((UNITS, len(scenario.channels)), PPM)
    share = pace // np.arange(1, UNITS + 1)[:, None]
    now = Moment(hour, hour % 24, np.linspace(0.9, 1.1, UNITS), luck[0], luck[1] % 2 == 0, pace, share)
    if scenario.us.policy.creatives == "rotate":
        return replace(now, recent=(luck[2:] % 4).astype(np.float32))
    if scenario.us.policy.creatives == "thompson":
        signals = sum(len(channel.signals) for channel in scenario.channels)
        return replace(now, creative=np.arange(UNITS * signals, dtype=np.int16).reshape(UNITS, signals) % 2)
    return now


def check_bidder(make: Make, scenario: Scenario) -> None:
    """Shapes, ranges, purity and independence of a bidder's bids; what it may learn from, and when."""
    slots, now = opportunities(scenario), moment(scenario)
    before = [column.copy() for column in (*vars(slots).values(), now.luck, now.price_factor, now.multiplier_ppm)]
    bids = make(scenario).bid(slots, now)
    after = (*vars(slots).values(), now.luck, now.price_factor, now.multiplier_ppm)
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True)), "arguments are read only"
    _check_ranges(bids, scenario)
    again = make(scenario).bid(slots, now)
    _assert_equal(bids, again, "same luck")
    _check_one_by_one(make(scenario), slots, now, bids)
    _check_row_order(make(scenario), slots, now, bids)
    _check_no_peeking(make, scenario, bids)
    _check_learning(make(scenario), scenario, bids)
    assert len(make(scenario).bid(opportunities(scenario, 0), moment(scenario, 0))) == 0, "an empty hour is no error"


def outcomes(scenario: Scenario, n: int = N) -> Outcomes:
    """How such opportunities ended: everybody wins some, some stay unsold."""
    words = Draws(seed=6).words(Purpose.SALE, 0, np.arange(n), 0)
    winner = (words[0] % (len(scenario.rivals) + 2)).astype(np.int16) + NONE
    price = np.where(winner == NONE, 0, words[1] % 5_000_000).astype(np.int64)
    return Outcomes(winner.astype(np.int16), price, price // 1_000, words[2] % 20 == 0, words[3] % 2 == 0)


def _assert_equal(bids: Bids, others: Bids, why: str) -> None:
    for name, column in vars(bids).items():
        assert np.array_equal(column, getattr(others, name)), f"{name}: {why}"


def _check_ranges(bids: Bids, scenario: Scenario) -> None:
    assert all(len(column) == N for column in vars(bids).values()), "an entry an opportunity"
    assert np.issubdtype(bids.bid_micros.dtype, np.integer), "money in integers"
    assert bids.bid_micros.min() >= 0 and bids.bid_micros.max() <= BID_MICROS_MAX, f"bids lie in 0..{BID_MICROS_MAX}"
    assert (bids.propensity > 0).all() and (bids.propensity <= 1).all(), "the chosen action had a chance"
    assert bids.creative.max() < len(scenario.creatives)


def _check_one_by_one(bidder: Bidder, slots: Opportunities, now: Moment, whole: Bids) -> None:
    for i in range(0, N, 37):
        part = Opportunities(**slots.take(slice(i, i + 1)))
        here = slice(i, i + 1)
        alone = replace(now, luck=now.luck[here], returning=now.returning[here], recent=now.recent[:, here])
        one = bidder.bid(part, alone)
        for name, column in vars(one).items():
            assert column[0] == getattr(whole, name)[i], f"{name} depends on the company"


def _check_row_order(bidder: Bidder, slots: Opportunities, now: Moment, whole: Bids) -> None:
    order = np.argsort(Draws(seed=7).words(Purpose.SALE, 0, np.arange(N), 0)[0])
    recent = now.recent[:, order] if now.recent.shape[1] == N else now.recent
    mixed = replace(now, luck=now.luck[order], returning=now.returning[order], recent=recent)
    _assert_equal(Bids(**whole.take(order)), bidder.bid(Opportunities(**slots.take(order)), mixed), "row order matters")


def _check_no_peeking(make: Make, scenario: Scenario, whole: Bids) -> None:
    """Others' bids reach a bidder in no way: not by their settings, not by what another bidder has just done."""
    slots, now, own = opportunities(scenario), moment(scenario), make(scenario)
    louder = [
        rival if rival.name == own.name else rival.model_copy(update={"level": 3 * rival.level, "budget_usd_day": 1.0})
        for rival in scenario.rivals
    ]
    _assert_equal(whole, make(scenario.model_copy(update={"rivals": louder})).bid(slots, now), "it knows rivals' settings")
    other = make(scenario)
    other.bid(slots, replace(now, luck=~now.luck, hour=now.hour + 1))
    other.observe(slots, outcomes(scenario))
    _assert_equal(whole, own.bid(slots, now), "another bidder's doings reach it")


def _check_learning(bidder: Bidder, scenario: Scenario, whole: Bids) -> None:
    """Statistics add up over parts, don't tell which other won, and change bids only by `update`."""
    slots, now, ended = opportunities(scenario), moment(scenario), outcomes(scenario)
    before = [column.copy() for column in (*vars(slots).values(), *vars(ended).values())]
    sums = bidder.observe(slots, ended).sums
    after = (*vars(slots).values(), *vars(ended).values())
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True)), "outcomes are read only"
    assert sums.dtype == np.int64, "statistics are int64, so that cells add up exactly"
    halves = [slice(0, N // 2), slice(N // 2, N)]
    parts = [bidder.observe(Opportunities(**slots.take(half)), Outcomes(**ended.take(half))).sums for half in halves]
    assert np.array_equal(sums, parts[0] + parts[1]), "statistics don't add up over parts"
    hidden = bidder.observe(slots, replace(ended, winner=_others_changed(bidder, scenario, ended.winner))).sums
    assert np.array_equal(sums, hidden), "statistics tell which other bidder won"
    _assert_equal(whole, bidder.bid(slots, now), "bids change before an update")


def _others_changed(bidder: Bidder, scenario: Scenario, winner: Codes) -> Codes:
    """The winners, with the next of the others in the place of each other."""
    names = [scenario.us.name, *(rival.name for rival in scenario.rivals)]
    own = names.index(bidder.name) if bidder.name in names else US
    others = np.array([code for code in range(len(names)) if code != own], dtype=winner.dtype)
    changed = winner.copy()
    if len(others) > 1:
        for place, code in enumerate(others):
            changed[winner == code] = others[(place + 1) % len(others)]
    return changed
