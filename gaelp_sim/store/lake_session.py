"""A DuckDB session in memory over runs of which some lie in a lake: every table of the store, under the names of the store.

Parts are read where they lie; what the catalogue itself holds (conversions, ledger, people, analyses) is carried over. Once
prepared, a session opens no other file, reaches no network and loads no extension.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gaelp_sim.errors import StoreWriteError
from gaelp_sim.store.lake import INSTALL, ObjectStore, Part, arrow_type, lake_at, opened
from gaelp_sim.store.lake_reader import lake_of, parts_of
from gaelp_sim.store.layout import LAYOUTS, MAILBOX, MAILBOX_VALUES, RUN_VALUES, Column, ColumnKind, TableLayout
from gaelp_sim.store.reader import Selection, read_parts

if TYPE_CHECKING:
    from gaelp_sim.store.engines import Link

MEMORY = "1GB"
_THREADS = 2
_SETTINGS = (
    "integer_division = true",  # as both databases divide
    "python_enable_replacements = false",
    "enable_external_access = false",
    "lock_configuration = true",
)
# Rows are sorted as the catalogue sorts them.
_NULL_ORDER = {"sqlite": "nulls_first_on_asc_last_on_desc", "postgresql": "nulls_last_on_asc_first_on_desc"}
_RUN = (Column("run_key", ColumnKind.INT), *RUN_VALUES)


def open_session(link: Link, run_keys: Sequence[int], tables: Iterable[str]) -> tuple[Any, str]:
    """A DuckDB connection over `tables` of the runs, and the schema (a name not to be guessed) in which they stand.

    Raises StoreWriteError without DuckDB; StoreIOError, CorruptStoreError where parts can't be read.
    """
    try:
        import duckdb
    except ImportError as missing:
        raise StoreWriteError(f"a run in a lake is asked through DuckDB; {INSTALL}") from missing
    config: dict[str, Any] = {
        "threads": _THREADS, "memory_limit": MEMORY, "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false", "temp_directory": "", "allow_community_extensions": "false",
    }
    session = duckdb.connect(":memory:", config=config)
    schema = f"store_{os.urandom(16).hex()}"
    session.execute(f"CREATE SCHEMA {schema}")
    _load_runs(session, schema, link, run_keys)
    # empty: agents from outside meet no run in a lake
    _make_table(session, f"{schema}.{MAILBOX}", TableLayout(MAILBOX, (), MAILBOX_VALUES), [])
    for table in sorted(set(tables) - {"run", MAILBOX}):
        sources = [source for run_key in run_keys for source in _sources(session, schema, link, run_key, LAYOUTS[table])]
        _make_table(session, f"{schema}.{table}", LAYOUTS[table], sources)
    session.execute(f"SET default_null_order = '{_NULL_ORDER[link.dialect]}'")
    _lock(session, [path for run_key in run_keys for path in _local_files(link, run_key)])
    return session, schema


def _lock(session: Any, paths: list[str]) -> None:
    listed = ", ".join(_quoted(path) for path in paths)
    session.execute(f"SET allowed_paths = [{listed}]")
    for setting in _SETTINGS:
        session.execute(f"SET {setting}")


def _local_files(link: Link, run_key: int) -> list[str]:
    place, _ = lake_of(link, run_key, "touchpoint")
    lake = lake_at(place) if place else None
    if lake is None or isinstance(lake, ObjectStore):
        return []
    return [os.path.join(lake.root, part.path) for part in parts_of(link, run_key)]


def _load_runs(session: Any, schema: str, link: Link, run_keys: Sequence[int]) -> None:
    marks = ", ".join("?" * len(run_keys))
    names = ", ".join(column.name for column in _RUN)
    rows = link.all(f"SELECT {names} FROM run WHERE run_key IN ({marks}) ORDER BY run_key", list(run_keys))
    columns = dict(zip((column.name for column in _RUN), zip(*rows, strict=True), strict=True)) if rows else {}
    session.register("incoming", _arrow_table(_RUN, {name: list(values) for name, values in columns.items()}))
    session.execute(f"CREATE TABLE {schema}.run AS SELECT * FROM incoming")
    session.unregister("incoming")


def _make_table(session: Any, name: str, layout: TableLayout, sources: list[str]) -> None:
    """A view over the sources (SELECTs), or an empty table of the same columns."""
    if sources:
        session.execute(f"CREATE VIEW {name} AS {' UNION ALL '.join(sources)}")
        return
    session.register("incoming", _arrow_table((Column("run_key", ColumnKind.INT), *layout.columns), {}))
    session.execute(f"CREATE TABLE {name} AS SELECT * FROM incoming")
    session.unregister("incoming")


def _sources(session: Any, schema: str, link: Link, run_key: int, layout: TableLayout) -> Iterator[str]:
    """SELECTs that give the run's rows of a table, its key first."""
    place, _ = lake_of(link, run_key, layout.name)
    columns = ", ".join(layout.column_names)
    if not place:
        name = f"{schema}.{layout.name}_{run_key}"
        if _carry_over(session, name, link, run_key, layout):
            yield f"SELECT CAST({run_key:d} AS INTEGER) AS run_key, {columns} FROM {name}"
        return
    parts = parts_of(link, run_key, layout.name)
    if parts:
        source = _parquet(session, f"parts_{schema}_{layout.name}_{run_key}", place, parts)
        yield f"SELECT CAST({run_key:d} AS INTEGER) AS run_key, {columns} FROM {source}"


def _parquet(session: Any, name: str, place: str, parts: Sequence[Part]) -> str:
    lake = lake_at(place)
    if not isinstance(lake, ObjectStore):
        listed = ", ".join(_quoted(os.path.join(lake.root, part.path)) for part in parts)
        return f"read_parquet([{listed}], hive_partitioning = false)"
    # DuckDB itself reaches no network here: Arrow reads, DuckDB asks it for the columns and rows that a query needs
    session.register(name, opened(place, parts))
    return name


def _carry_over(session: Any, name: str, link: Link, run_key: int, layout: TableLayout) -> bool:
    """Copy a run's rows from the catalogue; False where there are none."""
    made = False
    for part in read_parts(link, run_key, layout, selection=Selection(order=False)):
        session.register("incoming", _arrow_table(layout.columns, part))
        session.execute(f"INSERT INTO {name} SELECT * FROM incoming" if made else
                        f"CREATE TABLE {name} AS SELECT * FROM incoming")
        session.unregister("incoming")
        made = True
    return made


def _arrow_table(columns: Sequence[Column], values: dict[str, Any]) -> Any:
    import pyarrow as pa

    def of(column: Column) -> Any:
        given = values.get(column.name, [])
        if isinstance(given, np.ndarray) and column.kind is not ColumnKind.DOUBLE:
            given = given.astype(np.int64)
        return pa.array(given).cast(arrow_type(column.kind)) if len(given) else pa.array([], arrow_type(column.kind))

    return pa.table({column.name: of(column) for column in columns})


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
