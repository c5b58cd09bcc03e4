"""A Ray cluster of several nodes on this machine: a process each that can be killed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

STORE_BYTES = 128 * 1024 * 1024


class Raylets:
    """A head and nodes with a core each."""

    def __init__(self, nodes: int) -> None:
        from ray.cluster_utils import Cluster

        args = {"num_cpus": 1, "object_store_memory": STORE_BYTES}
        self.cluster = Cluster(initialize_head=True, head_node_args=args)
        self._args = args
        self.others: list[Any] = [self.cluster.add_node(**args) for _ in range(nodes - 1)]

    @property
    def address(self) -> str:
        """What --ray takes."""
        return str(self.cluster.address)

    def kill(self, number: int) -> None:
        """Kill a node that is not the head, with all that lives on it, as a power cut would."""
        self.cluster.remove_node(self.others[number], allow_graceful=False)

    def revive(self, number: int) -> None:
        """Another node in its place."""
        self.others[number] = self.cluster.add_node(**self._args)

    def wait_for(self, nodes: int, patience_s: float = 60.0) -> None:
        """Wait until Ray knows of so many living nodes, and of no dead one's cores."""
        import ray

        deadline = time.monotonic() + patience_s
        while ray.cluster_resources().get("CPU", 0) != nodes or ray.available_resources().get("CPU", 0) != nodes:
            assert time.monotonic() < deadline, ray.cluster_resources()
            time.sleep(0.2)


@contextmanager
def raylets(nodes: int) -> Iterator[Raylets]:
    """So many nodes, gone afterwards; skips where Ray is not installed."""
    pytest.importorskip("ray", reason="Ray is not installed (extra [ray])")
    import ray

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    made = Raylets(nodes)
    try:
        yield made
    finally:
        ray.shutdown()
        made.cluster.shutdown()
