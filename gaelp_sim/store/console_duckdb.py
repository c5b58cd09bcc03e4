"""One query on runs in a lake, inside the console's child: through DuckDB, named views only, within limits.

What holds a query: a session in memory whose tables bear a name nobody can guess; DuckDB opens no other file, reaches no
network, loads no extension, and its settings are locked; DuckDB's own parse of the statement is read back, and any
relation that isn't one of the named views, any table function, and any function that is not on a list refuses it; memory
is limited twice, and at the deadline it is interrupted, else killed by the parent.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gaelp_sim.store.console_child import QueryRefused, Rows, chosen_run
else:  # loaded by path, outside the package
    from console_child import QueryRefused, Rows, chosen_run

try:
    import duckdb
    import pyarrow.dataset
    import pyarrow.parquet  # noqa: F401  # before memory is limited
except ImportError as missing:
    raise QueryRefused("lake_packages") from missing

from gaelp_sim.errors import GaelpError
from gaelp_sim.store.engines import connect
from gaelp_sim.store.lake_session import open_session

FUNCTIONS = frozenset(
    """+ - * / // % ** & | ~ << >> || ~~ !~~ ~~* !~~* abs avg coalesce count count_star cume_dist dense_rank first_value
    greatest group_concat hex ifnull instr lag last_value lead least length like_escape not_like_escape lower ltrim max
    mean median min mode nth_value ntile nullif percent_rank percentile_cont quantile_cont random rank replace round
    row_number rtrim sign strftime string_agg substr substring sum trim typeof upper acos asin atan atan2 ceil ceiling
    cos degrees exp floor ln log log10 log2 mod pi pow power radians sin sqrt tan trunc stddev stddev_samp stddev_pop
    variance var_samp var_pop corr covar_pop covar_samp date_trunc date_part extract make_timestamp to_timestamp epoch
    concat concat_ws left right split_part position strpos starts_with contains bool_and bool_or any_value arg_max arg_min
    octet_length bit_count xor isnan isfinite in not_in list_value""".split()
)
_FROM = frozenset({"BASE_TABLE", "SUBQUERY", "JOIN", "EMPTY", "EXPRESSION_LIST"})
_ROWS_FETCHED = 200
_PART_AWAY = re.compile(r"the stream registered as .* failed: (?:IOError|OSError): (.*?)\.? Detail: Python")


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Run the request's query; raises QueryRefused."""
    deadline = time.monotonic() + request["timeout_s"]
    try:
        database = connect(request["url"], must_exist=True)
        with database.reading() as link:
            runs = [(int(key), str(run_id)) for key, run_id in link.all("SELECT run_key, run_id FROM run ORDER BY run_key")]
            chosen = runs if request["all_runs"] else [chosen_run(runs, request["run"])]
            session, schema = open_session(link, [key for key, _ in chosen], request["tables"])
    except GaelpError as error:
        raise QueryRefused("told", str(error), error=type(error).__name__) from error
    timer = threading.Timer(max(0.05, deadline - time.monotonic()), session.interrupt)
    timer.daemon = True
    timer.start()
    try:
        return _query(session, schema, request)
    except duckdb.Error as error:
        raise _failure(error, schema) from error
    finally:
        timer.cancel()
        session.close()


def _query(session: Any, schema: str, request: dict[str, Any]) -> dict[str, Any]:
    for name, select in request["views"].items():
        text = select.replace("{runs}", f"{schema}.run").replace("{schema}", schema)
        session.execute(f"CREATE VIEW main.{name} AS {text}")
    sql = "".join(f"${text}" if kind == "parameter" else text for kind, text in request["pieces"])
    _check(session, sql, frozenset(request["views"]))
    started = time.monotonic()
    cursor = session.execute(sql, request["parameters"] or None)
    rows = Rows(request["limit"])
    columns = [name for name, *_ in cursor.description]
    while fetched := cursor.fetchmany(_ROWS_FETCHED):
        if not all(rows.add(row) for row in fetched):
            break
    return {"columns": columns, "rows": rows.rows, "more": rows.more, "seconds": time.monotonic() - started}


def _check(session: Any, sql: str, views: frozenset[str]) -> None:
    """Refuse what is more than one SELECT on named views, by DuckDB's own parse."""
    parsed = json.loads(session.execute("SELECT json_serialize_sql(?)", [sql]).fetchone()[0])
    if parsed["error"]:
        if "Only SELECT" in parsed["error_message"]:
            raise QueryRefused("action")
        raise QueryRefused("sql", parsed["error_message"])
    if len(parsed["statements"]) != 1:
        raise QueryRefused("sql", "more than one statement")
    nodes = list(_nodes(parsed["statements"]))
    own = {str(entry["key"]).lower() for node in nodes for entry in node.get("cte_map", {}).get("map", ())}
    known = {name.lower() for (name,) in session.execute("SELECT view_name FROM duckdb_views() WHERE internal").fetchall()}
    for name in sorted(own & known):
        raise QueryRefused("table", name)
    for node in nodes:
        _check_node(node, views | own)


def _check_node(node: dict[str, Any], names: frozenset[str] | set[str]) -> None:
    if "function_name" in node:
        name = str(node["function_name"]).lower()
        if name not in FUNCTIONS or node.get("schema") or node.get("catalog"):
            raise QueryRefused("function", name)
    if "sample" in node and "alias" in node and "type" in node:  # what stands after FROM
        if node["type"] == "TABLE_FUNCTION":
            raise QueryRefused("function", str(node["function"].get("function_name", "")))
        if node["type"] not in _FROM:
            raise QueryRefused("action")
    if node.get("type") == "BASE_TABLE":
        path = node.get("qualified_name", {}).get("path") or [node.get("table_name", "")]
        if len(path) != 1 or node.get("schema_name") or node.get("catalog_name") or path[0].lower() not in names:
            raise QueryRefused("table", str(path[-1]))


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Every object of a parse, from the top down."""
    waiting = [tree]
    while waiting:
        here = waiting.pop()
        if isinstance(here, dict):
            yield here
            waiting.extend(here.values())
        elif isinstance(here, list):
            waiting.extend(here)


def _failure(error: Exception, schema: str) -> QueryRefused:
    text = str(error).replace(f"{schema}.", "").partition("\n\nLINE")[0].partition("\n")[0]
    if isinstance(error, duckdb.InterruptException):
        return QueryRefused("timeout")
    if isinstance(error, duckdb.OutOfMemoryException):
        return QueryRefused("memory")
    if isinstance(error, duckdb.IOException):
        return QueryRefused("io", text)
    away = _PART_AWAY.search(" ".join(str(error).split()))
    if away:
        told = f"a part of the lake could not be read: {away[1]}; next: gaelp db verify, which names what is wrong with it"
        return QueryRefused("told", told, error="StoreIOError")
    return QueryRefused("sql", text.partition(": ")[2] or text)
