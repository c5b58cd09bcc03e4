"""Our seat in the auctions, held for some users by an agent outside and for everybody else by the scenario's rule."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.events import NONE, Bids, Bools, Ints, Opportunities, Outcomes, Statistics
from gaelp_sim.market.bidder import Moment
from gaelp_sim.market.rule_policy import LEVEL_MULTIPLES, RulePolicy
from gaelp_sim.scenario.schema import Scenario


@dataclass
class Seat:
    """A bidder whose answer to a user's opportunities is a slate: the creative to show in each channel."""

    name: str
    rule: RulePolicy
    level: int
    """Of the bids for the users; a slate says what to show, not for how much"""
    user: Ints
    """(people,): number of the user whom the agent serves, NONE for the neighbours"""
    creative: NDArray[np.int16]
    """(users, channels), NONE where we stay out"""
    met: Bools
    """(users,): had an opportunity since this was last cleared"""

    @staticmethod
    def of(scenario: Scenario, people: Ints, bid_multiple: float) -> Seat:
        """A seat that bids for these people the level next to `bid_multiple` times the market's price."""
        user = np.full(scenario.population.people, NONE, dtype=np.int64)
        user[people] = np.arange(len(people))
        creative = np.full((len(people), len(scenario.channels)), NONE, dtype=np.int16)
        level = int(np.abs(LEVEL_MULTIPLES - bid_multiple).argmin())
        return Seat(scenario.us.name, RulePolicy.of(scenario), level, user, creative, np.zeros(len(people), dtype=bool))

    def bid(self, opportunities: Opportunities, moment: Moment) -> Bids:
        """The rule's bids, but for users the slates'."""
        bids = self.rule.bid(opportunities, moment)
        at = np.flatnonzero(self.user[opportunities.row] != NONE)
        users = self.user[opportunities.row[at]]
        self.met[users] = True
        creative = self.creative[users, opportunities.channel[at]]
        level = np.where(creative != NONE, self.level, 0)
        price = self.rule.price_micros[opportunities.signal[at]]
        bids.level[at], bids.creative[at], bids.propensity[at] = level, np.maximum(creative, 0), 1.0
        bids.bid_micros[at] = (LEVEL_MULTIPLES[level] * price).astype(np.int64)
        return bids

    def observe(self, opportunities: Opportunities, outcomes: Outcomes) -> Statistics:
        """Nothing: the agent learns outside."""
        return Statistics(np.zeros(0, dtype=np.int64))

    def update(self, statistics: Statistics) -> None:
        """Nothing to update."""
