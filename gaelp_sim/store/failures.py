"""What a database's own errors mean to a user: the one place where they become a line with a next step."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from gaelp_sim.errors import CorruptStoreError, GaelpError, StoreBusyError, StoreIOError, StoreWriteError

# SQLite's primary result names, each with our error and what to do. The extended name is looked up by prefix
# (SQLITE_IOERR_WRITE -> SQLITE_IOERR), since the text of the message differs between causes (a file-size limit
# says "disk I/O error", not "full").
_SQLITE_KINDS: tuple[tuple[str, type[GaelpError], str], ...] = (
    ("SQLITE_READONLY", StoreWriteError, "make the file writable, or name another with --db"),
    ("SQLITE_CANTOPEN", StoreWriteError, "create the folder, or name another file with --db"),
    ("SQLITE_PERM", StoreWriteError, "make the file writable, or name another with --db"),
    ("SQLITE_BUSY", StoreBusyError, "try again when the other program has finished"),
    ("SQLITE_LOCKED", StoreBusyError, "try again when the other program has finished"),
    ("SQLITE_FULL", StoreIOError, "free some disk space, then `gaelp resume` the run"),
    ("SQLITE_IOERR", StoreIOError, "check the disk (space, file-size limit), then `gaelp resume` the run"),
    ("SQLITE_CORRUPT", CorruptStoreError, "restore a copy; what happened is checked by `gaelp db verify`"),
    ("SQLITE_NOTADB", CorruptStoreError, "name a gaelp store with --db; this file is no SQLite database"),
    ("SQLITE_CONSTRAINT", CorruptStoreError, "nothing was committed; report this with scenario and seed"),
    ("SQLITE_AUTH", StoreWriteError, "use a connection that may do this"),
)

_POSTGRES_CLASSES: tuple[tuple[str, type[GaelpError], str], ...] = (
    ("08", StoreBusyError, "start the server or check its address, then `gaelp resume` the run"),
    ("57P", StoreBusyError, "wait until the server is back, then `gaelp resume` the run"),
    ("55P03", StoreBusyError, "try again when the other program has finished"),
    ("40", StoreBusyError, "try again"),
    ("53100", StoreIOError, "free some disk space on the server, then `gaelp resume` the run"),
    ("53", StoreBusyError, "free some of the server's connections or memory, then try again"),
    ("58", StoreIOError, "check the server's disk, then `gaelp resume` the run"),
    ("42501", StoreWriteError, "grant the role the right, or name another in --db"),
    ("25006", StoreWriteError, "the database is read-only: name another in --db"),
    ("28", StoreWriteError, "check user and password in --db"),
    ("3D000", StoreWriteError, "create the database first (createdb), or name another in --db"),
    ("23", CorruptStoreError, "nothing was committed; report this with scenario and seed"),
    ("XX001", CorruptStoreError, "restore a copy of the database"),
    ("XX002", CorruptStoreError, "REINDEX, or restore a copy of the database"),
)


@contextmanager
def translated(url: str) -> Iterator[None]:
    """Turn database errors raised inside into GaelpErrors of one line that begins with `url` (password hidden)."""
    try:
        yield
    except GaelpError:
        raise
    except Exception as error:  # drivers share no base class; whatever isn't theirs is raised again as it was
        told = _translation(url, error)
        if told is None:
            raise
        raise told from error


def _translation(url: str, error: Exception) -> GaelpError | None:
    cause = getattr(error, "orig", None) or error  # SQLAlchemy wraps the driver's error
    if isinstance(cause, sqlite3.Error):
        return _from_sqlite(url, cause)
    if type(cause).__module__.split(".")[0] == "psycopg":
        return _from_postgres(url, cause)
    if isinstance(cause, ModuleNotFoundError) and cause.name == "psycopg":
        return StoreWriteError(f"{url}: PostgreSQL needs psycopg; next: pip install 'gaelp-sim[postgres]'")
    if type(cause).__module__ == "sqlalchemy.exc" and type(cause).__name__ in ("ArgumentError", "NoSuchModuleError"):
        return StoreWriteError(f"{url}: {_one_line(cause)}; next: --db sqlite:///FILE or postgresql+psycopg://HOST/DB")
    if type(cause).__module__ == "sqlalchemy.exc" and type(cause).__name__ == "TimeoutError":
        return StoreBusyError(f"{url}: {_one_line(cause)}; next: try again")
    return None


def _from_sqlite(url: str, cause: sqlite3.Error) -> GaelpError | None:
    name = getattr(cause, "sqlite_errorname", None) or ""
    for prefix, kind, step in _SQLITE_KINDS:
        if name.startswith(prefix):
            return kind(f"{url}: {_one_line(cause)}; next: {step}")
    return None


def _from_postgres(url: str, cause: Exception) -> GaelpError | None:
    state = getattr(cause, "sqlstate", None) or ""
    for prefix, kind, step in _POSTGRES_CLASSES:
        if state.startswith(prefix):
            return kind(f"{url}: {_one_line(cause)}; next: {step}")
    if type(cause).__name__ in ("OperationalError", "InterfaceError") and not state:
        # No SQLSTATE: the connection itself failed, so the server never answered.
        return _without_answer(url, cause)
    return None


def _without_answer(url: str, cause: Exception) -> GaelpError:
    text = _one_line(cause)
    if "authentication failed" in text or "does not exist" in text:
        return StoreWriteError(f"{url}: {text}; next: check user, password and database in --db")
    return StoreBusyError(f"{url}: {text}; next: start the server or check its address, then try again")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")
