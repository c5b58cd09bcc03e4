"""`gaelp query`: one read-only question to a store, asked by a child process within limits of time and memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypedDict, Unpack

from gaelp_sim.errors import RunNotFoundError, UsageError
from gaelp_sim.store.as_of import tables_as_of
from gaelp_sim.store.console_refusals import explain
from gaelp_sim.store.engines import IN_MEMORY, NO_FILES
from gaelp_sim.store.schema_version import HEAD
from gaelp_sim.store.sql_text import first_word, parameter_names, pieces, statement
from gaelp_sim.store.view_parts import resolve_marks, table_marks
from gaelp_sim.store.views import view_selects

ROWS_DEFAULT = 1_000
TIMEOUT_S_DEFAULT = 10.0
TIMEOUT_S_MAX = 3_600.0
GRACE_S = 0.4
"""How long after its deadline a child that has not ended by itself is killed."""
MEMORY_BYTES = 512 * 1024 * 1024
"""Address space that the child may take."""
_CHILD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "console_child.py")
_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(_CHILD)))
"""Where this package is found, however it is installed."""
LAKE_MEMORY_BYTES = 4 * 1024 * 1024 * 1024
"""The same for DuckDB, whose own limit (1 GB) comes first: libraries and threads take address space that stays empty."""

Value = int | float | str | bytes | None


@dataclass(frozen=True)
class QueryResult:
    """Rows of one query, `more` if there were more than the limit, and the seconds that the database took."""

    columns: tuple[str, ...]
    rows: list[tuple[Value, ...]]
    more: bool
    seconds: float


class QueryOptions(TypedDict, total=False):
    """What `run_query` may be told besides the question."""

    run: str | None
    """Run to ask: a prefix of its id, or @last (the default)."""
    all_runs: bool
    """Ask all runs of the store instead."""
    parameters: Mapping[str, Value]
    """Values of the query's `:name` parameters."""
    limit: int
    """Rows at most."""
    timeout_s: float
    """Seconds at most."""
    as_of_s: int | None
    """Epoch second at which every view is to stand as it stood then; None: at the end."""


def run_query(url: str, sql: str, **options: Unpack[QueryOptions]) -> QueryResult:
    """Ask the named views of the store at `url` one SELECT, over one run (default: the last) or over all.

    Raises UsageError for SQL that can't be obeyed, StoreBusyError over the time limit, RunNotFoundError for no such
    store or run, SchemaVersionError, CorruptStoreError.
    """
    timeout_s = options.get("timeout_s", TIMEOUT_S_DEFAULT)
    request = _request(url, _question(sql), options)
    answer = _ask(request)
    if answer.get("error", {}).get("kind") == "lake":  # the run's rows lie elsewhere: asked again through DuckDB
        request = _through_duckdb(request, url, options.get("as_of_s"))
        answer = _ask(request)
    if "error" in answer:
        raise explain(answer["error"], place=request["place"], sql=request["sql"], timeout_s=timeout_s)
    rows = [tuple(_value(value) for value in row) for row in answer["rows"]]
    return QueryResult(tuple(answer["columns"]), rows, answer["more"], answer["seconds"])


def _request(url: str, sql: str, options: QueryOptions) -> dict[str, Any]:
    limit, timeout_s = options.get("limit", ROWS_DEFAULT), options.get("timeout_s", TIMEOUT_S_DEFAULT)
    _check_limits(limit=limit, timeout_s=timeout_s)
    parameters = dict(options.get("parameters", {}))
    _check_parameters(sql, parameters)
    target = _target(url)
    if target["dialect"] == "postgresql" and first_word(sql) == "EXPLAIN":
        raise explain({"kind": "action", "detail": ""}, place="", sql=sql, timeout_s=timeout_s)
    return target | {
        "sql": sql, "pieces": pieces(sql), "parameters": parameters,
        "views": _views(target["dialect"], sql, options.get("as_of_s")),
        "run": options.get("run") or "@last", "all_runs": options.get("all_runs", False),
        "limit": limit, "timeout_s": timeout_s, "memory_bytes": MEMORY_BYTES, "schema_version": HEAD,
    }


def _through_duckdb(request: dict[str, Any], url: str, as_of_s: int | None) -> dict[str, Any]:
    selects = {name: select for name, select in view_selects("duckdb").items() if name in request["sql"].lower()}
    tables = {} if as_of_s is None else tables_as_of(as_of_s, "@", "{runs}", first_bytes="array_slice")
    marked = {name: resolve_marks(select, prefix="@", runs="{runs}", tables=tables) for name, select in selects.items()}
    asked = {table for select in marked.values() for table in table_marks(select)}
    return request | {
        "dialect": "duckdb", "url": url, "module_path": [*sys.path, _ROOT], "tables": sorted(asked),
        "views": {name: resolve_marks(select, prefix="{schema}.") for name, select in marked.items()},
        "memory_bytes": LAKE_MEMORY_BYTES,
    }


def _check_limits(*, limit: int, timeout_s: float) -> None:
    if limit < 1:
        raise UsageError(f"--limit is {limit}; it must be 1 or more")
    if not 0 < timeout_s <= TIMEOUT_S_MAX:
        raise UsageError(f"--timeout is {timeout_s:g} s; it must be over 0 and at most {TIMEOUT_S_MAX:g} s")


def _question(sql: str) -> str:
    text = statement(sql)
    if not text:
        raise UsageError("the query is empty; next: gaelp query \"SELECT stage, COUNT(*) FROM journeys GROUP BY 1\"")
    if first_word(text) not in ("SELECT", "WITH", "VALUES", "EXPLAIN"):
        raise explain({"kind": "action", "detail": ""}, place="", sql=text, timeout_s=0)
    return text


def _check_parameters(sql: str, given: Mapping[str, Value]) -> None:
    wanted = parameter_names(sql)
    for name in wanted:
        if name not in given:
            raise UsageError(f"the query's parameter :{name} has no value; next: -p {name}=VALUE")
    for name in given:
        if name not in wanted:
            there = ", ".join(f":{known}" for known in wanted) or "none"
            raise UsageError(f"-p {name}: the query has no parameter :{name}; it has {there}")


def _target(url: str) -> dict[str, Any]:
    """Which child to start and how it reaches the store; `place` is fit to print."""
    scheme, _, rest = url.partition("://")
    if scheme.split("+")[0] == "sqlite":
        path = rest.partition("?")[0].removeprefix("/")
        if path in NO_FILES:
            raise UsageError(f"{url}: {IN_MEMORY}")
        if not os.path.isfile(path):
            raise RunNotFoundError(f"no store at {path}; next: gaelp run quickstart")
        return {"dialect": "sqlite", "path": os.path.abspath(path), "place": path}
    if scheme.split("+")[0] in ("postgresql", "postgres"):
        before, _, after = rest.rpartition("@")
        hidden = f"{before.partition(':')[0]}@" if before else ""
        return {"dialect": "postgresql", "conninfo": f"postgresql://{rest}", "module_path": sys.path,
                "place": f"{scheme}://{hidden}{after}"}
    raise UsageError(f"--db: unknown database {scheme!r}; next: sqlite:///FILE or postgresql+psycopg://HOST/DB")


def _views(dialect: str, sql: str, as_of_s: int | None) -> dict[str, str]:
    """SELECTs of the views whose names the query contains; the child fills in the runs."""
    asked = sql.lower()
    prefix = "main." if dialect == "sqlite" else "{schema}."
    tables = {} if as_of_s is None else tables_as_of(as_of_s, prefix, "{runs}")
    return {
        name: resolve_marks(select, prefix=prefix, runs="{runs}", tables=tables)
        for name, select in view_selects(dialect).items() if name in asked
    }


def _ask(request: dict[str, Any]) -> dict[str, Any]:
    deadline = time.monotonic() + request["timeout_s"] + GRACE_S
    # A lake's credentials come from the environment, under names that its kind of store knows.
    known = ("PG", "HOME", "SYSTEMROOT") if request["dialect"] != "duckdb" else ("",)
    environment = {name: value for name, value in os.environ.items() if name.startswith(known)}
    # One malloc arena: each further one would take 64 MB of the address space that the limit counts.
    child = subprocess.Popen(
        [sys.executable, "-I", "-S", _CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env=environment | {"MALLOC_ARENA_MAX": "1"},
    )
    try:
        output, complaint = child.communicate(json.dumps(request).encode(), timeout=max(0.1, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return {"error": {"kind": "timeout", "detail": ""}}
    finally:
        child.kill()
        child.wait()
    if child.returncode != 0 or not output:
        last_line = complaint.decode(errors="replace").strip().rpartition("\n")[2]
        return {"error": {"kind": "ended" if child.returncode < 0 else "failed", "detail": last_line}}
    answer: dict[str, Any] = json.loads(output)
    return answer


def _value(value: Any) -> Value:
    return bytes.fromhex(value["hex"]) if isinstance(value, dict) else value
