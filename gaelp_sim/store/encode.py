"""Rows into a database as fast as it takes them: `executemany` on SQLite, binary COPY on Postgres."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

from gaelp_sim.store.columns import Rows, blob_list
from gaelp_sim.store.engines import Link
from gaelp_sim.store.layout import ColumnKind, TableLayout

CHUNK_ROWS = 50_000
_COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_COPY_TRAILER = b"\xff\xff"
_COPY_TYPES = {ColumnKind.SMALL: ">i2", ColumnKind.INT: ">i4", ColumnKind.BIG: ">i8", ColumnKind.DOUBLE: ">f8"}


def insert_rows(link: Link, run_key: int, rows: Rows) -> None:
    """Write `rows` under `run_key`; a replaceable table's older rows of the same key give way."""
    if not rows.count:
        return
    if link.dialect == "sqlite":
        _insert_sqlite(link, run_key, rows)
    elif rows.layout.replaced:
        _replace_postgres(link, run_key, rows)
    else:
        _copy(link, rows, run_key, partition_name(rows.layout, run_key))


def partition_name(layout: TableLayout, run_key: int) -> str:
    """Where a run's rows lie on Postgres: the run's own partition of a large table, else the table."""
    return f"{layout.name}_r{run_key}" if layout.large else layout.name


def chunks_of(rows: Rows) -> Iterator[Rows]:
    """`rows` in pieces that keep the memory for Python objects bounded."""
    if rows.count <= CHUNK_ROWS:
        yield rows
        return
    for start in range(0, rows.count, CHUNK_ROWS):
        part = {name: column[start : start + CHUNK_ROWS] for name, column in rows.columns.items()}
        yield Rows(rows.layout, part, min(CHUNK_ROWS, rows.count - start))


def insert_sql(layout: TableLayout, run_key: int) -> str:
    """The INSERT for SQLite; the run's key is written into the text, which saves binding it a row."""
    verb = "INSERT OR REPLACE" if layout.replaced else "INSERT"
    marks = ", ".join("?" * len(layout.columns))
    return f"{verb} INTO {layout.name} (run_key, {', '.join(layout.column_names)}) VALUES ({run_key:d}, {marks})"


def _insert_sqlite(link: Link, run_key: int, rows: Rows) -> None:
    sql = insert_sql(rows.layout, run_key)
    for part in chunks_of(rows):
        # tolist: numpy scalars would be bound as blobs
        link.execute_many(sql, zip(*(_python_values(part, name) for name in part.layout.column_names), strict=True))


def _python_values(rows: Rows, name: str) -> list[Any]:
    column = rows.columns[name]
    if isinstance(column, np.ndarray) and column.ndim == 1:
        return column.tolist()
    return blob_list(column)  # type: ignore[return-value]


def _replace_postgres(link: Link, run_key: int, rows: Rows) -> None:
    """COPY knows no upsert: copy beside the table, then merge by key."""
    target = partition_name(rows.layout, run_key)
    beside = f"incoming_{rows.layout.name}"
    link.execute(f"CREATE TEMP TABLE IF NOT EXISTS {beside} (LIKE {rows.layout.name}) ON COMMIT DELETE ROWS")
    _copy(link, rows, run_key, beside)
    keys = ", ".join(["run_key", *(column.name for column in rows.layout.key)])
    sets = ", ".join(f"{column.name} = excluded.{column.name}" for column in rows.layout.values)
    link.execute(f"INSERT INTO {target} SELECT * FROM {beside} ON CONFLICT ({keys}) DO UPDATE SET {sets}")
    link.execute(f"DELETE FROM {beside}")


def _copy(link: Link, rows: Rows, run_key: int, target: str) -> None:
    names = ", ".join(["run_key", *rows.layout.column_names])
    with link.raw.cursor() as cursor, cursor.copy(f"COPY {target} ({names}) FROM STDIN (FORMAT BINARY)") as copy:
        copy.write(_COPY_HEADER)
        for part in chunks_of(rows):
            copy.write(copy_bytes(part, run_key))
        copy.write(_COPY_TRAILER)


def copy_bytes(rows: Rows, run_key: int) -> bytes:
    """`rows` in PostgreSQL's binary COPY format, without header and trailer."""
    pieces = [_fixed_piece(rows, names, run_key if i == 0 else None) for i, names in enumerate(_pieces(rows))]
    if len(pieces) == 1:
        return pieces[0].tobytes()
    return _woven(rows, pieces)


def _is_fixed(rows: Rows, name: str) -> bool:
    return isinstance(rows.columns[name], np.ndarray)


def _pieces(rows: Rows) -> list[list[str]]:
    """Runs of fixed-width columns, cut at each column whose width varies."""
    pieces: list[list[str]] = [[]]
    for name in rows.layout.column_names:
        if _is_fixed(rows, name):
            pieces[-1].append(name)
        else:
            pieces.append([])
    return pieces


def _fixed_piece(rows: Rows, names: list[str], run_key: int | None) -> np.ndarray:
    """A structured array: each value behind its length in bytes, and the row's head before the first."""
    kinds = {column.name: column.kind for column in rows.layout.columns}
    fields: list[tuple[Any, ...]] = [] if run_key is None else [("head", ">i2"), ("head_length", ">i4"), ("head_key", ">i4")]
    for name in names:
        column = rows.columns[name]
        fields.append((f"{name}_length", ">i4"))
        if kinds[name] is ColumnKind.BYTES:
            fields.append((name, np.uint8, (column.shape[1],)))  # type: ignore[union-attr]
        else:
            fields.append((name, _COPY_TYPES[kinds[name]]))
    piece = np.empty(rows.count, dtype=fields)
    if run_key is not None:
        piece["head"], piece["head_length"], piece["head_key"] = len(rows.layout.columns) + 1, 4, run_key
    for name in names:
        piece[f"{name}_length"] = piece.dtype[name].itemsize
        piece[name] = rows.columns[name]
    return piece


def _woven(rows: Rows, pieces: list[np.ndarray]) -> bytes:
    """Fixed pieces and columns of varying width in turn, row by row."""
    varying = [name for name in rows.layout.column_names if not _is_fixed(rows, name)]
    strands: list[list[bytes]] = [_cut(pieces[0])]
    for name, piece in zip(varying, pieces[1:], strict=True):
        strands.append([_with_length(value) for value in rows.columns[name]])
        if piece.dtype.itemsize:
            strands.append(_cut(piece))
    return b"".join(b"".join(row) for row in zip(*strands, strict=True))


def _with_length(value: bytes | str) -> bytes:
    blob = value.encode() if isinstance(value, str) else value
    return struct.pack(">i", len(blob)) + blob


def _cut(piece: np.ndarray) -> list[bytes]:
    width, joined = piece.dtype.itemsize, piece.tobytes()
    return [joined[at : at + width] for at in range(0, len(joined), width)]
