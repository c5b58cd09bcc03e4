"""Worked queries asked of one run inside this process: the program's own questions, so none of the console's guards.

Users' SQL goes through `store/console.py`. Both read the same views, and a test holds their answers equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from gaelp_sim.store.engines import Link
from gaelp_sim.store.records import RunRecord
from gaelp_sim.store.sql_text import pieces, tokens
from gaelp_sim.store.store import Store
from gaelp_sim.store.view_parts import resolve_marks
from gaelp_sim.store.views import view_selects
from gaelp_sim.store.worked_query import NamedQuery

Row = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What a run answered to a query: rows by column, and how to ask again."""

    query: NamedQuery
    parameters: Mapping[str, int]
    """Those that are not the query's defaults"""
    rows: list[Row]


def answer(store: Store, run: RunRecord, query: NamedQuery, parameters: Mapping[str, int] | None = None) -> Answer:
    """Ask a run one worked query; parameters are whole numbers."""
    given = dict(parameters or {})
    with store.database.reading() as link:
        sql = _views_sql(link, run, query.sql) + _filled(query, given)
        cursor = link.execute(sql)
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, map(_plain, row), strict=True)) for row in cursor.fetchall()]
    return Answer(query, given, rows)


def _views_sql(link: Link, run: RunRecord, sql: str) -> str:
    """The WITH list of the views that the SQL names, each showing this run alone."""
    if link.dialect == "sqlite":
        prefix = "main."
    else:
        schema = str((link.one("SELECT current_schema()") or [""])[0]).replace('"', '""')
        prefix = f'"{schema}".'
    runs = f"(SELECT * FROM {prefix}run WHERE run_key = {run.run_key:d})"
    asked = {text.lower() for kind, text in tokens(sql) if kind == "word"}
    listed = [
        f"{name} AS NOT MATERIALIZED (\n{resolve_marks(select, prefix=prefix, runs=runs)}\n)"
        for name, select in view_selects(link.dialect).items() if name in asked
    ]
    return "WITH " + ",\n".join(listed) + "\n" if listed else ""


def _filled(query: NamedQuery, given: Mapping[str, int]) -> str:
    """The SQL with whole numbers in place of its parameters."""
    values = {**query.defaults, **given}
    return "".join(f"{int(values[text] or 0):d}" if kind == "parameter" else text for kind, text in pieces(query.sql))


def _plain(value: Any) -> Any:
    """Postgres's exact numbers as int where they are whole numbers of an integer type, else float."""
    if isinstance(value, Decimal):
        return int(value) if value.as_tuple().exponent == 0 else float(value)
    return value
