"""Where shards live: in this process, on several of this machine, or on a Ray cluster. Results don't depend on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from gaelp_sim.world.crew import ALONE, Crew
from gaelp_sim.world.followed import Followed, Noting, together
from gaelp_sim.world.hosts import Hosts
from gaelp_sim.world.pool import Base, Pool
from gaelp_sim.world.processes import Processes
from gaelp_sim.world.shard import Shard, Tables, Task
from gaelp_sim.world.stack import Place
from gaelp_sim.world.state import State, merged


class Executor(Protocol):
    """Runs the shards of one run."""

    losses: int
    """Hosts lost so far"""

    def advance(self, hour: int) -> list[Tables]:
        """Run every shard to `hour`; their rows, in the order of the shards."""
        ...

    def begin(self, hour: int) -> None:
        """Let the shards start on their way to `hour`, where they can do so alone; nothing else may be asked before."""
        ...

    def ask(self, question: str, *arguments: Any) -> list[Any]:
        """Call a method of every shard; the answers in the order of the shards."""
        ...

    def state(self) -> State:
        """The whole state, the same for every way of spreading it."""
        ...

    def rest_on(self, base: Callable[[], Base]) -> None:
        """From now on, whoever is lost begins again there: at the state that was just stored."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...


class Serial:
    """All shards in this process: one, or one a world where worlds have parameters of their own."""

    losses = 0

    def __init__(self, task: Task) -> None:
        self.shards = [Shard(part) for part in task.apart()]

    def advance(self, hour: int) -> list[Tables]:
        """Run to `hour`."""
        return self.ask("advance", hour)

    def begin(self, hour: int) -> None:
        """Nothing: there is one process, and it has other things to do."""

    def ask(self, question: str, *arguments: Any) -> list[Any]:
        """Call a method of every shard."""
        return [getattr(shard, question)(*arguments) for shard in self.shards]

    def state(self) -> State:
        """The shards' state in the common order."""
        return merged(self.ask("state"))

    def rest_on(self, base: Callable[[], Base]) -> None:
        """Nothing: what could be lost is this process, and `resume` is for that."""

    def close(self) -> None:
        """Nothing to let go of."""


def noted(task: Task, end_hour: int) -> Followed:
    """What rivals begin every hour with, in a life of the task's worlds up to `end_hour`; nothing is written."""
    scenario = task.scenario
    whole = replace(task, place=Place(range(scenario.worlds), range(scenario.cells)))
    parts = []
    for part in whole.apart():
        shard, noting = Shard(part), Noting()
        assert shard.own is not None
        controller = shard.own.controller
        for hour in range(task.start_hour, end_hour):
            controller.note_rivals(hour, noting)
            shard.advance(hour + 1)
        controller.note_rivals(end_hour, noting)
        parts.append(noting.followed(task.start_hour, controller.worlds))
    return together(parts)


def check_reached(crew: Crew) -> None:
    """Raise UsageError for a cluster that there isn't, before anything is written."""
    if crew.ray:
        from gaelp_sim.world.ray_actors import actors_of

        actors_of(crew)


def executor_of(task: Task, crew: Crew = ALONE) -> Executor:
    """Spread a run over a crew: whole worlds if there are enough, else cells.

    Several worlds with parameters of their own are never cut: they are at most one host each. Raises UsageError for a
    cluster that there isn't.
    """
    worlds, cells = task.scenario.worlds, task.scenario.cells
    task = replace(task, place=Place(range(worlds), range(cells)))
    if worlds == 1:
        (task,) = task.apart()
    if crew.ray:
        from gaelp_sim.world.ray_actors import actors_of

        actors, hosts = actors_of(crew)
        return _spread(actors, task, hosts)
    if min(crew.processes, worlds * cells) <= 1:
        return Serial(task)
    return _spread(Processes(), task, crew.processes)


def _spread(hosts: Hosts, task: Task, most: int) -> Pool:
    """Deal a task out to at most so many hosts."""
    worlds, cells = task.scenario.worlds, task.scenario.cells
    by_cells = most > worlds and cells > 1 and not task.scenario.intervals
    edges = np.linspace(0, cells if by_cells else worlds, min(most, cells if by_cells else worlds) + 1).astype(int).tolist()
    parts = [range(a, b) for a, b in zip(edges[:-1], edges[1:], strict=True)]
    places = [Place(range(worlds), part) if by_cells else Place(part, range(cells)) for part in parts]
    return Pool(hosts, task, places, by_cells=by_cells)
