"""The doors from the command line into the library; each opens on use, so that no command imports more than it needs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gaelp_sim.scenario.schema import Scenario
    from gaelp_sim.store.console import QueryResult
    from gaelp_sim.store.records import RunRecord
    from gaelp_sim.world.crew import Crew
    from gaelp_sim.world.simulate import Estimate, Progress, RunRequest, RunSummary

Record = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """How a query is to be asked: of which runs, with which values, within which limits."""

    run_ref: str
    all_runs: bool
    parameters: Sequence[str]
    """`name=value` each; as_of takes a date or time."""
    limit: int
    timeout_s: float
    as_of: str | None = None
    """Date or time at which the views are to stand as they stood then"""


def loaded_scenario(name_or_path: str, *, sets: Sequence[str] = (), fragments: Sequence[str] = ()) -> Scenario:
    """The scenario of that name or file, with fragments, then `key=value` overrides, applied; raises ScenarioError."""
    from gaelp_sim.scenario.loading import load_scenario

    return load_scenario(name_or_path, sets, fragments)


def when_compiling(tell: Callable[[], None]) -> None:
    """Call `tell` once if the simulator's loops have to be compiled first, as on a machine's first run."""
    from gaelp_sim.compiled import tell_when_compiling

    tell_when_compiling(tell)


def compiled_loops_folder() -> str:
    """Where machine code is kept; empty where nothing can be written."""
    from gaelp_sim.compiled import kept_in

    return kept_in()


def simulated(request: RunRequest, *, on_progress: Callable[[Progress], None]) -> RunSummary:
    """Simulate into the store."""
    from gaelp_sim.world import simulate

    return simulate.run(request, on_progress)


def resumed(db_url: str, run_ref: str, *, crew: Crew, on_progress: Callable[[Progress], None]) -> RunSummary:
    """Finish an interrupted run."""
    from gaelp_sim.world import simulate

    return simulate.resume(db_url, run_ref, crew, on_progress)


def crew_of(workers: int | None, ray: str | None) -> Crew:
    """Who is to simulate: the options --workers and --ray."""
    from gaelp_sim.world.crew import Crew

    return Crew(workers, ray or "")


def estimated(request: RunRequest) -> Estimate:
    """Rows, disk and time that the request would take."""
    from gaelp_sim.world import simulate

    return simulate.estimate(request)


def run_request(**fields: Any) -> RunRequest:
    """The request that `simulated` and `estimated` take."""
    from gaelp_sim.world.simulate import RunRequest

    return RunRequest(**fields)


def run_records(db_url: str) -> list[Record]:
    """All stored runs, oldest first."""
    from gaelp_sim.store import Store

    with Store.open(db_url, must_exist=True) as store:
        return [_run_fields(run) for run in store.runs()]


def run_record(db_url: str, run_ref: str) -> Record:
    """One stored run; raises RunNotFoundError."""
    from gaelp_sim.store import Store

    with Store.open(db_url, must_exist=True) as store:
        return _run_fields(store.find_run(run_ref))


def stored_scenario_text(db_url: str, run_ref: str) -> str:
    """The full scenario that a run used."""
    from gaelp_sim.store import Store

    with Store.open(db_url, must_exist=True) as store:
        return str(store.find_run(run_ref).scenario_text)


def deleted(db_url: str, run_ref: str) -> None:
    """Remove a run and all its rows."""
    from gaelp_sim.store import Store

    with Store.open(db_url, must_exist=True) as store:
        store.delete_run(store.find_run(run_ref))


def _run_fields(run: RunRecord) -> Record:
    """What people ask of a stored run; figures of its summary last."""
    summary = json.loads(run.summary)
    record = {
        "run_id": run.run_id,
        "label": run.label,
        "scenario": run.scenario_name,
        "status": run.status,
        "seed": run.seed,
        "worlds": run.worlds,
        "cells": run.cells,
        "people": run.people,
        "days": run.days,
        "hours_done": run.hours_done,
        "policy": run.policy,
        "log": run.log,
        "overrides": json.loads(run.overrides),
        "scenario_hash": run.scenario_hash,
        "engine_version": run.engine_version,
        "python_version": run.python_version,
        "numpy_version": run.numpy_version,
        "numba_version": run.numba_version,
        "cpu_features": run.cpu_features,
        "created_at": run.created_at,
        "finished_at": run.finished_at,
    }
    return record | {name: value for name, value in summary.items() if name not in record}


def schema_version(db_url: str) -> str | None:
    """The store's schema version; None for an empty database."""
    from gaelp_sim.store import migrate

    return migrate.current(db_url)


def schema_head() -> str:
    """The schema version of this program."""
    from gaelp_sim.store.schema_version import HEAD

    return HEAD


def upgraded(db_url: str) -> tuple[str | None, str | None]:
    """Bring the store to this program's schema; its version before and after."""
    from gaelp_sim.store import migrate

    return migrate.upgrade(db_url)


def agent_granted(db_url: str, role: str) -> list[str]:
    """Let a Postgres role act as an agent from outside; the views that it may read."""
    from gaelp_sim.store import Store
    from gaelp_sim.store.roles import grant_agent

    with Store.open(db_url) as store:
        return grant_agent(store.database, role)


def store_checks(db_url: str, run_ref: str | None) -> list[Record]:
    """What must be true of the stored rows, for one run or all of them."""
    from gaelp_sim.store import Store
    from gaelp_sim.store.verify import verify_run

    with Store.open(db_url, must_exist=True) as store:
        runs = store.runs() if run_ref is None else [store.find_run(run_ref)]
        return [
            {"run_id": run.run_id, "check": check, "passed": passed, "detail": detail}
            for run in runs
            for check, passed, detail in verify_run(store, run)
        ]


def row_hash(db_url: str, run_ref: str) -> tuple[str, str]:
    """A run's id and its row hash, 64 hex digits."""
    from gaelp_sim.store import Store, rowhash

    with Store.open(db_url, must_exist=True) as store:
        run = store.find_run(run_ref)
        return run.run_id, rowhash.row_hash(store, run)


def answered(db_url: str, text: str, asked: Asked) -> QueryResult:
    """The answer to a SELECT, or to a worked query called by its name."""
    from gaelp_sim.store.console import run_query
    from gaelp_sim.store.named_queries import moment, parse_parameters, resolve

    sql, parameters = resolve(text, parse_parameters(asked.parameters))
    return run_query(
        db_url,
        sql,
        run=asked.run_ref,
        all_runs=asked.all_runs,
        parameters=parameters,
        limit=asked.limit,
        timeout_s=asked.timeout_s,
        as_of_s=None if asked.as_of is None else moment(asked.as_of, "--as-of"),
    )


def parameters_of(text: str) -> list[str]:
    """Names of the parameters of a SELECT, or of the worked query of that name."""
    from gaelp_sim.store.named_queries import NAMED_QUERIES
    from gaelp_sim.store.sql_text import parameter_names

    query = NAMED_QUERIES.get(text.strip().replace("-", "_").lower())
    return list(query.defaults) if query else parameter_names(text)


def named_query_records() -> list[Record]:
    """The worked queries: name, the question each answers, its parameters."""
    from gaelp_sim.store.named_queries import NAMED_QUERIES

    return [
        {"name": query.name, "question": query.question, "parameters": " ".join(query.defaults), "sql": query.sql}
        for query in NAMED_QUERIES.values()
    ]


def person_story(db_url: str, run_ref: str, *, person: int, world: int) -> Record:
    """One person's whole story."""
    from gaelp_sim.analyse.person_story import person_story as story_of
    from gaelp_sim.store import Store

    with Store.open(db_url, must_exist=True) as store:
        return story_of(store, store.find_run(run_ref), world=world, person=person).as_json()


def standings(db_url: str, run_ref: str) -> Iterator[Record]:
    """How a run stands, anew each time that the iterator is asked; never ends by itself."""
    from gaelp_sim.analyse.standing import Watcher
    from gaelp_sim.store import Store

    with Store.open(db_url, must_exist=True) as store:
        watcher = Watcher(store, store.find_run(run_ref))
        while True:
            yield watcher.look().as_json()


def view_records() -> list[Record]:
    """Every column of the named views, with its meaning."""
    from gaelp_sim.store.views import VIEW_COLUMNS

    return [
        {"view": view, "column": column, "meaning": meaning}
        for view, columns in VIEW_COLUMNS.items()
        for column, meaning in columns.items()
    ]


def scenario_records() -> list[Record]:
    """The shipped scenarios, by name."""
    from gaelp_sim.scenario.catalogue import list_scenarios

    return [{"name": name, "description": description} for name, description in list_scenarios()]


def scenario_names() -> Sequence[str]:
    """Names of the shipped scenarios, without reading them."""
    from gaelp_sim.scenario.shipped import shipped_names

    return shipped_names()


def scenario_fields(scenario: Scenario) -> Record:
    """The scenario with every default filled in, as JSON values."""
    return scenario.written()


def scenario_yaml(scenario: Scenario) -> str:
    """The scenario with every default filled in, as YAML that can be run again."""
    from gaelp_sim.scenario.resolved import resolved_text

    return resolved_text(scenario)


def scenario_schema() -> Record:
    """The JSON schema of scenario files."""
    from gaelp_sim.scenario.editor_schema import json_schema

    return json_schema()


def new_scenario_text(name: str) -> str:
    """A small commented scenario of that name."""
    from gaelp_sim.scenario.catalogue import new_scenario_text as text_of

    return text_of(name)


def stored_scenario(db_url: str, run_ref: str, *, sets: Sequence[str] = ()) -> Scenario:
    """The scenario that a run used, with `key=value` overrides applied."""
    from gaelp_sim.store import Store
    from gaelp_sim.world.stored_scenario import stored_scenario as scenario_of

    with Store.open(db_url, must_exist=True) as store:
        return scenario_of(store.find_run(run_ref), sets)


def rivals_at_end(db_url: str, run_ref: str) -> list[Record]:
    """Rows of the view rivals_daily of a run's last day."""
    found = answered(db_url, "rivals_at_end", Asked(run_ref, False, (), limit=1_000_000, timeout_s=60.0))
    return [dict(zip(found.columns, row, strict=True)) for row in found.rows]


def exported_rivals(db_url: str, run_ref: str) -> Record:
    """What a finished run's rivals had learned, as plain lists."""
    from gaelp_sim.store import Store
    from gaelp_sim.world.opponents import opponents_of_run

    with Store.open(db_url, must_exist=True) as store:
        return opponents_of_run(store, run_ref).as_json()


def as_json_text(record: Record) -> str:
    """One line of JSON."""
    return json.dumps(record) + "\n"


def pacing_checks(seed: int) -> list[Record]:
    """Every way of pacing at every budget, graded against hindsight."""
    from gaelp_sim.analyse.pacing_checks import pacing_checks as graded

    return [check.as_json() for check in graded(seed=seed)]


def room_report(name_or_path: str, sets: Sequence[str], worlds: tuple[int, int], on_step: Callable[[str], None]) -> Record:
    """How far policies are apart in a scenario; worlds: how many to test in, and how many to tune on."""
    from dataclasses import asdict

    from gaelp_sim.analyse.room import room
    from gaelp_sim.planning.plan import caveats

    scenario = loaded_scenario(name_or_path, sets=sets)
    rows, setting = room(scenario, *worlds, on_step)
    return {
        "scenario": scenario.name, "worlds": worlds[0], "validation_worlds": worlds[1], "best_rule": asdict(setting),
        "caveats": caveats(scenario), "policies": [row.as_json() for row in rows],
    }


def realism_checks(
    db_url: str, run_ref: str, on_share: Callable[[float], None] = lambda share: None
) -> tuple[list[Record], list[str]]:
    """A run's figures against published and chosen bands, its scenario's economy, and what can't be judged."""
    from gaelp_sim.analyse import realism
    from gaelp_sim.analyse.economy import judged_economy

    found, economy = realism.check_run(db_url, run_ref), judged_economy(stored_scenario(db_url, run_ref), on_share)
    return [check.as_json() for check in found.checks + economy.checks], found.left_out + economy.left_out


def beside_data(db_url: str, run_ref: str, folder: Path) -> tuple[list[Record], list[str]]:
    """A run's figures beside those of samples of real data, and the samples that are missing."""
    from gaelp_sim.analyse.against_data import against_data

    found, missing = against_data(db_url, run_ref, folder)
    return [one.as_json() for one in found], missing


def market_checks(*, auctions: int, seed: int) -> list[Record]:
    """The auctions against theory and definition, a record a check."""
    from gaelp_sim.analyse import market_checks as market

    return [check.as_json() for check in market.check_market(auctions, seed)]
