"""One scenario run in every way that must not matter: database, workers, PYTHONHASHSEED, killed and resumed or not."""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.crash.cases import hash_of
from tests.crash.children import Child, gaelp

NewUrl = Callable[[], str]
WORKERS = (1, 2, 4)
HASH_SEEDS = (0, 1, 2, 3, 1_000_003)
DAYS = 12  # a state is stored on the tenth: kills fall before and after it
SCENARIOS = {
    "four cells": ("quickstart", "population.people=400", "cells=4"),
    "four worlds": ("email_retarget", "population.people=100", "worlds=4"),
    "seasons": (
        "seasons", "population.people=400", "worlds=1", "cells=4", "us.policy.creatives=thompson",
        "creatives.teach.refresh_days=[4]",
    ),
    "learning rivals": (
        "quickstart", "population.people=400", "cells=4", "rivals_learn=true", "us.policy.pacing=dual",
        "us.budget.usd_day=20", "variation.rival_value_sd=0.2",
    ),
    "linked users": ("quickstart", "population.people=1500", "cells=4", "identity.mode=linked"),
    "slots": ("gsp_slots", "population.people=300"),
}


@dataclass(frozen=True)
class Way:
    """One way to run a scenario."""

    database: str
    workers: int
    hash_seed: int
    killed: bool


def all_ways() -> list[Way]:
    """Every combination."""
    return list(itertools.starmap(Way, itertools.product(("SQLite", "Postgres"), WORKERS, HASH_SEEDS, (False, True))))


@dataclass
class Grid:
    """Row hashes of a scenario's runs, by how each was run."""

    name: str
    folder: Path
    new_urls: dict[str, NewUrl]
    hashes: dict[Way, str] = field(default_factory=dict)
    kills: int = 0

    def run(self, ways: Sequence[Way]) -> Grid:
        """Run the scenario in each way."""
        for way in ways:
            self.hashes[way] = self._hash_of(way)
        return self

    def _hash_of(self, way: Way) -> str:
        url = self.new_urls[way.database]()
        environment = {"PYTHONHASHSEED": str(way.hash_seed)}
        child = Child(self._arguments(url, way.workers), self.folder, environment)
        if way.killed:
            self._kill_and_resume(way, child, url, environment)
        else:
            assert child.ended().code == 0, child.said
        return hash_of(url, "@last")

    def _kill_and_resume(self, way: Way, child: Child, url: str, environment: dict[str, str]) -> None:
        """Kill it after a random commit; another number of workers finishes it."""
        draw = random.Random(f"{self.name} {way}")
        child.wait_for_days(draw.randint(1, DAYS - 1))
        self.kills += child.kill()
        child.ended()
        workers = str(draw.choice(WORKERS))
        ended = gaelp("resume", "@last", "--db", url, "--workers", workers, folder=self.folder, **environment)
        assert ended.code == 0, ended.err
        assert not child.left_over()

    def _arguments(self, url: str, workers: int) -> list[str]:
        scenario, *settings = SCENARIOS[self.name]
        sets = [word for setting in settings for word in ("--set", setting)]
        return ["run", scenario, *sets, "--days", str(DAYS), "--db", url, "--workers", str(workers), "--watch"]

    def rows(self) -> Iterator[str]:
        """A table row per database and fate: runs, and how many different hashes."""
        groups: dict[tuple[str, bool], list[str]] = defaultdict(list)
        for way, found in self.hashes.items():
            groups[way.database, way.killed].append(found)
        for (database, killed), found in sorted(groups.items(), reverse=True):
            fate = "killed, resumed" if killed else "undisturbed"
            yield f"{self.name:<12}  {database:<8}  {fate:<15}  {len(found):>4}  {len(set(found)):>6}  {found[0][:16]}"


HEADING = "scenario      database  fate             runs  hashes  row hash"
