"""Two buyers who pay any price: one takes every ad there is, the other shows nobody more than two in three days."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import replace

import numpy as np

from gaelp_sim.events import Bids, Opportunities, Outcomes, Statistics
from gaelp_sim.market.bidder import Moment
from gaelp_sim.market.rule_policy import RulePolicy
from gaelp_sim.scenario.schema import Scenario

ANY_PRICE = 4
"""Times the market's median."""
ADS, SECONDS = 2, 3 * 86_400


class Greedy:
    """Bids for everything, with the creative that fits the signal."""

    def __init__(self, scenario: Scenario) -> None:
        self.rule, self.name = RulePolicy.of(scenario), scenario.us.name

    def bid(self, opportunities: Opportunities, moment: Moment) -> Bids:
        ours = self.rule.fits.option_count[opportunities.channel] > 0
        price = np.where(ours, self.rule.price_micros[opportunities.signal], 0)
        wanted = self.wanted(opportunities, price > 0)
        bids = self.rule.bid(opportunities, moment)
        return replace(
            bids, bid_micros=price * ANY_PRICE * wanted, level=wanted.astype(np.int16),
            creative=self.rule.fits.best[0, opportunities.signal],
        )

    def wanted(self, opportunities: Opportunities, possible: np.ndarray) -> np.ndarray:
        """Which of the possible opportunities to bid for."""
        return possible

    def observe(self, opportunities: Opportunities, outcomes: Outcomes) -> Statistics:
        return Statistics(np.zeros(0, dtype=np.int64))

    def update(self, statistics: Statistics) -> None: ...


class Sparing(Greedy):
    """The same, but at most ADS bids for a person in any SECONDS."""

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario)
        self.shown: dict[int, deque[int]] = defaultdict(lambda: deque([-SECONDS] * ADS, maxlen=ADS))

    def wanted(self, opportunities: Opportunities, possible: np.ndarray) -> np.ndarray:
        wanted = possible.copy()
        for i, (row, second) in enumerate(zip(opportunities.row.tolist(), opportunities.second.tolist(), strict=True)):
            wanted[i] &= second - self.shown[row][0] > SECONDS
            if wanted[i]:
                self.shown[row].append(second)
        return wanted
