"""What passes between the simulation and the store: a run, a batch of rows, a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from gaelp_sim.errors import UsageError
from gaelp_sim.store.columns import NumberColumn, ObjectColumn

RUNNING, FINISHED, INTERRUPTED, FAILED = "RUNNING", "FINISHED", "INTERRUPTED", "FAILED"


@dataclass(frozen=True)
class RunRecord:
    """One row of table `run`; `run_key`, `run_id`, the writer and the wall clock are filled in by `begin_run`."""

    scenario_name: str
    scenario_text: str
    scenario_hash: str
    seed: int
    people: int
    days: int
    worlds: int
    start_s: int
    end_hour: int
    run_key: int = -1
    run_id: str = ""
    label: str = ""
    overrides: str = "{}"
    cells: int = 1
    log: str = "all"
    policy: str = ""
    currency: str = "USD"
    start_hour: int = 0
    hours_done: int = 0
    parent_run_key: int = -1
    root_run_key: int = -1
    status: str = RUNNING
    engine_version: str = ""
    python_version: str = ""
    numpy_version: str = ""
    numba_version: str = ""
    torch_version: str = ""
    cpu_features: str = ""
    created_at: str = ""
    finished_at: str = ""
    writer_pid: int = 0
    writer_host: str = ""
    writer_token: str = ""
    opponents: str = ""
    """What its rivals had learned when it began, where that came from another run: text of `world/opponents.py`"""
    rival_bidders: str = "[]"
    """Bidders from outside in rivals' seats: JSON list of [rival's name, module:Class]"""
    incremental: int = 0
    """1 where the same worlds are also simulated without our ads, for the incremental CAC"""
    summary: str = "{}"
    lake: str = ""
    """Folder or URL of the lake that holds its touchpoints, decisions and journeys; "": the database does"""


RUN_COLUMNS: tuple[str, ...] = tuple(f.name for f in fields(RunRecord))


def check_finished(run: RunRecord, only: str) -> None:
    """Raise UsageError, with the next step, for a run that is not finished; only: what a finished run alone can be."""
    if run.status == FINISHED:
        return
    way = f"gaelp resume {run.run_id}"
    if run.status == RUNNING:
        way = f"gaelp watch {run.run_id} follows it; where its process is gone, {way} goes on"
    raise UsageError(f"run {run.run_id} is {run.status}; only a finished run {only}; next: {way}")


@dataclass(frozen=True)
class Batch:
    """Rows of one commit point, by table and column (without `run_key`), and the state to resume from.

    `hour` is the number of hours since the root run's start that are done with this batch.
    """

    tables: Mapping[str, Mapping[str, NumberColumn | ObjectColumn]]
    hour: int
    state: bytes
    final: bool = False
    cell_starts: np.ndarray | None = None
    """First person of each cell (worlds, cells), where the run has a lake"""


@dataclass(frozen=True)
class Checkpoint:
    """A commit point: the hour reached, the rows written by it, its place in the hash chain, the state (or b"")."""

    hour: int
    rows: int
    chain_hash: bytes
    digests: bytes
    state_hash: bytes
    state: bytes


CHECKPOINT_COLUMNS: tuple[str, ...] = tuple(f.name for f in fields(Checkpoint))


@dataclass(frozen=True)
class Check:
    """One finding of `verify`; as a tuple (check, passed, detail)."""

    name: str
    passed: bool
    detail: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
