"""A run in a lake: the same rows and answers as in a database, each part once, whatever fails."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pyarrow")
pytest.importorskip("duckdb")

from gaelp_sim.errors import CorruptStoreError, GaelpError, StoreBusyError, StoreIOError, StoreWriteError, UsageError
from gaelp_sim.store import Batch, RunRecord, Store, console_child, lake, row_hash, verify_run
from gaelp_sim.store.console import run_query
from gaelp_sim.store.lake_reader import parts_of
from gaelp_sim.store.lake_session import open_session
from gaelp_sim.store.layout import LAYOUTS
from gaelp_sim.store.named_queries import NAMED_QUERIES, resolve
from gaelp_sim.store.view_parts import resolve_marks
from gaelp_sim.store.view_rows import view_rows
from gaelp_sim.store.views import VIEWS, view_selects
from tests.store.conftest import batch_of_day
from tests.store.hand_made_store import make_store
from tests.store.lakes import moved
from tests.store.test_console import BOMBS, OPENINGS, RAW_TABLES, WRITES
from tests.store.test_named_queries import EXPECTED, _assert_rows

NAMES = {"channel": ["search", "social"]}
DAYS = 25
ESCAPES = """
SELECT * FROM read_parquet('/etc/passwd')
SELECT * FROM '/etc/passwd'
SELECT * FROM 'journeys.parquet'
SELECT * FROM read_csv('/etc/passwd')
SELECT * FROM read_text('/etc/passwd')
SELECT * FROM glob('/*')
SELECT * FROM duckdb_views()
SELECT * FROM duckdb_settings()
SELECT * FROM duckdb_views
WITH duckdb_views AS (SELECT * FROM duckdb_views) SELECT sql FROM duckdb_views
SELECT * FROM information_schema.tables
SELECT * FROM pg_catalog.pg_class
WITH touchpoint AS (SELECT * FROM touchpoint) SELECT * FROM touchpoint
SELECT * FROM query('SELECT 1')
SELECT * FROM query_table('run')
SELECT current_setting('memory_limit')
SELECT getenv('HOME')
COPY (SELECT 1) TO 'out.csv'
EXPORT DATABASE 'out'
IMPORT DATABASE 'out'
INSTALL httpfs
LOAD httpfs
SET threads = 8
RESET lock_configuration
SET VARIABLE x = 1
CALL pragma_version()
CHECKPOINT
PREPARE p AS SELECT 1
SHOW TABLES
DESCRIBE journeys
SUMMARIZE journeys
PIVOT journeys ON stage USING COUNT(*)
SELECT repeat('x', 1000000000)
SELECT * FROM range(1000000000000)
SELECT UNNEST(range(1000000000000))
""".strip().splitlines()


def short_batch(day: int) -> Batch:
    """A day's batch as the simulator gives it: journeys with the last day alone."""
    batch = batch_of_day(day)
    final = day == DAYS - 1
    tables = {name: columns for name, columns in batch.tables.items() if name != "journey" or final}
    return replace(batch, tables=tables, final=final)


def written(store: Store, record: RunRecord) -> RunRecord:
    """A run of DAYS days, committed day by day; a failed commit is made again."""
    run = store.begin_run(record, NAMES)
    for day in range(DAYS):
        while True:
            try:
                store.commit(run, short_batch(day))
                break
            except StoreIOError as error:
                assert "\n" not in str(error) and "disk on fire" in str(error)
    store.finish_run(run, "FINISHED", {})
    return run


def test_fifty_failed_writes_lose_nothing_and_write_nothing_twice(
    tmp_path: Path, db_url: str, run_record: RunRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Failures before, amid and after the rename; then hash, checks and files are those of a run without any."""
    record = replace(run_record, end_hour=DAYS * 24, days=DAYS)
    rng = np.random.default_rng(1)
    left, put = [50], lake.Folder.put

    def failing(self: lake.Folder, path: str, content: bytes) -> None:
        fails = left[0] > 0 and rng.random() < 0.6
        left[0] -= fails
        if fails and rng.random() < 0.5:
            raise OSError("disk on fire")
        if fails:
            put(self, path, content if rng.random() < 0.5 else content[:10])
            raise OSError("disk on fire")
        put(self, path, content)

    with Store.open(db_url) as store:
        plain = written(store, record)
        monkeypatch.setattr(lake.Folder, "put", failing)
        run = written(store, replace(record, lake=str(tmp_path / "lake")))
        assert left == [0]
        assert row_hash(store, run) == row_hash(store, plain)
        assert [finding for finding in verify_run(store, run) if not finding[1]] == [
            finding for finding in verify_run(store, plain) if not finding[1]]
        with store.database.reading() as link:
            named = {part.path: part.rows for part in parts_of(link, run.run_key)}
        assert sum(named.values()) == 300 * (2 * DAYS + 1)
        files = {str(file.relative_to(tmp_path / "lake")) for file in (tmp_path / "lake").rglob("*") if file.is_file()}
        assert files == set(named)
        store.delete_run(run)
        assert not [file for file in (tmp_path / "lake").rglob("*") if file.is_file()]


def test_a_changed_or_missing_part_is_found(tmp_path: Path, sqlite_url: str, run_record: RunRecord) -> None:
    """`verify` names it, and reading it is refused."""
    with Store.open(sqlite_url) as store:
        run = written(store, replace(run_record, end_hour=DAYS * 24, days=DAYS, lake=str(tmp_path)))
        part = next(tmp_path.rglob("*.parquet"))
        content = part.read_bytes()
        part.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        assert [(name, passed) for name, passed, _ in verify_run(store, run)] == [("parts of the lake", False)]
        with pytest.raises(CorruptStoreError, match="was changed"):
            row_hash(store, run)
        part.unlink()
        with pytest.raises(CorruptStoreError, match="is missing"):
            row_hash(store, run)


def test_worked_queries_have_the_same_answers_from_a_lake(tmp_path: Path, db_url: str) -> None:
    """Those that were worked out by hand, on either catalogue; over all runs and as of a moment, those of the database."""
    make_store(db_url)
    every = {"all_runs": True, "as_of_s": 1_757_462_400}
    sql = "SELECT stage, status, touches, cost_usd, channels_exposed FROM journeys ORDER BY 1, 2, 3, 4, 5"
    before = [run_query(db_url, sql, **option).rows for option in ({}, {"all_runs": True}, {"as_of_s": every["as_of_s"]})]
    exported = {view: rows_of(db_url, view) for view in VIEWS}
    moved(db_url, tmp_path / "lake")
    assert set(EXPECTED) == set(NAMED_QUERIES)
    for name, expected in EXPECTED.items():
        text, parameters = resolve(name)
        _assert_rows(run_query(db_url, text, parameters=parameters).rows, expected)
    after = [run_query(db_url, sql, **option).rows for option in ({}, {"all_runs": True}, {"as_of_s": every["as_of_s"]})]
    assert before == after and before[0]
    for view, rows in exported.items():
        _assert_rows(rows_of(db_url, view), rows)


def rows_of(url: str, view: str) -> list[tuple[object, ...]]:
    """All rows of a view of the last run, as exports read them."""
    with Store.open(url) as store:
        run = store.find_run("@last")
        return [tuple(console_child.plain_value(value) if not isinstance(value, bytes) else value for value in row)
                for block in view_rows(store.database, view, run.run_id, 1_000) for row in block]


@pytest.fixture(scope="module")
def in_lake(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The hand-made store, its runs in a lake."""
    folder = tmp_path_factory.mktemp("attacked")
    url = f"sqlite:///{folder / 'gaelp.db'}"
    make_store(url)
    moved(url, folder / "lake")
    return url


@pytest.fixture(scope="module")
def asked(in_lake: str) -> Iterator[object]:
    """Function that asks a query as the console's child does, in one session (a child for each takes seconds)."""
    sys.modules.setdefault("console_child", console_child)
    from gaelp_sim.store import console_duckdb

    views = {name: resolve_marks(text, prefix="{schema}.") for name, text in view_selects("duckdb").items()}
    with Store.open(in_lake) as store, store.database.reading() as link:
        session, schema = open_session(link, [run.run_key for run in store.runs()], LAYOUTS)
        for name, select in views.items():
            session.execute(f"CREATE VIEW main.{name} AS {select.replace('{schema}', schema)}")

        def ask(sql: str) -> object:
            request = {"views": dict.fromkeys(views, ""), "pieces": [("text", sql)], "parameters": {}, "limit": 10}
            console_duckdb._check(session, sql, frozenset(views))
            return session.execute(request["pieces"][0][1]).fetchmany(10)

        yield ask
        session.close()


@pytest.mark.parametrize("sql", [*WRITES, *OPENINGS, *RAW_TABLES, *ESCAPES], ids=lambda sql: sql[:60])
def test_an_attack_on_a_lake_is_refused(asked, sql: str) -> None:
    """By the parse, or by DuckDB's own lock where the parse lets it through."""
    import duckdb

    assert asked("SELECT COUNT(*) FROM journeys") != [(0,)]
    with pytest.raises((console_child.QueryRefused, duckdb.Error)):
        asked(sql)


def test_the_lock_alone_holds_too(asked, in_lake: str, tmp_path: Path) -> None:
    """Were the parse to let all through, no file, setting or extension is in reach."""
    import duckdb

    with Store.open(in_lake) as store, store.database.reading() as link:
        session, _ = open_session(link, [store.runs()[-1].run_key], ["journey"])
    for sql in ("SELECT * FROM read_text('/etc/passwd')", "SELECT * FROM '/etc/passwd'", "SET threads = 8", "LOAD httpfs",
                f"COPY (SELECT 1) TO '{tmp_path}/escaped.csv'", f"ATTACH '{tmp_path}/escaped.db'", "INSTALL httpfs",
                "RESET enable_external_access", "SELECT * FROM glob('/etc/*')"):
        with pytest.raises(duckdb.Error):
            session.execute(sql).fetchall()
    session.close()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("sql", [BOMBS[0], BOMBS[5], ESCAPES[0], "DELETE FROM journeys", "SELECT * FROM person"])
def test_the_child_answers_an_attack_in_one_line_and_in_time(in_lake: str, sql: str) -> None:
    """The whole way, process and all."""
    with pytest.raises((UsageError, StoreBusyError)) as refusal:
        run_query(in_lake, sql, timeout_s=4.0)
    assert "\n" not in str(refusal.value) and "store_" not in str(refusal.value)


def test_parameters_and_limits_hold_in_a_lake(in_lake: str) -> None:
    """As on SQLite."""
    sql = "SELECT person_id FROM touchpoints WHERE person_id >= :p ORDER BY 1"
    result = run_query(in_lake, sql, parameters={"p": 0}, limit=2)
    assert len(result.rows) == 2 and result.more
    with pytest.raises(UsageError, match="no column colour in journeys"):
        run_query(in_lake, "SELECT colour FROM journeys")


def test_cells_name_parts_by_ranges_of_people() -> None:
    """A person belongs to the cell whose first person comes last before them."""
    starts = np.array([[0, 3, 5], [0, 2, 6]])
    world, person = np.array([0, 0, 0, 1, 1, 1]), np.array([2, 3, 9, 1, 2, 6])
    assert lake._cell(starts, world, person).tolist() == [0, 1, 2, 0, 1, 2]


def test_places_that_cannot_be_a_lake_are_refused(tmp_path: Path) -> None:
    """One line each."""
    (tmp_path / "file").write_text("x")
    below = str(tmp_path / "file" / "below")
    refused = (
        (str(tmp_path / "file"), StoreWriteError), (below, StoreWriteError), ("", UsageError),
        ("s3://me:secret@host/x", UsageError), ("nosuch://x/y", UsageError),
    )
    for place, error in refused:
        with pytest.raises(error) as refusal:
            lake.checked_place(place)
        assert "\n" not in str(refusal.value) and "secret" not in str(refusal.value)
    assert issubclass(StoreIOError, GaelpError)


def test_an_object_store_holds_the_same_rows(sqlite_url: str, run_record: RunRecord) -> None:
    """Through fsspec (its store in memory): the same hash and answers; deleting leaves nothing."""
    fsspec = pytest.importorskip("fsspec")
    files = fsspec.filesystem("memory")
    with Store.open(sqlite_url) as store:
        record = replace(run_record, end_hour=DAYS * 24, days=DAYS)
        plain = written(store, record)
        run = written(store, replace(record, lake=lake.checked_place("memory://bucket/lake/")))
        assert row_hash(store, run) == row_hash(store, plain)
        for view in ("touchpoints", "decisions"):
            found = [
                sorted(repr(row).replace(of.run_id, "run") for block in view_rows(store.database, view, of.run_id, 999)
                       for row in block)
                for of in (plain, run)
            ]
            assert found[0] == found[1] and len(found[0]) == 300 * DAYS
        assert files.find("/bucket/lake")
        store.delete_run(run)
        assert not files.find("/bucket/lake")


def test_without_the_extra_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """None in `sys.modules` is a package that is not there."""
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(StoreWriteError) as refusal:
        lake.checked_place(str(tmp_path))
    assert str(refusal.value) == "a lake needs pyarrow, duckdb and fsspec; next: pip install 'gaelp-sim[lake]'"
