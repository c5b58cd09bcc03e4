"""Bidders that the tests put into rivals' seats."""

from __future__ import annotations

import numpy as np

from gaelp_sim.events import Bids, Opportunities, Outcomes, Statistics
from gaelp_sim.market.bidder import Moment
from gaelp_sim.scenario.schema import Scenario


class Chaser:
    """Bids a multiple of the market's price, more after hours in which it won little."""

    def __init__(self, scenario: Scenario) -> None:
        self.name, self.level = "chaser", np.ones(1)
        self.prices = np.array([s.price_median_usd * 1e6 for channel in scenario.channels for s in channel.signals])

    def bid(self, opportunities: Opportunities, moment: Moment) -> Bids:
        none = np.full(len(opportunities), -1, dtype=np.int16)
        bids = (self.prices[opportunities.signal] * self.level[0]).astype(np.int64)
        return Bids(bids, none, none, np.ones(len(opportunities)))

    def observe(self, opportunities: Opportunities, outcomes: Outcomes) -> Statistics:
        assert ((outcomes.price_micros > 0) <= (outcomes.winner >= 0)).all(), "told of its own prices alone"
        return Statistics(np.array([len(opportunities), (outcomes.winner >= 0).sum()]))

    def update(self, statistics: Statistics) -> None:
        seen, won = statistics.sums
        if seen:
            self.level = self.level * (1.02 if won < 0.3 * seen else 0.98)

    def state(self) -> dict[str, np.ndarray]:
        return {"level": self.level.copy()}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        self.level = state["level"].copy()


class Hermit(Chaser):
    """The same, keeping what it learns to itself."""

    additive = False


class Floats(Chaser):
    """Statistics that would not add up exactly."""

    def observe(self, opportunities: Opportunities, outcomes: Outcomes) -> Statistics:
        return Statistics(np.array([0.5]))
