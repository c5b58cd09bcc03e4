"""Where shards live: in this process, or one in each of several. Results don't depend on it.

Whole worlds are dealt out where there are enough of them; each process then keeps its own controllers and needs nobody
until the next commit point. Otherwise cells are dealt out, the controller stays here, and every hour is a barrier.
"""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Protocol

import numpy as np

from gaelp_sim.errors import GaelpError, StoreBusyError
from gaelp_sim.units import HOURS_PER_DAY
from gaelp_sim.world.control import Controller, Orders, Report
from gaelp_sim.world.followed import Followed, Noting, together
from gaelp_sim.world.log import Log
from gaelp_sim.world.opponents import opponents_from_text
from gaelp_sim.world.shard import Shard, Tables, Task, heard_of, restore_controller
from gaelp_sim.world.stack import Place
from gaelp_sim.world.state import State, merged

_STOPS = (signal.SIGINT, signal.SIGTERM)


class Executor(Protocol):
    """Runs the shards of one run."""

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

    def close(self) -> None:
        """Let go of everything."""
        ...


class Serial:
    """All shards in this process: one, or one a world where worlds have parameters of their own."""

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

    def close(self) -> None:
        """Nothing to let go of."""


class Processes:
    """Shards in each of several processes, started anew (spawn); they end when this one does."""

    def __init__(self, task: Task, places: list[Place], *, by_cells: bool) -> None:
        """Start a process per place; `by_cells`: worlds are cut between them, so the controller is kept here."""
        self.links: list[Connection] = []
        self.workers: list[BaseProcess] = []
        self._begun = False
        try:
            with _signals_held_back():
                for place in places:
                    self._start(replace(task, place=place), by_cells)
            self.control = _Central(task, places, self) if by_cells else None
        except BaseException:
            self.close()
            raise

    def _start(self, task: Task, by_cells: bool) -> None:
        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe()
        worker = context.Process(target=_serve, args=(there, task, by_cells), daemon=True)
        worker.start()
        there.close()
        self.links.append(here)
        self.workers.append(worker)

    def advance(self, hour: int) -> list[Tables]:
        """Run every shard to `hour`, by hourly barriers where worlds are cut."""
        if not self._begun:
            self._advance_all(hour)
        self._begun = False
        if self.control is None:
            return self._answers()
        self.control.conduct(hour)
        answers = self._answers()
        answers[0].update(self.control.log.drain())
        return answers

    def begin(self, hour: int) -> None:
        """Whole worlds go ahead while this process writes; cells wait for their controller, which lives here."""
        if self.control is None:
            self._advance_all(hour)
            self._begun = True

    def _advance_all(self, hour: int) -> None:
        for link in self.links:
            self._send(link, ("advance", (hour,)))

    def ask(self, question: str, *arguments: Any) -> list[Any]:
        """Call a method of every shard."""
        for link in self.links:
            self._send(link, (question, arguments))
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

    def close(self) -> None:
        """End the processes."""
        for link in self.links:
            link.close()
        for worker in self.workers:
            worker.kill()  # it keeps nothing that isn't stored, and may be busy with a long day
            worker.join()

    def _send(self, link: Connection, message: Any) -> None:
        try:
            link.send(message)
        except OSError as error:
            raise _lost(error) from error

    def _answers(self) -> list[Any]:
        """Every shard's answer, process by process."""
        return [answer for link in self.links for answer in self._receive(link)]

    def _receive(self, link: Connection) -> Any:
        try:
            wait([link])
            answer = link.recv()
        except (EOFError, OSError) as error:
            raise _lost(error) from error
        if isinstance(answer, Exception):
            raise answer
        return answer


class LostWorkerError(StoreBusyError):
    """A worker process died, of memory perhaps; the run goes on from its last commit point when resumed."""


def _lost(error: BaseException) -> LostWorkerError:
    return LostWorkerError(f"a worker process died ({type(error).__name__}); next: the same command again")


@contextmanager
def _signals_held_back() -> Iterator[None]:
    """Processes started inside never hear Ctrl-C or SIGTERM, which reach a whole group: the parent ends them.

    A worker that only ignored them once it runs would still die of one that comes while it imports.
    """
    resource_tracker.ensure_running()  # starting it with the first worker would let the signals through again
    came: list[int] = []
    before = _replaced_responses(lambda number, frame: came.append(number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)  # what workers inherit; other threads still hear them
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, response in before.items():
            signal.signal(number, response)
        for number in came[:1]:
            signal.raise_signal(number)


def _replaced_responses(response: Any) -> dict[int, Any]:
    """Put one response in place of those to _STOPS, and return those; nothing outside the main thread."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    return {number: signal.signal(number, response) for number in _STOPS}


class _Central:
    """The controller of worlds whose cells live in several processes."""

    def __init__(self, task: Task, places: list[Place], pool: Processes) -> None:
        model = task.model()
        units = [unit for place in places for unit in place.units()]
        order = sorted(range(len(units)), key=lambda place: units[place])
        self.order = np.array(order)
        people = np.concatenate(pool.ask("unit_people"))[self.order]
        worlds = np.arange(task.scenario.worlds)
        placed = (np.array([units[at][0] for at in order]), people)
        self.controller = Controller.of(model, worlds, placed, opponents_from_text(task.opponents))
        self.controller.followed = task.followed
        self.controller.heard = heard_of(model, task, worlds)
        if task.state is not None:
            restore_controller(self.controller, task.state)
        self.sizes = [len(place.units()) for place in places]
        self.pool, self.log, self.hour = pool, Log(), task.start_hour

    def conduct(self, hour: int) -> None:
        """Give orders and take reports, hour by hour."""
        back = np.argsort(self.order)
        cuts = np.cumsum(self.sizes)[:-1]
        while self.hour < hour:
            orders = self.controller.begin_hour(self.hour)
            for link, part in zip(self.pool.links, _split(orders, back, cuts), strict=True):
                self.pool._send(link, part)
            reports = [self.pool._receive(link) for link in self.pool.links]
            self.controller.end_hour(_joined(reports, self.order))
            if self.hour % HOURS_PER_DAY == HOURS_PER_DAY - 1:
                self.controller.end_day(self.hour // HOURS_PER_DAY, self.log)
            self.hour += 1

    def state(self) -> State:
        """The controller's part of the state."""
        state = {f"world.{name}": column for name, column in self.controller.arrays().items()}
        return {**state, "world.id": self.controller.worlds}


def _split(orders: Orders, back: np.ndarray, cuts: np.ndarray) -> list[Orders]:
    """Orders by unit, cut into one for each process."""
    edges = [0, *cuts.tolist(), len(back)]
    places = [back[a:b] for a, b in zip(edges[:-1], edges[1:], strict=True)]
    return [Orders(**{field.name: _taken(getattr(orders, field.name), at) for field in fields(Orders)}) for at in places]


def _taken(part: Any, at: np.ndarray) -> Any:
    """The rows `at` of an array, of every array of a bundle, or of every array by name."""
    if isinstance(part, dict):
        return {name: column[at] for name, column in part.items()}
    return type(part)(*(column[at] for column in part)) if isinstance(part, tuple) else part[at]


def _joined(reports: list[Report], order: np.ndarray) -> Report:
    """The reports of all processes as one, units in order."""
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


class _RemoteControl:
    """The controller as a shard in another process sees it: a pipe."""

    def __init__(self, link: Connection) -> None:
        self.link = link

    def begin_hour(self, hour: int) -> Orders:
        """Wait for orders."""
        orders: Orders = self.link.recv()
        return orders

    def end_hour(self, report: Report) -> None:
        """Send the report."""
        self.link.send(report)


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


def _serve(link: Connection, task: Task, by_cells: bool) -> None:
    """A worker: answer questions until the other end is gone."""
    try:
        control = _RemoteControl(link) if by_cells else None
        shards = [Shard(part, control) for part in task.apart()]
        while True:
            question, arguments = link.recv()
            link.send([getattr(shard, question)(*arguments) for shard in shards])
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
    except Exception as error:
        link.send(error if isinstance(error, GaelpError) else RuntimeError(f"{type(error).__name__}: {error}"))


def executor_of(task: Task, workers: int) -> Executor:
    """Spread a run over up to `workers` processes: whole worlds if there are enough, else cells.

    Several worlds with parameters of their own are never cut: they are at most one process each.
    """
    worlds, cells = task.scenario.worlds, task.scenario.cells
    task = replace(task, place=Place(range(worlds), range(cells)))
    if worlds == 1:
        (task,) = task.apart()
    if min(workers, worlds * cells) <= 1:
        return Serial(task)
    if workers <= worlds or cells == 1 or task.scenario.intervals:
        edges = np.linspace(0, worlds, min(workers, worlds) + 1).astype(int).tolist()
        places = [Place(range(a, b), range(cells)) for a, b in zip(edges[:-1], edges[1:], strict=True)]
        return Processes(task, places, by_cells=False)
    edges = np.linspace(0, cells, min(workers, cells) + 1).astype(int).tolist()
    places = [Place(range(worlds), range(a, b)) for a, b in zip(edges[:-1], edges[1:], strict=True)]
    return Processes(task, places, by_cells=True)
