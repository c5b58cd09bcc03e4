"""Policies with a dial: what people run today, each with settings to choose from, and any other with its bids scaled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from gaelp_sim.evaluate.priced import fixed, scaled
from gaelp_sim.evaluate.target_cpa import TargetCpa
from gaelp_sim.evaluate.thompson import Thompson, tried
from gaelp_sim.evaluate.touch_values import LAST, LINEAR, touch_values
from gaelp_sim.market.bidder import Bidder
from gaelp_sim.market.rule_policy import RulePolicy
from gaelp_sim.planning.played import with_rule
from gaelp_sim.planning.seeds import TUNING_SEED
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.world.policies import policy_named


@dataclass(frozen=True)
class Candidate:
    """A policy with its dial set."""

    scenario: Scenario
    """With what the policy needs of it: its budget, its pacing"""
    bidder: Bidder | str
    told: str
    """The dial's setting, to read"""


@dataclass(frozen=True)
class Dials:
    """Settings to choose from."""

    multiples: tuple[float, ...]
    """Of market prices, and of values"""
    targets_usd: tuple[float, ...]
    """CPAs"""
    budgets_usd: tuple[float, ...]
    """A day, for 10,000 people"""


WIDTHS = (0.3, 1.0)
RETURNING = (1.0, 1.4)
Offered = Callable[[Scenario, Dials, int], Iterator[Candidate]]


def _random(scenario: Scenario, dials: Dials, worlds: int) -> Iterator[Candidate]:
    for multiple in dials.multiples:
        bidder = replace(RulePolicy.of(scenario), epsilon=1.0)
        yield Candidate(scenario, scaled(bidder, multiple), f"{multiple:g} x market price")


def _fixed(scenario: Scenario, dials: Dials, worlds: int) -> Iterator[Candidate]:
    for multiple in dials.multiples:
        yield Candidate(scenario, fixed(scenario, multiple), f"{multiple:g} x market price")


def _rule(scenario: Scenario, dials: Dials, worlds: int) -> Iterator[Candidate]:
    for multiple in dials.multiples:
        for factor in RETURNING:
            bidder = RulePolicy.of(with_rule(scenario, multiple, factor, "fit"))
            yield Candidate(scenario, bidder, f"{multiple:g} x market price, returning x {factor:g}")


def _by_value(rule: str) -> Offered:
    def offered(scenario: Scenario, dials: Dials, worlds: int) -> Iterator[Candidate]:
        values = touch_values(scenario, rule, TUNING_SEED + 1, worlds)
        for multiple in dials.multiples:
            yield Candidate(scenario, values.bidder(scenario, multiple), f"{multiple:g} x value")

    return offered


def _target_cpa(scenario: Scenario, dials: Dials, worlds: int) -> Iterator[Candidate]:
    values = touch_values(scenario, LAST, TUNING_SEED + 1, worlds)
    for target in dials.targets_usd:
        multiple = target / float(scenario.economics.ltv_usd)
        rule = values.bidder(scenario, multiple)
        assert isinstance(rule, RulePolicy)
        yield Candidate(scenario, TargetCpa(rule, float(scenario.economics.ltv_usd), target), f"target {target:g} USD")


def _dual(scenario: Scenario, dials: Dials, worlds: int) -> Iterator[Candidate]:
    """Values by linear multi-touch, paced by the price of a day's budget."""
    values = touch_values(scenario, LINEAR, TUNING_SEED + 1, worlds)
    for budget in dials.budgets_usd:
        daily = min(budget * scenario.population.people / 10_000, float(scenario.us.budget.usd_day or float("inf")))
        ours = scenario.us.model_copy(update={
            "policy": scenario.us.policy.model_copy(update={"pacing": "dual"}),
            "budget": scenario.us.budget.model_copy(update={"usd_day": daily}),
        })
        paced = scenario.model_copy(update={"us": ours})
        yield Candidate(paced, values.bidder(scenario, 1.0), f"{daily:,.0f} USD a day")


def _thompson(scenario: Scenario, dials: Dials, worlds: int) -> Iterator[Candidate]:
    arms = tried(scenario, TUNING_SEED + 3, worlds)
    for width in WIDTHS:
        for multiple in dials.multiples:
            bidder = scaled(Thompson.of(RulePolicy.of(scenario), arms, width), multiple)
            yield Candidate(scenario, bidder, f"width {width:g}, bids x {multiple:g}")


def of_policy(name: str) -> Offered:
    """A named policy as it is, and with its bids scaled where there is a dial to turn."""
    def offered(scenario: Scenario, dials: Dials, worlds: int) -> Iterator[Candidate]:
        for multiple in dials.multiples:
            yield Candidate(scenario, scaled(policy_named(name, scenario), multiple), f"bids x {multiple:g}")

    return offered


BASELINES: dict[str, Offered] = {
    "random": _random, "fixed": _fixed, "rule": _rule, "target_cpa": _target_cpa, "dual_pacing": _dual,
    LAST: _by_value(LAST), LINEAR: _by_value(LINEAR), "thompson": _thompson,
}
"""What people run today."""
