"""What a view is made of: columns with meanings, a source, and the two dialects they are written in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

_TABLE_MARK = re.compile(r"(@@?)(\w+)")


@dataclass(frozen=True)
class Dialect:
    """The few things that SQLite, PostgreSQL and DuckDB write differently; nothing else in the store's views does."""

    name: str

    def time_text(self, seconds: str) -> str:
        """ISO text in UTC of epoch seconds, such as 2025-09-01T08:30:00Z."""
        if self.name == "sqlite":
            return f"strftime('%Y-%m-%dT%H:%M:%SZ', {seconds}, 'unixepoch')"
        if self.name == "duckdb":
            return f"strftime(make_timestamp(CAST({seconds} AS BIGINT) * 1000000), '%Y-%m-%dT%H:%M:%SZ')"
        return f"to_char(to_timestamp({seconds}) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"

    def day_text(self, seconds: str) -> str:
        """The UTC date of epoch seconds, such as 2025-09-01."""
        if self.name == "sqlite":
            return f"strftime('%Y-%m-%d', {seconds}, 'unixepoch')"
        if self.name == "duckdb":
            return f"strftime(make_timestamp(CAST({seconds} AS BIGINT) * 1000000), '%Y-%m-%d')"
        return f"to_char(to_timestamp({seconds}) AT TIME ZONE 'UTC', 'YYYY-MM-DD')"

    def list_text(self, value: str, source: str, *, order: str, separator: str) -> str:
        """One text of many rows' values in order; `source` is `FROM ... WHERE ...`."""
        if self.name == "sqlite":
            # SQLite 3.40 has no ORDER BY inside an aggregate; it keeps a subquery's order for group_concat.
            return f"(SELECT group_concat(v, '{separator}') FROM (SELECT {value} AS v {source} ORDER BY {order}))"
        return f"(SELECT string_agg({value}, '{separator}' ORDER BY {order}) {source})"


DIALECTS = {name: Dialect(name) for name in ("sqlite", "postgresql", "duckdb")}

Expression = Callable[[Dialect], str]


@dataclass(frozen=True)
class ViewColumn:
    """One column of a view: its name, what it means, and its SQL in a dialect."""

    name: str
    meaning: str
    expression: Expression


@dataclass(frozen=True)
class View:
    """One view; tables in `source` are marked: `@journey` the table, `@run` the runs in scope, `@@run` all runs."""

    name: str
    meaning: str
    columns: tuple[ViewColumn, ...]
    source: str

    def select_sql(self, dialect: Dialect) -> str:
        """The view's SELECT with its marks still in place."""
        columns = ",\n  ".join(f"{column.expression(dialect)} AS {column.name}" for column in self.columns)
        return f"SELECT\n  {columns}\n{self.source.strip()}"


def table_marks(sql: str) -> set[str]:
    """Names of the tables that a marked statement reads."""
    return {name for _, name in _TABLE_MARK.findall(sql)}


def resolve_marks(
    sql: str, *, prefix: str = "", runs: str | None = None, tables: Mapping[str, str] | None = None
) -> str:
    """Replace table marks by names led by `prefix`, and `@run` by the source `runs` (default: the table of runs).

    tables: sources to read in place of tables, by name; "run" is that of `@run` alone
    """
    sources = dict(tables or {})
    if runs is not None:
        sources.setdefault("run", runs)

    def replacement(match: re.Match[str]) -> str:
        name = match[2]
        return prefix + name if match[0] == "@@run" else sources.get(name, prefix + name)

    return _TABLE_MARK.sub(replacement, sql)


def columns(*parts: ViewColumn | Iterable[ViewColumn]) -> tuple[ViewColumn, ...]:
    """One flat tuple of columns out of single ones and groups."""
    flat: list[ViewColumn] = []
    for part in parts:
        flat.extend([part] if isinstance(part, ViewColumn) else part)
    return tuple(flat)


def plain(name: str, meaning: str, sql: str | None = None) -> ViewColumn:
    """A column as stored (or any SQL that both dialects read alike)."""
    text = sql or f"t.{name}"
    return ViewColumn(name, meaning, lambda _dialect: text)


def optional(name: str, meaning: str, sql: str | None = None) -> ViewColumn:
    """A column whose sentinel -1 reads as NULL."""
    return plain(name, meaning, f"NULLIF({sql or f't.{name}'}, -1)")


def moment(stem: str, meaning: str, sql: str | None = None) -> tuple[ViewColumn, ViewColumn]:
    """A time twice: `<stem>_s` in epoch seconds UTC and `<stem>_at` as ISO text; none is NULL."""
    seconds = f"NULLIF({sql or f't.{stem}_s'}, -1)"
    return (
        plain(f"{stem}_s", f"{meaning}, epoch seconds UTC", seconds),
        ViewColumn(f"{stem}_at", f"{meaning}, ISO text UTC", lambda dialect: dialect.time_text(seconds)),
    )


def money(stem: str, meaning: str, sql: str | None = None, *, none: bool = False) -> tuple[ViewColumn, ViewColumn]:
    """An amount twice: exact in `<stem>_micros`, and in units of the scenario's currency as `<stem>_usd`."""
    micros = sql or f"t.{stem}_micros"
    micros = f"NULLIF({micros}, -1)" if none else micros
    return (
        plain(f"{stem}_micros", f"{meaning}, micros (exact)", micros),
        plain(f"{stem}_usd", f"{meaning}, units of the scenario's currency",
              f"CAST({micros} AS DOUBLE PRECISION) / 1000000"),
    )


def named(name: str, meaning: str, kind: str, sql: str | None = None) -> ViewColumn:
    """A code of the scenario's as its name; NULL where there is none."""
    # A scalar subquery, not a join: a query that leaves the column out then pays nothing for it.
    return plain(
        name, meaning,
        f"(SELECT n.name FROM @name AS n WHERE n.run_key = t.run_key AND n.kind = '{kind}'"
        f" AND n.code = {sql or f't.{name}'})",
    )


def coded(name: str, meaning: str, names: tuple[str, ...], sql: str | None = None) -> ViewColumn:
    """A fixed code as its name; NULL where there is none."""
    cases = " ".join(f"WHEN {code} THEN '{text}'" for code, text in enumerate(names))
    return plain(name, f"{meaning}: {', '.join(names)}", f"CASE {sql or f't.{name}'} {cases} END")


def named_bits(name: str, meaning: str, kind: str) -> ViewColumn:
    """A bitmask by code as its names, in code order, separated by commas; NULL where empty."""
    source = (
        f"FROM @name AS n WHERE n.run_key = t.run_key AND n.kind = '{kind}' AND n.code >= 0"
        f" AND (t.{name} & (CAST(1 AS BIGINT) << n.code)) <> 0"
    )
    return ViewColumn(
        name, f"{meaning}, separated by commas",
        lambda dialect: dialect.list_text("n.name", source, order="n.code", separator=","),
    )


RUN_ID = plain("run_id", "the run that the row belongs to", "r.run_id")
GROUPED_RUN_ID = plain("run_id", RUN_ID.meaning, "t.run_id")
"""The run of a row that sums many: the source groups by run and world and calls its rows `t`."""
WORLD = plain("world_id", "world within the run, from 0")
PERSON = plain("person_id", "person within the world, from 0")


def run_of(table: str) -> str:
    """FROM clause of a view over one table: rows `t` of the runs `r` in scope, reached by the table's own key."""
    return f"FROM @run AS r JOIN @{table} AS t ON t.run_key = r.run_key"


def day_of(seconds: str) -> ViewColumn:
    """The day since the run's clock began, from 0."""
    return plain("day", "day since the run's clock began, from 0", f"({seconds} - r.start_s) / 86400")


def hour_of_day(seconds: str) -> ViewColumn:
    """Hour of the day in UTC."""
    return plain("hour_of_day", "hour of the day in UTC, 0-23", f"({seconds} / 3600) % 24")


def date_of_day(start: str = "r.start_s") -> ViewColumn:
    """The date of a day of the run."""
    return ViewColumn("date", "date of that day, UTC",
                      lambda dialect: dialect.day_text(f"({start} + CAST(t.day AS BIGINT) * 86400)"))
