"""One query on a Postgres store, inside the console's child: read-only, named views only, within limits.

What holds a query: a connection and a transaction of its own, always rolled back; the statement goes out alone by the
extended protocol; before it runs, the server's own parse of it is read back, and any relation that isn't one of the
named views, or any function that writes, waits, reads files or settings, or builds huge values, refuses it; then the
transaction is made READ ONLY; the server's timeout and a cancel from here end it, and the parent kills what remains.
What no client can limit is the server's memory: give the role that asks a connection limit, and the server a work_mem.
"""

from __future__ import annotations

import re
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gaelp_sim.store.console_child import QueryRefused, Rows, chosen_run
else:  # loaded by path, outside the package
    from console_child import QueryRefused, Rows, chosen_run

try:
    import psycopg
    from psycopg import sql as composed
    from psycopg.pq import DiagnosticField, ExecStatus
except ImportError as missing:
    raise QueryRefused("driver") from missing

QUERY_VIEW = "gaelp_console_query"
FETCH_ROWS = 200
_FUNCTION_MARK = re.compile(r":(?:funcid|opfuncid|aggfnoid|winfnoid|hashfuncid|negfuncid) (\d+)")
_OPERATOR_MARK = re.compile(r":opno (\d+)")
_RELATION_MARK = re.compile(r":relid (\d+)")
# Functions outside pg_catalog, and those that may do more than compute, are refused; these are the harmless rest.
_VOLATILE_ALLOWED = frozenset({"random", "clock_timestamp", "gen_random_uuid"})
_NAME_ALLOWED = frozenset({"pg_typeof"})
_REFUSED = re.compile(
    r"""^(pg_.*|lo_.*|lo(import|export).*|.*_to_xml.*|.*xmlschema|current_setting|set_config|ts_stat|txid_.*|inet_(client|server).*
    |has_.*|to_reg.*|row_security_active|binary_upgrade.*|col_description|obj_description|shobj_description|currtid.*
    |repeat|lpad|rpad|array_fill|cursor_.*|dblink.*|nextval|setval|currval|lastval|plpgsql.*|xpath.*|ts_debug|ts_rewrite
    |format|query_.*|getdatabaseencoding|version)$""",
    re.VERBOSE,
)


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Run the request's query; raises QueryRefused."""
    deadline = time.monotonic() + request["timeout_s"]
    try:
        connection = psycopg.connect(
            request["conninfo"], autocommit=True, prepare_threshold=None, application_name="gaelp query",
            connect_timeout=max(2, int(request["timeout_s"]) + 1),
        )
    except psycopg.Error as error:
        raise _failure(error) from error
    timer = threading.Timer(max(0.05, deadline - time.monotonic()), connection.cancel)
    timer.daemon = True
    timer.start()
    try:
        return _query(connection, request)
    except psycopg.Error as error:
        raise _failure(error) from error
    finally:
        timer.cancel()
        connection.close()  # what the transaction made is gone with it


def _query(connection: psycopg.Connection[Any], request: dict[str, Any]) -> dict[str, Any]:
    connection.execute("BEGIN READ WRITE")
    milliseconds = int(request["timeout_s"] * 1000)
    for setting, value in (("statement_timeout", str(milliseconds)), ("lock_timeout", "2000"), ("jit", "off"),
                           ("cursor_tuple_fraction", "1.0"), ("max_parallel_workers_per_gather", "2")):
        connection.execute(f"SET LOCAL {setting} = {value}".encode())
    schema = _schema(connection)
    connection.execute(composed.SQL("SET LOCAL search_path TO {}").format(composed.Identifier(schema)))
    _check_version(connection, request)
    views = _make_views(connection, request, schema)
    statement = _with_literals(connection, request)
    columns = _described(connection, statement)
    _check_parse(connection, statement, columns, views)
    connection.execute("SET TRANSACTION READ ONLY")
    started = time.monotonic()
    rows = _fetch(connection, statement, request["limit"])
    return {"columns": columns, "rows": rows.rows, "more": rows.more, "seconds": time.monotonic() - started}


def _schema(connection: psycopg.Connection[Any]) -> str:
    row = connection.execute("SELECT current_schema()").fetchone()
    if row is None or row[0] is None:
        raise QueryRefused("schema", "")
    return str(row[0])


def _check_version(connection: psycopg.Connection[Any], request: dict[str, Any]) -> None:
    there = connection.execute("SELECT to_regclass('alembic_version')").fetchone()
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone() if there and there[0] else None
    if row is None or row[0] != request["schema_version"]:
        raise QueryRefused("schema", row[0] if row else "")


def _make_views(connection: psycopg.Connection[Any], request: dict[str, Any], schema: str) -> dict[int, str]:
    """Temporary views of the runs in scope, gone when the transaction ends; name by object id."""
    quoted = composed.Identifier(schema).as_string(connection)
    runs = f"{quoted}.run"
    if not request["all_runs"]:
        known = connection.execute("SELECT run_key, run_id FROM run ORDER BY run_key").fetchall()
        runs = f"(SELECT * FROM {runs} WHERE run_key = {chosen_run(known, request['run'])[0]:d})"
    if connection.execute(f"SELECT 1 FROM {runs} AS r WHERE lake <> '' LIMIT 1".encode()).fetchone():
        raise QueryRefused("lake")
    for name, select in request["views"].items():
        text = select.replace("{runs}", runs).replace("{schema}", quoted)
        connection.execute(f"CREATE TEMP VIEW {name} AS {text}".encode())
    found = connection.execute(
        "SELECT oid::bigint, relname FROM pg_class WHERE relnamespace = pg_my_temp_schema() AND relkind = 'v'"
    )
    return dict(found.fetchall())


def _with_literals(connection: psycopg.Connection[Any], request: dict[str, Any]) -> str:
    # Views take no parameters, and the query is parsed as one: parameters go in as quoted literals.
    given = request["parameters"]
    return "".join(
        composed.Literal(given[text]).as_string(connection) if kind == "parameter" else text
        for kind, text in request["pieces"]
    )


def _described(connection: psycopg.Connection[Any], statement: str) -> list[str]:
    """Names of the columns that the statement gives, parsed by the server without being run."""
    raw = connection.pgconn
    _raise_failure(raw.prepare(b"gaelp_console", statement.encode()))
    found = raw.describe_prepared(b"gaelp_console")
    _raise_failure(found)
    if found.nfields == 0:
        raise QueryRefused("sql", "a query needs a column")
    return [(found.fname(index) or b"").decode() for index in range(found.nfields)]


def _check_parse(connection: psycopg.Connection[Any], statement: str, columns: list[str],
                 views: dict[int, str]) -> None:
    names = ", ".join(f"c{index}" for index in range(len(columns)))
    _raise_failure(connection.pgconn.exec_params(
        f"CREATE TEMP VIEW {QUERY_VIEW} ({names}) AS {statement}".encode(), None
    ))
    row = connection.execute(
        f"SELECT ev_class::bigint, ev_action::text FROM pg_rewrite WHERE ev_class = 'pg_temp.{QUERY_VIEW}'::regclass"
    ).fetchone()
    assert row is not None
    own, parse = row
    _check_relations(connection, {int(oid) for oid in _RELATION_MARK.findall(parse)} - {0, own} - set(views))
    _check_functions(connection, parse)


def _check_relations(connection: psycopg.Connection[Any], others: set[int]) -> None:
    if others:
        row = connection.execute("SELECT relname FROM pg_class WHERE oid = %s", (min(others),)).fetchone()
        raise QueryRefused("table", row[0] if row else "it")


def _check_functions(connection: psycopg.Connection[Any], parse: str) -> None:
    functions = [int(oid) for oid in set(_FUNCTION_MARK.findall(parse))]
    operators = [int(oid) for oid in set(_OPERATOR_MARK.findall(parse))]
    found = connection.execute(
        "SELECT p.proname, n.nspname, p.provolatile::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
        " WHERE p.oid = ANY(%s) OR p.oid IN (SELECT oprcode FROM pg_operator WHERE oid = ANY(%s)) ORDER BY 1",
        (functions, operators),
    )
    for name, namespace, volatility in found:
        if not _is_allowed(name, namespace, volatility):
            raise QueryRefused("function", name)


def _is_allowed(name: str, namespace: str, volatility: str) -> bool:
    if namespace != "pg_catalog":
        return False
    if volatility == "v" and name not in _VOLATILE_ALLOWED:
        return False
    return name in _NAME_ALLOWED or _REFUSED.match(name) is None


def _fetch(connection: psycopg.Connection[Any], statement: str, limit: int) -> Rows:
    _raise_failure(connection.pgconn.exec_params(
        f"DECLARE gaelp_console_cursor NO SCROLL CURSOR FOR {statement}".encode(), None
    ))
    rows = Rows(limit)
    while True:
        fetched = connection.execute(f"FETCH FORWARD {FETCH_ROWS} FROM gaelp_console_cursor".encode()).fetchall()
        for row in fetched:
            if not rows.add(row):
                return rows
        if len(fetched) < FETCH_ROWS:
            return rows


def _raise_failure(result: Any) -> None:
    if result.status in (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK):
        return
    state = (result.error_field(DiagnosticField.SQLSTATE) or b"").decode()
    message = (result.error_field(DiagnosticField.MESSAGE_PRIMARY) or result.error_message).decode(errors="replace")
    raise _refusal(state, message)


def _failure(error: psycopg.Error) -> QueryRefused:
    message = error.diag.message_primary or str(error)
    return _refusal(error.sqlstate or "", message)


def _refusal(state: str, message: str) -> QueryRefused:
    if "out of memory" in message:
        return QueryRefused("memory")
    if "pseudo-type" in message:
        return QueryRefused("sql", "a column of the query holds no plain value (void or a record)")
    for prefix, kind in (("57014", "timeout"), ("25006", "action"), ("42501", "rights"), ("28", "rights"),
                         ("3D", "away"), ("08", "away"), ("57P", "away"), ("55P03", "busy"), ("40", "busy"),
                         ("53", "away"), ("58", "io"), ("XX00", "corrupt"), ("42", "sql"), ("22", "sql"),
                         ("0A", "sql"), ("21", "sql"), ("54", "sql")):
        if state.startswith(prefix):
            return QueryRefused(kind, message)
    return QueryRefused("sql" if state else "away", message)
