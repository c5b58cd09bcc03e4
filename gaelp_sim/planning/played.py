"""Policies played in worlds with the same luck: profit after the run-out, world by world."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import partial

import numpy as np

from gaelp_sim.errors import UsageError
from gaelp_sim.events import US, Floats
from gaelp_sim.market.bidder import Bidder
from gaelp_sim.planning.plan import RUN_OUT_DAYS
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import HOURS_PER_DAY, MICROS_PER_UNIT, SECONDS_PER_DAY
from gaelp_sim.world.control import OPPORTUNITIES, WINS
from gaelp_sim.world.counterfactual import Copies, Span, lived_through, worlds_of
from gaelp_sim.world.crew import ALONE, Crew, each
from gaelp_sim.world.log import Table
from gaelp_sim.world.shard import Shard, Task
from gaelp_sim.world.stack import Place
from gaelp_sim.world.trial import Withheld

PEOPLE_AT_ONCE = 100_000


@dataclass(frozen=True)
class Played:
    """How a policy did: sales decided within the scenario's days and the run-out; (worlds,) each but for the last."""

    sales: Floats
    spend_usd: Floats
    ltv_usd: float
    paid_sales: Floats
    """Of people whom a touch of ours had reached"""
    wins: Floats
    opportunities: Floats
    """Of the days of ads"""
    journey_days: Floats
    """(sales to people we had reached,), ascending: from our first touch to the decision"""

    @property
    def profit_usd(self) -> Floats:
        """Sales at their value, less what was spent."""
        return self.sales * self.ltv_usd - self.spend_usd

    @staticmethod
    def together(parts: Sequence[Played]) -> Played:
        """Worlds played apart, in order."""
        ltv = parts[0].ltv_usd
        names = [name for name in vars(parts[0]) if name != "ltv_usd"]
        columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
        columns["journey_days"].sort()
        return Played(ltv_usd=ltv, **columns)


def played(scenario: Scenario, policy: str | Bidder, worlds: range, crew: Crew = ALONE) -> Played:
    """Play worlds of a scenario under a policy, named or made, then its run-out in which we advertise no more.

    Worlds are shared out to the crew; the figures are the same. Raises UsageError for linked users (people who
    share a user can't be told apart) and for worlds with own parameters.
    """
    if scenario.intervals:
        raise UsageError("its worlds have parameters of their own (intervals): write one value for each")
    some = list(_batches(scenario, worlds, crew))
    return Played.together(each(crew, partial(_played, scenario, policy), some))


def _batches(scenario: Scenario, worlds: range, crew: Crew) -> Iterator[range]:
    step = max(1, min(PEOPLE_AT_ONCE // scenario.population.people, -(-len(worlds) // crew.shares(len(worlds)))))
    for first in range(worlds.start, worlds.stop, step):
        yield range(first, min(first + step, worlds.stop))


def _played(scenario: Scenario, policy: str | Bidder, worlds: range) -> Played:
    # A bidder that keeps something to itself begins anew with every batch of worlds.
    name, us = (policy, None) if isinstance(policy, str) else ("rule", deepcopy(policy))
    shard = worlds_of(Task(scenario, scenario.seed, name, Place(worlds, range(scenario.cells)), 0, None), us)
    ads = scenario.days * HOURS_PER_DAY
    nobody = Copies(np.zeros(0, dtype=np.int64), Withheld.nothing(0, shard.model.channels))
    heard = _Heard(shard, worlds, ads)
    lives = lived_through(shard, Span(ads + RUN_OUT_DAYS * HOURS_PER_DAY, ads), nobody, heard.hour)
    world = shard.stack.people.world - worlds.start
    assert shard.own is not None
    spent = shard.own.controller.spent_total_micros / MICROS_PER_UNIT
    sales = np.bincount(world, weights=lives.sales, minlength=len(worlds)).astype(np.float64)
    days = np.concatenate(heard.days) if heard.days else np.zeros(0)
    return Played(sales, spent, float(scenario.economics.ltv_usd), heard.paid, heard.won, heard.met, days)


class _Heard:
    """What worlds tell hour by hour that their end does not."""

    def __init__(self, shard: Shard, worlds: range, ad_hours: int) -> None:
        self.shard, self.worlds, self.ad_hours = shard, worlds, ad_hours
        self.paid, self.won, self.met = (np.zeros(len(worlds)) for _ in range(3))
        self.days: list[Floats] = []
        self.keys = shard.stack.keys(np.arange(shard.stack.people.size))

    def hour(self, hour: int, rows: dict[str, Table]) -> None:
        """Count an hour's auctions and sales."""
        stack = self.shard.stack
        if hour <= self.ad_hours:
            at = stack.unit_world_id - self.worlds.start
            np.add.at(self.met, at, stack.statistics[:, OPPORTUNITIES])
            np.add.at(self.won, at, stack.statistics[:, WINS])
        if "conversion" in rows:
            sold = rows["conversion"]
            reached = np.flatnonzero((sold["advertiser"] == US) & (sold["our_touches"] > 0))
            np.add.at(self.paid, sold["world_id"][reached] - self.worlds.start, 1.0)
            who = sold["world_id"][reached].astype(np.int64) << 32 | sold["person_id"][reached]
            seen = stack.first_seen_s[np.searchsorted(self.keys, who)]
            first = np.where(seen >= 0, seen, np.iinfo(np.int64).max).min(axis=1)
            self.days.append((sold["decided_s"][reached] - self.shard.model.start_s - first) / SECONDS_PER_DAY)


def with_rule(scenario: Scenario, bid_multiplier: float, repeat_visitor_factor: float, creatives: str) -> Scenario:
    """The scenario with the rule's settings changed; as good as without exploration."""
    policy = scenario.us.policy.model_copy(update={
        "bid_multiplier": bid_multiplier, "repeat_visitor_factor": repeat_visitor_factor, "creatives": creatives,
        "exploration": 1e-6,
    })
    return scenario.model_copy(update={"us": scenario.us.model_copy(update={"policy": policy})})
