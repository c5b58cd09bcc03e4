"""What to tell a user whose query got no answer: one line with the reason and the next step."""

from __future__ import annotations

import re
from typing import Any

from gaelp_sim.errors import (
    CorruptStoreError,
    GaelpError,
    RunNotFoundError,
    SchemaVersionError,
    StoreBusyError,
    StoreIOError,
    StoreWriteError,
    UsageError,
)
from gaelp_sim.store.schema_version import HEAD
from gaelp_sim.store.sql_text import first_word, tokens
from gaelp_sim.store.views import SYNONYMS, VIEW_COLUMNS

_VIEWS_OF_TABLES = {
    "journey": "journeys", "person": "people", "touchpoint": "touchpoints", "decision": "decisions",
    "auction_hour": "auctions_hourly", "conversion": "conversions", "alias": "aliases",
    "alias_link": "possible_aliases", "alias_pair": "possible_aliases", "identity_change": "identity_changes",
    "bid_sheet": "bid_sheets", "budget_day": "budgets_daily",
    "trigger_event": "trigger_events", "device": "truth_devices", "truth_person": "truth_people", "run": "runs",
    "world": "worlds", "world_parameter": "world_parameters",
    "rival_day": "rivals_daily", "price_landscape": "observed_price_landscape",
    "truth_price": "truth_price_landscape", "outside_ask": "observed_sheet", "outside_answer": "observed_answers",
    "outside_bid": "observed_answers",
}
_LIST = "next: gaelp query --list"
_ONLY_READS = "the console only reads: one SELECT on the named views"
_UNKNOWN_TABLE = re.compile(r'no such table: (?:\w+\.)?(\S+)|relation "([^"]+)" does not exist')
_UNKNOWN_COLUMN = re.compile(
    r'no such column: (?:\w+\.)?(\S+)|(?i:(?:referenced )?column) "?(?:\w+\.)?(\w+)"? (?:does not exist|not found)'
)


def explain(error: dict[str, Any], *, place: str, sql: str, timeout_s: float) -> GaelpError:
    """The error to raise for a child's refusal."""
    kind, detail = error["kind"], error["detail"]
    if kind in ("no_run", "no_runs"):
        return _no_run(error, place)
    if kind == "timeout":
        return StoreBusyError(
            f"the query ran over {timeout_s:g} s; next: narrow it (WHERE world_id = 0, fewer columns), or raise --timeout"
        )
    if kind == "told":  # by the store itself, in its own words
        return _KINDS.get(error["error"], GaelpError)(detail)
    if kind in _OF_STORE:
        cause, text = _OF_STORE[kind]
        return cause(f"{place}: {text.format(detail=detail, head=HEAD)}")
    return UsageError(_of_query(kind, detail, sql))


_KINDS: dict[str, type[GaelpError]] = {
    kind.__name__: kind for kind in (CorruptStoreError, RunNotFoundError, SchemaVersionError, StoreBusyError, StoreIOError,
                                     StoreWriteError, UsageError)
}
_OF_STORE: dict[str, tuple[type[GaelpError], str]] = {
    "schema": (SchemaVersionError, "its schema is {detail!r}, this program's is {head!r}; next: gaelp db upgrade"),
    "busy": (StoreBusyError, "{detail}; next: try again when the other program has finished"),
    "away": (StoreBusyError, "{detail}; next: start the server or check its address, then try again"),
    "corrupt": (CorruptStoreError, "{detail}; next: gaelp db verify, or restore a copy"),
    "io": (StoreIOError, "{detail}; next: check the disk"),
    "open": (StoreWriteError, "{detail}; next: check the rights on the file and its folder"),
    "rights": (StoreWriteError, "{detail}; next: grant the role SELECT on the tables and TEMP on the database"),
    "failed": (GaelpError, "the query's own process failed: {detail}; next: report it, with the query"),
    "lake_packages": (StoreWriteError, "a run in a lake is asked through DuckDB; next: pip install 'gaelp-sim[lake]'"),
    "driver": (StoreWriteError, "PostgreSQL needs psycopg; next: pip install 'gaelp-sim[postgres]'"),
}


def _of_query(kind: str, detail: str, sql: str) -> str:
    if kind == "memory":
        return "the query needed more memory than a query may (512 MB); next: fewer rows or columns, or aggregate"
    if kind == "size":
        return "the answer is too large (32 MB in all, 10 MB a value); next: fewer columns, or a lower --limit"
    if kind == "function":
        return f"{detail}(): this function is not allowed in a query; {_ONLY_READS}"
    if kind == "table":
        return _raw_table(detail)
    if kind == "action":
        word = first_word(sql)
        word = "changing rows inside WITH, or locking them," if word in ("SELECT", "WITH") else word
        return f"{word or 'this'} is not allowed in a query; {_ONLY_READS}"
    if kind == "ended":
        return "the query was ended: it needed more memory or time than a query may; next: ask for less"
    return _of_sql(detail, sql)


def _raw_table(name: str) -> str:
    if name.lower() in (*VIEW_COLUMNS, *SYNONYMS):
        return f"{name}: ask this view by its bare name, without a schema; {_LIST}"
    view = _VIEWS_OF_TABLES.get(name.lower()) or nearest(name, [*VIEW_COLUMNS, *SYNONYMS])
    hint = f", nearest: {view}" if view else ""
    return f"{name}: not a named view{hint}; {_LIST}"


def _of_sql(detail: str, sql: str) -> str:
    table = _UNKNOWN_TABLE.search(detail)
    if table:
        name = (table[1] or table[2]).rpartition(".")[2]
        return _raw_table(name)
    column = _UNKNOWN_COLUMN.search(detail)
    if column:
        return _unknown_column((column[1] or column[2]).rpartition(".")[2], sql)
    if "data-modifying" in detail or "cannot modify" in detail:
        return _of_query("action", detail, sql)
    if "one statement" in detail or "multiple commands" in detail:
        return f"more than one statement; {_ONLY_READS}"
    return f"{detail.rstrip('.')}; {_LIST}"


def _unknown_column(name: str, sql: str) -> str:
    asked = {text.strip('"`').lower() for kind, text in tokens(sql) if kind in ("word", "quoted")}
    views = [view for view in VIEW_COLUMNS if view in asked]
    views += [view for synonym, view in SYNONYMS.items() if synonym in asked]
    known = [column for view in views for column in VIEW_COLUMNS[view]]
    near = nearest(name, known)
    hint = f", nearest: {near}" if near else ""
    return f"no column {name} in {', '.join(views) or 'the query'}{hint}; {_LIST}"


def nearest(name: str, known: list[str]) -> str | None:
    """The known name most like `name`; None if none is."""
    import difflib

    found = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.6)
    return found[0] if found else None


def _no_run(error: dict[str, Any], place: str) -> GaelpError:
    if error["kind"] == "no_runs":
        return RunNotFoundError(f"{place}: no runs yet; next: gaelp run quickstart")
    ref, ids = error["detail"], error["ids"]
    if error["fitting"] > 1:
        return RunNotFoundError(f"{place}: {ref!r} fits {error['fitting']} runs ({', '.join(ids[:5])});"
                                " next: give more letters of the id")
    near = nearest(ref, ids) or ", ".join(ids[-3:])
    return RunNotFoundError(f"{place}: no run {ref!r}, nearest: {near}; next: gaelp runs list")
