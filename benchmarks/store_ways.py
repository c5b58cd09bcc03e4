"""Ways to write the same rows into a database: our store's commits, and what drivers and SQLAlchemy offer.

Two tables: `touchpoint` (18 columns of numbers) and `decision` (24 columns, one of them 164 bytes of features).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.timing import Took, timed
from gaelp_sim.store import LAYOUTS, Batch, RunRecord, Store
from gaelp_sim.store.columns import Rows, blob_list
from gaelp_sim.store.encode import insert_sql

START_S, DAY_S = 1_756_684_800, 86_400
FIRST_DAY = 9_999  # of one row that makes Postgres' partition before others write into it
Columns = dict[str, np.ndarray]


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


@dataclass(frozen=True)
class Load:
    """Rows to write: into which table of which database, in how many commits of how many rows each."""

    url: str
    table: str
    commits: int
    rows: int

    @property
    def count(self) -> int:
        """Rows in all."""
        return self.commits * self.rows

    def parts(self) -> list[Rows]:
        """The rows of each commit, checked and in key order."""
        return [Rows.of(LAYOUTS[self.table], MADE[self.table](day, self.rows)) for day in range(self.commits)]


def ours(load: Load) -> Took:
    """Commit points of the store itself: checks, hash chain, keys and all."""
    batches = [
        Batch({load.table: MADE[load.table](day, load.rows)}, hour=24 * (day + 1), state=bytes(100_000))
        for day in range(load.commits)
    ]
    with _run(load.url) as (store, run):

        def commit_all() -> int:
            for batch in batches:
                store.commit(run, batch)
            return load.count

        return timed(commit_all)


def driver(load: Load) -> Took:
    """The driver's executemany of `.tolist()` columns, sorted by key, a transaction for each commit."""
    parts = load.parts()
    with _run(load.url) as (store, run):
        _make_partition(store, run, load)
        sql = insert_sql(LAYOUTS[load.table], run.run_key)

        def insert_all() -> int:
            for rows in parts:
                with store.database.writing() as link:
                    link.execute_many(sql, zip(*_python_columns(rows), strict=True))
            return load.count

        return timed(insert_all)


def core(load: Load) -> Took:
    """SQLAlchemy Core `insert()` of dictionaries."""
    import sqlalchemy as sa

    target = _sqlalchemy_table(load)
    return _dictionaries(load, lambda connection, rows: connection.execute(sa.insert(target), rows))


def orm(load: Load) -> Took:
    """SQLAlchemy ORM: `Session.add_all` of mapped objects (its unit of work, in bulk mode)."""
    from sqlalchemy.orm import Session, registry

    mapped = type("Mapped", (), {})
    registry().map_imperatively(mapped, _sqlalchemy_table(load))

    def insert(connection: Any, rows: list[dict[str, object]]) -> None:
        with Session(connection) as session:
            session.add_all([mapped(**row) for row in rows])
            session.flush()

    return _dictionaries(load, insert)


def _dictionaries(load: Load, insert: Callable[[Any, list[dict[str, object]]], object]) -> Took:
    parts = load.parts()
    names = ("run_key", *LAYOUTS[load.table].column_names)
    with _run(load.url) as (store, run):
        _make_partition(store, run, load)

        def insert_all() -> int:
            for rows in parts:
                keys = [run.run_key] * rows.count
                made = [dict(zip(names, row, strict=True)) for row in zip(keys, *_python_columns(rows), strict=True)]
                with store.database.engine.begin() as connection:
                    insert(connection, made)
            return load.count

        return timed(insert_all)


@contextmanager
def _run(url: str) -> Iterator[tuple[Store, RunRecord]]:
    record = RunRecord("bench", "{}", "", seed=1, people=1, days=1, worlds=1, start_s=START_S, end_hour=24)
    with Store.open(url) as store:
        run = store.begin_run(record, {})
        yield store, run
        store.delete_run(store.finish_run(run, "FINISHED", {}))


def _make_partition(store: Store, run: RunRecord, load: Load) -> None:
    if store.dialect == "postgresql":
        store.commit(run, Batch({load.table: MADE[load.table](FIRST_DAY, 1)}, hour=1, state=b""))


def _sqlalchemy_table(load: Load) -> Any:
    from gaelp_sim.store.tables import metadata_for

    return metadata_for("sqlite" if load.url.startswith("sqlite") else "postgresql").tables[load.table]


def _python_columns(rows: Rows) -> list[list[Any]]:
    columns = (rows.columns[name] for name in rows.layout.column_names)
    return [c.tolist() if isinstance(c, np.ndarray) and c.ndim == 1 else list(blob_list(c)) for c in columns]
