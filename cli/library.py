"""The doors from the command line into the library; each opens on use, so that no command imports more than it needs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gaelp_sim.scenario import Scenario
    from gaelp_sim.world.simulate import Estimate, Progress, RunRequest, RunSummary

Record = dict[str, Any]


def loaded_scenario(name_or_path: str, *, sets: Sequence[str] = ()) -> Scenario:
    """The scenario of that name or file, with `key=value` overrides applied; raises ScenarioError."""
    from gaelp_sim.scenario import load_scenario

    return load_scenario(name_or_path, sets=list(sets))


def simulated(request: RunRequest, *, on_progress: Callable[[Progress], None]) -> RunSummary:
    """Simulate into the store."""
    from gaelp_sim.world import simulate

    return simulate.run(request, on_progress)


def resumed(db_url: str, run_ref: str, *, workers: int, on_progress: Callable[[Progress], None]) -> RunSummary:
    """Finish an interrupted run."""
    from gaelp_sim.world import simulate

    return simulate.resume(db_url, run_ref, workers, on_progress)


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

    with Store.open(db_url) as store:
        return [_run_fields(run) for run in store.runs()]


def run_record(db_url: str, run_ref: str) -> Record:
    """One stored run; raises RunNotFoundError."""
    from gaelp_sim.store import Store

    with Store.open(db_url) as store:
        return _run_fields(store.find_run(run_ref))


def stored_scenario_text(db_url: str, run_ref: str) -> str:
    """The full scenario that a run used."""
    from gaelp_sim.store import Store

    with Store.open(db_url) as store:
        return str(store.find_run(run_ref).scenario_text)


def deleted(db_url: str, run_ref: str) -> None:
    """Remove a run and all its rows."""
    from gaelp_sim.store import Store

    with Store.open(db_url) as store:
        store.delete_run(store.find_run(run_ref))
