"""Worlds lived through under two policies at once, or wholly under one, with sales and spend counted by unit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gaelp_sim.analyse.experiment_units import Design, Units, compared, units_of
from gaelp_sim.errors import GaelpError, UsageError
from gaelp_sim.events import NONE, US, Column, DecisionStatus, Floats, Ints, TouchKind
from gaelp_sim.market.bidder import Bidder
from gaelp_sim.planning.plan import RUN_OUT_DAYS
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import HOURS_PER_DAY, MICROS_PER_UNIT, SECONDS_PER_DAY, SECONDS_PER_HOUR
from gaelp_sim.world.apart import AccountsApart
from gaelp_sim.world.dealing import Dealt
from gaelp_sim.world.log import Table
from gaelp_sim.world.policies import named_from_outside, policy_named
from gaelp_sim.world.shard import Shard, Task
from gaelp_sim.world.stack import Place, Stack
from gaelp_sim.world.trial import Trial, Withheld

OUTCOMES = ("profit_usd", "conversions", "spend_usd")


@dataclass(frozen=True)
class Setup:
    """A market, and the test that is made in it."""

    scenario: Scenario
    design: Design
    wait_days: int = RUN_OUT_DAYS
    """Sales decided so long after the ads end still count for the test; the truth waits for the whole run-out"""

    @staticmethod
    def of(scenario: Scenario, design: Design, seed: int, wait_days: int = RUN_OUT_DAYS) -> Setup:
        """A test in the scenario's market, in worlds of a seed; a budget test cuts each world in half.

        Raises UsageError for what can't be tested.
        """
        if scenario.intervals:
            raise UsageError("its worlds have parameters of their own (intervals): write one value for each")
        design.check(scenario.days, scenario.population.people)
        cells = scenario.cells * 2 if design.kind == "budget" else scenario.cells
        changed = scenario.model_copy(update={"log": "wins", "cells": cells, "seed": seed})
        return Setup(changed, design, wait_days)


@dataclass(frozen=True)
class Counted:
    """What some worlds brought, in USD and sales."""

    units: Units
    outcome: dict[str, Floats]
    """(units,) each of OUTCOMES, as far as the test counts it"""
    by_person: Floats
    """(people,): profit in USD"""
    person_world: Ints
    """(people,): index of the person's world"""
    home: Ints
    """(people,)"""
    total: dict[str, Floats]
    """(worlds,) each: everything, until the run-out's end"""


def lived(test: Setup, worlds: range, policies: tuple[str, str], *, apart: bool = False) -> Counted:
    """Live through worlds with the second policy where the design deals it, the first elsewhere; alike: that one alone.

    apart: each half of a budget test has its own half of our accounts. Raises UsageError for bidders from outside.
    """
    scenario, design = test.scenario, test.design
    first, second = bidders(scenario, policies)
    alone = policies[0] == policies[1]
    us = first if alone else Dealt(first, second)
    shard = Shard(Task(scenario, scenario.seed, "rule", Place(worlds, range(scenario.cells)), 0, None), us=us)
    assert shard.own is not None
    if apart:
        shard.clock.control = AccountsApart(shard.own, shard.stack)
    units = units_of(design, shard.stack, scenario.days)
    if isinstance(us, Dealt):
        us.deal = units.deal
    count = _Count(test, shard.stack, units)
    _play(shard, scenario.days * HOURS_PER_DAY, count)
    return count.counted(shard.own.controller.spent_total_micros)


def bidders(scenario: Scenario, policies: tuple[str, str]) -> tuple[Bidder, Bidder]:
    """The two by name. Raises UsageError for names that nobody knows, and for bidders from outside."""
    for name in policies:
        if named_from_outside(name):
            raise UsageError(f"--policy {name}: an experiment deals users out, which a bidder from outside can't be told; "
                             "next: a policy by name, or checkpoint:FOLDER")
    return policy_named(policies[0], scenario), policy_named(policies[1], scenario)


def _play(shard: Shard, ad_hours: int, count: _Count) -> None:
    """Hour by hour through the days of ads, and the run-out in which we are silent."""
    stack = shard.stack
    nothing = Withheld.nothing(stack.people.size, shard.model.channels)
    stack.trial = Trial(nothing, ad_hours * SECONDS_PER_HOUR)
    assert shard.own is not None
    for hour in range(ad_hours + RUN_OUT_DAYS * HOURS_PER_DAY):
        stack.trial.begin_hour(stack)
        shard.clock.run_until(hour + 1)
        shard.own.log.drain()
        stack.closed.clear()
        stack.standings.clear()
        stack.trial.sold.clear()
        count.hour(stack.log.drain())


class _Count:
    """Sales and spend of the hours so far, by unit and by person."""

    def __init__(self, test: Setup, stack: Stack, units: Units) -> None:
        self.test, self.stack, self.units = test, stack, units
        self.until_s = (test.scenario.days + test.wait_days) * SECONDS_PER_DAY
        self.keys = stack.keys(np.arange(stack.people.size))
        self.by_key = np.argsort(self.keys, kind="stable")
        self.sales, self.spend = (np.zeros(len(units.world), dtype=np.int64) for _ in range(2))
        self.person_sales, self.person_spend = (np.zeros(stack.people.size, dtype=np.int64) for _ in range(2))

    def hour(self, rows: dict[str, Table]) -> None:
        """Count an hour's charges, e-mails and sales."""
        if "decided" in rows:
            won = {name: rows["decided"][name] for name in ("row", "user", "device", "second", "charge_micros", "status")}
            at = np.flatnonzero(won["status"] == DecisionStatus.WON)
            self._add(self.spend, self.person_spend, {name: column[at] for name, column in won.items()})
        if "touch" in rows:
            touch = rows["touch"]
            at = np.flatnonzero((touch["kind"] == TouchKind.EMAIL) & (touch["advertiser"] == US))
            self._add(self.spend, self.person_spend, self._resolved(
                touch["row"][at], touch["device"][at], touch["second"][at], touch["price_micros"][at]))
        if "conversion" in rows:
            sold = rows["conversion"]
            at = np.flatnonzero(sold["advertiser"] == US)
            who = sold["world_id"][at].astype(np.int64) << 32 | sold["person_id"][at]
            row = self.by_key[np.searchsorted(self.keys, who, sorter=self.by_key)]
            second = sold["decided_s"][at] - self.stack.model.start_s
            self._add(self.sales, self.person_sales, self._resolved(row, sold["device"][at], second, np.ones_like(row)))

    def _resolved(self, row: Ints, device: Column, second: Ints, amount: Ints) -> Table:
        user = self.stack.users_of(row, device)
        return {"row": row, "user": user, "device": device, "second": second, "charge_micros": amount}

    def _add(self, by_unit: Ints, by_person: Ints, events: Table) -> None:
        row, second, amount = events["row"], events["second"], events["charge_micros"]
        np.add.at(by_person, row, amount)
        unit = self.units.of(row, events["user"], events["device"], second)
        keep = np.flatnonzero((unit != NONE) & (second < self.until_s) & compared(self.test.design, second))
        np.add.at(by_unit, unit[keep], amount[keep])

    def counted(self, spent_micros: Ints) -> Counted:
        """What the worlds brought; the controller's books, (worlds,) micros, must say the same."""
        worlds = len(self.units.people)
        world = self.stack.people.world - self.stack.place.worlds.start
        spend = np.zeros(worlds, dtype=np.int64)
        np.add.at(spend, world, self.person_spend)
        if not np.array_equal(spend, spent_micros):
            raise GaelpError("the spend counted by person is not what the accounts paid; please report this")
        ltv = float(self.test.scenario.economics.ltv_usd)
        sales = np.bincount(world, weights=self.person_sales, minlength=worlds)
        person = _outcomes(self.person_sales, self.person_spend, ltv)["profit_usd"]
        home, counted = self.stack.people.household.astype(np.int64), _outcomes(self.sales, self.spend, ltv)
        return Counted(self.units, counted, person, world, home, _outcomes(sales, spend, ltv))


def _outcomes(sales: Ints | Floats, spend_micros: Ints, ltv_usd: float) -> dict[str, Floats]:
    spend = spend_micros / MICROS_PER_UNIT
    return {"profit_usd": sales * ltv_usd - spend, "conversions": sales.astype(np.float64), "spend_usd": spend}
