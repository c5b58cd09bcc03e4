"""Runs from Python: simulate, open, ask, replay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypedDict, Unpack

from gaelp_sim.analyse.paired import Pairing, paired_runs
from gaelp_sim.errors import UsageError
from gaelp_sim.front.analyses import causes, credits, frame_of, judged, only
from gaelp_sim.front.frames import Frame
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.store import RunRecord, Store, check_finished
from gaelp_sim.store.console import QueryOptions, run_query
from gaelp_sim.store.view_rows import view_rows
from gaelp_sim.store.views import VIEW_COLUMNS
from gaelp_sim.world.crew import Crew
from gaelp_sim.world.replay import LOGGED, Replayed, ReplayRequest
from gaelp_sim.world.replay import replay as replayed
from gaelp_sim.world.simulate import RunRequest, stored_summary
from gaelp_sim.world.simulate import run as simulated
from gaelp_sim.world.stored_scenario import stored_scenario

DB = "sqlite:///gaelp.db"
_BLOCK_ROWS = 50_000


class RunOptions(TypedDict, total=False):
    """What `run` may be told besides the scenario; what is left out is the scenario's own."""

    db: str
    """Store, as SQLAlchemy URL; gaelp.db in this folder if left out"""
    sets: Sequence[str]
    """Keys of the scenario to change, `key=value`"""
    policy: str
    """How we bid: rule, ppo, silent, checkpoint:FOLDER, module:Class ..."""
    seed: int
    days: int
    worlds: int
    workers: int
    """Processes, or actors on a cluster; results don't depend on it"""
    ray: str
    """A Ray cluster to simulate on: auto, or HOST:PORT"""
    incremental: bool
    """Also simulate the worlds without our ads, for the incremental CAC"""
    name: str
    """A label to find the run by"""


class ReplayOptions(TypedDict, total=False):
    """What `Run.replay` may be told besides the policy."""

    sets: Sequence[str]
    worlds: int
    workers: int
    ray: str
    rivals_react: bool
    incremental: bool


@dataclass(frozen=True)
class Run:
    """A stored run."""

    id: str
    db: str

    def __repr__(self) -> str:
        record = self.record
        return f"<Run {self.id}: {record.scenario_name}, policy {record.policy}, {record.status}>"

    @property
    def record(self) -> RunRecord:
        """What the store says of it: seed, versions, hashes, state."""
        with Store.open(self.db, must_exist=True) as store:
            return store.find_run(self.id)

    @property
    def summary(self) -> dict[str, Any]:
        """Its figures, with the keys of `gaelp run --json`; raises UsageError while it is unfinished."""
        record = self.record
        check_finished(record, "has figures")
        return stored_summary(record).as_json()

    @property
    def scenario(self) -> Scenario:
        """The scenario that it used, every default filled in."""
        return stored_scenario(self.record)

    def query(self, sql: str, **options: Unpack[QueryOptions]) -> Frame:
        """Ask the named views a SELECT, or a worked query by name, as `gaelp query` does: read-only, within limits.

        At most 1,000 rows unless `limit` says more. Raises UsageError for SQL that can't be obeyed.
        """
        asked: QueryOptions = {"run": self.id, **options}
        found = run_query(self.db, sql, **asked)
        return Frame.of(found.columns, found.rows)

    def view(self, name: str) -> Frame:
        """All rows of a named view, such as journeys, touchpoints, decisions, conversions or observed_users."""
        if name not in VIEW_COLUMNS:
            raise UsageError(f"no view {name}; there are {', '.join(VIEW_COLUMNS)}")
        with Store.open(self.db, must_exist=True) as store:
            blocks = view_rows(store.database, name, self.id, _BLOCK_ROWS)
            return Frame.of(tuple(VIEW_COLUMNS[name]), (row for block in blocks for row in block))

    def attribute(self, *models: str) -> Frame:
        """Credit its sales by models of attribution (names, or `module:function`; all of ours where none is named).

        A row for each model and channel, as in the view `attribution`, which keeps it.
        """
        labels = credits(self.db, self.id, models)
        return only(self.view("attribution"), "model", labels)

    def incrementality(self, by: str = "channel") -> Frame:
        """What its ads truly caused, by withholding them: rows of the view `incrementality`; by: all, channel or campaign.

        By channel, attributions made before are graded: views `attribution_truth` and `attribution_errors`.
        """
        causes(self.db, self.id, by)
        return only(self.view("incrementality"), "effect_of", {"all", by})

    def ope(self, *policies: str, estimators: Sequence[str] = ("all",), sets: Sequence[str] = ()) -> Frame:
        """Judge policies from its logged rows alone: a row for each policy and estimator, in USD a user.

        sets: keys of the scenario, `key=value`, changed for the policies. Raises UsageError where the log can't be read so.
        """
        return judged((self.db, self.id), policies, estimators, sets)

    def replay(self, policy: str = LOGGED, **options: Unpack[ReplayOptions]) -> Replay:
        """The same people with the same luck under another policy or setting, stored as a run of its own."""
        asked = _with_crew({**options, "sets": tuple(options.get("sets", ()))})
        done = replayed(ReplayRequest(self.db, self.id, policy, **asked))
        with Store.open(self.db, must_exist=True) as store:
            pairing, _ = paired_runs(store, done.origin, done.run)
        return Replay(Run(done.run.run_id, self.db), done, pairing)


@dataclass(frozen=True)
class Replay:
    """A replay beside the run that it replays."""

    run: Run
    done: Replayed
    pairing: Pairing

    @property
    def differences(self) -> Frame:
        """A row for each figure: stored, replayed, difference, and the bounds of its 95 % interval."""
        parts = (self.pairing.figures, self.pairing.channels, self.pairing.segments)
        return frame_of([asdict(one) for part in parts for one in part])


def run(scenario: str | Path | Scenario, **options: Unpack[RunOptions]) -> Run:
    """Simulate a scenario (a shipped one's name, a file, or a `Scenario`) into a store; every touch lands in SQL.

    Raises ScenarioError for a bad scenario, UsageError for options that can't be obeyed; then nothing is written.
    """
    told = dict(options)
    db, sets, label = str(told.pop("db", DB)), options.get("sets", ()), str(told.pop("name", ""))
    told.pop("sets", None)
    loaded = scenario if isinstance(scenario, Scenario) else load_scenario(str(scenario), list(sets))
    if isinstance(scenario, Scenario) and sets:
        raise UsageError("sets: they change a scenario that is named; change the Scenario itself, or name its file")
    return Run(simulated(RunRequest(loaded, db, label=label, **_with_crew(told))).run_id, db)


def _with_crew(told: dict[str, Any]) -> dict[str, Any]:
    """Options with `workers` and `ray` as who works."""
    crew = Crew(told.pop("workers", None), told.pop("ray", ""))
    return {**told, "crew": crew}


def open_run(ref: str = "@last", db: str = DB) -> Run:
    """A stored run by a unique prefix of its id, or the last one; raises RunNotFoundError."""
    with Store.open(db, must_exist=True) as store:
        return Run(store.find_run(ref).run_id, db)


def runs(db: str = DB) -> list[Run]:
    """All runs of a store, the newest last; raises RunNotFoundError for no such store."""
    with Store.open(db, must_exist=True) as store:
        return [Run(record.run_id, db) for record in store.runs()]
