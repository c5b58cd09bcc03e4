"""Commit points: one transaction with rows, state, sums and the hour reached; whole or not at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gaelp_sim.errors import CorruptStoreError
from gaelp_sim.store import lake, lifecycle
from gaelp_sim.store.columns import NumberColumn, ObjectColumn, Rows
from gaelp_sim.store.digests import KnownRows, TableSums, chain_link, row_prints, total
from gaelp_sim.store.encode import insert_rows
from gaelp_sim.store.engines import Database, Link
from gaelp_sim.store.lake import FILE_ORDER, Part
from gaelp_sim.store.layout import ANALYSIS_TABLES, LAYOUTS, SIMULATION_TABLES
from gaelp_sim.store.money import Drawdown, check_books
from gaelp_sim.store.reader import read_rows
from gaelp_sim.store.records import CHECKPOINT_COLUMNS, Batch, Checkpoint, RunRecord

STATES_KEPT = 2  # and the first one, from which a replay starts

# What makes a run the run it is: the chain begins with these, so that a changed seed or scenario breaks it.
_IDENTITY = (
    "scenario_name", "scenario_text", "scenario_hash", "overrides", "seed", "people", "days", "worlds", "cells", "log",
    "policy", "currency", "start_s", "start_hour", "end_hour",
)


@dataclass(frozen=True)
class Position:
    """How far a run is written: the chain's last value, the sums of its tables, the drawdown of its budgets."""

    chain_hash: bytes
    sums: TableSums = TableSums()
    drawdown: Drawdown = Drawdown()


def genesis(run: RunRecord) -> bytes:
    """The hash chain's first value, SHA-256 (32 bytes) of what makes the run the run it is."""
    return hashlib.sha256(json.dumps([getattr(run, name) for name in _IDENTITY]).encode()).digest()


def write_names(link: Link, run: RunRecord, names: Mapping[str, list[str]]) -> Position:
    """Store the scenario's names with their codes (positions in each list); returns the run's first position."""
    kinds = [kind for kind, listed in names.items() for _ in listed]
    codes = [code for listed in names.values() for code in range(len(listed))]
    flat = [name for listed in names.values() for name in listed]
    columns: dict[str, NumberColumn | ObjectColumn] = {"kind": kinds, "code": np.array(codes, np.int64), "name": flat}
    rows = Rows.of(LAYOUTS["name"], columns)
    insert_rows(link, run.run_key, rows)
    return Position(genesis(run), TableSums().after(rows))


def stored_position(link: Link, run: RunRecord, url: str) -> tuple[Position, Checkpoint | None]:
    """Where a stored run stands, its rows held against its last checkpoint; raises CorruptStoreError if they differ."""
    last = lifecycle.checkpoint_at(link, run.run_key, None)
    sums: dict[str, int] = {}
    known: dict[str, KnownRows] = {}
    drawdown = Drawdown()
    for table in SIMULATION_TABLES:
        layout = LAYOUTS[table]
        for rows in read_rows(link, run.run_key, layout):
            prints = row_prints(rows)
            sums[table] = (sums.get(table, 0) + total(prints)) % 2**64
            if layout.replaced:
                known[table], _ = known.get(table, KnownRows()).replace(rows, prints)
            if table == "budget_day":
                drawdown, _ = drawdown.after(rows)
    position = Position(last.chain_hash if last else genesis(run), TableSums(sums, known), drawdown)
    if last is not None and position.sums.packed() != last.digests:
        raise CorruptStoreError(
            f"{url}: run {run.run_id}: stored rows differ from what was committed at hour {last.hour}; "
            f"next: `gaelp db verify` names the table, then run it anew"
        )
    return position, last


def commit(database: Database, run: RunRecord, position: Position, batch: Batch) -> Position:
    """Write `batch` after `position`; returns the new position. The same batch committed again changes nothing.

    Raises CorruptStoreError for books that don't balance, StoreBusyError when another writer took the run over.
    """
    rows = _rows_of(batch)
    drawdown, lost = position.drawdown.after(rows.get("budget_day"))
    check_books(rows, lost, hour=batch.hour)
    sums = position.sums
    for table in rows.values():
        sums = sums.after(table)
    checkpoint = _checkpoint(position, sums, rows, batch)
    parts = _lake_parts(run, rows, batch)
    with database.writing() as link:
        if not _is_committed(link, run, checkpoint):
            lifecycle.advance(link, run, batch.hour, database.url)
            for name, table in rows.items():
                if not (run.lake and name in FILE_ORDER):
                    insert_rows(link, run.run_key, table)
            _write_parts(link, run, parts)
            _write_checkpoint(link, run, checkpoint)
    return Position(checkpoint.chain_hash, sums, drawdown)


def replace_analysis(
    link: Link, run: RunRecord, tables: Mapping[str, Mapping[str, Any]], replacing: Mapping[str, Any]
) -> None:
    """Delete the run's rows whose columns equal `replacing` from each of the tables, then write the new ones."""
    for name, columns in tables.items():
        if name not in ANALYSIS_TABLES:
            raise ValueError(f"{name} is no table of analyses")
        condition = "".join(f" AND {column} = ?" for column in replacing)
        link.execute(f"DELETE FROM {name} WHERE run_key = ?{condition}", (run.run_key, *replacing.values()))
        insert_rows(link, run.run_key, Rows.of(LAYOUTS[name], columns))
        if link.dialect == "postgresql":
            link.execute(f"ANALYZE {name}")  # a planner that knows nothing of new rows walks whole tables for each of them


def _rows_of(batch: Batch) -> dict[str, Rows]:
    unknown = set(batch.tables) - set(SIMULATION_TABLES)
    if unknown:
        raise ValueError(f"no simulation tables: {sorted(unknown)}")
    return {name: Rows.of(LAYOUTS[name], batch.tables[name]) for name in SIMULATION_TABLES if name in batch.tables}


def _lake_parts(run: RunRecord, rows: Mapping[str, Rows], batch: Batch) -> list[Part]:
    """Write the rows that belong into the run's lake; they count once the catalogue names them."""
    if not run.lake:
        return []
    if "journey" in rows and not batch.final:
        raise ValueError("journeys go into a lake once, with the run's last commit: a part is never replaced")
    writing = lake.Writing(run.lake, run.run_id, run.start_s, batch.hour, batch.cell_starts)
    return [part for name in FILE_ORDER if name in rows for part in lake.write_parts(writing, rows[name])]


def _write_parts(link: Link, run: RunRecord, parts: list[Part]) -> None:
    columns: dict[str, NumberColumn | ObjectColumn] = {
        name: np.array([getattr(part, given) for part in parts], dtype=np.int64)
        for name, given in (("world_id", "world"), ("cell", "cell"), ("day", "day"), ("hour", "hour"), ("rows", "rows"),
                            ("bytes", "size"))
    }
    columns |= {"part_table": [part.table for part in parts], "path": [part.path for part in parts],
                "sha256": [part.sha256 for part in parts]}
    insert_rows(link, run.run_key, Rows.of(LAYOUTS["lake_part"], columns))


def _checkpoint(position: Position, sums: TableSums, rows: Mapping[str, Rows], batch: Batch) -> Checkpoint:
    digests, state_hash = sums.packed(), hashlib.sha256(batch.state).digest()
    count = sum(table.count for table in rows.values())
    chain = chain_link(position.chain_hash, batch.hour, count, digests, state_hash)
    return Checkpoint(batch.hour, count, chain, digests, state_hash, batch.state)


def _is_committed(link: Link, run: RunRecord, checkpoint: Checkpoint) -> bool:
    """Whether an earlier try got through after all: a commit's outcome is unknown when the connection dies."""
    row = link.one(
        "SELECT chain_hash FROM checkpoint WHERE run_key = ? AND hour = ?", (run.run_key, checkpoint.hour)
    )
    if row is None:
        return False
    if bytes(row[0]) != checkpoint.chain_hash:
        raise CorruptStoreError(
            f"run {run.run_id}: hour {checkpoint.hour} is committed already, with other rows; next: gaelp db verify"
        )
    return True


def _write_checkpoint(link: Link, run: RunRecord, checkpoint: Checkpoint) -> None:
    names = ", ".join(CHECKPOINT_COLUMNS)
    values = [getattr(checkpoint, name) for name in CHECKPOINT_COLUMNS]
    marks = ", ".join("?" * len(values))
    link.execute(f"INSERT INTO checkpoint (run_key, {names}) VALUES (?, {marks})", [run.run_key, *values])
    if checkpoint.state:
        _empty_older_states(link, run)


def _empty_older_states(link: Link, run: RunRecord) -> None:
    """Keep the first state and the last STATES_KEPT, counted among the commit points that carry one."""
    sql = "SELECT hour FROM checkpoint WHERE run_key = ? AND length(state) > 0 ORDER BY hour"
    hours = [row[0] for row in link.all(sql, (run.run_key,))]
    for hour in hours[1:-STATES_KEPT]:
        link.execute("UPDATE checkpoint SET state = ? WHERE run_key = ? AND hour = ?", (b"", run.run_key, hour))
