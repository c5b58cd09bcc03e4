"""Our seat taken by chance, to see what a policy can and cannot influence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gaelp_sim.events import NONE, Bids, Opportunities, Outcomes, Statistics
from gaelp_sim.market.bidder import Moment
from gaelp_sim.market.rule_policy import RulePolicy
from gaelp_sim.scenario.schema import Scenario

RANDOM = "tests.worlds.policies:Uniform"
POLICIES = ("rule", "silent", RANDOM)


class Uniform:
    """Draws level and creative uniformly for every opportunity."""

    @staticmethod
    def of(scenario: Scenario) -> RulePolicy:
        """The rule with nothing but exploration."""
        return replace(RulePolicy.of(scenario), epsilon=1.0)


class Nameless:
    """Bids by the rule and names no creative."""

    def __init__(self, scenario: Scenario) -> None:
        self.rule = RulePolicy.of(scenario)
        self.name = self.rule.name

    def bid(self, opportunities: Opportunities, moment: Moment) -> Bids:
        """The rule's bids, creatives left out."""
        bids = self.rule.bid(opportunities, moment)
        return replace(bids, creative=np.full(len(bids), NONE, dtype=np.int16))

    def observe(self, opportunities: Opportunities, outcomes: Outcomes) -> Statistics:
        """Nothing."""
        return self.rule.observe(opportunities, outcomes)

    def update(self, statistics: Statistics) -> None:
        """Nothing."""
