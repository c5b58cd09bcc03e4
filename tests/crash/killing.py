"""Kill, look, resume, kill again: what became of every commit point that a run had told of."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.crash.cases import (
    CASES,
    Case,
    Templates,
    Undisturbed,
    committed_days,
    failed_checks,
    figures_of,
    hash_of,
    watched_id,
)
from tests.crash.children import Child

SEED = "crash"
KILLS_PER_RUN_MAX = 3
BEFORE_ANY_COMMIT = 0.15
"""Share of kills that fall before a process has told of any commit: while it starts, makes the store, replays days."""


@dataclass
class Tally:
    """What a campaign saw; everything from `lost` on must stay empty."""

    kills: int = 0
    before_first_commit: int = 0
    told: int = 0
    """Commit points that had been told before the kill that followed them."""
    runs: int = 0
    lost: list[str] = field(default_factory=list)
    unsound: list[str] = field(default_factory=list)
    unlike: list[str] = field(default_factory=list)
    left_over: list[str] = field(default_factory=list)

    def row(self, database: str) -> str:
        """One line of the table."""
        return (
            f"{database:<10}  {self.kills:>5}  {self.before_first_commit:>19}  {self.told:>12}  {len(self.lost):>4}  "
            f"{self.runs:>12}  {len(self.unsound):>7}  {len(self.unlike):>13}  {len(self.left_over):>14}"
        )

    def troubles(self) -> list[str]:
        """All that went wrong, one line each."""
        return [*self.lost, *self.unsound, *self.unlike, *self.left_over]


HEADING = (
    "database    kills  before first commit  commits told  lost  runs resumed  unsound  hashes unlike  processes left"
)


@dataclass
class Campaign:
    """Kills of runs in stores that `new_url` gives, one store a run."""

    folder: Path
    new_url: Callable[[], str]
    tally: Tally = field(default_factory=Tally)

    def __post_init__(self) -> None:
        self.templates = Templates(self.folder)
        self._expected: dict[str, Undisturbed] = {}

    def expected(self, case: Case) -> Undisturbed:
        """What a case comes to undisturbed, always on SQLite."""
        if case.name not in self._expected:
            self._expected[case.name] = self._undisturbed(case)
        return self._expected[case.name]

    def _undisturbed(self, case: Case) -> Undisturbed:
        url = f"sqlite:///{self.folder / case.name.replace(' ', '-')}.db"
        self.templates.prepare(case, url)
        began_s = time.monotonic()
        child = Child(case.run(url), self.folder)
        child.wait_for_days(1)
        first_s = time.monotonic() - began_s
        ended = child.ended()
        assert ended.code == 0 and child.days == list(range(1, case.days + 1)), ended.err
        run_id = watched_id(url)
        assert run_id is not None and not failed_checks(url, run_id)
        day_s = (time.monotonic() - began_s - first_s) / case.days
        return Undisturbed(hash_of(url, run_id), figures_of(ended.out), first_s, day_s)

    def go_on_until(self, kills: int) -> Tally:
        """Kill runs of all cases in turn until `kills` kills hit a living process."""
        number = 0
        while self.tally.kills < kills:
            self.one_run(CASES[number % len(CASES)], number, kills)
            number += 1
        return self.tally

    def one_run(self, case: Case, number: int, kills: int) -> None:
        """One run, killed up to three times (never beyond `kills` in all), then left to finish and compared."""
        draw = random.Random(f"{SEED}-{number}")
        url, told, hits = self.new_url(), set[int](), 0
        self.expected(case)
        self.templates.prepare(case, url)
        for _ in range(draw.randint(1, KILLS_PER_RUN_MAX)):
            run_id = watched_id(url)
            child = Child(case.resume(url, run_id) if run_id else case.run(url), self.folder)
            if self.tally.kills < kills and self._killed(child, case, draw, len(told)):
                hits += 1
            child.ended()
            told |= set(child.days)
            self._look(case, number, url, told, child)
            if len(told) == case.days:
                break
        self.tally.told += len(told) if hits else 0
        self._finish(case, number, url, told)

    def _killed(self, child: Child, case: Case, draw: random.Random, days_before: int) -> bool:
        """Wait for a random commit, and a random while longer; whether the kill hit a living process."""
        plan = self.expected(case)
        commits = draw.randint(1, case.days - days_before) if draw.random() > BEFORE_ANY_COMMIT else 0
        child.wait_for_days(commits)
        time.sleep(draw.uniform(0, 2 * plan.day_s if commits else plan.to_first_day_s))
        hit = child.kill()
        self.tally.kills += hit
        self.tally.before_first_commit += hit and not child.days and not days_before
        return hit

    def _look(self, case: Case, number: int, url: str, told: set[int], child: Child) -> None:
        """What was told must be in the store, the store must be sound, and no process may be left."""
        where = f"run {number} ({case.name}) at {url}"
        self.tally.left_over += [f"{where}: process {pid} is left" for pid in child.left_over()]
        run_id = watched_id(url)
        days = committed_days(url, run_id) if run_id else set()
        self.tally.lost += [f"{where}: day {day} was told and is gone" for day in sorted(told - days)]
        if run_id:
            self.tally.unsound += [f"{where}: {finding}" for finding in failed_checks(url, run_id)]

    def _finish(self, case: Case, number: int, url: str, told: set[int]) -> None:
        where, plan = f"run {number} ({case.name}) at {url}", self.expected(case)
        run_id = watched_id(url)
        child = Child(case.resume(url, run_id) if run_id else case.run(url), self.folder)
        ended = child.ended()
        run_id = watched_id(url)
        if ended.code != 0 or run_id is None:
            self.tally.unlike.append(f"{where}: ends with {ended.code}: {ended.last_line}")
            return
        self._look(case, number, url, told | set(child.days), child)
        self.tally.runs += 1
        found = hash_of(url, run_id)
        if found != plan.row_hash:
            self.tally.unlike.append(f"{where}: hash {found[:12]}, undisturbed {plan.row_hash[:12]}")
        if figures_of(ended.out) != plan.figures:
            self.tally.unlike.append(f"{where}: summary {figures_of(ended.out)}, undisturbed {plan.figures}")
