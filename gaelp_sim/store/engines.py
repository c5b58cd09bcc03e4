"""Connections: how a store is opened on each database, and what a transaction is there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gaelp_sim.errors import RunNotFoundError, StoreWriteError
from gaelp_sim.store.failures import translated
from gaelp_sim.store.staging import SCHEMA

if TYPE_CHECKING:
    import sqlalchemy as sa

BUSY_TIMEOUT_MS = 5_000
# Durability: with WAL and NORMAL a killed process loses nothing that was committed; a power cut may lose the last
# commits, never half of one (the run resumes from the one before). GAELP_SYNCHRONOUS=FULL survives power cuts too.
_SQLITE_PRAGMAS = (
    "PRAGMA page_size=16384",  # of a file that is still empty; measured 5-10 % faster than 4096
    "PRAGMA foreign_keys=ON",
    f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}",
    "PRAGMA cache_size=-65536",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA journal_size_limit=67108864",
)
NO_FILES = ("", ":memory:")
"""What SQLite takes for a database in memory"""
IN_MEMORY = "a store in memory is gone when its command ends; next: --db sqlite:///FILE"
_SYNCHRONOUS_LEVELS = ("OFF", "NORMAL", "FULL", "EXTRA")


@dataclass(frozen=True)
class Link:
    """One open transaction on the driver's own connection; SQL is written with `?` for parameters."""

    dialect: str  # "sqlite" or "postgresql"
    raw: Any

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """Run one statement and return the driver's cursor."""
        if self.dialect == "sqlite":
            return self.raw.execute(sql, parameters)
        return self.raw.execute(sql.replace("?", "%s") if parameters else sql, parameters or None)

    def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one statement for each row."""
        cursor = self.raw.cursor()
        cursor.executemany(sql if self.dialect == "sqlite" else sql.replace("?", "%s"), rows)
        cursor.close()

    def all(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Every row of a query."""
        rows: list[tuple[Any, ...]] = self.execute(sql, parameters).fetchall()
        return rows

    def one(self, sql: str, parameters: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        """The first row of a query, or None."""
        row: tuple[Any, ...] | None = self.execute(sql, parameters).fetchone()
        return row


@dataclass(frozen=True)
class Database:
    """An SQLAlchemy engine with our transactions; `url` has its password hidden and is fit to print."""

    url: str
    dialect: str
    engine: sa.Engine

    @contextmanager
    def writing(self) -> Iterator[Link]:
        """One transaction that writes: all of it is there afterwards, or nothing."""
        with translated(self.url), self._connection() as raw:
            # A deferred BEGIN that reads first and then writes fails at once when another writer was faster.
            with _transaction(raw, "BEGIN IMMEDIATE" if self.dialect == "sqlite" else None):
                yield Link(self.dialect, raw)

    @contextmanager
    def reading(self) -> Iterator[Link]:
        """One transaction that reads a single state of the store, whatever others commit meanwhile."""
        with translated(self.url), self._connection() as raw:
            with _transaction(raw, "BEGIN" if self.dialect == "sqlite" else None):
                if self.dialect == "postgresql":
                    raw.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
                    raw.execute("SET LOCAL work_mem = '128MB'")  # whole tables are sorted by their key
                yield Link(self.dialect, raw)

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        pooled = self.engine.raw_connection()
        try:
            yield pooled.driver_connection
        finally:
            pooled.close()

    def close(self) -> None:
        """Close every connection of the pool."""
        with translated(self.url):
            self.engine.dispose()


@contextmanager
def _transaction(raw: Any, begin: str | None) -> Iterator[None]:
    if begin is not None:
        raw.execute(begin)
    try:
        yield
        if begin is None:
            raw.commit()
        else:
            raw.execute("COMMIT")
    except BaseException:
        _roll_back(raw, begin)
        raise


def _roll_back(raw: Any, begin: str | None) -> None:
    # The first error is the one to tell: a rollback that fails too (server gone) adds nothing, and some SQLite
    # errors have rolled back already.
    try:
        if begin is None:
            raw.rollback()
        elif raw.in_transaction:
            raw.execute("ROLLBACK")
    except Exception:  # noqa: S110
        pass


def connect(url: str, *, must_exist: bool = False) -> Database:
    """Make the engine for an SQLAlchemy URL (`sqlite:///file.db`, `postgresql+psycopg://host/db`) and test it.

    Raises RunNotFoundError when `must_exist` and an SQLite file is missing, StoreWriteError for an unusable URL.
    """
    with translated(_plain(url)):
        parsed = _parsed(url)
        shown = parsed.render_as_string(hide_password=True)
        dialect = parsed.get_backend_name()
        if dialect == "sqlite":
            return Database(shown, dialect, _sqlite_engine(parsed, must_exist=must_exist))
        if dialect == "postgresql":
            return Database(shown, dialect, _postgres_engine(parsed))
    raise StoreWriteError(f"{shown}: unknown database {dialect!r}; next: --db sqlite:///FILE or postgresql+psycopg://...")


def _parsed(url: str) -> sa.URL:
    import sqlalchemy as sa

    try:
        return sa.make_url(url)
    except ValueError as error:
        raise StoreWriteError(f"{_plain(url)}: {error}; next: the port in --db must be a number") from error


def _plain(url: str) -> str:
    # Before the URL is parsed a password can't be told apart: show the scheme only.
    return url.split("@")[0].split("://")[0] + "://..." if "@" in url else url


def _sqlite_engine(parsed: sa.URL, *, must_exist: bool) -> sa.Engine:
    import sqlalchemy as sa

    path = parsed.database or ""
    if path in NO_FILES:
        raise StoreWriteError(f"sqlite://{'/' if path else ''}{path}: {IN_MEMORY}")
    if must_exist and not os.path.exists(path):
        raise RunNotFoundError(f"{path}: no such store; next: `gaelp run SCENARIO` makes one, or name yours with --db")
    engine = sa.create_engine(
        parsed, connect_args={"isolation_level": None, "cached_statements": 256, "check_same_thread": False}
    )
    synchronous = os.environ.get("GAELP_SYNCHRONOUS", "NORMAL").upper()
    if synchronous not in _SYNCHRONOUS_LEVELS:
        raise StoreWriteError(f"GAELP_SYNCHRONOUS={synchronous}: must be one of {', '.join(_SYNCHRONOUS_LEVELS)}")

    @sa.event.listens_for(engine, "connect")
    def prepare(raw: Any, _record: Any) -> None:
        for pragma in _SQLITE_PRAGMAS:
            raw.execute(pragma)
        if raw.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            raw.execute("PRAGMA journal_mode=WAL")
        raw.execute(f"PRAGMA synchronous={synchronous}")
        raw.execute(f"ATTACH ':memory:' AS {SCHEMA}")

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        # For those who use the engine itself: the driver begins nothing by itself, so each row would be a transaction.
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _postgres_engine(parsed: sa.URL) -> sa.Engine:
    import sqlalchemy as sa

    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    # pre_ping: after a restart of the server the next transaction gets a live connection, not a dead one.
    # Every transaction is ended by us: a reset by the pool would only log a traceback when the connection is dead.
    return sa.create_engine(
        parsed, pool_pre_ping=True, pool_reset_on_return=None, connect_args={"connect_timeout": 10}
    )
