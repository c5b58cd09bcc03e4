"""Worlds lived through to learn from: stacked side by side in one pass, with everything that a lesson needs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from gaelp_sim.events import US, Column, Ints
from gaelp_sim.learn.journeys import Kept
from gaelp_sim.learn.network import JourneyNet
from gaelp_sim.learn.policy import LearnedPolicy
from gaelp_sim.learn.teaching import WORLDS_TOGETHER, Teacher
from gaelp_sim.learn.threads import one_thread
from gaelp_sim.observe.memory import SLOTS
from gaelp_sim.planning.bidders import Believer, Clairvoyant, clairvoyant, observable_planner
from gaelp_sim.population.people import People
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import HOURS_PER_DAY, MICROS_PER_UNIT
from gaelp_sim.world.crew import Hands, shared_out
from gaelp_sim.world.shard import Shard, Task
from gaelp_sim.world.stack import Place


@dataclass(frozen=True)
class Classroom:
    """Where a policy learns: worlds of a scenario made small, and one who knows what every action was worth."""

    scenario: Scenario
    oracle: Clairvoyant
    believer: Believer
    """Knows the scenario's constants, and of people what an advertiser meets"""
    share: float
    """People in each world, as a share of the scenario's"""

    @staticmethod
    def of(scenario: Scenario, people: int, worlds: int) -> Classroom:
        """Worlds of so many people; users are people, and budgets are in proportion to them.

        Users are known perfectly here: a memory that is merged halfway would be learned from as if it had always been one.
        """
        share = people / scenario.population.people
        budget = scenario.us.budget
        scaled = budget.model_copy(update={
            name: None if value is None else value * share
            for name, value in (("usd_day", budget.usd_day), ("usd_month", budget.usd_month))
        })
        small = scenario.model_copy(update={
            "worlds": worlds, "cells": 1, "log": "wins",
            "population": scenario.population.model_copy(update={"people": people}),
            "identity": scenario.identity.model_copy(update={"mode": "perfect"}),
            "us": scenario.us.model_copy(update={"budget": scaled}),
        })
        return Classroom(small, clairvoyant(small), observable_planner(small), share)

    def of_worlds(self, worlds: int) -> Classroom:
        """The same with another number of worlds."""
        return replace(self, scenario=self.scenario.model_copy(update={"worlds": worlds}))


@dataclass(frozen=True)
class Lived:
    """What came of an epoch's worlds."""

    kept: Kept
    """Decisions, in the order (user, time): `teaching.KEPT` and more"""
    sales: Kept
    """`user` and `second` of each sale of ours"""
    figures: dict[str, float]
    """Sums over the worlds per 10,000 people"""


@dataclass(frozen=True)
class Conduct:
    """How a policy behaves while it is watched."""

    floor: float
    """Share of decisions taken at random"""
    greedy: bool = False
    """Take the likeliest action, the floor aside"""


def live(room: Classroom, net: JourneyNet, seed: int, conduct: Conduct, hands: Hands | None = None) -> Lived:
    """Live through a scenario's days in all of its worlds under the network's policy.

    hands: worlds are shared out to them; what comes of it is the same.
    """
    hands = hands or Hands()
    worlds = room.scenario.worlds
    together = -(-worlds // WORLDS_TOGETHER)
    shares = [range(part.start * WORLDS_TOGETHER, min(part.stop * WORLDS_TOGETHER, worlds))
              for part in shared_out(range(together), hands.crew.shares(together))]
    parts = list(hands.each(partial(_lived, room, net, seed, conduct), shares))
    kept, sales = (_together([part[place] for part in parts]) for place in range(2))
    # By user: the order of deciding goes across worlds, and so depends on who lived through which.
    kept = _ordered(kept, np.argsort(kept["user"], kind="stable"))
    sales = _ordered(sales, np.lexsort([sales["second"], sales["user"]]))
    return Lived(kept, sales, _figures(room, kept, len(sales["user"])))


def _together(parts: list[Kept]) -> Kept:
    return parts[0] if len(parts) == 1 else {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _ordered(columns: Kept, order: Ints) -> Kept:
    return {name: column[order] for name, column in columns.items()}


def _lived(room: Classroom, net: JourneyNet, seed: int, conduct: Conduct, worlds: range) -> tuple[Kept, Kept]:
    """Decisions and sales of some of the worlds; users are numbered as among all of them."""
    with one_thread():
        return _lived_here(room, net, seed, conduct, worlds)


def _lived_here(room: Classroom, net: JourneyNet, seed: int, conduct: Conduct, worlds: range) -> tuple[Kept, Kept]:
    policy = LearnedPolicy.of(room.scenario, net, floor=conduct.floor, greedy=conduct.greedy)
    seat = Teacher(policy.name, policy, room.oracle, room.believer, room.share)
    place = Place(worlds, range(1))
    shard = Shard(Task(room.scenario, seed, "rule", place, 0, None), us=seat)
    users, seconds = [], []
    for day in range(1, room.scenario.days + 1):
        tables = shard.advance(day * HOURS_PER_DAY)
        if "conversion" in tables:
            sold = tables["conversion"]
            ours = np.flatnonzero(sold["advertiser"] == US)
            users.append(_rows(shard.stack.people, sold["world_id"][ours], sold["person_id"][ours]) * SLOTS)
            seconds.append(sold["decided_s"][ours] - shard.model.start_s)
    kept = seat.taken()
    kept["allowed"] = policy.actions.allowed[kept["channel"]]
    kept["log_propensity"] = np.log(kept["propensity"]).astype(np.float32)
    before = worlds.start * (shard.stack.people.size // len(worlds)) * SLOTS
    kept["user"] = kept["user"] + before
    return kept, {
        "user": np.concatenate(users) + before if users else np.zeros(0, dtype=np.int64),
        "second": np.concatenate(seconds) if seconds else np.zeros(0, dtype=np.int64),
    }


def _rows(people: People, world: Column, person: Column) -> Ints:
    """Rows of people, who are named by world and number."""
    key = people.world.astype(np.int64) << 32 | people.person
    order = np.argsort(key)
    return order[np.searchsorted(key[order], world.astype(np.int64) << 32 | person)]


def _figures(room: Classroom, kept: Kept, sales: int) -> dict[str, float]:
    per = 10_000 / (room.scenario.worlds * room.scenario.population.people)
    spend = float(kept["charge_micros"].sum()) / MICROS_PER_UNIT * per
    return {
        "decisions": float(len(kept["user"])), "spend_usd": spend, "sales": sales * per,
        "profit_usd": sales * per * float(room.scenario.economics.ltv_usd) - spend,
        "win_rate": float(kept["won"].mean()), "best_gain_usd": float(kept["best"].mean(dtype=np.float64)),
        "believed_gain_usd": float(kept["believed_took"].mean(dtype=np.float64)),
        "taken_gain_usd": float(kept["took"].mean(dtype=np.float64)),
        "lost_usd": _lost(kept, "took") * per, "believed_lost_usd": _lost(kept, "believed_took") * per,
    }


def _lost(kept: Kept, took: str) -> float:
    """What a way of deciding gains less than the best actions, summed; for what was taken, what it earns less than the
    clairvoyant, on average."""
    return float((kept["best"].astype(np.float64) - kept[took]).sum())
