"""Our policy where an agent from outside writes the bid sheet: its bid by signal, our creative, our exploration."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gaelp_sim.errors import UsageError
from gaelp_sim.events import Bids, Ints, Opportunities, Outcomes, Statistics
from gaelp_sim.market.bidder import BID_MICROS_MAX, Moment
from gaelp_sim.market.rule_policy import LEVEL_MULTIPLES, RulePolicy
from gaelp_sim.scenario.schema import Scenario

OUTSIDE = "outside"


@dataclass
class OutsidePolicy:
    """The rule, by day and night alike, with the hour's sheet in place of the market's price times the pace."""

    rule: RulePolicy

    @staticmethod
    def of(scenario: Scenario) -> OutsidePolicy:
        """Compile it for a scenario; raises UsageError where that names no agent."""
        if scenario.agent is None:
            raise UsageError(f"--policy {OUTSIDE}: the scenario names no agent to ask; next: --set agent.external=sql")
        rule = RulePolicy.of(scenario)
        by_day = np.stack([rule.greedy_level[0], rule.greedy_level[0]])
        return OutsidePolicy(replace(rule, greedy_level=by_day))

    @property
    def name(self) -> str:
        """Who bids."""
        return self.rule.name

    @property
    def price_micros(self) -> Ints:
        """(signals,): what the rule would build its sheet on"""
        return self.rule.price_micros

    def bid(self, opportunities: Opportunities, moment: Moment) -> Bids:
        """Level and creative as the rule chooses them; bid = the sheet's x multiple x device.

        Raises UsageError where nobody has been asked: in worlds that are only thought through.
        """
        if not moment.sheet_micros.shape[1]:
            raise UsageError(
                f"--policy {OUTSIDE}: an agent bids in `gaelp run` and `resume` alone, its sheets come back in replays; "
                "nobody is asked here; next: another policy"
            )
        bids = self.rule.bid(opportunities, moment)
        sheet = moment.sheet_micros[opportunities.unit, opportunities.signal]
        paid = LEVEL_MULTIPLES[bids.level] * sheet * self.rule.device_factor[opportunities.device]
        return replace(bids, bid_micros=np.minimum(paid, BID_MICROS_MAX).astype(np.int64))

    def observe(self, opportunities: Opportunities, outcomes: Outcomes) -> Statistics:
        """Nothing: whoever learns does so outside."""
        return Statistics(np.zeros(0, dtype=np.int64))

    def update(self, statistics: Statistics) -> None:
        """Nothing to update."""

