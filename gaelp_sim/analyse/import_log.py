"""`gaelp import`: a log as a stored run, so that whatever asks the rows of runs works on it."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gaelp_sim import __version__
from gaelp_sim.analyse.imported_tables import Span, imported_tables, span_of
from gaelp_sim.calibrate.mapped_rows import Log, OnRows, read_mapped
from gaelp_sim.calibrate.mapping import Mapping
from gaelp_sim.calibrate.path_table import read_paths
from gaelp_sim.errors import UsageError
from gaelp_sim.store import Batch, RunRecord, Store
from gaelp_sim.units import HOURS_PER_DAY, MICROS_PER_UNIT, SECONDS_PER_DAY
from gaelp_sim.world.stored_scenario import IMPORTED

CHANNELS_MAX = 62
"""Channels that touched a journey are kept as bits of one number."""
CODES_MAX = 32_767
ROWS_PER_COMMIT = 400_000


@dataclass(frozen=True)
class Imported:
    """A log that has become a run."""

    run: RunRecord
    figures: dict[str, Any]
    """What was read, by name; kept as the run's summary"""


def import_log(store: Store, path: Path, mapping: Mapping, label: str, on_rows: OnRows) -> Imported:
    """Read a log and store it as a finished run: all of it, or nothing.

    It is written users by users, to spare memory; a run whose writing fails or is interrupted is taken away again.
    Raises UsageError for a file that can't be read (`read_mapped`, `read_paths`), and store errors.
    """
    log = (read_mapped if mapping.columns else read_paths)(path, mapping, on_rows)
    _check_codes(path, log)
    timeout_s = int(mapping.timeout_days * SECONDS_PER_DAY)
    span = span_of(log, timeout_s, nulls_are_final=mapping.paths is not None)
    figures = _figures(path, log, span)
    record = store.begin_run(_record(mapping, log, span, label), _names(log))
    parts = min(len(log.rows) // ROWS_PER_COMMIT + 1, record.end_hour)
    try:
        for number, tables in enumerate(imported_tables(log, span, timeout_s, parts), 1):
            final = number == parts
            store.commit(record, Batch(tables, record.end_hour if final else number, b"", final))
        store.finish_run(record, "FINISHED", figures)
        return Imported(store.find_run(record.run_id), figures)
    except BaseException:
        store.abandon_run(record)
        raise


def _check_codes(path: Path, log: Log) -> None:
    for kind, most in (("channel", CHANNELS_MAX), ("campaign", CODES_MAX), ("creative", CODES_MAX)):
        if len(log.names[kind]) > most:
            raise UsageError(
                f"{path}: {len(log.names[kind]):,} {kind}s; there is room for {most:,}: map a coarser column to `{kind}`"
            )


def _names(log: Log) -> dict[str, list[str]]:
    return {**log.names, "advertiser": ["us"], "signal": [], "segment": [], "parameter": []}


def _record(mapping: Mapping, log: Log, span: Span, label: str) -> RunRecord:
    text = mapping.text
    return RunRecord(
        scenario_name=mapping.name, scenario_text=text, scenario_hash=hashlib.sha256(text.encode()).hexdigest(), seed=0,
        people=log.users, days=span.days, worlds=1, start_s=span.start_s, end_hour=span.days * HOURS_PER_DAY, label=label,
        policy=IMPORTED, currency=mapping.currency, engine_version=__version__, python_version=platform.python_version(),
        numpy_version=np.__version__,
    )


def _figures(path: Path, log: Log, span: Span) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    rows, skipped = log.rows, log.skipped
    return {
        "file": path.name, "sha256": digest, "rows": len(rows), "users": log.users, "days": span.days,
        "clicks": int(rows.clicked.sum()), "conversions": len(log.sales),
        "spend_usd": int(rows.cost_micros.sum()) / MICROS_PER_UNIT,
        "revenue_usd": int(log.sales.value_micros.sum()) / MICROS_PER_UNIT,
        "decisions": int(np.isfinite(rows.propensity).sum()), "rows_skipped": skipped.bad,
        "skipped": {reason: {"rows": count, "line": line} for reason, (count, line) in sorted(skipped.reasons.items())},
    }
