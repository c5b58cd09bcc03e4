"""Rows a second into the store, beside what SQLAlchemy's own ways and the bare drivers reach on the same rows.

    python benchmarks/bench_store.py                       # SQLite
    python benchmarks/bench_store.py --pg postgresql+psycopg://user@host/db [--days 10 --rows 50000]

Two tables: `touchpoint` (18 columns of numbers) and `decision` (24 columns, one of them 164 bytes of features), each
written a day at a time (a transaction a day) and in bulk (one transaction). CPU is the client's; Postgres' server
burns its own.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from gaelp_sim.store import LAYOUTS, Batch, RunRecord, Store
from gaelp_sim.store.columns import Rows, blob_list
from gaelp_sim.store.encode import insert_sql

START_S, DAY_S = 1_756_684_800, 86_400
Columns = dict[str, np.ndarray]
PEER_ROWS_MAX = 100_000  # the slow peers are timed on fewer rows


def touchpoints(day: int, count: int) -> Columns:
    """Touches of rivals (they cost us nothing, so that no ledger is needed): (count,) per column."""
    columns = _numbers("touchpoint", day, count)
    return columns | {"advertiser": columns["kind"] % 5 + 1}


def decisions(day: int, count: int) -> Columns:
    """Bid decisions with 41 float32 features: (count,) per column, features (count, 41)."""
    rng = np.random.default_rng([1, day])
    columns = _numbers("decision", day, count)
    return columns | {"propensity": rng.random(count), "features": rng.random((count, 41)).astype("<f4")}


def _numbers(table: str, day: int, count: int) -> Columns:
    rng = np.random.default_rng([0, day])
    columns = {column.name: rng.integers(0, 6, count) for column in LAYOUTS[table].columns}
    for name in columns:
        if name.endswith("_micros"):
            columns[name] = rng.integers(0, 5_000_000, count)
    return columns | {
        "world_id": np.zeros(count, int),
        "person_id": rng.permutation(count),
        "occurred_s": START_S + day * DAY_S + rng.integers(0, DAY_S, count),
        "alias_id": rng.integers(0, 3 * count, count),
    }


MADE = {"touchpoint": touchpoints, "decision": decisions}
Timed = tuple[int, float, float]


@contextmanager
def _run(url: str) -> Iterator[tuple[Store, RunRecord]]:
    record = RunRecord("bench", "{}", "", seed=1, people=1, days=1, worlds=1, start_s=START_S, end_hour=24)
    with Store.open(url) as store:
        run = store.begin_run(record, {})
        yield store, run
        run = store.finish_run(run, "FINISHED", {})
        store.delete_run(run)


def _timed(work: Callable[[], int]) -> Timed:
    wall, cpu = time.perf_counter(), time.process_time()
    count = work()
    return count, time.perf_counter() - wall, time.process_time() - cpu


def ours(url: str, table: str, days: int, count: int) -> Timed:
    """Commit points of the store itself: checks, hash chain, keys and all."""
    batches = [Batch({table: MADE[table](day, count)}, hour=24 * (day + 1), state=bytes(100_000)) for day in range(days)]
    with _run(url) as (store, run):

        def commit_all() -> int:
            for batch in batches:
                store.commit(run, batch)
            return days * count

        return _timed(commit_all)


def bound(url: str, table: str, days: int, count: int) -> Timed:
    """The driver's executemany of `.tolist()` columns, sorted by key, a transaction a day."""
    parts = [Rows.of(LAYOUTS[table], MADE[table](day, count)) for day in range(days)]
    with _run(url) as (store, run):
        sql = insert_sql(LAYOUTS[table], run.run_key)

        def insert_all() -> int:
            for rows in parts:
                with store.database.writing() as link:
                    link.execute_many(sql, zip(*_python_columns(rows), strict=True))
            return days * count

        return _timed(insert_all)


def _python_columns(rows: Rows) -> list[list[object]]:
    columns = (rows.columns[name] for name in rows.layout.column_names)
    return [c.tolist() if isinstance(c, np.ndarray) and c.ndim == 1 else blob_list(c) for c in columns]  # type: ignore


def core(url: str, table: str, days: int, count: int) -> Timed:
    """SQLAlchemy Core `insert()` of dictionaries."""
    import sqlalchemy as sa

    target = _sqlalchemy_table(url, table)
    return _dictionaries(url, table, days, count, lambda connection, rows: connection.execute(sa.insert(target), rows))


def orm(url: str, table: str, days: int, count: int) -> Timed:
    """SQLAlchemy ORM: `Session.add_all` of mapped objects (its unit of work, in bulk mode)."""
    from sqlalchemy.orm import Session, registry

    mapped = type("Mapped", (), {})
    registry().map_imperatively(mapped, _sqlalchemy_table(url, table))

    def insert(connection: object, rows: list[dict[str, object]]) -> None:
        with Session(connection) as session:  # type: ignore[arg-type]
            session.add_all([mapped(**row) for row in rows])
            session.flush()

    return _dictionaries(url, table, days, count, insert)


def _sqlalchemy_table(url: str, table: str) -> Any:
    from gaelp_sim.store.tables import metadata_for

    return metadata_for("sqlite" if url.startswith("sqlite") else "postgresql").tables[table]


def _dictionaries(url: str, table: str, days: int, count: int, insert: Callable[..., object]) -> Timed:
    days = max(1, min(days, PEER_ROWS_MAX // count))
    count = min(count, PEER_ROWS_MAX)
    parts = [Rows.of(LAYOUTS[table], MADE[table](day, count)) for day in range(days)]
    names = ("run_key", *LAYOUTS[table].column_names)
    with _run(url) as (store, run):
        if store.dialect == "postgresql":
            store.commit(run, Batch({table: MADE[table](9_999, 1)}, hour=1, state=b""))  # makes the partition

        def insert_all() -> int:
            for rows in parts:
                keys = [run.run_key] * rows.count
                made = [dict(zip(names, row, strict=True)) for row in zip(keys, *_python_columns(rows), strict=True)]
                with store.database.engine.begin() as connection:
                    insert(connection, made)
            return days * count

        return _timed(insert_all)


def _lines(name: str, url: str, days: int, count: int) -> Iterator[tuple[str, str, str, Timed]]:
    for table in MADE:
        yield name, table, "gaelp, committed daily", ours(url, table, days, count)
        yield name, table, "gaelp, bulk", ours(url, table, 1, days * count)
        if name == "SQLite":
            yield name, table, "driver's executemany, daily", bound(url, table, days, count)
        yield name, table, "SQLAlchemy Core insert, daily", core(url, table, days, count)
        yield name, table, "SQLAlchemy ORM add_all, daily", orm(url, table, days, count)


def main(arguments: list[str] | None = None) -> None:
    """Print the table; `arguments` default to the command line's."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pg", default=os.environ.get("GAELP_TEST_PG_URL"), help="URL of an empty Postgres database")
    parser.add_argument("--days", type=int, default=10, help="commits (default 10)")
    parser.add_argument("--rows", type=int, default=50_000, help="rows a commit (default 50000)")
    chosen = parser.parse_args(arguments)
    print(f"{'database':<11}{'table':<12}{'way':<31}{'rows':>9}{'krows/s':>9}{'per CPU-s':>11}")
    with tempfile.TemporaryDirectory() as folder:
        urls = {"SQLite": f"sqlite:///{Path(folder) / 'bench.db'}"} | ({"PostgreSQL": chosen.pg} if chosen.pg else {})
        for name, url in urls.items():
            for database, table, way, (rows, wall, cpu) in _lines(name, url, chosen.days, chosen.rows):
                speeds = f"{rows / wall / 1e3:>9.0f}{rows / cpu / 1e3:>11.0f}"
                print(f"{database:<11}{table:<12}{way:<31}{rows:>9}{speeds}", flush=True)


if __name__ == "__main__":
    main()
