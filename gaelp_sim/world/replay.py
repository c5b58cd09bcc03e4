"""Replays: a stored run's world again, with the same people and the same luck, under its own policy or another."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace

from gaelp_sim.errors import UsageError
from gaelp_sim.market.outside_policy import OUTSIDE
from gaelp_sim.scenario.resolved import resolved_text, scenario_hash
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.store import RunRecord, Store, check_finished, row_hash
from gaelp_sim.world.crew import ALONE, Crew
from gaelp_sim.world.followed import Followed
from gaelp_sim.world.inherit import AS_THEY_WERE, REPLAYS, RIVALS, check_same_people, follows
from gaelp_sim.world.machine import cpu_features, machine_differs, numba_version, torch_version
from gaelp_sim.world.policies import PLANNERS, is_learned, pinned, policy_named
from gaelp_sim.world.request import OnProgress, RunSummary, ignore
from gaelp_sim.world.simulate import Beginning, begun_task, rivals_of, written
from gaelp_sim.world.stored_scenario import is_imported, stored_scenario
from gaelp_sim.world.stored_sheets import sheets_of

LOGGED = "logged"


@dataclass(frozen=True)
class ReplayRequest:
    """What is to be simulated again."""

    db_url: str
    run_ref: str
    policy: str = LOGGED
    """LOGGED: the run's own"""
    sets: tuple[str, ...] = ()
    """Settings of the scenario to change, `key=value`"""
    worlds: int | None = None
    """Only so many of the run's worlds, from its first on"""
    crew: Crew = ALONE
    rivals_react: bool = True
    """Else rivals are, hour by hour, as they were in the stored run, but for what is left of their budgets"""
    incremental: bool = False
    """Also simulate the same worlds without our ads"""

    @property
    def changes_nothing(self) -> bool:
        """Whether the replay must give the stored rows back."""
        return self.policy == LOGGED and not self.sets and self.worlds is None


@dataclass(frozen=True)
class Replayed:
    """A run simulated again, stored as a child of the run that it replays."""

    origin: RunRecord
    run: RunRecord
    summary: RunSummary
    machine: str
    """How numpy, Python or CPU differ from those the run was made with; empty where they don't."""
    hashes: tuple[str, str] | None
    """Row hashes of the stored run and of its replay, where these must be equal"""

    @property
    def equal(self) -> bool | None:
        """Whether the stored rows came back; None where something was changed."""
        return None if self.hashes is None else self.hashes[0] == self.hashes[1]


def replay(request: ReplayRequest, on_progress: OnProgress = ignore) -> Replayed:
    """Simulate a finished run again; interrupted, `gaelp resume` finishes it.

    Raises RunNotFoundError, UsageError (not finished; an imported log; other people than the run's), ScenarioError,
    InterruptedRunError.
    """
    began_s = time.perf_counter()
    with Store.open(request.db_url, must_exist=True) as store:
        origin = replayable(store, request.run_ref)
        scenario = _scenario(origin, request)
        policy = origin.policy if request.policy == LOGGED else pinned(request.policy)
        if policy in PLANNERS and origin.start_hour:
            raise UsageError(f"--policy {policy}: its plan begins with a run's first hour, and {origin.run_id} continues "
                             "another run: replay that one")
        policy_named(policy, scenario)
        _check_answered(origin, policy)
        record = _record(origin, scenario, policy, request)
        task = replace(
            begun_task(store, record, scenario, origin), followed=_followed(store, origin, request),
            sheets=sheets_of(store, origin) if policy == OUTSIDE else None,
        )
        summary = written(store, Beginning(record, task, began_s), request.crew, on_progress)
        done = store.find_run(summary.run_id)
        hashes = (row_hash(store, origin), row_hash(store, done)) if request.changes_nothing else None
    return Replayed(origin, done, summary, machine_differs(origin), hashes)


def _check_answered(origin: RunRecord, policy: str) -> None:
    """Raise UsageError for a replay of answers that were never given."""
    if policy == OUTSIDE and origin.policy != OUTSIDE:
        raise UsageError(f"--policy {OUTSIDE}: run {origin.run_id} was bid by {origin.policy}, and a replay asks nobody; "
                         f"next: --policy {origin.policy}, or replay a run that asked an agent")


def replayable(store: Store, run_ref: str) -> RunRecord:
    """The finished, simulated run of that name; raises UsageError where there is no world to live through again."""
    run = store.find_run(run_ref)
    if is_imported(run):
        raise UsageError(f"run {run.run_id} is an imported log ({run.scenario_name}): there is no world behind it that "
                         f"could be simulated again; next: gaelp ope {run.run_id} --policy P, which asks its rows alone")
    check_finished(run, "can be replayed")
    return run


def _scenario(origin: RunRecord, request: ReplayRequest) -> Scenario:
    before = stored_scenario(origin)
    now = stored_scenario(origin, request.sets)
    if request.worlds is not None:
        if request.worlds > origin.worlds:
            raise UsageError(f"--worlds {request.worlds}: run {origin.run_id} has {origin.worlds}; replay at most those")
        now = now.model_copy(update={"worlds": request.worlds})
    elif now.worlds != before.worlds:
        raise UsageError(f"--set worlds={now.worlds}: a replay takes some of the run's {before.worlds}: use --worlds")
    check_same_people(f"replay {origin.run_id}", before, now, from_state=bool(origin.start_hour))
    return now


def _rivals_react(origin: RunRecord, request: ReplayRequest) -> bool:
    """Rivals that did not react in the stored run don't in its replay."""
    return request.rivals_react and not follows(origin)


def _followed(store: Store, origin: RunRecord, request: ReplayRequest) -> Followed | None:
    if _rivals_react(origin, request):
        return None
    if json.loads(origin.rival_bidders):
        raise UsageError(f"--without-rival-reaction: bidders from outside sit in rivals' seats of run {origin.run_id}, and "
                         "what they were each hour is not known; leave it out")
    return rivals_of(store, origin)


def _record(origin: RunRecord, scenario: Scenario, policy: str, request: ReplayRequest) -> RunRecord:
    told = {REPLAYS: origin.run_id, "set": list(request.sets)}
    if not _rivals_react(origin, request):
        told[RIVALS] = AS_THEY_WERE
    return replace(
        origin, run_key=-1, run_id="", label="", scenario_text=resolved_text(scenario),
        scenario_hash=scenario_hash(scenario), worlds=scenario.worlds, log=scenario.log, policy=policy,
        parent_run_key=origin.run_key, numba_version=numba_version(), cpu_features=cpu_features(),
        torch_version=torch_version() if is_learned(policy) else "", incremental=int(request.incremental),
        overrides=json.dumps(told, sort_keys=True), summary="{}",
    )
