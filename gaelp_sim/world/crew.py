"""Who works on a run: this process, several of this machine, or the actors of a Ray cluster. Results don't depend on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import active_children, get_context
from multiprocessing.process import BaseProcess
from typing import TypeVar

from gaelp_sim.errors import StoreBusyError
from gaelp_sim.world.signals_held import signals_held_back

Item = TypeVar("Item")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Crew:
    """How many work, and where."""

    workers: int | None = None
    """None: this process alone; of a cluster all cores"""
    ray: str = ""
    """Address of a Ray cluster, `auto`: the one that this machine belongs to; empty: no Ray"""

    @property
    def processes(self) -> int:
        """Processes of this machine that a crew without a cluster takes."""
        return self.workers or 1

    def shares(self, items: int) -> int:
        """How many shares so many items are best dealt out in: one a worker, one an item where a cluster takes all."""
        return min(items, self.workers or (items if self.ray else 1))


ALONE = Crew()


class Hands:
    """A crew at work on pure functions; processes that were started for one call stay for the next."""

    def __init__(self, crew: Crew = ALONE) -> None:
        self.crew = crew
        self._pool: ProcessPoolExecutor | None = None
        self._workers: list[BaseProcess] = []

    def __enter__(self) -> Hands:
        return self

    def __exit__(self, raised: object, *about: object) -> None:
        for worker in self._workers if raised is not None else ():
            worker.kill()  # nobody waits any more for what it is at
        self.close()

    def at_home(self, items: int) -> bool:
        """Whether so many items are worked out in this very process, one after the other."""
        return not self.crew.ray and min(self.crew.processes, items) <= 1

    def each(self, function: Callable[[Item], Answer], items: Sequence[Item]) -> Iterator[Answer]:
        """The function of every item, in the order of the items and as they are done, wherever they were worked out.

        Function and items are pickled where they leave this process. On a cluster, what a lost node was at is done again.
        Raises what the function raises, UsageError where there is no such cluster, StoreBusyError where a worker died.
        """
        if self.crew.ray:
            from gaelp_sim.world.ray_actors import each_on_ray

            return each_on_ray(self.crew, function, items)
        if self.at_home(len(items)):
            return map(function, items)
        return self._by_processes(function, items)

    def _by_processes(self, function: Callable[[Item], Answer], items: Sequence[Item]) -> Iterator[Answer]:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(self.crew.processes, mp_context=get_context("spawn"))
        before = active_children()
        with signals_held_back():
            answers = self._pool.map(function, items)
        self._workers += [one for one in active_children() if one not in before]
        try:
            yield from answers
        except BrokenProcessPool as error:
            raise StoreBusyError("a worker process died, of memory perhaps; next: the same command again") from error

    def close(self) -> None:
        """End the processes; a cluster stays."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool, self._workers = None, []


def each(crew: Crew, function: Callable[[Item], Answer], items: Sequence[Item]) -> list[Answer]:
    """What `Hands.each` gives, all at once."""
    with Hands(crew) as hands:
        return list(hands.each(function, items))


def shared_out(items: range, shares: int) -> list[range]:
    """A range cut into so many of about the same length, in order."""
    edges = [items.start + len(items) * share // shares for share in range(shares + 1)]
    return [range(a, b) for a, b in zip(edges[:-1], edges[1:], strict=True)]
