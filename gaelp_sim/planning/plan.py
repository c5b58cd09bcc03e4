"""Plans: what every state is worth in every hour, and what that makes of a person at the start."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gaelp_sim.errors import UsageError
from gaelp_sim.events import US, Floats
from gaelp_sim.market.budgets import accounts_of
from gaelp_sim.planning.dynamics import Calendar, Dynamics, calendar_of, dynamics_of
from gaelp_sim.planning.recursion import Asked, Way, Worth, worked_back
from gaelp_sim.planning.states import LIVE, SEGMENT, STAGE
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import HOURS_PER_DAY, MICROS_PER_UNIT
from gaelp_sim.world.model import model_of

RUN_OUT_DAYS = 30
"""Days without ads of ours after the last day of ads, in which sales still count"""
_MONEY_MOST = 64.0
_CUTS = 14
_GOLDEN = (5**0.5 - 1) / 2
PLAN_BYTES_MOST = 2 * 2**30


@dataclass(frozen=True)
class Plan:
    """A way of bidding, worked out."""

    dynamics: Dynamics
    calendar: Calendar
    asked: Asked
    worth: Worth
    value_usd: float
    """Mean over people at their start: sales at their value, less `money` times what was spent"""


def plan_of(scenario: Scenario, way: Way = Way.BEST, multiple: float = 1.0, money: float = 1.0) -> Plan:
    """Work out a way of bidding over a scenario's days and the run-out; prices at the market's mean level."""
    return Problem.of(scenario).plan(way, multiple, money)


@dataclass(frozen=True)
class Problem:
    """A scenario as one person's decision problem."""

    scenario: Scenario
    dynamics: Dynamics
    calendar: Calendar
    start: Floats
    """(states,): how people are spread over states at their start"""

    @staticmethod
    def of(scenario: Scenario) -> Problem:
        """Compile a scenario; its worlds' own parameters (intervals) stand at the middle of each.

        Raises UsageError where nothing can be planned (see `check_plannable`).
        """
        check_plannable(scenario)
        model = model_of(scenario, scenario.seed)
        dynamics = dynamics_of(model)
        hours = (scenario.days + RUN_OUT_DAYS) * HOURS_PER_DAY
        return Problem(scenario, dynamics, calendar_of(model, hours), _spread(scenario, dynamics))

    def plan(self, way: Way = Way.BEST, multiple: float = 1.0, money: float = 1.0) -> Plan:
        """A way of bidding, with a dollar valued at `money`."""
        asked = Asked(int(way), multiple, money, self.scenario.days * HOURS_PER_DAY)
        worth = worked_back(self.dynamics, self.calendar, asked)
        return Plan(self.dynamics, self.calendar, asked, worth, float((self.start * worth.start).sum()))

    def within(self, budget_usd: float) -> Plan:
        """The best plan whose spend per person stays within a budget on average; infinite for none.

        The profit under a budget B is at most the least over money >= 1 of V(money) + (money - 1) B, a convex function:
        its slope is B less the spend at that price, so where money = 1 spends too much its least is searched for.
        """
        plan = self.plan()
        if not np.isfinite(budget_usd) or self.spend_usd(plan) <= budget_usd:
            return plan
        # Golden sections: of the two points inside, one is that of the round before.
        low, high = 0.0, float(np.log(_MONEY_MOST))
        inside: dict[float, float] = {}
        for _ in range(_CUTS):
            one, two = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
            for point in (one, two):
                if not any(abs(point - known) < 1e-9 for known in inside):
                    inside[point] = self.plan(money=float(np.exp(point))).value_usd + (np.exp(point) - 1.0) * budget_usd
            bounds = [next(value for known, value in inside.items() if abs(point - known) < 1e-9) for point in (one, two)]
            low, high = (low, two) if bounds[0] < bounds[1] else (one, high)
        return self.plan(money=float(np.exp((low + high) / 2)))

    def spend_usd(self, plan: Plan) -> float:
        """What a best plan spends on a person on average: minus the slope of its value in the price of money."""
        step = 1e-3 * plan.asked.money
        dearer = self.plan(Way(plan.asked.way), plan.asked.multiple, plan.asked.money + step)
        return (plan.value_usd - dearer.value_usd) / step


def check_plannable(scenario: Scenario) -> None:
    """Raise UsageError where people are an outside user model's, and where a plan would not fit in memory."""
    if scenario.population.user_model is not None:
        raise UsageError("planners know the scenario's own people; population.user_model has others: bid by rule there")
    segments, lists = len(scenario.population.segments), 1 if scenario.email is None else 2
    size = 4 * scenario.days * HOURS_PER_DAY * lists * segments * SEGMENT
    if size > PLAN_BYTES_MOST:
        raise UsageError(
            f"a plan for {scenario.days} days and {segments} segments takes {size / 2**30:.1f} GB, at most "
            f"{PLAN_BYTES_MOST / 2**30:.0f}: plan fewer --days"
        )


def _spread(scenario: Scenario, dynamics: Dynamics) -> Floats:
    """Nobody knows anybody at the start: segments and stages by their shares."""
    start = np.zeros(len(dynamics.slots_per_day))
    total = sum(segment.share for segment in scenario.population.segments)
    for number, segment in enumerate(scenario.population.segments):
        stages = (segment.start.unaware, segment.start.aware, segment.start.considering, segment.start.intent)
        for stage, share in enumerate(stages):
            start[(number * LIVE + stage) * STAGE] = segment.share / total * share / sum(stages)
    return start


def budget_usd(scenario: Scenario) -> float:
    """What we may spend on a person over the scenario's days, by the tightest account for everything; infinite without one.

    A month's account is filled at the start and with each calendar month; it is taken as it stands at the start.
    """
    limits = [
        account.limit_micros / MICROS_PER_UNIT * (1 if account.monthly else scenario.days)
        for account in accounts_of(scenario) if account.advertiser == US and account.channel < 0
    ]
    return min(limits, default=float("inf")) / scenario.population.people


def caveats(scenario: Scenario) -> list[str]:
    """Why the clairvoyant's value is not exactly the best possible in a scenario; empty where it is.

    A world's market noise is not among them: prices are planned at their mean level, which costs next to nothing.
    """
    spread, us = scenario.variation, scenario.us
    moving = (spread.day_noise_sd, spread.price_drift_sd_per_day, spread.volume_drift_sd_per_day, spread.rival_value_sd)
    reasons = {
        "rivals learn": scenario.rivals_learn,
        "rivals have budgets, which plans take to last": _any_budget(scenario),
        "worlds' prices, volumes or seasons stray": any(moving) or spread.season_shift_days_max > 0,
        "worlds draw their rivals' strategies": bool(spread.rival_strategies),
        "channels have several slots, and plans see the top one": any(c.slots > 1 for c in scenario.channels),
        "a reserve where quality ranks counts as for quality 1": _ranked_reserve(scenario),
        "people may have several opportunities an hour": scenario.population.opportunities_per_hour_max > 1,
        "a frequency cap keeps us out": us.frequency_cap is not None,
        "a budget binds by the day, and plans price it in on average": np.isfinite(budget_usd(scenario)),
        "campaigns have budgets of their own": any(campaign.budget_usd_day for campaign in us.campaigns),
        "creatives are refreshed": any(creative.refresh_days for creative in scenario.creatives),
        "an outside user model decides clicks": scenario.population.user_model is not None,
        "parameters are intervals": bool(scenario.intervals),
    }
    return [reason for reason, holds in reasons.items() if holds]


def _any_budget(scenario: Scenario) -> bool:
    return any(rival.budget_usd_day or rival.budget_usd_month for rival in scenario.rivals)


def _ranked_reserve(scenario: Scenario) -> bool:
    return any(channel.quality_ranked and channel.reserve_usd for channel in scenario.channels)
