"""A run on hosts that are lost: it comes out as if they had never been."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from gaelp_sim.errors import UsageError
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import epoch_seconds
from gaelp_sim.world.executors import Executor, Serial
from gaelp_sim.world.hosts import LostHostError, Shards, told_in_one_line
from gaelp_sim.world.log import Table
from gaelp_sim.world.pool import LOSSES_MAX, Base, Pool
from gaelp_sim.world.shard import Tables, Task
from gaelp_sim.world.stack import Place

DAYS = 4
SETS = ("population.people=480", f"days={DAYS}", "cells=4", "rivals_learn=true", "us.budget.usd_day=6")


class Fragile:
    """Hosts in this process that are lost before they give the answers with these numbers, counted over all."""

    def __init__(self, losses: Sequence[int] = ()) -> None:
        self.losses, self.answers, self.starts = set(losses), 0, 0
        self.hosts: dict[int, Shards] = {}
        self.open: dict[int, Any] = {}

    def start(self, host: int, task: Task, by_cells: bool) -> None:
        """A host anew."""
        self.starts += 1
        self.hosts[host] = Shards(task, by_cells)

    def call(self, host: int, question: str, arguments: tuple[Any, ...]) -> None:
        """Answered at once, told later."""
        if host not in self.hosts:
            self.open[host] = LostHostError("gone")
            return
        try:
            self.open[host] = self.hosts[host].asked(question, arguments)
        except Exception as error:
            self.open[host] = told_in_one_line(error)

    def answer(self, host: int) -> list[Any]:
        """The answer, or the loss."""
        self.answers += 1
        answer = self.open.pop(host)
        if self.answers in self.losses:
            self.hosts.pop(host, None)
            raise LostHostError("gone")
        if isinstance(answer, Exception):
            raise answer
        return list(answer)

    def close(self) -> None:
        """Nothing is held."""


def task_of(*sets: str, state: Any = None, start_hour: int = 0) -> Task:
    """A small world whose budgets bind and whose rivals learn."""
    scenario: Scenario = load_scenario("quickstart", [*SETS, *sets])
    return Task(scenario, 7, "rule", Place(range(scenario.worlds), range(4)), start_hour, state)


def life(executor: Executor, task: Task, *, rests: bool = False) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of a life, in one order; with `rests`, lost hosts begin again at the last midnight."""
    parts: list[Tables] = list(executor.ask("births"))
    for day in range(1, DAYS + 1):
        parts += executor.advance(day * 24)
        if rests and day < DAYS:
            executor.rest_on(partial(Base, *_at(executor, task, day, parts)))
    parts += executor.ask("finish", DAYS * 86_400)
    found: dict[str, list[tuple[Any, ...]]] = {}
    for part in parts:
        for name, table in part.items():
            columns = [table[column] for column in sorted(table) if len(table[column])]
            found.setdefault(name, []).extend(_plain(row) for row in zip(*columns, strict=True))
    return {name: sorted(rows, key=repr) for name, rows in found.items()}


def _plain(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(value.tolist() if isinstance(value, np.generic | np.ndarray) else value for value in row)


def _at(executor: Executor, task: Task, day: int, parts: list[Tables]) -> tuple[Task, tuple[Table, int]]:
    touches = [part["touchpoint"] for part in parts if "touchpoint" in part]
    joined = {name: np.concatenate([touch[name] for touch in touches]) for name in touches[0]}
    return replace(task, state=executor.state(), start_hour=day * 24), (joined, epoch_seconds(task.scenario.start))


def by_cells(task: Task, hosts: Fragile) -> Pool:
    """One world, its cells on three hosts."""
    return Pool(hosts, task, [Place(range(1), range(a, b)) for a, b in ((0, 1), (1, 3), (3, 4))], by_cells=True)


@pytest.mark.parametrize("number", range(8))
def test_cells_that_are_lost_catch_up(number: int) -> None:
    """Up to two losses at any moments; some while a lost host is told again what it was told."""
    task = task_of()
    draw = np.random.default_rng(number)
    hosts = Fragile(draw.choice(np.arange(4, 320), size=LOSSES_MAX - 1, replace=False).tolist())
    found = life(by_cells(task, hosts), task)
    assert hosts.starts > 3, "nothing was lost"
    assert found == life(Serial(task), task)


@pytest.mark.parametrize("number", range(4))
def test_with_states_in_between(number: int) -> None:
    """From a stored state on: less is told again, and paths still begin where journeys did."""
    task = task_of()
    draw = np.random.default_rng(100 + number)
    hosts = Fragile(draw.choice(np.arange(90, 320), size=LOSSES_MAX - 1, replace=False).tolist())
    assert life(by_cells(task, hosts), task, rests=True) == life(Serial(task), task)


def test_whole_worlds_that_are_lost() -> None:
    """Each host has its own controllers."""
    task = task_of("worlds=3")
    hosts = Fragile((5, 9))
    places = [Place(range(world, world + 1), range(4)) for world in range(3)]
    found = life(Pool(hosts, task, places, by_cells=False), task, rests=True)
    assert hosts.starts == 5
    assert found == life(Serial(task), task)


def test_a_node_dies_with_all_that_it_held() -> None:
    """As many hosts at once as one alone may be lost times, and the run goes on."""
    task = task_of()

    class Node(Fragile):
        def answer(self, host: int) -> list[Any]:
            if self.answers == 100:
                self.hosts.clear()
            if host not in self.hosts:
                self.answers, self.open[host] = self.answers + 1, None
                raise LostHostError("gone")
            return super().answer(host)

    hosts = Node()
    found = life(by_cells(task, hosts), task)
    assert hosts.starts == 3 + LOSSES_MAX
    assert found == life(Serial(task), task)


def test_a_host_that_forgets_would_show() -> None:
    """The check can fail: a host that begins again without being told anything gives other rows."""
    task = task_of()

    class Forgetful(Pool):
        def _begin_again(self, host: int) -> None:
            self._told[host] = self._told[host][-1:]
            super()._begin_again(host)

    places = [Place(range(1), range(2)), Place(range(1), range(2, 4))]
    assert life(Forgetful(Fragile((60,)), task, places, by_cells=True), task) != life(Serial(task), task)


def test_too_many_losses_end_the_run() -> None:
    """So many between two states: something kills them."""
    task = task_of()
    with pytest.raises(LostHostError):
        life(by_cells(task, Fragile(range(40, 40 + 2 * LOSSES_MAX))), task)


def test_no_room_for_a_lost_host_can_be_resumed_from() -> None:
    """What keeps a host from beginning again is told as a loss, not as the user's mistake."""
    task = task_of()

    class Full(Fragile):
        def start(self, host: int, task: Task, by_cells: bool) -> None:
            if self.starts == 3:
                raise UsageError("no room")
            super().start(host, task, by_cells)

    with pytest.raises(LostHostError, match="no room"):
        life(by_cells(task, Full((40,))), task)


def test_an_error_of_a_shard_is_told() -> None:
    """What a shard raises reaches whoever asked."""
    task = task_of()
    pool = by_cells(task, Fragile())
    with pytest.raises(RuntimeError, match="AttributeError"):
        pool.ask("no_such_question")
    assert isinstance(told_in_one_line(UsageError("x")), UsageError)
