"""A run spread over hosts: dealt out, asked in one voice, and whole again after a host is lost.

Whole worlds are dealt out where there are enough of them; each host then keeps its own controllers and needs nobody
until the next commit point. Otherwise cells are dealt out, the controller stays here, and every hour is a barrier: one
call to each host, with its cells' orders, answered by their report.

A host that is lost begins again, from the last stored state, and is told everything again that it was told since: as
all luck is keyed, it comes out the same. No other host notices.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from gaelp_sim.errors import UsageError
from gaelp_sim.units import HOURS_PER_DAY
from gaelp_sim.world.control import Controller, Orders, Report
from gaelp_sim.world.hosts import Hosts, LostHostError
from gaelp_sim.world.log import Log, Table
from gaelp_sim.world.opponents import opponents_from_text
from gaelp_sim.world.shard import Tables, Task, heard_of, restore_controller
from gaelp_sim.world.stack import Place
from gaelp_sim.world.state import State, merged

LOSSES_MAX = 3
"""How often one host is lost between two stored states until a run gives up: something then kills it, memory perhaps."""


@dataclass(frozen=True)
class Base:
    """Where a lost host begins again."""

    task: Task
    touches: tuple[Table, int] = ({}, 0)
    """Recorded touches of the run before that, and the second of its root's start: as `Shard.recall` takes them"""


Call = tuple[str, tuple[Any, ...]]


class Pool:
    """Shards on hosts: an executor."""

    def __init__(self, hosts: Hosts, task: Task, places: list[Place], *, by_cells: bool) -> None:
        """Start a host per place; `by_cells`: worlds are cut between them, so the controller is kept here."""
        assert places, "a run without a host would write nothing"
        self.hosts, self.places, self.by_cells = hosts, places, by_cells
        self._base: Callable[[], Base] = lambda: Base(task)
        self._told: list[list[Call]] = [[] for _ in places]
        self._begun, self.losses, self._lost = False, 0, [0] * len(places)
        try:
            for host, place in enumerate(places):
                hosts.start(host, replace(task, place=place), by_cells)
            self.control = _Central(task, places, self) if by_cells else None
        except BaseException:
            self.close()
            raise

    def advance(self, hour: int) -> list[Tables]:
        """Run every shard to `hour`, by hourly barriers where worlds are cut."""
        if self.control is not None:
            self.control.conduct(hour)
        if not self._begun:
            self._call_all("advance", hour)
        self._begun = False
        answers = self._answers()
        if self.control is not None:
            answers[0].update(self.control.log.drain())
        return answers

    def begin(self, hour: int) -> None:
        """Whole worlds go ahead while this process writes; cells wait for their controller, which lives here."""
        if self.control is None:
            self._call_all("advance", hour)
            self._begun = True

    def rest_on(self, base: Callable[[], Base]) -> None:
        """From now on, lost hosts begin again there: at the state that was just stored."""
        self._base, self._lost = base, [0] * len(self.places)
        self._told = [[] for _ in self.places]

    def ask(self, question: str, *arguments: Any) -> list[Any]:
        """Call a method of every shard."""
        self._call_all(question, *arguments)
        answers = self._answers()
        if question == "finish" and self.control is not None:
            answers[0].update(self.control.controller.final_rows())
        return answers

    def state(self) -> State:
        """All shards' states as one."""
        states = self.ask("state")
        if self.control is not None:
            states[0].update(self.control.state())
        return merged(states)

    def step(self, orders: list[Orders]) -> list[Report]:
        """An hour of every host's cells: one call each."""
        for host, part in enumerate(orders):
            self._call(host, "step", (part,))
        return self._answers()

    def close(self) -> None:
        """End the hosts."""
        self.hosts.close()

    def _call_all(self, question: str, *arguments: Any) -> None:
        for host in range(len(self.places)):
            self._call(host, question, arguments)

    def _call(self, host: int, question: str, arguments: tuple[Any, ...]) -> None:
        self._told[host].append((question, arguments))
        self.hosts.call(host, question, arguments)

    def _answers(self) -> list[Any]:
        """Every shard's answer, host by host."""
        return [answer for host in range(len(self.places)) for answer in self._answer(host)]

    def _answer(self, host: int) -> list[Any]:
        while True:
            try:
                return self.hosts.answer(host)
            except LostHostError as error:
                self.losses, self._lost[host] = self.losses + 1, self._lost[host] + 1
                if self._lost[host] >= LOSSES_MAX:
                    raise LostHostError(
                        f"a worker died {LOSSES_MAX} times since the last stored state, of memory perhaps"
                    ) from error
                self._begin_again(host)

    def _begin_again(self, host: int) -> None:
        """Start a lost host once more and tell it what it was told; its last question is then open again."""
        base = self._base()
        before, last = self._told[host][:-1], self._told[host][-1]
        try:
            self.hosts.start(host, replace(base.task, place=self.places[host]), self.by_cells)
            for question, arguments in [("recall", base.touches), *before]:
                self.hosts.call(host, question, arguments)
                self.hosts.answer(host)
        except LostHostError:
            pass  # lost once more: the next answer says so
        except UsageError as error:  # no room for it, or another version there: the run can be resumed elsewhere
            raise LostHostError(str(error)) from error
        self.hosts.call(host, *last)


class _Central:
    """The controller of worlds whose cells live on several hosts."""

    def __init__(self, task: Task, places: list[Place], pool: Pool) -> None:
        model = task.model()
        units = [unit for place in places for unit in place.units()]
        order = sorted(range(len(units)), key=lambda place: units[place])
        self.order, self.back = np.array(order), np.argsort(order)
        people = np.concatenate(pool.ask("unit_people"))[self.order]
        worlds = np.arange(task.scenario.worlds)
        placed = (np.array([units[at][0] for at in order]), people)
        self.controller = Controller.of(model, worlds, placed, opponents_from_text(task.opponents))
        self.controller.followed = task.followed
        self.controller.heard = heard_of(model, task, worlds)
        if task.state is not None:
            restore_controller(self.controller, task.state)
        self.cuts = np.cumsum([len(place.units()) for place in places])[:-1]
        self.pool, self.log, self.hour = pool, Log(), task.start_hour

    def conduct(self, hour: int) -> None:
        """Give orders and take reports, hour by hour."""
        while self.hour < hour:
            orders = self.controller.begin_hour(self.hour)
            reports = self.pool.step(_split(orders, self.back, self.cuts))
            self.controller.end_hour(_joined(reports, self.order))
            if self.hour % HOURS_PER_DAY == HOURS_PER_DAY - 1:
                self.controller.end_day(self.hour // HOURS_PER_DAY, self.log)
            self.hour += 1

    def state(self) -> State:
        """The controller's part of the state."""
        state = {f"world.{name}": column for name, column in self.controller.arrays().items()}
        return {**state, "world.id": self.controller.worlds}


def _split(orders: Orders, back: np.ndarray, cuts: np.ndarray) -> list[Orders]:
    """Orders by unit, cut into one for each host."""
    edges = [0, *cuts.tolist(), len(back)]
    places = [back[a:b] for a, b in zip(edges[:-1], edges[1:], strict=True)]
    return [Orders(**{field.name: _taken(getattr(orders, field.name), at) for field in fields(Orders)}) for at in places]


def _taken(part: Any, at: np.ndarray) -> Any:
    """The rows `at` of an array, of every array of a bundle, or of every array by name."""
    if isinstance(part, dict):
        return {name: column[at] for name, column in part.items()}
    return type(part)(*(column[at] for column in part)) if isinstance(part, tuple) else part[at]


def _joined(reports: list[Report], order: np.ndarray) -> Report:
    """The reports of all hosts as one, units in order."""
    whole: dict[str, Any] = {}
    for field in fields(Report):
        parts = [getattr(report, field.name) for report in reports]
        if isinstance(parts[0], tuple):
            whole[field.name] = type(parts[0])(*(np.concatenate(piece)[order] for piece in zip(*parts, strict=True)))
        elif isinstance(parts[0], dict):
            codes = sorted({code for part in parts for code in part})
            whole[field.name] = {code: np.concatenate([part[code] for part in parts])[order] for code in codes}
        else:
            whole[field.name] = np.concatenate(parts)[order]
    return Report(**whole)
