"""One query on an SQLite store, inside the console's child: read-only, named views only, within limits.

What holds a query, layer by layer: the file is opened read-only; `query_only` is set; an authorizer allows SELECT,
known functions and reads of the named views and nothing else; lengths and depths are limited; a progress handler ends
it at the deadline. What escapes all of that (a single slow function call) ends with the process: the parent kills it.
"""

from __future__ import annotations

import os
import sqlite3
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gaelp_sim.store.console_child import QueryRefused, Rows, chosen_run
else:  # loaded by path, outside the package
    from console_child import QueryRefused, Rows, chosen_run

PROGRESS_STEPS = 2_000
VALUE_BYTES_MAX = 10_000_000
_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: VALUE_BYTES_MAX,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 200_000,
    sqlite3.SQLITE_LIMIT_COLUMN: 500,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 200,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 50,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 200,
    sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER: 100,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 1,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
# An allow-list: whatever builds long values outside the progress handler (printf, zeroblob), loads code or reads
# files is not on it, and neither is what a later SQLite may add.
FUNCTIONS = frozenset(
    """abs avg coalesce count cume_dist date datetime dense_rank first_value glob group_concat hex ifnull iif instr
    json json_array json_array_length json_extract json_object json_type json_valid julianday lag last_value lead
    length like lower ltrim max min nth_value ntile nullif percent_rank quote random rank replace round row_number
    rtrim sign strftime string_agg substr substring sum time total trim typeof unicode unixepoch upper char
    acos asin atan atan2 ceil ceiling cos degrees exp floor ln log log10 log2 mod pi pow power radians sin sqrt tan
    trunc median percentile -> ->>""".split()
)


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Run the request's query; raises QueryRefused."""
    path = request["path"]
    before = _state(path)
    # Opening a WAL file read-only would leave -wal and -shm beside it. While nobody writes it can be read as it
    # lies; had somebody begun to, the answer may be a mixture, and is fetched again the ordinary way.
    if before is not None:
        try:
            found = _query(request, "immutable=1")
        except QueryRefused:
            if _state(path) == before:
                raise
        else:
            if _state(path) == before:
                return found
    return _query(request, "mode=ro")


def _state(path: str) -> tuple[int, int] | None:
    """Size and time of a file that no writer has open; None while one may have."""
    if any(os.path.exists(path + suffix) for suffix in ("-wal", "-journal")):
        return None
    found = os.stat(path)
    return found.st_size, found.st_mtime_ns


def _query(request: dict[str, Any], mode: str) -> dict[str, Any]:
    name = request["path"].replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    try:
        connection = sqlite3.connect(f"file:{name}?{mode}", uri=True, isolation_level=None, timeout=2.0)
    except sqlite3.Error as error:
        raise QueryRefused("open", str(error)) from error
    try:
        return _Guarded(connection, request).run()
    finally:
        connection.close()


class _Guarded:
    """A connection on which the named views stand and nothing else can be reached."""

    def __init__(self, connection: sqlite3.Connection, request: dict[str, Any]) -> None:
        self.connection = connection
        self.request = request
        self.denied: tuple[str, str] | None = None
        self.over_time = False
        self.objects: set[str] = set()
        # The authorizer trusts what is read through a view by the view's name. A user could give that name to a
        # WITH table of their own; a name nobody can guess they can't.
        self.secret = f"view_{os.urandom(16).hex()}_"

    def run(self) -> dict[str, Any]:
        """The answer to the request's query."""
        try:
            run_key = self._scope()
            self._make_views(run_key)
            self._note_objects()
        except sqlite3.Error as error:
            raise _failure_of_store(error) from error
        self._lock()
        started = time.monotonic()
        try:
            columns, rows = self._fetch()
        except (sqlite3.Error, sqlite3.Warning, OverflowError) as error:
            raise self._failure_of_query(error) from error
        return {"columns": columns, "rows": rows.rows, "more": rows.more, "seconds": time.monotonic() - started}

    def _scope(self) -> int | None:
        tables = {name for (name,) in self.connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        version = None
        if "alembic_version" in tables:
            row = self.connection.execute("SELECT version_num FROM alembic_version").fetchone()
            version = row[0] if row else None
        if version != self.request["schema_version"]:
            raise QueryRefused("schema", version or "")
        if self.request["all_runs"]:
            if self.connection.execute("SELECT 1 FROM run WHERE lake <> '' LIMIT 1").fetchone():
                raise QueryRefused("lake")
            return None
        runs = self.connection.execute("SELECT run_key, run_id FROM run ORDER BY run_key").fetchall()
        run_key = chosen_run(runs, self.request["run"])[0]
        if self.connection.execute("SELECT 1 FROM run WHERE run_key = ? AND lake <> ''", (run_key,)).fetchone():
            raise QueryRefused("lake")
        return run_key

    def _make_views(self, run_key: int | None) -> None:
        runs = "main.run" if run_key is None else f"(SELECT * FROM main.run WHERE run_key = {run_key:d})"
        self.connection.execute("PRAGMA temp_store = MEMORY")
        for name, select in self.request["views"].items():
            self.connection.execute(f"CREATE TEMP VIEW {self.secret}{name} AS {select.replace('{runs}', runs)}")
        for name in self.request["views"]:
            self.connection.execute(f"CREATE TEMP VIEW {name} AS SELECT * FROM temp.{self.secret}{name}")

    def _note_objects(self) -> None:
        found = self.connection.execute(
            "SELECT name FROM main.sqlite_master UNION SELECT name FROM temp.sqlite_master"
            " UNION SELECT name FROM pragma_module_list"
        )
        self.objects = {name.lower() for (name,) in found}

    def _lock(self) -> None:
        self.connection.execute("PRAGMA query_only = ON")
        self.connection.execute("PRAGMA trusted_schema = OFF")
        self.connection.text_factory = lambda text: text.decode("utf-8", "replace")
        for limit, value in _LIMITS.items():
            self.connection.setlimit(limit, value)
        self.connection.set_authorizer(self._authorize)
        deadline = time.monotonic() + self.request["timeout_s"]

        def is_over() -> bool:
            self.over_time = time.monotonic() > deadline
            return self.over_time

        self.connection.set_progress_handler(is_over, PROGRESS_STEPS)

    def _authorize(self, action: int, first: str | None, second: str | None, database: str | None,
                   context: str | None) -> int:
        if action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE):
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in FUNCTIONS:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_READ and self._may_read(first or "", second or "", database, context):
            return sqlite3.SQLITE_OK
        if self.denied is None:
            kind = {sqlite3.SQLITE_FUNCTION: "function", sqlite3.SQLITE_READ: "table"}.get(action, "action")
            self.denied = (kind, (second if kind == "function" else first) or "")
        return sqlite3.SQLITE_DENY

    def _may_read(self, table: str, column: str, database: str | None, context: str | None) -> bool:
        if context is not None and context.startswith(self.secret):
            return True
        if table == "run" and column == "":
            # What is left of a view's join with its run when no column of the run is asked for: that it exists.
            return True
        if table in self.request["views"] or table.startswith(self.secret):
            return database != "main"
        # A recursive WITH table of the user's own: nothing that the file or SQLite itself knows bears its name.
        return table.lower() not in self.objects and not table.lower().startswith(("sqlite_", "pragma_"))

    def _fetch(self) -> tuple[list[str], Rows]:
        cursor = self.connection.execute(self.request["sql"], self.request["parameters"])
        if cursor.description is None:
            raise QueryRefused("action", "")
        rows = Rows(self.request["limit"])
        for row in cursor:
            if not rows.add(row):
                break
        return [name for name, *_ in cursor.description], rows

    def _failure_of_query(self, error: Exception) -> QueryRefused:
        text = str(error).replace(f"temp.{self.secret}", "").replace(self.secret, "")
        if self.over_time:
            return QueryRefused("timeout")
        if self.denied is not None:
            kind, name = self.denied
            return QueryRefused(kind, name.replace(self.secret, ""))
        if "too big" in text:
            return QueryRefused("size", text)
        if getattr(error, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_CORRUPT", "SQLITE_NOTADB",
                                                              "SQLITE_IOERR", "SQLITE_CANTOPEN")):
            return _failure_of_store(error)
        return QueryRefused("sql", text)


def _failure_of_store(error: Exception) -> QueryRefused:
    name = getattr(error, "sqlite_errorname", "")
    kinds = (("SQLITE_BUSY", "busy"), ("SQLITE_LOCKED", "busy"), ("SQLITE_CORRUPT", "corrupt"),
             ("SQLITE_NOTADB", "corrupt"), ("SQLITE_IOERR", "io"), ("SQLITE_NOMEM", "memory"),
             ("SQLITE_CANTOPEN", "open"), ("SQLITE_ERROR", "schema"))
    kind = next((kind for prefix, kind in kinds if name.startswith(prefix)), "io")
    return QueryRefused(kind, str(error))
