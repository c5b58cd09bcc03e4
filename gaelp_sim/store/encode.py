"""Rows into a database as fast as it takes them: staged images or `executemany` on SQLite, binary COPY on Postgres."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from gaelp_sim.store.columns import Rows, blob_list
from gaelp_sim.store.copying import COPY_HEADER, COPY_TRAILER, copy_bytes
from gaelp_sim.store.engines import Link
from gaelp_sim.store.layout import TableLayout
from gaelp_sim.store.staging import can_stage, insert_staged

CHUNK_ROWS = 50_000


def insert_rows(link: Link, run_key: int, rows: Rows) -> None:
    """Write `rows` under `run_key`; a replaceable table's older rows of the same key give way."""
    if not rows.count:
        return
    if link.dialect == "sqlite":
        _insert_sqlite(link, run_key, rows)
    elif rows.layout.large and not _has_partition(link, rows.layout, run_key):
        _load_partition(link, run_key, rows)
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
        yield rows.slice(start, start + CHUNK_ROWS)


def insert_sql(layout: TableLayout, run_key: int) -> str:
    """The INSERT for SQLite; the run's key is written into the text, which saves binding it a row."""
    verb = "INSERT OR REPLACE" if layout.replaced else "INSERT"
    marks = ", ".join("?" * len(layout.columns))
    return f"{verb} INTO {layout.name} (run_key, {', '.join(layout.column_names)}) VALUES ({run_key:d}, {marks})"


def _insert_sqlite(link: Link, run_key: int, rows: Rows) -> None:
    if can_stage(link.raw, rows):
        insert_staged(link.raw, run_key, rows)
        return
    sql = insert_sql(rows.layout, run_key)
    for part in chunks_of(rows):
        # tolist: numpy scalars would be bound as blobs
        link.execute_many(sql, zip(*(_python_values(part, name) for name in part.layout.column_names), strict=True))


def _python_values(rows: Rows, name: str) -> list[Any]:
    column = rows.columns[name]
    if isinstance(column, np.ndarray) and column.ndim == 1:
        return list(column.tolist())
    return list(blob_list(column))


def _has_partition(link: Link, layout: TableLayout, run_key: int) -> bool:
    row = link.one("SELECT to_regclass(?) IS NOT NULL", (partition_name(layout, run_key),))
    return bool(row and row[0])


def _load_partition(link: Link, run_key: int, rows: Rows) -> None:
    """A run's first rows of a large table: copied into a table of their own, which then gets its keys and joins.

    Keys made once after the rows cost a third of keys kept up row by row. The CHECK spares the attaching a scan, and
    attaching locks out no reader (CREATE ... PARTITION OF would).
    """
    layout, name = rows.layout, partition_name(rows.layout, run_key)
    link.execute(f"CREATE TABLE {name} (LIKE {layout.name}, CONSTRAINT only_this_run CHECK (run_key = {run_key:d}))")
    _copy(link, rows, run_key, name)
    link.execute("SET LOCAL maintenance_work_mem = '256MB'")
    key = ", ".join(["run_key", *(column.name for column in layout.key)])
    link.execute(f"ALTER TABLE {name} ADD PRIMARY KEY ({key})")
    if layout.unique:
        link.execute(f"ALTER TABLE {name} ADD UNIQUE (run_key, {', '.join(layout.unique)})")
    link.execute(f"ALTER TABLE {layout.name} ATTACH PARTITION {name} FOR VALUES IN ({run_key:d})")
    link.execute(f"ALTER TABLE {name} DROP CONSTRAINT only_this_run")


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
        copy.write(COPY_HEADER)
        for part in chunks_of(rows):
            copy.write(copy_bytes(part, run_key))
        copy.write(COPY_TRAILER)
