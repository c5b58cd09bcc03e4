"""What every bidder must keep to: `check_bidder` faces each registered one, and yours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from gaelp_sim.draws import Draws, Purpose
from gaelp_sim.events import Bids, Opportunities
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
    """Shapes, ranges, purity and independence of a bidder's bids."""
    slots, now = opportunities(scenario), moment(scenario)
    before = [column.copy() for column in (*vars(slots).values(), now.luck, now.price_factor, now.multiplier_ppm)]
    bids = make(scenario).bid(slots, now)
    after = (*vars(slots).values(), now.luck, now.price_factor, now.multiplier_ppm)
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True)), "arguments are read only"
    _check_ranges(bids, scenario)
    again = make(scenario).bid(slots, now)
    assert all(np.array_equal(a, b) for a, b in zip(vars(bids).values(), vars(again).values(), strict=True)), "same luck"
    _check_one_by_one(make(scenario), slots, now, bids)
    assert len(make(scenario).bid(opportunities(scenario, 0), moment(scenario, 0))) == 0, "an empty hour is no error"


def _check_ranges(bids: Bids, scenario: Scenario) -> None:
    assert all(len(column) == N for column in vars(bids).values()), "an entry an opportunity"
    assert np.issubdtype(bids.bid_micros.dtype, np.integer), "money in integers"
    assert bids.bid_micros.min() >= 0 and bids.bid_micros.max() <= BID_MICROS_MAX
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
