"""Is there anything to learn in a scenario? Its economy, worked out exactly: no run's luck is in these figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from gaelp_sim.analyse.bands import Band
from gaelp_sim.analyse.estimates import Estimate
from gaelp_sim.analyse.realism import Check, Realism, judged
from gaelp_sim.planning.plan import Plan, Problem
from gaelp_sim.planning.recursion import EVERYTHING, Way
from gaelp_sim.scenario.schema import Scenario

MULTIPLES = (0.7, 1.2, 1.7)
DAYS_MOST = 30
"""Longer scenarios are judged by their first days"""
OnShare = Callable[[float], None]
"""Called with the share of the work that is done"""
_SOURCE = "worked out from the scenario; band chosen"
OVER_SILENCE = "best possible profit over that without ads"
OVER_RULE = "best possible profit over the best simple rule's"
EVERYTHING_OVER = "profit of buying everything over the best simple rule's"
UNPAID = "sales without ads over those under the best simple rule"
BANDS = (
    Band(OVER_SILENCE, 1.2, 20.0, _SOURCE, 1),
    Band(OVER_RULE, 1.25, 2.5, _SOURCE, 1),
    Band(EVERYTHING_OVER, -20.0, 0.95, _SOURCE, 1),
    Band(UNPAID, 0.10, 0.45, _SOURCE, 1),
)
"""Outside of these a scenario is degenerate: what a learner gains there in percent tells little."""
_WHY = {
    OVER_SILENCE: ("silence is nearly as good a policy as any", "without ads nothing is sold"),
    OVER_RULE: (
        "a plain rule does nearly all that can be done", "plain rules hardly earn, so percentages over them mean nothing",
    ),
    EVERYTHING_OVER: ("buying everything ruins", "bidding the most is about as good as any rule"),
    UNPAID: ("nobody buys unless told", "about half of all sales come unpaid"),
}
"""What it means to lie below and above"""


@dataclass(frozen=True)
class Economy:
    """Means over people at their start, in USD a person, without budgets.

    Simple rules bid a multiple of market prices, and (easier than in a run) not for those who have decided to buy.
    """

    silent_usd: float
    best_usd: float
    rule_usd: float
    rule_multiple: float
    everything_usd: float
    rule_sales_usd: float
    """Value of the sales under the best simple rule"""

    def figures(self) -> dict[str, Estimate]:
        """What the bands are about; exact, so intervals are points."""
        silent, rule = max(self.silent_usd, 1e-9), max(self.rule_usd, 1e-9)
        values = {
            OVER_SILENCE: self.best_usd / silent, OVER_RULE: self.best_usd / rule,
            EVERYTHING_OVER: self.everything_usd / rule, UNPAID: self.silent_usd / max(self.rule_sales_usd, 1e-9),
        }
        return {name: Estimate(value, value, value, 1) for name, value in values.items()}


def economy_of(scenario: Scenario, on_share: OnShare = lambda share: None) -> Economy:
    """Work out the economy of a scenario; e-mail is left out, which moves the figures by about a percent."""
    days = min(scenario.days, DAYS_MOST)
    problem = Problem.of(scenario.model_copy(update={"email": None, "days": days}))
    done = 0

    def planned(way: Way, multiple: float = 1.0, money: float = 1.0) -> Plan:
        nonlocal done
        plan = problem.plan(way, multiple, money=money)
        done += 1
        on_share(done / (len(MULTIPLES) + 4))
        return plan

    silent, best = planned(Way.SILENT).value_usd, planned(Way.BEST).value_usd
    rule = max((planned(Way.FIXED, multiple) for multiple in MULTIPLES), key=lambda plan: plan.value_usd)
    # A fixed way of bidding is worth sales - money x spend: two prices of money tell both.
    dearer = planned(Way.FIXED, rule.asked.multiple, money=2.0).value_usd
    everything = planned(Way.FIXED, EVERYTHING).value_usd
    return Economy(
        silent, best, rule.value_usd, rule.asked.multiple, everything, 2.0 * rule.value_usd - dearer,
    )


def judged_economy(scenario: Scenario, on_share: OnShare = lambda share: None) -> Realism:
    """The economy's figures beside their bands; what lies outside says why the scenario is degenerate."""
    if scenario.population.user_model is not None:
        return Realism([], ["the economy (an outside user model decides clicks)"])
    found = judged(economy_of(scenario, on_share).figures(), BANDS)
    return Realism([check if check.passed else _degenerate(check) for check in found.checks], found.left_out)


def _degenerate(check: Check) -> Check:
    below, above = _WHY[check.quantity]
    return replace(check, note=f"degenerate scenario: {below if check.got < check.low else above}")
