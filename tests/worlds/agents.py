"""Agents from outside for tests: they know SQL and the three names that docs/outside.md promises, and nothing else."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from gaelp_sim.errors import GaelpError
from gaelp_sim.store.engines import Database, Link, connect

ASKED = (
    "SELECT run_id, world_id, hour, channel, signal, default_micros FROM observed_sheet WHERE asked = 1 "
    "ORDER BY world_id, channel, signal"
)
INSERT = "INSERT INTO outside_bid (run_id, world_id, hour, channel, signal, bid_micros) VALUES (?, ?, ?, ?, ?, ?)"
Row = tuple[Any, ...]
Answer = Callable[[list[Row]], list[Row]]


def plain(asked: list[Row]) -> list[Row]:
    """A bid for all that is asked: by hour, world and signal, so that a mistaken place would show."""
    return [(*row[:5], row[5] // 2 + 1000 * row[2] + 100 * row[1] + len(row[4])) for row in asked]


@contextmanager
def answering(url: str, answer: Answer = plain, *, pause_s: float = 0.002) -> Iterator[None]:
    """An agent beside the test, in a thread with a connection of its own."""
    stop = threading.Event()
    thread = threading.Thread(target=_live, args=(url, answer, stop, pause_s))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _live(url: str, answer: Answer, stop: threading.Event, pause_s: float) -> None:
    database = connect(url)
    while not stop.is_set():
        try:
            _look(database, answer)
        except GaelpError:
            pass  # no tables yet, or the lock is held: the next look will do
        time.sleep(pause_s)
    database.close()


def _look(database: Database, answer: Answer) -> None:
    with database.reading() as link:
        asked = link.all(ASKED)
    if asked and (rows := answer(asked)):
        with database.writing() as link:
            put(link, rows)


def put(link: Link, rows: list[Row]) -> None:
    """Insert rows as an agent does."""
    link.execute_many(INSERT, rows)
