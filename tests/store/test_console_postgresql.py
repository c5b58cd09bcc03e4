"""The console on Postgres: the same answers, and attacks that a database server adds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from tempfile import gettempdir

import pytest

from gaelp_sim.errors import GaelpError, RunNotFoundError, SchemaVersionError, StoreBusyError, UsageError
from gaelp_sim.store.console import run_query
from gaelp_sim.store.rowhash import row_hash
from tests.store.hand_made_store import make_store

psycopg = pytest.importorskip("psycopg")

LIMIT_S = 1.0
SLACK_S = 8.0  # as on SQLite: the server and a busy machine take their time

# FOLDER is one that the server may write to, so that a guard that fails would show.
ATTACKS = """
DELETE FROM journey
UPDATE person SET stage = 0
INSERT INTO name VALUES (1, 'a', 1, 'b')
DROP TABLE journey CASCADE
TRUNCATE journey
CREATE TABLE mine (x int)
CREATE TEMP TABLE mine (x int)
SELECT 1 INTO mine
COPY person TO 'FOLDER/person.csv'
COPY person TO PROGRAM 'id'
DO $$ BEGIN PERFORM 1; END $$
SET statement_timeout = 0
SET SESSION AUTHORIZATION postgres
RESET ALL
BEGIN; SELECT 1
COMMIT
LISTEN mine
LOCK TABLE journey
VACUUM
EXPLAIN ANALYZE SELECT 1
SELECT 1; SELECT 2
SELECT 1; DROP TABLE journey
WITH gone AS (DELETE FROM journey RETURNING 1) SELECT * FROM gone
WITH made AS (INSERT INTO name VALUES (1, 'a', 1, 'b') RETURNING 1) SELECT * FROM made
SELECT * FROM journeys FOR UPDATE
SELECT set_config('statement_timeout', '0', false)
SELECT set_config('transaction_read_only', 'off', true) FROM journeys
SELECT current_setting('data_directory')
SELECT pg_sleep(30)
SELECT 1 FROM pg_sleep(30)
SELECT stage FROM journeys WHERE pg_sleep(30) IS NULL
SELECT pg_catalog.pg_sleep(30)::text
SELECT "pg_sleep"(30)::text
SELECT U&"pg\\005fsleep"(30)::text
SELECT pg_terminate_backend(pg_backend_pid())
SELECT pg_cancel_backend(1)
SELECT pg_read_file('/etc/passwd')
SELECT pg_read_binary_file('/etc/passwd')
SELECT pg_ls_dir('.')
SELECT pg_stat_file('base')
SELECT lo_from_bytea(0, 'x')
SELECT lo_import('/etc/passwd')
SELECT lo_export(1, 'FOLDER/x')
SELECT lo_creat(-1)
SELECT pg_advisory_lock(1)::text
SELECT nextval('run_run_key_seq')
SELECT setval('run_run_key_seq', 1)
SELECT query_to_xml('SELECT * FROM person', true, true, '')
SELECT table_to_xml('person', true, true, '')
SELECT database_to_xml(true, true, '')
SELECT ts_stat('SELECT to_tsvector(scenario_text) FROM run')
SELECT pg_reload_conf()
SELECT pg_rotate_logfile()
SELECT pg_switch_wal()
SELECT pg_notify('a', 'b')
SELECT pg_export_snapshot()
SELECT pg_get_viewdef('journeys'::regclass)
SELECT dblink('dbname=postgres', 'SELECT 1')
SELECT repeat('x', 900000000)
SELECT lpad('x', 900000000)
SELECT format('%900000000s', 'x')
SELECT evil()
SELECT * FROM person
SELECT * FROM public.person
SELECT COUNT(*) FROM truth_person
SELECT * FROM public.journeys
SELECT state FROM checkpoint
WITH journeys AS (SELECT * FROM public.person) SELECT * FROM journeys
SELECT (SELECT MAX(stage) FROM person)
SELECT * FROM journeys WHERE EXISTS (SELECT 1 FROM person)
SELECT * FROM pg_authid
SELECT * FROM pg_shadow
SELECT * FROM pg_settings
SELECT * FROM pg_stat_activity
SELECT * FROM pg_class
SELECT * FROM information_schema.tables
SELECT * FROM gaelp_console_query
WITH RECURSIVE a(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM a) SELECT COUNT(*) FROM a
SELECT COUNT(*) FROM generate_series(1, 1000000000000)
SELECT COUNT(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b
SELECT string_agg(x::text, '') FROM generate_series(1, 1000000000) x
SELECT array_agg(x) FROM generate_series(1, 1000000000) x
SELECT 'x' FROM generate_series(1, 1000000) x ORDER BY (SELECT COUNT(*) FROM generate_series(1, 100000000 + x))
SELECT regexp_replace(string_agg(path, ''), '((a*)*)*b', '') FROM paths, generate_series(1, 10000000)
SELECT $1
SELECT ROW(1, 2)
""".replace("FOLDER", gettempdir()).strip().splitlines()


@pytest.fixture(scope="module")
def store(pg_server: str) -> Iterator[tuple[str, str, str]]:
    """URL of the store made by hand in a database of its own, with its older and its newer run."""
    import sqlalchemy as sa

    server = sa.make_url(pg_server)
    plain = server.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS gaelp_console WITH (FORCE)")
        connection.execute("CREATE DATABASE gaelp_console")
    url = server.set(drivername="postgresql+psycopg", database="gaelp_console").render_as_string(hide_password=False)
    older, newer = make_store(url)
    with _connected(url) as connection:
        connection.execute("CREATE FUNCTION evil() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    yield url, older, newer
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute("DROP DATABASE gaelp_console WITH (FORCE)")


def _connected(url: str) -> psycopg.Connection:
    return psycopg.connect(url.replace("+psycopg", ""), autocommit=True)


def _print_of(url: str) -> list[object]:
    """Counts of everything that an attack might leave behind."""
    with _connected(url) as connection:
        return [
            connection.execute(sql).fetchall()
            for sql in (
                "SELECT COUNT(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace",
                "SELECT COUNT(*) FROM pg_largeobject_metadata", "SELECT last_value FROM run_run_key_seq",
                "SELECT md5(string_agg(j::text, '' ORDER BY j)) FROM journey AS j",
                "SELECT md5(string_agg(p::text, '' ORDER BY p)) FROM person AS p",
                "SELECT COUNT(*) FROM name", "SHOW statement_timeout",
            )
        ]


def test_there_are_at_least_forty_attacks() -> None:
    """Promise P15."""
    assert len(set(ATTACKS)) >= 40


def test_attacks_are_refused_or_cut_in_time_and_change_nothing(store: tuple[str, str, str]) -> None:
    """Asked by the database's own superuser: what refuses is the console, not a role's rights."""
    url = store[0]
    before = _print_of(url)
    for sql in ATTACKS:
        started = time.monotonic()
        with pytest.raises((UsageError, StoreBusyError)) as refusal:
            found = run_query(url, sql, timeout_s=LIMIT_S)
            pytest.fail(f"{sql}: answered {found}")
        assert time.monotonic() - started < LIMIT_S + SLACK_S, sql
        assert "\n" not in str(refusal.value) and "gaelp_test" not in str(refusal.value), sql
    assert _print_of(url) == before


def test_nothing_of_a_query_stays_on_the_server(store: tuple[str, str, str]) -> None:
    """A query cut by its deadline has ended there too, and temporary views are gone."""
    url = store[0]
    with pytest.raises(StoreBusyError):
        run_query(url, "SELECT COUNT(*) FROM generate_series(1, 1000000000000)", timeout_s=LIMIT_S)
    time.sleep(0.5)
    with _connected(url) as connection:
        busy = "SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = 'gaelp query'"
        assert connection.execute(busy).fetchone() == (0,)
        left = "SELECT COUNT(*) FROM pg_class WHERE relnamespace::regnamespace::text LIKE 'pg_temp%'"
        assert connection.execute(left).fetchone() == (0,)


def test_ordinary_sql_is_answered(store: tuple[str, str, str]) -> None:
    """Aggregates, windows, recursion, dates, JSON, parameters, duplicate column names."""
    url, older, newer = store
    sql = "SELECT run_id, COUNT(*) FROM conversions GROUP BY run_id ORDER BY 2"
    assert run_query(url, sql).rows == [(newer, 4)]
    assert run_query(url, sql, run=older[:8]).rows == [(older, 3)]
    assert run_query(url, sql, all_runs=True).rows == [(older, 3), (newer, 4)]
    found = run_query(url, "SELECT COUNT(*), COUNT(*) FROM credit WHERE model = :model", parameters={"model": "last"})
    assert (found.columns, found.rows) == (("count", "count"), [(6, 6)])
    quoted = run_query(url, "SELECT COUNT(*) FROM credit WHERE model = :model", parameters={"model": "x' OR 'a'='a"})
    assert quoted.rows == [(0,)]
    days = "WITH RECURSIVE d(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM d WHERE n < 13) SELECT COUNT(*) FROM d"
    assert run_query(url, days).rows == [(14,)]
    kinds = ("SELECT 9007199254740993, 0.1::double precision, 2.50, 'naïve ✓', '\\x00ff'::bytea, NULL, true,"
             " DATE '2025-09-01'")
    assert run_query(url, kinds).rows == [(9007199254740993, 0.1, 2.5, "naïve ✓", b"\x00\xff", None, True, "2025-09-01")]
    window = ("SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY value_usd), round(AVG(value_usd)::numeric, 1)"
              " FROM conversions;")
    assert run_query(url, window).rows == [(180.0, 180.0)]
    ledger = "SELECT SUM(amount_micros) FROM ledger -- a synonym that is a table's name too"
    assert run_query(url, ledger).rows == [(5_610_000,)]


def test_order_and_limit_hold(store: tuple[str, str, str]) -> None:
    """Rows come in the query's order, cut at the limit."""
    found = run_query(store[0], "SELECT x FROM generate_series(1, 5000) AS x ORDER BY x DESC", limit=2)
    assert (found.rows, found.more) == ([(5000,), (4999,)], True)
    assert len(run_query(store[0], "SELECT x FROM generate_series(1, 450) AS x", limit=450).rows) == 450


REFUSALS = {
    "SELECT stag FROM journeys": "no column stag in journeys, nearest: stage; next: gaelp query --list",
    "SELECT * FROM journies": "journies: not a named view, nearest: journeys; next: gaelp query --list",
    "SELECT * FROM touchpoint": "touchpoint: not a named view, nearest: touchpoints; next: gaelp query --list",
    "SELECT pg_sleep(1)::text":
        "pg_sleep(): this function is not allowed in a query; the console only reads: one SELECT on the named views",
    "SELECT 1; SELECT 2": "more than one statement; the console only reads: one SELECT on the named views",
    "SELECT FROM journeys": "a query needs a column; next: gaelp query --list",
}


def test_refusals_say_what_and_what_next(store: tuple[str, str, str]) -> None:
    """One line each, as on SQLite."""
    for sql, line in REFUSALS.items():
        with pytest.raises(UsageError) as refusal:
            run_query(store[0], sql)
        assert str(refusal.value) == line


def test_stores_that_cannot_answer(store: tuple[str, str, str], pg_url: str) -> None:
    """78 for an empty database, 66 for no such run, 75 for no server, and no password in any line."""
    with pytest.raises(SchemaVersionError):
        run_query(pg_url, "SELECT 1")
    with pytest.raises(RunNotFoundError, match="no run 'zz'"):
        run_query(store[0], "SELECT 1", run="zz")
    with pytest.raises(GaelpError) as refusal:
        run_query("postgresql+psycopg://me:secret@127.0.0.1:1/none", "SELECT 1", timeout_s=3)
    assert refusal.value.exit_code == 75
    assert "secret" not in str(refusal.value)


def test_asking_changes_no_row(store: tuple[str, str, str]) -> None:
    """The row hash of the run is the same before and after."""
    from gaelp_sim.store import Store

    def print_of_run() -> str:
        opened = Store.open(store[0])
        try:
            return row_hash(opened, opened.find_run(store[2]))
        finally:
            opened.close()

    before = print_of_run()
    run_query(store[0], "SELECT * FROM journeys")
    assert print_of_run() == before
