"""Rows a second into the store, beside what drivers and SQLAlchemy reach on the same rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from benchmarks import store_ways
from benchmarks.bench import Bench, Size
from benchmarks.store_ways import Load
from benchmarks.tables import Line, Peer, Table
from benchmarks.timing import Took, side_by_side
from tests.postgres import DURABLE, NoPostgresError, empty_database, postgres_server

PEERS: dict[str, Callable[[Load], Took]] = {
    "the driver's executemany": store_ways.driver, "SQLAlchemy Core insert": store_ways.core,
    "SQLAlchemy ORM add_all": store_ways.orm,
}
SLOWEST_RATIO = 10
"""Postgres takes rows one by one so slowly that peers write a tenth of them."""
TARGETS = {"SQLite": {"daily": 300e3, "bulk": 300e3}, "Postgres": {"daily": 230e3, "bulk": 500e3}}


def store(bench: Bench) -> Iterator[Table]:
    """One table for SQLite; one for Postgres, or a remark where there is none."""
    with bench.database() as url:
        yield _table("SQLite", url, bench.size)
    try:
        with _postgres(bench) as url:
            yield _table("Postgres", url, bench.size)
    except NoPostgresError as reason:
        yield Table("Rows into the store, Postgres", ("skipped",), [], [str(reason)])


def _table(database: str, url: str, size: Size) -> Table:
    title = (
        f"Rows into the store, {database}: {size.commits} commits of {size.rows:,} rows (daily), or one of all (bulk); "
        "checks, hash chain and keys counted"
    )
    loads = [Load(url, table, size.commits, size.rows) for table in store_ways.MADE]
    lines = [line for load in loads for line in _lines(database, load, size)]
    client = "CPU is the client's alone; the server burns its own." if database == "Postgres" else ""
    return Table.of(title, lines, [client] if client else [])


def _lines(database: str, daily: Load, size: Size) -> Iterator[Line]:
    """Two lines for each way: rows a second of wall with its peers, and a CPU-second."""
    few = min(daily.rows, size.peer_rows_max // (SLOWEST_RATIO if database == "Postgres" else 1))
    small = replace(daily, rows=few, commits=max(1, min(daily.commits, size.peer_rows_max // daily.rows)))
    works = {"ours": lambda: store_ways.ours(daily)} | {
        name: (lambda way=way: way(small)) for name, way in PEERS.items()
    }
    if size.store_repeats > 1:
        store_ways.ours(replace(small, commits=1))  # unmeasured: the schema is made, what is compiled once is compiled
    taken = side_by_side(size.store_repeats, works)
    bulk = replace(daily, commits=1, rows=daily.count)
    taken_bulk = side_by_side(size.store_repeats, {"ours": lambda: store_ways.ours(bulk)})
    for how, took in (("daily", taken), ("bulk", taken_bulk)):
        peers = tuple(Peer(name, [one.per_wall_s for one in took[name]]) for name in PEERS if name in took)
        wall, cpu = [one.per_wall_s for one in took["ours"]], [one.per_cpu_s for one in took["ours"]]
        yield Line(f"{daily.table}, {how}", "rows/s", wall, peers, TARGETS[database][how])
        yield Line("  the same", "rows/CPU-s", cpu)


@contextmanager
def _postgres(bench: Bench) -> Iterator[str]:
    """URL of an empty database on the given server, else on one of our own with Postgres' default durability."""
    if bench.pg_server is not None:
        with empty_database(bench.pg_server) as url:
            yield url
        return
    with postgres_server(DURABLE) as server, empty_database(server) as url:
        yield url
