"""Hosts that are processes of this machine, started anew (spawn); they end when this process does."""

from __future__ import annotations

import multiprocessing
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from gaelp_sim.world.hosts import LostHostError, Shards, told_in_one_line
from gaelp_sim.world.shard import Task
from gaelp_sim.world.signals_held import signals_held_back


class Processes:
    """One process a host, each behind a pipe."""

    def __init__(self) -> None:
        self._links: dict[int, Connection] = {}
        self._workers: dict[int, BaseProcess] = {}

    def start(self, host: int, task: Task, by_cells: bool) -> None:
        """Start a process for the task."""
        self._end(host)
        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe()
        worker = context.Process(target=_serve, args=(there, task, by_cells), daemon=True)
        with signals_held_back():
            worker.start()
        there.close()
        self._links[host], self._workers[host] = here, worker

    def call(self, host: int, question: str, arguments: tuple[Any, ...]) -> None:
        """Send the question; a broken pipe shows when the answer is asked for."""
        try:
            self._links[host].send((question, arguments))
        except OSError:
            self._links[host].close()

    def answer(self, host: int) -> list[Any]:
        """Wait for the answer."""
        link = self._links[host]
        try:
            wait([link])
            answer = link.recv()
        except (EOFError, OSError) as error:
            raise LostHostError(f"a worker process died ({type(error).__name__}); next: the same command again") from error
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        """End the processes."""
        for host in list(self._links):
            self._end(host)

    def _end(self, host: int) -> None:
        if host in self._links:
            self._links.pop(host).close()
            worker = self._workers.pop(host)
            worker.kill()  # it keeps nothing that isn't stored, and may be busy with a long day
            worker.join()


def _serve(link: Connection, task: Task, by_cells: bool) -> None:
    """A worker: answer questions until the other end is gone."""
    try:
        shards = Shards(task, by_cells)
        while True:
            question, arguments = link.recv()
            link.send(shards.asked(question, arguments))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
    except Exception as error:
        link.send(told_in_one_line(error))
