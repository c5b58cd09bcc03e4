"""A stored run's worlds lived through again beside copies of their people from whom ads of ours are withheld."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from gaelp_sim.errors import GaelpError, UsageError
from gaelp_sim.events import US, Ints
from gaelp_sim.market.bidder import Bidder
from gaelp_sim.market.budgets import UNLIMITED
from gaelp_sim.observe.memory import Memory
from gaelp_sim.population.people import People
from gaelp_sim.units import SECONDS_PER_HOUR
from gaelp_sim.world.clock import Clock, Control
from gaelp_sim.world.control import Orders, Report
from gaelp_sim.world.log import Table
from gaelp_sim.world.outside_users import OutsideUsers
from gaelp_sim.world.outsiders import additive
from gaelp_sim.world.shard import Shard, Task
from gaelp_sim.world.stack import Stack
from gaelp_sim.world.trial import NEVER_S, Trial, Withheld

OnHour = Callable[[int, dict[str, Table]], None]
"""Called after each hour with the next one's number and the rows that the worlds logged"""


class Span(NamedTuple):
    """How long worlds are lived through, in hours since their start."""

    end_hour: int
    silent_from_hour: int
    """From then on we advertise no more; `end_hour` for never"""


class Copies(NamedTuple):
    """Copies of people, ascending by row; copies of whom nothing is withheld are the control."""

    row: Ints
    """(copies,): the person's row in the worlds' stack"""
    withheld: Withheld


@dataclass(frozen=True)
class Lives:
    """How it went."""

    sales: Ints
    """(people,): our sales decided within the span"""
    copies: Ints
    """(copies,): the same for each copy"""


class _Leading:
    """The controller of the worlds, listened to."""

    def __init__(self, control: Control, stack: Stack) -> None:
        self.control, self.stack = control, stack
        self.orders: Orders | None = None

    def begin_hour(self, hour: int) -> Orders:
        """The controller's orders, kept for the copies."""
        self.orders = self.control.begin_hour(hour)
        assert self.stack.trial is not None
        self.stack.trial.begin_hour(self.stack)
        return self.orders

    def end_hour(self, report: Report) -> None:
        """The controller learns from its worlds alone."""
        self.control.end_hour(report)


class _Following:
    """Orders for the copies: the hour's own, with accounts that never end by themselves."""

    def __init__(self, leading: _Leading) -> None:
        self.leading = leading

    def begin_hour(self, hour: int) -> Orders:
        """The leader's orders of this hour."""
        orders = self.leading.orders
        assert orders is not None
        return replace(orders, lease_micros=np.full_like(orders.lease_micros, UNLIMITED))

    def end_hour(self, report: Report) -> None:
        """What copies bring about changes no market."""


def worlds_of(task: Task, us: Bidder | None = None) -> Shard:
    """The worlds of a task as they are born, logging as little as they can; us: bids for us in place of the task's policy.

    Raises UsageError for what can't be lived through beside copies: linked users, a continued run, a bidder that can't be
    asked twice.
    """
    if task.scenario.identity.mode == "linked":
        raise UsageError(
            "a linked user may be several people, so nobody can be copied alone: ask a run with identity.mode=devices"
        )
    if task.state is not None or task.start_hour:
        raise UsageError("a continued run begins in the middle of people's lives: ask its root run")
    shard = Shard(replace(task, scenario=task.scenario.model_copy(update={"log": "wins"})), us=us)
    if not all(additive(make()) for make in shard.model.outsiders.values()):
        raise UsageError("a bidder that keeps what it learns to itself can't be asked twice: withhold from another policy")
    return shard


def lived_through(shard: Shard, span: Span, copies: Copies, on_hour: OnHour, withheld: Withheld | None = None) -> Lives:
    """Live through the worlds of `shard`, beside copies of their people in the same market.

    withheld: what is withheld in the worlds themselves, None for nothing. Raises GaelpError where a copy of whom nothing is
    withheld comes to another end than the person: then the copies' world is not the same, and no difference can be trusted.
    """
    silent_s = span.silent_from_hour * SECONDS_PER_HOUR if span.silent_from_hour < span.end_hour else NEVER_S
    worlds, own = shard.stack, shard.own
    assert own is not None
    worlds.trial = Trial(withheld or Withheld.nothing(worlds.people.size, shard.model.channels), silent_s)
    leading = _Leading(own, worlds)
    shard.clock.control = leading
    beside = _copies(worlds, copies)
    beside.trial = Trial(copies.withheld, silent_s, follows=True)
    clock = Clock(beside, _Following(leading), shard.task.start_hour) if len(copies.row) else None
    for hour in range(shard.task.start_hour, span.end_hour):
        shard.clock.run_until(hour + 1)
        own.log.drain()
        rows = _forget(worlds)
        if clock is not None:
            beside.trial.cuts = worlds.trial.cuts
            clock.run_until(hour + 1)
            _forget(beside)
        on_hour(hour + 1, rows)
    lives = Lives(_sales(worlds), _sales(beside))
    _check_control(worlds, beside, copies)
    return lives


def _copies(worlds: Stack, copies: Copies) -> Stack:
    columns: list[Any] = [np.ascontiguousarray(column[..., copies.row]) for column in worlds.people]
    people = People(*columns)
    model = worlds.model
    beside = Stack.of_people(model, worlds.place, people, Memory.empty(people.size, model.beliefs))
    beside.outside = OutsideUsers.born(model.scenario, model.draws, people)
    return beside


def _forget(stack: Stack) -> dict[str, Table]:
    stack.closed.clear()
    stack.standings.clear()
    return stack.log.drain()


def _sales(stack: Stack) -> Ints:
    """(people,): sales of ours so far."""
    sales = np.zeros(stack.people.size, dtype=np.int64)
    assert stack.trial is not None
    for row, _, advertiser in stack.trial.sold:
        np.add.at(sales, row[advertiser == US], 1)
    return sales


def _check_control(worlds: Stack, beside: Stack, copies: Copies) -> None:
    """Copies of whom nothing is withheld must have become what the people have become, in everything."""
    if worlds.trial is None or worlds.trial.withheld.channels.any() or (worlds.trial.withheld.second >= 0).any():
        return
    control = np.flatnonzero((copies.withheld.second < 0) & ~copies.withheld.channels.any(axis=1))
    row = copies.row[control]
    for name, column in worlds.people.arrays().items():
        here, there = column[..., row], beside.people.arrays()[name][..., control]
        if not np.array_equal(here, there):
            wrong = int(np.flatnonzero((here != there).reshape(-1, len(row)).any(axis=0))[0])
            person = int(worlds.people.person[row[wrong]])
            raise GaelpError(f"person {person}: a copy of whom nothing was withheld has another {name}; please report this")
