"""Whatever the database says, a user reads one line with a next step, and the exit code tells the kind."""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from gaelp_sim.errors import (
    CorruptStoreError,
    GaelpError,
    RunNotFoundError,
    SchemaVersionError,
    StoreBusyError,
    StoreIOError,
    StoreWriteError,
)
from gaelp_sim.store import Store, engines, verify_run
from gaelp_sim.store.failures import translated


def told(error: pytest.ExceptionInfo[GaelpError]) -> str:
    text = str(error.value)
    assert "\n" not in text and "next: " in text
    return text


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(StoreWriteError) as error:
        Store.open(f"sqlite:///{tmp_path}/none/gaelp.db")
    assert "unable to open database file" in told(error)


def test_missing_file_where_one_must_be(tmp_path: Path) -> None:
    with pytest.raises(RunNotFoundError) as error:
        Store.open(f"sqlite:///{tmp_path}/gaelp.db", must_exist=True)
    assert "no such store" in told(error) and not list(tmp_path.iterdir())


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("dear diary, " * 100)
    with pytest.raises(CorruptStoreError) as error:
        Store.open(f"sqlite:///{tmp_path}/notes.txt")
    assert "not a database" in told(error)


def test_tables_of_somebody_else(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "other.db") as other:
        other.execute("CREATE TABLE people (name TEXT)")
    with pytest.raises(SchemaVersionError) as error:
        Store.open(f"sqlite:///{tmp_path}/other.db")
    assert "no gaelp store" in told(error)


@pytest.mark.parametrize("version,step", [("0000", "gaelp db upgrade"), ("9999", "install a newer gaelp-sim")])
def test_another_schema_version(db_url: str, version: str, step: str) -> None:
    with Store.open(db_url) as store, store.database.writing() as link:
        link.execute("UPDATE alembic_version SET version_num = ?", (version,))
    with pytest.raises(SchemaVersionError) as error:
        Store.open(db_url)
    assert step in told(error)


@pytest.mark.parametrize("url", ["nonsense", "oracle://x", "mysql://u:secret@h/db", "postgresql+psycopg://u:secret@h:x/db"])
def test_urls_that_name_no_store(url: str) -> None:
    with pytest.raises(StoreWriteError) as error:
        Store.open(url)
    assert "secret" not in told(error)


def test_locked(sqlite_url: str, run_record, monkeypatch) -> None:
    Store.open(sqlite_url).close()
    pragmas = tuple(p.replace(str(engines.BUSY_TIMEOUT_MS), "50") for p in engines._SQLITE_PRAGMAS)
    monkeypatch.setattr(engines, "_SQLITE_PRAGMAS", pragmas)
    with sqlite3.connect(sqlite_url.removeprefix("sqlite:///")) as holder, Store.open(sqlite_url) as store:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusyError) as error:
            store.begin_run(run_record, {})
        assert "database is locked" in told(error)
        holder.rollback()
        store.begin_run(run_record, {})


def test_read_only(sqlite_url: str, run_record) -> None:
    Store.open(sqlite_url).close()
    with Store.open(sqlite_url) as store:
        with store.database._connection() as raw:
            raw.execute("PRAGMA query_only=ON")
        with pytest.raises(StoreWriteError) as error:
            store.begin_run(run_record, {})
    assert "readonly" in told(error)


def test_bit_rot_in_a_page(sqlite_url: str, run_record, made_batch) -> None:
    with Store.open(sqlite_url) as store:
        run = store.begin_run(run_record, {})
        store.commit(run, made_batch(0))
        store.finish_run(run, "FINISHED", {})
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    content = bytearray(path.read_bytes())
    for page in range(16_384 * 3, len(content), 16_384):
        content[page : page + 8] = b"\xff" * 8
    path.write_bytes(content)
    with pytest.raises(CorruptStoreError) as error, Store.open(sqlite_url) as store:
        run = store.find_run("@last")
        findings = verify_run(store, run)
        assert [f for f in findings if not f[1]], "every page header is broken"
        store.read(run, "touchpoint")
    told(error)


FILLING = """
import resource, signal, sys
from gaelp_sim.errors import GaelpError
from gaelp_sim.store import Store
sys.path.insert(0, sys.argv[2])
from conftest import batch_of_day
from gaelp_sim.store import RunRecord
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))
store = Store.open(sys.argv[1])
run = store.begin_run(RunRecord(scenario_name="s", scenario_text="{}", scenario_hash="", seed=1, people=1, days=1,
                                worlds=1, start_s=0, end_hour=24), {})
try:
    for day in range(100):
        store.commit(run, batch_of_day(day, people=2000))
        print(24 * (day + 1), flush=True)
except GaelpError as error:
    print(type(error).__name__, error)
"""


def test_a_file_that_may_grow_no_more_keeps_what_was_committed(sqlite_url: str, made_batch) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FILLING, sqlite_url, str(Path(__file__).parent)],
        capture_output=True, text=True, timeout=120, check=True,
    )
    *hours, message = done.stdout.strip().splitlines()
    assert message.startswith("StoreIOError") and "gaelp resume" in message, done.stdout
    with Store.open(sqlite_url) as store:
        run, checkpoint = store.claim_run("@last")
        reached = checkpoint.hour if checkpoint else 0
        assert reached == (int(hours[-1]) if hours else 0)
        store.commit(run, made_batch(reached // 24, people=2000))
        assert all(passed for _, passed, _ in verify_run(store, store.find_run("@last")))
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 3_000_000


def test_postgres_that_is_not_there(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(StoreBusyError) as error:
        Store.open(f"postgresql+psycopg://me:secret@/none?host={tmp_path}")
    assert "secret" not in told(error) and "start the server" in told(error)


def test_postgres_database_that_is_not_there(pg_url: str) -> None:
    with pytest.raises(StoreWriteError) as error:
        Store.open(pg_url.replace("gaelp_test_", "no_such_"))
    assert "does not exist" in told(error)


def test_postgres_connection_lost_in_mid_run(pg_url: str, run_record, made_batch) -> None:
    """The commit fails with one line; the same commit made again gets a new connection and goes through."""
    with Store.open(pg_url) as store, Store.open(pg_url) as other:
        run = store.begin_run(run_record, {})
        store.commit(run, made_batch(0))
        with pytest.raises(StoreBusyError) as error, store.database.writing() as link:
            link.execute("UPDATE run SET label = 'lost'")
            with other.database.writing() as killer:
                killer.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                    "AND pid <> pg_backend_pid() AND state = 'idle in transaction'"
                )
            link.execute("SELECT 1")
        told(error)
        store.commit(run, made_batch(1))
        assert store.find_run("@last").label == ""
        assert len(store.read(run, "touchpoint")["person_id"]) == 600


@pytest.mark.parametrize("kind,expected", [
    ("SQLITE_IOERR_WRITE", StoreIOError), ("SQLITE_FULL", StoreIOError), ("SQLITE_BUSY_SNAPSHOT", StoreBusyError),
    ("SQLITE_READONLY_DBMOVED", StoreWriteError), ("SQLITE_CORRUPT_INDEX", CorruptStoreError),
])
def test_extended_result_codes_follow_their_kind(kind: str, expected: type[GaelpError]) -> None:
    cause = sqlite3.OperationalError("disk I/O error")
    cause.sqlite_errorname = kind
    with pytest.raises(expected), translated("sqlite:///x.db"):
        raise cause


def test_other_exceptions_pass_unchanged() -> None:
    with pytest.raises(ZeroDivisionError), translated("sqlite:///x.db"):
        raise ZeroDivisionError
    assert os.getpid()
