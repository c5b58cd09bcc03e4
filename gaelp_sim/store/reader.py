"""Stored rows back into numpy columns, in key order: binary COPY from Postgres where no width varies, else a cursor."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import numpy as np

from gaelp_sim.store.columns import Rows
from gaelp_sim.store.copying import copied_parts
from gaelp_sim.store.engines import Database, Link
from gaelp_sim.store.lake_reader import Wanted, lake_of, lake_rows, parts_of
from gaelp_sim.store.layout import LAYOUTS, ColumnKind, TableLayout

FETCH_ROWS = 65_536  # the row hash feeds blocks of this size: changing it changes every hash
_PIECE_ROWS = 4_096
assert FETCH_ROWS % _PIECE_ROWS == 0

ColumnValues = np.ndarray | list[bytes] | list[str]


@dataclass(frozen=True)
class Selection:
    """Which rows and columns of a table: None for all columns; equalities in `where`; in key order if `order`."""

    columns: Sequence[str] | None = None
    where: Mapping[str, Any] | None = None
    order: bool = True


def read_table(database: Database, run_key: int, table: str, *, selection: Selection) -> dict[str, ColumnValues]:
    """Columns (n,) of a run's rows in `table`: int64 or float64 arrays, lists for bytes and text.

    Raises KeyError for an unknown table or column.
    """
    layout = LAYOUTS[table]
    names = tuple(selection.columns) if selection.columns is not None else layout.column_names
    with database.reading() as link, _collector_resting():
        parts = list(read_parts(link, run_key, layout, selection=selection))
    kinds = _kinds(layout)
    return _joined([(name, kinds[name]) for name in names], parts)


def read_in_parts(
    database: Database, run_key: int, table: str, selection: Selection
) -> Iterator[dict[str, ColumnValues]]:
    """Columns of a run's rows in `table`, at most FETCH_ROWS at a time; raises KeyError for what is not there."""
    with database.reading() as link:
        yield from read_parts(link, run_key, LAYOUTS[table], selection=selection)


_PATH_COLUMNS = ("world_id", "person_id", "status", "path")
_STATUS_BITS, _PERSON_BITS = 2, 32


def read_paths(database: Database, run_key: int) -> tuple[np.ndarray, np.ndarray, list[bytes]]:
    """Person (`world_id << 32 | person_id`), status and path of every journey of a run, in the order of person and journey.

    Attribution reads millions of them: three numbers travel as one.
    """
    sql = (
        f"SELECT (CAST(world_id AS BIGINT) << {_PERSON_BITS + _STATUS_BITS})"
        f" | (CAST(person_id AS BIGINT) << {_STATUS_BITS}) | status, path"
        " FROM journey WHERE run_key = ? ORDER BY run_key, world_id, person_id, journey_index"
    )
    with database.reading() as link, _collector_resting():
        if lake_of(link, run_key, "journey")[0]:
            return _lake_paths(link, run_key)
        rows = _cursor(link, sql, [run_key]).fetchall()
        packed = np.fromiter(map(itemgetter(0), rows), dtype=np.int64, count=len(rows))
        paths = list(map(itemgetter(1), rows))
        del rows
    return packed >> _STATUS_BITS, packed & ((1 << _STATUS_BITS) - 1), paths


def _lake_paths(link: Link, run_key: int) -> tuple[np.ndarray, np.ndarray, list[bytes]]:
    selection = Selection(_PATH_COLUMNS)
    parts = list(read_parts(link, run_key, LAYOUTS["journey"], selection=selection))
    kinds = _kinds(LAYOUTS["journey"])
    columns: dict[str, Any] = _joined([(name, kinds[name]) for name in _PATH_COLUMNS], parts)
    return columns["world_id"] << _PERSON_BITS | columns["person_id"], columns["status"], columns["path"]


@contextmanager
def _collector_resting() -> Iterator[None]:
    """Python's cycle collector would look through all rows read so far again and again; there are no cycles in them."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def read_rows(link: Link, run_key: int, layout: TableLayout) -> Iterator[Rows]:
    """Whole rows of a run in key order, at most FETCH_ROWS at a time."""
    for part in read_parts(link, run_key, layout, selection=Selection()):
        yield Rows(layout, part, len(part[layout.column_names[0]]))


def read_parts(
    link: Link, run_key: int, layout: TableLayout, *, selection: Selection
) -> Iterator[dict[str, ColumnValues]]:
    """Columns of a run's rows, at most FETCH_ROWS at a time; nothing for no rows."""
    kinds, where = _kinds(layout), selection.where or {}
    names = tuple(selection.columns) if selection.columns is not None else layout.column_names
    sql, parameters = _select_sql(layout, names, where, order=selection.order)
    chosen = [(name, kinds[name]) for name in names]
    place, people = lake_of(link, run_key, layout.name)
    if place:
        wanted = Wanted(names, where, selection.order, FETCH_ROWS, people)
        yield from lake_rows(place, parts_of(link, run_key, layout.name), layout, wanted)
        return
    numbers = all(kind.is_number for _, kind in chosen) and all(kinds[name].is_number for name in where)
    if link.dialect == "postgresql" and numbers:
        yield from copied_parts(link.raw, sql, [run_key, *parameters], chosen, block_rows=FETCH_ROWS)
    else:
        yield from _fetched_parts(link, sql, [run_key, *parameters], chosen)


def _fetched_parts(
    link: Link, sql: str, parameters: list[Any], chosen: list[tuple[str, ColumnKind]]
) -> Iterator[dict[str, ColumnValues]]:
    """Columns from a cursor, in blocks of FETCH_ROWS, transposed in pieces that stay in the processor's cache."""
    cursor = _cursor(link, sql, parameters)
    while True:
        pieces: list[dict[str, ColumnValues]] = []
        while len(pieces) < FETCH_ROWS // _PIECE_ROWS and (fetched := cursor.fetchmany(_PIECE_ROWS)):
            values = zip(*fetched, strict=True)
            pieces.append({
                name: _column(kind, value, len(fetched)) for (name, kind), value in zip(chosen, values, strict=True)
            })
        if not pieces:
            break
        yield _joined(chosen, pieces)
    cursor.close()


def _kinds(layout: TableLayout) -> dict[str, ColumnKind]:
    return {column.name: column.kind for column in layout.columns}


def _select_sql(
    layout: TableLayout, names: Sequence[str], where: Mapping[str, Any], *, order: bool
) -> tuple[str, list[Any]]:
    kinds = _kinds(layout)
    for name in (*names, *where):
        if name not in kinds:
            raise KeyError(f"{layout.name} has no column {name!r}")
    conditions = "".join(f" AND {name} = ?" for name in where)
    ordering = f" ORDER BY run_key, {', '.join(column.name for column in layout.key)}" if order else ""
    parameters = [value.item() if isinstance(value, np.generic) else value for value in where.values()]
    return f"SELECT {', '.join(names)} FROM {layout.name} WHERE run_key = ?{conditions}{ordering}", parameters


def _cursor(link: Link, sql: str, parameters: list[Any]) -> Any:
    if link.dialect == "sqlite":
        return link.raw.execute(sql, parameters)
    # a server-side cursor: else the driver would fetch every row before giving the first
    cursor = link.raw.cursor(name="read_parts", binary=True)
    cursor.execute(sql.replace("?", "%s"), parameters)
    return cursor


def _column(kind: ColumnKind, values: tuple[Any, ...], count: int) -> ColumnValues:
    if kind.is_number:
        return np.fromiter(values, dtype=np.float64 if kind is ColumnKind.DOUBLE else np.int64, count=count)
    return list(values)


def _joined(chosen: list[tuple[str, ColumnKind]], parts: list[dict[str, ColumnValues]]) -> dict[str, ColumnValues]:
    if not parts:
        return {name: _column(kind, (), 0) for name, kind in chosen}
    if len(parts) == 1:
        return parts[0]
    joined: dict[str, Any] = {}
    for name, kind in chosen:
        pieces: list[Any] = [part[name] for part in parts]
        joined[name] = np.concatenate(pieces) if kind.is_number else [value for piece in pieces for value in piece]
    return joined
