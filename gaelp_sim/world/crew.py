"""Who works on a run: this process, several of this machine, or the actors of a Ray cluster. Results don't depend on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TypeVar

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


def each(crew: Crew, function: Callable[[Item], Answer], items: Sequence[Item]) -> list[Answer]:
    """A pure function of every item, in the order of the items, wherever they were worked out.

    Function and items are pickled where they leave this process. On a cluster, what a lost node was at is done again.
    Raises what the function raises, and UsageError where there is no such cluster.
    """
    if crew.ray:
        from gaelp_sim.world.ray_actors import each_on_ray

        return each_on_ray(crew, function, items)
    if min(crew.processes, len(items)) <= 1:
        return [function(item) for item in items]
    with ProcessPoolExecutor(min(crew.processes, len(items)), mp_context=get_context("spawn")) as pool:
        return list(pool.map(function, items))
