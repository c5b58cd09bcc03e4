"""Hosts: whoever keeps shards outside this process and answers questions about them, one question at a time."""

from __future__ import annotations

from typing import Any, Protocol

from gaelp_sim.errors import GaelpError, StoreBusyError
from gaelp_sim.world.control import Orders, Report
from gaelp_sim.world.shard import Shard, Task


class LostHostError(StoreBusyError):
    """A host is gone with its shards: its process was killed, its node died."""


class Hosts(Protocol):
    """So many hosts, by number; every `call` has one `answer`."""

    def start(self, host: int, task: Task, by_cells: bool) -> None:
        """Build the shards of a task there, in place of what the host held."""
        ...

    def call(self, host: int, question: str, arguments: tuple[Any, ...]) -> None:
        """Ask; returns at once. A loss is told by `answer`."""
        ...

    def answer(self, host: int) -> list[Any]:
        """The answers of the host's shards; raises LostHostError, and what the shards raised."""
        ...

    def close(self) -> None:
        """Let all of them go."""
        ...


class Shards:
    """The shards of one host, as the host itself keeps them."""

    def __init__(self, task: Task, by_cells: bool) -> None:
        """by_cells: worlds are cut between hosts, so orders come from their controller, which lives elsewhere."""
        self.told = _Told() if by_cells else None
        self.shards = [Shard(part, self.told) for part in task.apart()]

    def asked(self, question: str, arguments: tuple[Any, ...]) -> list[Any]:
        """Every shard's answer; `step` is told orders, and answers with a report."""
        if question == "step":
            return [self._step(*arguments)]
        return [getattr(shard, question)(*arguments) for shard in self.shards]

    def _step(self, orders: Orders) -> Report:
        assert self.told is not None, "worlds that are not cut have their controller with them"
        (shard,) = self.shards
        self.told.orders = orders
        shard.clock.run_until(shard.clock.hour + 1)
        return self.told.report


class _Told:
    """The controller as its cells elsewhere see it: an hour's orders, and a place to leave the report."""

    orders: Orders
    report: Report

    def begin_hour(self, hour: int) -> Orders:
        """What was told."""
        return self.orders

    def end_hour(self, report: Report) -> None:
        """Left to be fetched."""
        self.report = report


def told_in_one_line(error: Exception) -> Exception:
    """An error of a shard as it travels: ours as it is, any other by its name and text."""
    return error if isinstance(error, GaelpError) else RuntimeError(f"{type(error).__name__}: {error}")
