"""Hosts that are actors of a Ray cluster, and tasks there; Ray is an extra and is loaded here alone.

An actor asks for one core. Ray keeps nothing for us: it tells of a dead actor or node, and the pool starts another.
"""

from __future__ import annotations

import logging
import os
import platform
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from typing import Any, NamedTuple, TypeVar

import numpy as np

from gaelp_sim import __version__
from gaelp_sim.errors import StoreBusyError, UsageError
from gaelp_sim.world.crew import Crew
from gaelp_sim.world.hosts import LostHostError, Shards, told_in_one_line
from gaelp_sim.world.machine import numba_version, torch_version
from gaelp_sim.world.shard import Task
from gaelp_sim.world.state import State

Item = TypeVar("Item")
Answer = TypeVar("Answer")

INSTALL = "next: pip install 'gaelp-sim[ray]'"
START = "next: ray start --head"
PATIENCE_S = 60.0
"""How long a cluster may take to find room for an actor, and to notice that a node died."""
TRIES = 3
WORDS_MAX = 160


_joined: dict[str, str] = {}
"""The address by which this process joined its cluster: Ray has one a process"""


def connected(address: str) -> Any:
    """The module ray, connected to the cluster at an address; raises UsageError where there is none."""
    try:
        import ray
    except ImportError as missing:
        raise UsageError(f"--ray {address}: Ray is not installed; {INSTALL}") from missing
    if ray.is_initialized():
        if _joined.get("address", address) != address:
            raise UsageError(f"--ray {address}: this process has joined the cluster at {_joined['address']}; one a process")
        return ray
    try:
        _reached(os.environ.get("RAY_ADDRESS") or address if address == "auto" else address)
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, configure_logging=True)
    except (OSError, ValueError, RuntimeError) as error:
        why = next(iter(str(error).splitlines()), type(error).__name__)[:WORDS_MAX]
        raise UsageError(f"--ray {address}: no Ray cluster answers there ({why}); {START}") from error
    _joined["address"] = address
    # Ray tells of lost nodes by pages on stdout, where our results go; the pool says what matters, in one line.
    ray._private.worker._worker_logs_enabled = False
    return ray


def _reached(address: str) -> None:
    """Raise OSError or ValueError unless somebody listens at HOST:PORT: Ray itself would try for many minutes."""
    if "://" in address:
        raise ValueError("an address is HOST:PORT, as ray start told it, or auto")
    if address != "auto":
        host, _, port = address.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=5.0):
            pass


def actors_of(crew: Crew) -> tuple[Actors, int]:
    """The actors of a cluster and how many there may be: one a core, or as many as the crew asks for."""
    ray = connected(crew.ray)
    cores = int(ray.cluster_resources().get("CPU", 0))
    if cores < 1:
        raise UsageError(f"--ray {crew.ray}: the cluster has no cores; next: ray start --address on a machine that has")
    if crew.workers is not None and crew.workers > cores:
        raise UsageError(f"--workers {crew.workers}: the cluster has {cores} cores, and an actor takes one; "
                         f"next: at most {cores}, or more nodes (ray start --address)")
    return Actors(ray), crew.workers or cores


def _losses(ray: Any) -> tuple[type[Exception], ...]:
    """What Ray raises where an actor is gone, with its process, its node or what it had kept."""
    names = ("RayActorError", "ObjectLostError", "OutOfMemoryError", "NodeDiedError", "LocalRayletDiedError",
             "WorkerCrashedError")
    return tuple(getattr(ray.exceptions, name) for name in names if hasattr(ray.exceptions, name))


class Actors:
    """One actor a host."""

    def __init__(self, ray: Any) -> None:
        self.ray = ray
        self._made = ray.remote(_Host)
        self._actors: dict[int, Any] = {}
        self._asked: dict[int, Any] = {}
        self._kept: tuple[State | None, Any] = (None, None)

    def start(self, host: int, task: Task, by_cells: bool) -> None:
        """Make an actor and give it the task; a lost one's core may be lost, too, so its follower asks for none."""
        again = host in self._actors
        if again:
            self.ray.kill(self._actors[host])
        try:
            self._actors[host] = actor = self._placed(0 if again else 1)
        except self.ray.exceptions.GetTimeoutError as late:
            raise UsageError(f"the cluster found no room for actor {host + 1} within {PATIENCE_S:.0f} s; "
                             "next: fewer --workers, or wait until other jobs are done") from late
        except self.ray.exceptions.RayError as error:
            raise UsageError(f"a node of the cluster can't run gaelp-sim ({type(error).__name__}: "
                             f"{str(error).splitlines()[-1]}); next: install the same version on every node") from error
        actor.begin.remote(replace(task, state=None), self._shared(task.state), by_cells)

    def _placed(self, cores: int) -> Any:
        """An actor that answers, on a node with our versions; a node that is dying while it is chosen is passed over."""
        way = self._made.options(num_cpus=cores, max_restarts=0, scheduling_strategy="SPREAD")
        for tries in range(TRIES):
            actor = way.remote()
            try:
                there = self.ray.get(actor.versions.remote(), timeout=PATIENCE_S)
                break
            except _losses(self.ray):
                if tries == TRIES - 1:
                    raise
        if there != versions():
            raise UsageError(f"a node of the cluster has {there}, this machine {versions()}; next: the same on every node")
        return actor

    def _shared(self, state: State | None) -> Any:
        """A state in the cluster's memory: once for all hosts, as it may be that of many people."""
        if state is not self._kept[0]:
            self._kept = (state, self.ray.put(state))
        return self._kept[1]

    def call(self, host: int, question: str, arguments: tuple[Any, ...]) -> None:
        """Ask; Ray keeps the order of calls."""
        self._asked[host] = self._actors[host].asked.remote(question, arguments)

    def answer(self, host: int) -> list[Any]:
        """Wait for the answer."""
        try:
            answer = self.ray.get(self._asked[host])
        except _losses(self.ray) as error:
            raise LostHostError("a Ray actor died with its node or its memory; next: the same command again") from error
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        """End the actors; the cluster stays."""
        for actor in self._actors.values():
            self.ray.kill(actor)
        self._actors = {}


class _Host:
    """An actor: shards, and an ear."""

    def versions(self) -> str:
        """What this node would simulate with."""
        return versions()

    def begin(self, task: Task, state: State | None, by_cells: bool) -> None:
        """Build the shards; if that fails, the first answer says so."""
        self.failed: Exception | None = None
        try:
            self.shards = Shards(replace(task, state=state), by_cells)
        except Exception as error:
            self.failed = told_in_one_line(error)

    def asked(self, question: str, arguments: tuple[Any, ...]) -> Any:
        """Every shard's answer, or the error that one of them ended with."""
        if self.failed is not None:
            return self.failed
        try:
            return self.shards.asked(question, arguments)
        except Exception as error:
            return told_in_one_line(error)


def versions() -> str:
    """The versions on which results may depend, in one line."""
    try:
        torch = torch_version()
    except PackageNotFoundError:
        torch = "none"
    return (f"gaelp-sim {__version__}, Python {platform.python_version()}, numpy {np.__version__}, "
            f"numba {numba_version()}, torch {torch}")


def each_on_ray(crew: Crew, function: Callable[[Item], Answer], items: Sequence[Item]) -> Iterator[Answer]:
    """A function of every item as tasks of a cluster, answers in order; Ray repeats those of a lost node."""
    ray = connected(crew.ray)
    shared, ours = ray.put(function), versions()  # once, as it may hold a network or a plan
    task = ray.remote(num_cpus=1, max_retries=TRIES)(_told)
    at_once = crew.workers or len(items)
    asked = [task.remote(shared, item, ours) for item in items[:at_once]]
    try:
        for number in range(len(items)):
            answer = ray.get(asked[number])
            asked[number] = None
            if number + at_once < len(items):
                asked.append(task.remote(shared, items[number + at_once], ours))
            if isinstance(answer, _Failed):
                raise answer.error
            yield answer
    except ray.exceptions.RayError as error:
        why = next(iter(str(error).splitlines()), "")[:WORDS_MAX]
        raise StoreBusyError(f"a task on the cluster ended with {type(error).__name__}: {why}; next: the same command "
                             "again") from error
    finally:
        for left in asked:
            if left is not None:
                ray.cancel(left)


class _Failed(NamedTuple):
    """What a task ended with: raised over there, Ray would wrap it in a page of its own."""

    error: Exception


def _told(function: Callable[[Item], Answer], item: Item, ours: str) -> Answer | _Failed:
    """The answer, or the error; a node with other versions refuses."""
    if versions() != ours:
        told = UsageError(f"a node of the cluster has {versions()}, the command {ours}; next: the same on every node")
        return _Failed(told)
    try:
        return function(item)
    except Exception as error:
        return _Failed(told_in_one_line(error))
