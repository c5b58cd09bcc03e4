"""The console on SQLite: what it answers, what it refuses, and that nothing gets past it."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gaelp_sim.errors import (
    CorruptStoreError,
    RunNotFoundError,
    SchemaVersionError,
    StoreBusyError,
    UsageError,
)
from gaelp_sim.store.console import MEMORY_BYTES, run_query
from gaelp_sim.store.console_refusals import explain
from gaelp_sim.store.sql_text import parameter_names, statement
from tests.store.hand_made_store import make_store

LIMIT_S = 0.5
SLACK_S = 8.0  # starting a child takes long on a busy machine; what is not cut would run for minutes
_ENDLESS = "WITH RECURSIVE a(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM a)"
_MANY_TOUCHES = ", ".join(f"touchpoints AS t{i}" for i in range(12))

WRITES = """
DELETE FROM journeys
UPDATE journeys SET stage = 'AWARE'
INSERT INTO run (run_id) VALUES ('x')
REPLACE INTO name VALUES (1, 'channel', 9, 'x')
DROP TABLE journey
DROP VIEW journeys
ALTER TABLE journey RENAME TO gone
CREATE TABLE mine (x INTEGER)
CREATE TEMP TABLE mine (x INTEGER)
CREATE VIEW mine AS SELECT 1
CREATE TRIGGER mine AFTER INSERT ON run BEGIN SELECT 1; END
CREATE INDEX mine ON journey (stage)
CREATE VIRTUAL TABLE mine USING fts5(x)
VACUUM
VACUUM INTO 'copy.db'
REINDEX
ANALYZE
BEGIN IMMEDIATE
COMMIT
SAVEPOINT mine
WITH gone AS (SELECT 1) DELETE FROM journey
WITH gone AS (SELECT 1) UPDATE person SET stage = 0
WITH gone AS (SELECT 1) INSERT INTO name SELECT 1, 'a', 1, 'b'
EXPLAIN DELETE FROM journey
SELECT 1; DROP TABLE journey
SELECT 1; SELECT 2
""".strip().splitlines()

OPENINGS = """
ATTACH DATABASE 'other.db' AS other
ATTACH DATABASE ':memory:' AS other
DETACH DATABASE main
PRAGMA query_only = 0
PRAGMA journal_mode = DELETE
PRAGMA writable_schema = 1
PRAGMA table_info(person)
SELECT * FROM pragma_table_info('person')
SELECT * FROM pragma_database_list
SELECT * FROM pragma_query_only
SELECT load_extension('libevil.so')
SELECT readfile('/etc/passwd')
SELECT writefile('out.txt', 'x')
SELECT edit('x')
SELECT fts3_tokenizer('simple')
SELECT sqlite_source_id()
SELECT * FROM dbstat
SELECT * FROM sqlite_dbpage
SELECT * FROM sqlite_master
SELECT * FROM sqlite_schema
SELECT * FROM temp.sqlite_master
SELECT sql FROM sqlite_temp_schema
""".strip().splitlines()

RAW_TABLES = """
SELECT * FROM person
SELECT stage FROM main.person
SELECT COUNT(*) FROM person
SELECT 1 FROM truth_person
SELECT * FROM main.journeys
SELECT state FROM checkpoint
SELECT scenario_text FROM run
SELECT writer_token FROM main.run
WITH journeys AS (SELECT * FROM main.person) SELECT * FROM journeys
WITH people AS (SELECT * FROM person) SELECT stage FROM people
WITH view_ AS (SELECT * FROM checkpoint) SELECT * FROM view_
SELECT * FROM (SELECT * FROM person) AS people
SELECT (SELECT stage FROM person LIMIT 1) FROM journeys
SELECT * FROM journeys WHERE person_id IN (SELECT person_id FROM person)
SELECT * FROM journeys UNION ALL SELECT * FROM journey
SELECT stage FROM journeys ORDER BY (SELECT MAX(stage) FROM person)
WITH RECURSIVE person(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM person LIMIT 3) SELECT * FROM main.person
SELECT EXISTS (SELECT 1 FROM checkpoint)
SELECT person.stage FROM journeys JOIN person USING (person_id)
SELECT * FROM "person"
SELECT * FROM [person]
SELECT * FROM `person`
SELECT * FROM PERSON
VALUES ((SELECT MAX(stage) FROM person))
""".strip().splitlines()

BOMBS = [
    f"{_ENDLESS} SELECT COUNT(*) FROM a",
    f"{_ENDLESS} SELECT * FROM a ORDER BY x DESC",
    f"{_ENDLESS} SELECT group_concat(hex(x)) FROM a",
    f"{_ENDLESS} SELECT SUM(length(replace(hex(x), '0', '00'))) FROM a",
    f"{_ENDLESS} SELECT DISTINCT x FROM a ORDER BY -x",
    f"SELECT COUNT(*) FROM {_MANY_TOUCHES}",
    f"SELECT MAX(a.path || b.path) FROM paths AS a, {_MANY_TOUCHES}, paths AS b",
    "SELECT printf('%.*c', 900000000, 'x')",
    "SELECT format('%.*c', 900000000, 'x')",
    "SELECT zeroblob(900000000)",
    "SELECT randomblob(900000000)",
    "SELECT hex(zeroblob(100000000))",
    "SELECT " + "replace(" * 30 + "'aaaaaaaaaa'" + ", 'a', 'aaaaaaaaaa')" * 30,
    "SELECT " + "(" * 5_000 + "1" + ")" * 5_000,
    "SELECT " + "+".join("1" * 5_000),
    "SELECT " + ", ".join("1" for _ in range(5_000)),
    " UNION ALL ".join("SELECT 1" for _ in range(600)),
    "SELECT '" + "x" * 1_000_000 + "'",
    "SELECT 1 WHERE 'a' LIKE '" + "%a" * 5_000 + "'",
    f"{_ENDLESS}, b(s) AS (SELECT 'x' UNION ALL SELECT s || s FROM b) SELECT MAX(length(s)) FROM b",
    f"{_ENDLESS}, b(s) AS (SELECT hex('xxxxxxxxxxxxxxxx') UNION ALL SELECT substr(s || s, 1, 4000000) FROM b)"
    " SELECT COUNT(*) FROM b, a WHERE instr(b.s, 'zz' || a.x) > 0",
    f"{_ENDLESS} SELECT replace(hex(x), '0', 'abcdefghijklmnopqrstuvwxyz') AS s FROM a ORDER BY s",
]

ATTACKS = [*WRITES, *OPENINGS, *RAW_TABLES, *BOMBS]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path, str, str]]:
    """URL and file of the store made by hand, with its older and its newer run."""
    path = tmp_path_factory.mktemp("console") / "gaelp.db"
    older, newer = make_store(f"sqlite:///{path}")
    yield f"sqlite:///{path}", path, older, newer


def _print_of(folder: Path) -> dict[str, str]:
    return {entry.name: hashlib.sha256(entry.read_bytes()).hexdigest() for entry in sorted(folder.iterdir())}


def test_there_are_at_least_sixty_attacks() -> None:
    """Promise P15."""
    assert len(set(ATTACKS)) >= 60


@pytest.mark.parametrize("sql", ATTACKS, ids=lambda sql: sql[:60])
def test_an_attack_is_refused_or_cut_in_time_and_changes_nothing(store: tuple[str, Path, str, str], sql: str) -> None:
    """One line, an exit code of the user's or the clock's, no byte moved, no file made."""
    url, path, _, _ = store
    before = _print_of(path.parent)
    started = time.monotonic()
    with pytest.raises((UsageError, StoreBusyError)) as refusal:
        run_query(url, sql, timeout_s=LIMIT_S)
    assert time.monotonic() - started < LIMIT_S + SLACK_S
    assert "\n" not in str(refusal.value) and len(str(refusal.value)) < 400
    assert "view_" not in str(refusal.value).replace("view_:", "")
    assert _print_of(path.parent) == before


_BOMBARD = """
import json, resource, sys
from gaelp_sim.errors import GaelpError
from gaelp_sim.store.console import run_query
url, limit_s, bombs = json.load(sys.stdin)
for bomb in bombs:
    try:
        run_query(url, bomb, timeout_s=limit_s)
    except GaelpError:
        pass
    else:
        sys.exit(f"not refused: {bomb}")
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def test_the_child_never_took_more_memory_than_it_may(store: tuple[str, Path, str, str]) -> None:
    """Resident memory of the largest child, in a process that has no other children."""
    given = json.dumps([store[0], LIMIT_S, list(BOMBS)])
    done = subprocess.run([sys.executable, "-c", _BOMBARD], input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) * 1024 <= MEMORY_BYTES + 64 * 1024 * 1024


def test_a_forged_view_context_reads_nothing(store: tuple[str, Path, str, str]) -> None:
    """A WITH table that bears a view's name is not trusted as that view is (SQLite tells the authorizer names only)."""
    with pytest.raises(UsageError, match="^person: not a named view, nearest: people; next: gaelp query --list$"):
        run_query(store[0], "WITH journeys AS (SELECT * FROM main.person) SELECT * FROM journeys")


# What it answers


def test_the_last_run_is_asked_unless_told_otherwise(store: tuple[str, Path, str, str]) -> None:
    """Runs by prefix, by @last, or all."""
    url, _, older, newer = store
    sql = "SELECT run_id, COUNT(*) FROM conversions GROUP BY run_id ORDER BY 2"
    assert run_query(url, sql).rows == [(newer, 4)]
    assert run_query(url, sql, run="@last").rows == [(newer, 4)]
    assert run_query(url, sql, run=older[:8]).rows == [(older, 3)]
    assert run_query(url, sql, all_runs=True).rows == [(older, 3), (newer, 4)]


def test_rows_beyond_the_limit_are_told_of(store: tuple[str, Path, str, str]) -> None:
    """`more` says that the answer was cut."""
    url = store[0]
    assert run_query(url, "SELECT 1 FROM touchpoints", limit=7).more is False
    cut = run_query(url, "SELECT touched_at FROM touchpoints ORDER BY touched_s", limit=2)
    assert (len(cut.rows), cut.more, cut.columns) == (2, True, ("touched_at",))


def test_values_keep_their_kind(store: tuple[str, Path, str, str]) -> None:
    """Integers beyond a double, floats to the last bit, text of any script, bytes, NULL."""
    sql = "SELECT 9007199254740993, 0.1, 'naïve ✓ \"q\"', features, NULL FROM decisions ORDER BY decided_s LIMIT 1"
    assert run_query(store[0], sql).rows == [(9007199254740993, 0.1, 'naïve ✓ "q"', b"\x00\x00\x80?", None)]


def test_parameters_are_bound_not_pasted(store: tuple[str, Path, str, str]) -> None:
    """A value stays a value, whatever it says; missing and needless ones are told."""
    url = store[0]
    sql = "SELECT COUNT(*) FROM touchpoints WHERE channel = :channel"
    assert run_query(url, sql, parameters={"channel": "search"}).rows == [(4,)]
    assert run_query(url, sql, parameters={"channel": "x' OR 1=1 --"}).rows == [(0,)]
    with pytest.raises(UsageError, match="^the query's parameter :channel has no value; next: -p channel=VALUE$"):
        run_query(url, sql)
    with pytest.raises(UsageError, match="^-p chanel: the query has no parameter :chanel; it has :channel$"):
        run_query(url, sql, parameters={"channel": "search", "chanel": "x"})


def test_recursion_windows_and_plans_are_allowed(store: tuple[str, Path, str, str]) -> None:
    """The console refuses harm, not SQL."""
    url = store[0]
    days = "WITH RECURSIVE d(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM d WHERE n < 13) SELECT COUNT(*) FROM d"
    assert run_query(url, days).rows == [(14,)]
    window = "SELECT order_id, SUM(value_usd) OVER (ORDER BY decided_s) FROM conversions WHERE ours = 1;  -- running\n"
    assert [row[1] for row in run_query(url, window).rows] == [180.0, 360.0, 540.0]
    assert run_query(url, "VALUES (1), (2)").rows == [(1,), (2,)]
    assert run_query(url, "EXPLAIN QUERY PLAN SELECT stage FROM journeys").rows


def test_a_store_being_written_can_be_asked(tmp_path: Path) -> None:
    """While a writer holds the file open, the console sees what was committed."""
    path = tmp_path / "gaelp.db"
    make_store(f"sqlite:///{path}")
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("UPDATE run SET label = 'committed'")
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("UPDATE run SET label = 'open'")
    assert run_query(f"sqlite:///{path}", "SELECT label FROM runs").rows == [("committed",)]
    writer.execute("ROLLBACK")
    writer.close()


def test_a_write_protected_store_can_be_asked(tmp_path: Path) -> None:
    """Nothing is put beside the file, so its folder need not be writable."""
    path = tmp_path / "archive" / "gaelp.db"
    path.parent.mkdir()
    make_store(f"sqlite:///{path}")
    path.chmod(0o444)
    path.parent.chmod(0o555)
    try:
        assert run_query(f"sqlite:///{path}", "SELECT COUNT(*) FROM journeys").rows == [(4,)]
        assert os.listdir(path.parent) == ["gaelp.db"]
    finally:
        path.parent.chmod(0o755)


# What it tells


REFUSALS = {
    "SELECT stag FROM journeys": "no column stag in journeys, nearest: stage; next: gaelp query --list",
    "SELECT * FROM journies": "journies: not a named view, nearest: journeys; next: gaelp query --list",
    "SELECT * FROM touchpoint": "touchpoint: not a named view, nearest: touchpoints; next: gaelp query --list",
    "DROP TABLE journey": "DROP is not allowed in a query; the console only reads: one SELECT on the named views",
    "SELECT printf('x')":
        "printf(): this function is not allowed in a query; the console only reads: one SELECT on the named views",
    "SELECT 1; SELECT 2": "more than one statement; the console only reads: one SELECT on the named views",
    "SELECT FROM journeys": 'near "FROM": syntax error; next: gaelp query --list',
    "  -- nothing\n ;": 'the query is empty; next: gaelp query "SELECT stage, COUNT(*) FROM journeys GROUP BY 1"',
}


@pytest.mark.parametrize("sql", REFUSALS)
def test_a_refusal_says_what_and_what_next(store: tuple[str, Path, str, str], sql: str) -> None:
    """One line with the nearest valid name."""
    with pytest.raises(UsageError) as refusal:
        run_query(store[0], sql)
    assert str(refusal.value) == REFUSALS[sql]


def test_a_query_over_time_says_how_long_it_had(store: tuple[str, Path, str, str]) -> None:
    """Exit 75: the same question may be answered with more time."""
    with pytest.raises(StoreBusyError, match=r"^the query ran over 0.3 s; next: narrow it .* or raise --timeout$"):
        run_query(store[0], BOMBS[0], timeout_s=0.3)


def test_an_unknown_run_is_told_the_nearest(store: tuple[str, Path, str, str]) -> None:
    """Exit 66."""
    url, path, older, _ = store
    wrong = older[:-1] + ("0" if older[-1] != "0" else "1")
    with pytest.raises(RunNotFoundError) as refusal:
        run_query(url, "SELECT 1", run=wrong)
    assert str(refusal.value) == f"{path}: no run '{wrong}', nearest: {older}; next: gaelp runs list".replace("//", "/")


def test_a_store_that_is_not_there_or_not_ours(tmp_path: Path) -> None:
    """66 for no file, 78 for another schema, 76 for no database at all."""
    with pytest.raises(RunNotFoundError, match="no store at nowhere.db; next: gaelp run quickstart"):
        run_query("sqlite:///nowhere.db", "SELECT 1")
    other = tmp_path / "other.db"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE run (x)")
    connection.close()
    with pytest.raises(SchemaVersionError):
        run_query(f"sqlite:///{other}", "SELECT 1")
    junk = tmp_path / "junk.db"
    junk.write_bytes(b"this is no database, whatever its name says" * 100)
    with pytest.raises(CorruptStoreError):
        run_query(f"sqlite:///{junk}", "SELECT 1")
    with pytest.raises(UsageError, match="unknown database 'mysql'"):
        run_query("mysql://host/db", "SELECT 1")


def test_limits_out_of_range_are_refused(store: tuple[str, Path, str, str]) -> None:
    """Before anything is started."""
    with pytest.raises(UsageError, match="--limit is 0"):
        run_query(store[0], "SELECT 1", limit=0)
    with pytest.raises(UsageError, match="--timeout is 0 s"):
        run_query(store[0], "SELECT 1", timeout_s=0)


def test_an_unforeseen_end_of_the_child_is_our_bug() -> None:
    """Exit 70, and 2 where it was the query's appetite."""
    failed = explain({"kind": "failed", "detail": "KeyError: 'x'"}, place="gaelp.db", sql="SELECT 1", timeout_s=1)
    assert failed.exit_code == 70
    assert explain({"kind": "ended", "detail": ""}, place="gaelp.db", sql="SELECT 1", timeout_s=1).exit_code == 2


def test_sql_is_cut_where_it_should_be() -> None:
    """Parameters are found outside strings, comments, casts and quoted names."""
    sql = "SELECT ':no', \":no\", x::text, :yes, $$:no$$ -- :no\n/* :no */ FROM t WHERE a = :also AND b = :yes ; ; -- end"
    assert parameter_names(sql) == ["yes", "also"]
    assert statement(sql).endswith("b = :yes")
