"""One number for all that a run simulated: equal for a replay, a resumed run, another database."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from gaelp_sim.store.columns import Rows
from gaelp_sim.store.layout import LAYOUTS, SIMULATION_TABLES, TableLayout
from gaelp_sim.store.reader import FETCH_ROWS, read_rows
from gaelp_sim.store.records import RunRecord

if TYPE_CHECKING:
    from gaelp_sim.store.engines import Link
    from gaelp_sim.store.store import Store

UNION_REPLACED = (
    "world", "world_parameter", "name", "person", "alias", "alias_pair", "device", "truth_person", "journey", "budget_day",
)
"""Tables in which a child run's row stands for its parent's of the same key, when a row hash joins several runs."""


def row_hash(store: Store, runs: RunRecord | Sequence[RunRecord]) -> str:
    """64 hex digits over the simulation's tables in key order, without `run_key`.

    Several runs (a parent, then its children) are hashed as one: rows of `UNION_REPLACED` tables replace earlier ones.
    Integers count as their 8 bytes, floats as theirs, bytes and text with their length.
    """
    run_keys = [run.run_key for run in ([runs] if isinstance(runs, RunRecord) else runs)]
    digest = hashlib.sha256()
    with store.database.reading() as link:
        for table in SIMULATION_TABLES:
            digest.update(table_hash(link, LAYOUTS[table], run_keys))
    return digest.hexdigest()


def table_hash(link: Link, layout: TableLayout, run_keys: Sequence[int]) -> bytes:
    """SHA-256 (32 bytes) over one table of the runs joined."""
    digest = hashlib.sha256(layout.name.encode())
    alone = len(run_keys) == 1
    blocks = read_rows(link, run_keys[0], layout) if alone else _blocks(_union(link, layout, run_keys))
    count = 0
    for rows in blocks:  # every block but the last has FETCH_ROWS rows, on every database
        count += rows.count
        _update(digest, rows)
    digest.update(count.to_bytes(8, "little"))
    return digest.digest()


def _update(digest: hashlib._Hash, rows: Rows) -> None:
    """Feed one block, column by column."""
    for name in rows.layout.column_names:
        column = rows.columns[name]
        if isinstance(column, np.ndarray):
            digest.update(np.ascontiguousarray(column).data)
        else:
            blobs = [value.encode() if isinstance(value, str) else value for value in column]
            digest.update(np.fromiter(map(len, blobs), np.int64, len(blobs)).data)
            digest.update(b"".join(blobs))


def _blocks(rows: Rows) -> Iterator[Rows]:
    for start in range(0, rows.count, FETCH_ROWS):
        yield rows.take(np.arange(start, min(start + FETCH_ROWS, rows.count)))


def joined(layout: TableLayout, parts: Sequence[Rows]) -> Rows:
    """Several pieces of one table end to end."""
    if len(parts) == 1:
        return parts[0]
    columns: dict[str, np.ndarray | list[bytes] | list[str]] = {}
    for column in layout.columns:
        pieces = [part.columns[column.name] for part in parts]
        if column.kind.is_number:
            columns[column.name] = np.concatenate(pieces)
        else:
            columns[column.name] = [value for piece in pieces for value in piece]  # type: ignore[assignment]
    return Rows(layout, columns, sum(part.count for part in parts))


def _union(link: Link, layout: TableLayout, run_keys: Sequence[int]) -> Rows:
    pieces = [piece for run_key in run_keys for piece in read_rows(link, run_key, layout)]
    if not pieces:
        return Rows(layout, {name: np.empty(0, np.int64) for name in layout.column_names}, 0)
    rows = joined(layout, pieces).in_key_order()  # a stable sort: of equal keys the later run's comes last
    return rows.take(_last_of_key(rows)) if layout.name in UNION_REPLACED else rows


def _last_of_key(rows: Rows) -> np.ndarray:
    """Positions (m,) of the last row of every key in sorted rows."""
    differs = np.zeros(rows.count, dtype=bool)
    differs[-1] = True
    for column in rows.layout.key:
        values = np.asarray(rows.columns[column.name])
        differs[:-1] |= values[1:] != values[:-1]
    return np.flatnonzero(differs)
