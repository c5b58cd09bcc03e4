"""Where runs are kept: SQLite or Postgres, the same rows in both; the only place with SQL text.

Names are loaded when they are first used: importing this package costs neither numpy nor SQLAlchemy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gaelp_sim.store.layout import ANALYSIS_TABLES, LAYOUTS, SIMULATION_TABLES
    from gaelp_sim.store.records import Batch, Checkpoint, RunRecord, check_finished
    from gaelp_sim.store.rowhash import row_hash
    from gaelp_sim.store.store import Store
    from gaelp_sim.store.verify import verify_run

__all__ = [
    "ANALYSIS_TABLES", "LAYOUTS", "SIMULATION_TABLES", "Batch", "Checkpoint", "RunRecord", "Store", "check_finished",
    "row_hash", "verify_run",
]

_HOMES = {
    "ANALYSIS_TABLES": "layout",
    "LAYOUTS": "layout",
    "SIMULATION_TABLES": "layout",
    "Batch": "records",
    "Checkpoint": "records",
    "RunRecord": "records",
    "Store": "store",
    "check_finished": "records",
    "row_hash": "rowhash",
    "verify_run": "verify",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
