"""Policies played in worlds with the same luck: profit after the run-out, world by world."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from gaelp_sim.errors import UsageError
from gaelp_sim.events import Floats
from gaelp_sim.market.bidder import Bidder
from gaelp_sim.planning.plan import RUN_OUT_DAYS
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import HOURS_PER_DAY, MICROS_PER_UNIT
from gaelp_sim.world.counterfactual import Copies, Span, lived_through, worlds_of
from gaelp_sim.world.shard import Task
from gaelp_sim.world.stack import Place
from gaelp_sim.world.trial import Withheld

PEOPLE_AT_ONCE = 100_000
OnHours = Callable[[int], None]
"""Called with the hours of worlds that have passed since the last time"""


@dataclass(frozen=True)
class Played:
    """How a policy did, (worlds,) each: sales decided within the scenario's days and the run-out."""

    sales: Floats
    spend_usd: Floats
    ltv_usd: float

    @property
    def profit_usd(self) -> Floats:
        """Sales at their value, less what was spent."""
        return self.sales * self.ltv_usd - self.spend_usd


def played(
    scenario: Scenario, policy: str | Bidder, worlds: range, on_hours: OnHours = lambda hours: None
) -> Played:
    """Play worlds of a scenario under a policy, named or made, then its run-out in which we advertise no more.

    Raises UsageError for linked users (people who share a user can't be told apart) and for worlds with own parameters.
    """
    if scenario.intervals:
        raise UsageError("its worlds have parameters of their own (intervals): write one value for each")
    parts = [_played(scenario, policy, some, on_hours) for some in _batches(scenario, worlds)]
    ltv = float(scenario.economics.ltv_usd)
    return Played(np.concatenate([part.sales for part in parts]), np.concatenate([part.spend_usd for part in parts]), ltv)


def _batches(scenario: Scenario, worlds: range) -> Iterator[range]:
    step = max(1, PEOPLE_AT_ONCE // scenario.population.people)
    for first in range(worlds.start, worlds.stop, step):
        yield range(first, min(first + step, worlds.stop))


def _played(scenario: Scenario, policy: str | Bidder, worlds: range, on_hours: OnHours) -> Played:
    name, us = (policy, None) if isinstance(policy, str) else ("rule", policy)
    shard = worlds_of(Task(scenario, scenario.seed, name, Place(worlds, range(scenario.cells)), 0, None), us)
    ads = scenario.days * HOURS_PER_DAY
    nobody = Copies(np.zeros(0, dtype=np.int64), Withheld.nothing(0, shard.model.channels))
    span = Span(ads + RUN_OUT_DAYS * HOURS_PER_DAY, ads)
    lives = lived_through(shard, span, nobody, lambda hour: on_hours(len(worlds)))
    world = shard.stack.people.world - worlds.start
    assert shard.own is not None
    spent = shard.own.controller.spent_total_micros / MICROS_PER_UNIT
    sales = np.bincount(world, weights=lives.sales, minlength=len(worlds)).astype(np.float64)
    return Played(sales, spent, float(scenario.economics.ltv_usd))


def with_rule(scenario: Scenario, bid_multiplier: float, repeat_visitor_factor: float, creatives: str) -> Scenario:
    """The scenario with the rule's settings changed; as good as without exploration."""
    policy = scenario.us.policy.model_copy(update={
        "bid_multiplier": bid_multiplier, "repeat_visitor_factor": repeat_visitor_factor, "creatives": creatives,
        "exploration": 1e-6,
    })
    return scenario.model_copy(update={"us": scenario.us.model_copy(update={"policy": policy})})
