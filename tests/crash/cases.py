"""The runs that are killed: small, many commit points, one way of running each; and what each comes to undisturbed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from gaelp_sim.store import Store, verify_run
from gaelp_sim.store.rowhash import row_hash
from tests.crash.children import gaelp

LABEL = "watched"


@dataclass(frozen=True)
class Case:
    """One run, told as arguments of `gaelp run`."""

    name: str
    settings: tuple[str, ...]
    days: int = 24
    workers: int = 1
    resume_workers: int = 1
    parent_days: int = 0
    """A finished run of that many days is continued; 0: none."""

    def scenario(self, days: int) -> list[str]:
        """Arguments that name the scenario and its size."""
        sets = [word for setting in self.settings for word in ("--set", setting)]
        return ["quickstart", *sets, "--days", str(days)]

    def parent(self, url: str) -> list[str]:
        """`gaelp run` of the run that is continued."""
        return ["run", *self.scenario(self.parent_days), "--db", url, "--quiet"]

    def run(self, url: str) -> list[str]:
        """`gaelp run` of the run that is killed."""
        going_on = ["--continue", "@last"] if self.parent_days else []
        return ["run", *self.scenario(self.days), *going_on, *self._how(url, self.workers), "--name", LABEL]

    def resume(self, url: str, run_id: str) -> list[str]:
        """`gaelp resume` of it."""
        return ["resume", run_id, *self._how(url, self.resume_workers)]

    def _how(self, url: str, workers: int) -> list[str]:
        return ["--db", url, "--workers", str(workers), "--watch", "--json"]


CASES = (
    Case("one process", ("population.people=300",), days=30),
    Case("three cells, two workers", ("population.people=300", "cells=3"), workers=2, resume_workers=2),
    Case("two worlds, two workers", ("population.people=150", "worlds=2"), workers=2),
    Case("continued, two cells", ("population.people=250", "cells=2"), parent_days=11, resume_workers=2),
)


@dataclass(frozen=True)
class Undisturbed:
    """What a case comes to when nothing happens to it."""

    row_hash: str
    figures: dict[str, Any]
    """The summary, without what names this run or its time."""
    to_first_day_s: float
    day_s: float


class Templates:
    """Stores to start a case from: empty, or with the finished parent in it; each is simulated once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._parents: dict[str, Path] = {}

    def prepare(self, case: Case, url: str) -> None:
        """Make the store at `url` ready for the case's run."""
        if not case.parent_days:
            return
        if not url.startswith("sqlite"):
            self._simulate_parent(case, url)
            return
        if case.name not in self._parents:
            path = self.folder / f"parent-{len(self._parents)}.db"
            self._simulate_parent(case, f"sqlite:///{path}")
            self._parents[case.name] = path
        shutil.copy(self._parents[case.name], url.removeprefix("sqlite:///"))

    def _simulate_parent(self, case: Case, url: str) -> None:
        ended = gaelp(*case.parent(url), folder=self.folder)
        assert ended.code == 0, ended.err


def figures_of(out: str) -> dict[str, Any]:
    """What a run's --json summary says of the world, without the run's name and the time it took."""
    summary: dict[str, Any] = json.loads(out)
    return {name: value for name, value in summary.items() if name not in ("run_id", "seconds")}


@contextmanager
def opened(url: str) -> Iterator[Store]:
    """The store at `url`, which must be there."""
    with Store.open(url, must_exist=True) as store:
        yield store


def watched_id(url: str) -> str | None:
    """Id of the run that is killed and resumed; None if it was never begun."""
    path = sa.make_url(url).database if url.startswith("sqlite") else None
    if path is not None and not Path(path).exists():
        return None
    with opened(url) as store:
        return next((run.run_id for run in store.runs() if run.label == LABEL), None)


def committed_days(url: str, run_id: str) -> set[int]:
    """Days of the run (1 = first) that the store holds a commit point of."""
    with opened(url) as store:
        run = store.find_run(run_id)
        hours = store.read(run, "checkpoint", columns=["hour"])["hour"]
    return {(int(hour) - run.start_hour) // 24 for hour in hours}


def failed_checks(url: str, run_id: str) -> list[str]:
    """What `gaelp db verify` would find wrong with the run."""
    with opened(url) as store:
        return [f"{check}: {detail}" for check, passed, detail in verify_run(store, store.find_run(run_id)) if not passed]


def hash_of(url: str, run_id: str) -> str:
    """The run's row hash, 64 hex digits."""
    with opened(url) as store:
        return row_hash(store, store.find_run(run_id))
