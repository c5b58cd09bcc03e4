"""Replays: a stored run's world again, with the same people and the same luck."""

from __future__ import annotations

import platform
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gaelp_sim.errors import UsageError
from gaelp_sim.store import RunRecord, Store, row_hash
from gaelp_sim.world.request import OnProgress, ignore
from gaelp_sim.world.simulate import cpu_features, numba_version, rerun, torch_version
from gaelp_sim.world.stored_scenario import stored_scenario

LOGGED = "logged"


@dataclass(frozen=True)
class ReplayResult:
    """A stored run beside its replay: row hashes, and what was different about the machine."""

    run_id: str
    policy: str
    stored_hash: str
    replayed_hash: str
    equal: bool
    machine: str
    """How numpy, Python or CPU differ from those the run was made with; empty where they don't."""

    def as_json(self) -> dict[str, Any]:
        """The fields by name."""
        return asdict(self)


def replay(db_url: str, run_ref: str, policy: str, on_progress: OnProgress = ignore) -> ReplayResult:
    """Simulate a stored run again under its own policy (`logged`) and compare the rows, hash for hash.

    Nothing is added to the store: the replay's rows live in a temporary file while their hash is taken.
    Raises RunNotFoundError, and UsageError for a run that is not finished or a policy other than `logged`.
    """
    if policy != LOGGED:
        raise UsageError(f"--policy {policy}: only {LOGGED!r} can be replayed so far")
    with Store.open(db_url, must_exist=True) as store, tempfile.TemporaryDirectory(prefix="gaelp-replay-") as folder:
        run = store.find_run(run_ref)
        if run.status != "FINISHED":
            raise UsageError(f"run {run.run_id} is {run.status}; only a finished run can be replayed: resume it first")
        scenario = stored_scenario(run)
        with Store.open(f"sqlite:///{Path(folder) / 'replay.db'}") as aside:
            again = rerun(store, run, scenario, aside, on_progress)
            stored, replayed = row_hash(store, run), row_hash(aside, again)
    return ReplayResult(run.run_id, policy, stored, replayed, stored == replayed, machine_differs(run))


def machine_differs(run: RunRecord) -> str:
    """What of this machine differs from the one a run was made on: its last bits may then differ too."""
    told = [
        ("numpy", np.__version__, run.numpy_version), ("numba", numba_version(), run.numba_version),
        ("Python", platform.python_version(), run.python_version), ("CPU features", cpu_features(), run.cpu_features),
    ]
    if run.torch_version:
        told.append(("torch", torch_version(), run.torch_version))
    return "; ".join(f"{name} {now}, was {then}" for name, now, then in told if now != then)
