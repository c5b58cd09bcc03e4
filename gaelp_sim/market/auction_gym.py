"""A bidder written for AuctionGym, in a rival's seat.

AuctionGym's bidders have `bid(value, context, estimated_CTR) -> bid`, one auction at a time, and learn in batches by
`update(contexts, values, bids, prices, outcomes, estimated_CTRs, won_mask, ...)`. They keep what they learn to themselves,
so they live in worlds of one cell, and runs with them cannot be continued.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gaelp_sim.events import NONE, Bids, Floats, Ints, Opportunities, Outcomes, Statistics
from gaelp_sim.market.bidder import BID_MICROS_MAX, Moment
from gaelp_sim.market.cast import channel_of_signal, market_level_micros
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import MICROS_PER_UNIT


class AuctionGymRival:
    """Lends an AuctionGym-style bidder our columns; values and bids are in units of money, as the channel charges.

    Bids here are per click where clicks are charged, so `estimated_CTR` is always 1. Outcomes are 1 where the price is
    due: for a click, or for an impression where impressions are charged. It is asked one auction at a time: slow.
    """

    additive = False

    def __init__(self, scenario: Scenario, bidder: Any, name: str = "AuctionGym") -> None:
        """Wrap `bidder`; its values are the market's level for each signal, times `price_factor` of the hour."""
        self.name, self.bidder = name, bidder
        self.value = market_level_micros(scenario) / MICROS_PER_UNIT
        self.per_click = np.array([channel.charge == "cpc" for channel in scenario.channels])
        self.channel = channel_of_signal(scenario)
        self.hours = 0
        self._asked: tuple[Floats, Floats, Floats] | None = None
        self._seen: list[tuple[Floats, ...]] = []

    def bid(self, opportunities: Opportunities, moment: Moment) -> Bids:
        """Ask for every opportunity in turn."""
        values = self.value[opportunities.signal] * moment.price_factor[opportunities.unit]
        contexts = self._contexts(opportunities, moment.local_hour)
        bids = np.array([float(self.bidder.bid(*each, 1.0)) for each in zip(values, contexts, strict=True)])
        self._asked = (contexts, values, bids)
        none = np.full(len(bids), NONE, dtype=np.int16)
        return Bids(_micros(bids), none, none, np.ones(len(bids)))

    def _contexts(self, opportunities: Opportunities, local_hour: int) -> Floats:
        """(n, 3 + channels): 1, sine and cosine of the hour, which channel."""
        angle = 2 * np.pi * local_hour / 24
        clock = np.tile([1.0, np.sin(angle), np.cos(angle)], (len(opportunities), 1))
        return np.hstack([clock, np.eye(len(self.per_click))[opportunities.channel]])

    def observe(self, opportunities: Opportunities, outcomes: Outcomes) -> Statistics:
        """Keep the round for the hour's update."""
        assert self._asked is not None, "asked before told"
        contexts, values, bids = self._asked
        won = outcomes.winner != NONE
        due = won & (outcomes.clicked | ~self.per_click[opportunities.channel])
        prices = np.where(due, outcomes.price_micros / MICROS_PER_UNIT, 0.0)
        self._seen.append((contexts, values, bids, prices, due.astype(float), np.ones(len(values)), won))
        return Statistics(np.array([len(values)]))

    def update(self, statistics: Statistics) -> None:
        """Let it learn from the hour, as AuctionGym does at an iteration's end."""
        seen, self._seen = self._seen, []
        if seen:
            columns = [np.concatenate(parts) for parts in zip(*seen, strict=True)]
            self.bidder.update(*columns, self.hours, False, None, None, self.name)
        self.hours += 1


def _micros(bids: Floats) -> Ints:
    """Whole micros; what is no number, or out of range, becomes what the market will refuse in the bidder's name."""
    bids = np.where(np.isfinite(bids), bids, -1.0)
    return np.clip(bids * MICROS_PER_UNIT, -1, BID_MICROS_MAX + 1).astype(np.int64)
