"""Stopped by hand: Ctrl-C, twice, SIGTERM, a dead worker, a second writer; each is one line and the right exit code."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.crash.cases import LABEL, committed_days, failed_checks, hash_of, watched_id
from tests.crash.children import Child, gaelp

BUSY, INTERRUPTED, TERMINATED = 75, 130, 143
DAYS = 30
ALONE: tuple[str, ...] = ()
CELLS = ("--set", "cells=2", "--workers", "2")
WORLDS = ("--set", "worlds=2", "--workers", "2")
_HASHES: dict[tuple[str, ...], str] = {}


@dataclass(frozen=True)
class Stopped:
    """A run in a store of its own, to be stopped and resumed."""

    folder: Path
    way: tuple[str, ...]

    @property
    def url(self) -> str:
        """Where it is stored."""
        return f"sqlite:///{self.folder / 'gaelp.db'}"

    def started(self) -> Child:
        """The run, begun."""
        return Child(self.arguments(self.url), self.folder)

    def arguments(self, url: str) -> list[str]:
        """`gaelp run` of it into the store at `url`."""
        sizes = ["--set", "population.people=300", "--days", str(DAYS)]
        return ["run", "quickstart", *sizes, *self.way, "--db", url, "--name", LABEL, "--watch"]

    def resumes_to_the_equal_hash(self, child: Child) -> None:
        """The stopped run lost nothing that it told, left no process, and ends as if it had never been stopped."""
        assert not child.left_over()
        run_id = watched_id(self.url)
        assert run_id is not None and committed_days(self.url, run_id) >= set(child.days)
        assert not failed_checks(self.url, run_id)
        ended = gaelp("resume", run_id, "--db", self.url, folder=self.folder)
        assert ended.code == 0, ended.err
        assert hash_of(self.url, run_id) == undisturbed_hash(self)


def undisturbed_hash(stopped: Stopped) -> str:
    """The row hash of the same run that nobody stops; simulated once per way."""
    if stopped.way not in _HASHES:
        url = f"sqlite:///{stopped.folder / 'undisturbed.db'}"
        assert gaelp(*stopped.arguments(url), folder=stopped.folder).code == 0
        _HASHES[stopped.way] = hash_of(url, "@last")
    return _HASHES[stopped.way]


@pytest.mark.parametrize("way", [ALONE, CELLS], ids=["alone", "cells"])
def test_ctrl_c_stops_at_a_commit(tmp_path: Path, way: tuple[str, ...]) -> None:
    """Workers get it too, as from a terminal, and don't mind."""
    stopped = Stopped(tmp_path, way)
    child = stopped.started()
    child.wait_for_days(3)
    child.signal_all(signal.SIGINT)
    ended = child.ended()
    run_id = watched_id(stopped.url)
    assert ended.code == INTERRUPTED and ended.tells_one_error()
    assert ended.last_line.endswith(f"gaelp resume {run_id}") and f"after day {child.days[-1]} of {DAYS}" in ended.last_line
    stopped.resumes_to_the_equal_hash(child)


@pytest.mark.parametrize("way", [ALONE, CELLS], ids=["alone", "cells"])
def test_ctrl_c_while_workers_start(tmp_path: Path, way: tuple[str, ...]) -> None:
    """Before the first commit it stops somewhere: one line, no traceback of any process, exit 130."""
    stopped = Stopped(tmp_path, way)
    child = stopped.started()
    _wait_until(lambda: bool(child.workers()) if way else (tmp_path / "gaelp.db").exists())
    child.signal_all(signal.SIGINT)
    ended = child.ended()
    assert ended.code == INTERRUPTED and ended.tells_one_error(), ended.err
    assert not child.left_over()


def test_ctrl_c_twice_stops_at_once(tmp_path: Path) -> None:
    stopped = Stopped(tmp_path, ("--set", "population.people=30000", "--set", "cells=2", "--workers", "2"))
    child = stopped.started()
    child.wait_for_days(1)
    child.signal_all(signal.SIGINT)
    child.signal_all(signal.SIGINT)
    ended = child.ended()
    assert ended.code == INTERRUPTED and ended.tells_one_error(), ended.err
    assert ended.last_line.endswith(f"gaelp resume {watched_id(stopped.url)}")
    assert not child.left_over(2.0)


def test_sigterm_stops_at_a_commit(tmp_path: Path) -> None:
    """`timeout` and init systems signal the whole group."""
    stopped = Stopped(tmp_path, CELLS)
    child = stopped.started()
    child.wait_for_days(2)
    child.signal_all(signal.SIGTERM)
    ended = child.ended()
    assert ended.code == TERMINATED and ended.tells_one_error(), ended.err
    assert ended.last_line.endswith(f"gaelp resume {watched_id(stopped.url)}")
    stopped.resumes_to_the_equal_hash(child)


@pytest.mark.parametrize("way", [CELLS, WORLDS], ids=["cells", "worlds"])
def test_a_killed_worker_is_replaced(tmp_path: Path, way: tuple[str, ...]) -> None:
    """Before a state is stored and after: the run goes on, and its rows are those of a run that nobody disturbed."""
    stopped = Stopped(tmp_path, way)
    child = stopped.started()
    for day in (2, 13):
        child.wait_for_days(day)
        os.kill(child.workers()[-1], signal.SIGKILL)
    ended = child.ended()
    assert ended.code == 0, ended.err
    assert "Traceback" not in ended.err and not child.left_over()
    assert hash_of(stopped.url, "@last") == undisturbed_hash(stopped)


def test_workers_that_die_again_and_again(tmp_path: Path) -> None:
    """Whatever kills them would kill the next: one line, and the run can be resumed."""
    stopped = Stopped(tmp_path, CELLS)
    child = stopped.started()
    child.wait_for_days(2)
    deadline = time.monotonic() + 30.0
    while child.process.poll() is None and time.monotonic() < deadline:
        for worker in child.workers():
            os.kill(worker, signal.SIGKILL)
        time.sleep(0.02)
    ended = child.ended()
    assert ended.code == BUSY and ended.tells_one_error(), ended.err
    assert "a worker died 3 times" in ended.last_line
    assert ended.last_line.endswith(f"gaelp resume {watched_id(stopped.url)}")
    stopped.resumes_to_the_equal_hash(child)


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    """While a run is written, `resume` and `runs delete` of it are refused; it doesn't notice."""
    stopped = Stopped(tmp_path, ALONE)
    child = stopped.started()
    child.wait_for_days(2)
    child.signal(signal.SIGSTOP)
    asked = (["resume", "@last"], ["runs", "delete", "@last", "--yes"])
    refused = [gaelp(*words, "--db", stopped.url, folder=tmp_path) for words in asked]
    child.signal(signal.SIGCONT)
    for ended in refused:
        assert ended.code == BUSY and ended.tells_one_error(), ended.err
        assert f"is being written by process {child.process.pid}" in ended.err
    assert child.ended().code == 0 and len(child.days) == DAYS
    stopped.resumes_to_the_equal_hash(child)


def _wait_until(holds: Callable[[], bool], patience_s: float = 30.0) -> None:
    deadline = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)
