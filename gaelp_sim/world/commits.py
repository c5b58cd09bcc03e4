"""Commit points written beside the simulation: while one day is being stored, the next is being simulated."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from gaelp_sim.store import Batch, RunRecord, Store

Acknowledge = Callable[[], None]


class Commits:
    """Commits of one run in order, at most one of them on its way; errors come out of the next call.

    A commit is acknowledged, in the caller's thread, once it is in the store.
    """

    def __init__(self, store: Store, run: RunRecord) -> None:
        self._store, self._run = store, run
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="gaelp-commits")
        self._on_its_way: tuple[Future[None], Acknowledge] | None = None

    def put(self, batch: Batch, acknowledge: Acknowledge) -> None:
        """Wait for the commit before, then send this one on its way."""
        self.wait()
        self._on_its_way = self._thread.submit(self._store.commit, self._run, batch), acknowledge

    def wait(self) -> None:
        """Wait until all that was put is in the store."""
        if self._on_its_way is not None:
            (written, acknowledge), self._on_its_way = self._on_its_way, None
            written.result()
            acknowledge()

    def __enter__(self) -> Commits:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._thread.shutdown(wait=True)
