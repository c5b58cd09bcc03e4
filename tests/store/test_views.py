"""The named views: what they list, what they hide, and how they reach one run's rows."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from gaelp_sim import events
from gaelp_sim.market.cast import Strategy
from gaelp_sim.store import code_names
from gaelp_sim.store.console import run_query
from gaelp_sim.store.engines import Link, connect
from gaelp_sim.store.layout import LAYOUTS, ColumnKind, TableLayout
from gaelp_sim.store.observed_views import OBSERVED_READS, OBSERVED_VIEWS
from gaelp_sim.store.view_parts import table_marks
from gaelp_sim.store.views import (
    SYNONYMS,
    VIEW_COLUMNS,
    VIEWS,
    create_views_sql,
    drop_views_sql,
    stored_name,
)
from tests.store.hand_made_store import US, WON, make_store

OBSERVED = [view.name for view in OBSERVED_VIEWS]


def _path(url: str) -> str:
    return url.removeprefix("sqlite:///")


def _stored_rows(url: str, sql: str) -> list[tuple[object, ...]]:
    database = connect(url)
    with database.reading() as link:
        found = link.all(sql)
    database.close()
    return found


def test_each_view_has_the_columns_that_its_table_says(db_url: str) -> None:
    """VIEW_COLUMNS is what `--list` prints: names, order, run_id first."""
    make_store(db_url)
    database = connect(db_url)
    with database.reading() as link:
        for view, columns in VIEW_COLUMNS.items():
            cursor = link.execute(f"SELECT * FROM {stored_name(view)}")
            assert [name for name, *_ in cursor.description] == list(columns), view
            assert next(iter(columns)) == "run_id"
    database.close()


def test_each_column_says_what_it_means() -> None:
    """One short sentence each, for views as well."""
    for name, view in VIEWS.items():
        assert view.meaning and "\n" not in view.meaning
        for column, meaning in VIEW_COLUMNS[name].items():
            assert meaning and "\n" not in meaning and len(meaning) < 120, (name, column)


def test_names_of_codes_are_those_of_the_enums() -> None:
    """The views' names of codes stand apart from `events` only so that a query need not load numpy."""
    pairs = {
        code_names.STAGES: events.Stage, code_names.JOURNEY_STATUSES: events.JourneyStatus,
        code_names.TOUCH_KINDS: events.TouchKind, code_names.DECISION_STATUSES: events.DecisionStatus,
        code_names.CONVERSION_VIAS: events.ConversionVia, code_names.TRIGGER_KINDS: events.TriggerKind,
        code_names.DEVICE_KINDS: events.DeviceKind, code_names.STRATEGIES: Strategy,
    }
    for names, enum in pairs.items():
        assert {name: code for code, name in enumerate(names)} == {member.name: member.value for member in enum}
    assert code_names.US == events.US


def test_views_can_be_dropped_and_made_again(db_url: str) -> None:
    """A migration drops them first; dropping twice does no harm."""
    make_store(db_url)
    database = connect(db_url)
    with database.writing() as link:
        for _ in range(2):
            for statement in drop_views_sql(database.dialect):
                link.execute(statement)
        for statement in create_views_sql(database.dialect):
            link.execute(statement)
        assert link.all("SELECT COUNT(*) FROM journeys") == [(8,)]
    database.close()


def test_the_flagship_question_is_answered(db_url: str) -> None:
    """The README's query, over the last run only."""
    make_store(db_url)
    found = run_query(db_url, "SELECT stage, COUNT(*) FROM journeys GROUP BY 1 ORDER BY 1")
    assert found.rows == [("CONVERTED", 2), ("INTENT", 2)]


def test_both_databases_show_the_same_rows(sqlite_url: str, pg_url: str) -> None:
    """Every view, value for value; only run ids and times of making differ."""
    make_store(sqlite_url)
    make_store(pg_url)
    for view, columns in VIEW_COLUMNS.items():
        same = ", ".join(name for name in columns if name not in ("run_id", "root_run_id", "created_at"))
        sql = f"SELECT {same} FROM {stored_name(view)}"
        rows = [sorted(_stored_rows(url, sql), key=repr) for url in (sqlite_url, pg_url)]
        assert rows[0] == rows[1], view
        assert rows[0], f"{view} is empty: the test shows nothing"


def test_sentinels_read_as_null(sqlite_url: str) -> None:
    """No -1 ever reaches a user."""
    make_store(sqlite_url)
    for view in VIEW_COLUMNS:
        for row in run_query(sqlite_url, f"SELECT * FROM {view}").rows:
            assert not any(value == -1 for value in row), (view, row)


def test_hours_in_which_we_won_nothing_count_in_the_win_rate(db_url: str) -> None:
    """Seven auctions, five won: by hour and by day, though two of those hours hold no row of ours."""
    make_store(db_url)
    for view in ("auctions_hourly", "channel_daily"):
        sql = f"SELECT SUM(opportunities), SUM(wins) FROM {view} WHERE ours = 1"
        assert run_query(db_url, sql).rows == [(7, 5)], view
    bark = "SELECT day, opportunities, wins FROM channel_daily WHERE advertiser = 'Bark'"
    assert run_query(db_url, bark).rows == [(2, 1, 1)]


# What an advertiser could see


def _reads(connection: sqlite3.Connection, sql: str) -> Iterator[tuple[str, str]]:
    found: list[tuple[str, str]] = []

    def note(action: int, first: str | None, second: str | None, _database: str | None, _view: str | None) -> int:
        if action == sqlite3.SQLITE_READ and first in ("run", *LAYOUTS):
            found.append((first, second or ""))
        return sqlite3.SQLITE_OK

    connection.set_authorizer(note)
    connection.execute(sql)
    connection.set_authorizer(None)
    return iter(found)


def test_observed_views_read_listed_columns_only(sqlite_url: str) -> None:
    """As SQLite itself compiles them: no column outside OBSERVED_READS, hence nothing hidden."""
    make_store(sqlite_url)
    with closing(sqlite3.connect(_path(sqlite_url))) as connection:
        for view in OBSERVED:
            for table, column in _reads(connection, f"SELECT * FROM {view}"):
                assert not column or column in OBSERVED_READS[table], (view, table, column)


def test_observed_views_name_no_table_of_truth() -> None:
    """By their text: `device` alone leads from a sale to the alias of its browser; person and truth tables never."""
    for view in OBSERVED_VIEWS:
        tables = {table for column in view.columns for table in table_marks(column.expression(_any_dialect()))}
        tables |= table_marks(view.source)
        assert tables <= set(OBSERVED_READS), view.name
        shown = set(VIEW_COLUMNS[view.name])
        hidden = {"person_id", "household_id", "segment", "stage", "journey_index", "examined", "late", "via"}
        assert not shown & hidden, view.name
        assert not any(name.startswith(("truth", "true")) for name in shown)


def _any_dialect() -> Any:
    from gaelp_sim.store.view_parts import DIALECTS

    return DIALECTS["sqlite"]


def test_observed_views_do_not_move_when_the_truth_does(db_url: str) -> None:
    """Relabel people, scramble every hidden column, delete what nobody told us: the advertiser sees the same."""
    make_store(db_url)
    before = _observed(db_url)
    database = connect(db_url)
    with database.writing() as link:
        _scramble(link)
    database.close()
    assert _stored_rows(db_url, "SELECT MIN(person_id) FROM people") == [(996,)]
    assert _observed(db_url) == before


def _observed(url: str) -> dict[str, list[tuple[object, ...]]]:
    return {view: sorted(_stored_rows(url, f"SELECT * FROM {view}"), key=repr) for view in OBSERVED}


def _scramble(link: Link) -> None:
    # Rivals' touches and sales, sales not yet reported, prices of auctions we lost: nobody tells us of them.
    link.execute(f"DELETE FROM touchpoint WHERE advertiser <> {US}")
    link.execute(f"DELETE FROM conversion WHERE advertiser <> {US} OR reported_s > 1757894400")
    link.execute(f"UPDATE decision SET price_micros = 424242, charge_micros = 31 WHERE status <> {WON}")
    for table in ("truth_person", "truth_credit", "credit", "alias_link", "trigger_event", "checkpoint"):
        link.execute(f"DELETE FROM {table}")
    for layout in LAYOUTS.values():
        _scramble_table(link, layout)


def _scramble_table(link: Link, layout: TableLayout) -> None:
    seen = OBSERVED_READS.get(layout.name, frozenset())
    names = layout.column_names
    changes = [f"{c.name} = {_other(c.kind, c.name)}" for c in layout.values if c.name not in seen]
    if "person_id" in names:
        changes.append("person_id = 1000 - person_id")
    if layout.name == "conversion":
        changes.append("decided_s = decided_s - 77")
    if changes:
        link.execute(f"UPDATE {layout.name} SET {', '.join(changes)}")


def _other(kind: ColumnKind, name: str) -> str:
    if kind is ColumnKind.BYTES:
        return name
    if kind is ColumnKind.TEXT:
        return "'scrambled'"
    return f"{name} * 0.5 + 0.25" if kind is ColumnKind.DOUBLE else f"({name} + 3) % 4"


# Speed: one run's rows are reached by the tables' own keys


def _scans_of_tables(plan: list[str]) -> list[str]:
    made = {match[1] for line in plan if (match := re.match(r"(?:MATERIALIZE|CO-ROUTINE) (\S+)", line))}
    scans = [line for line in plan if line.startswith("SCAN ")]
    harmless = {"run", "main.run", "r", "q", "CONSTANT", *made}
    return [line for line in scans if line.split()[1] not in harmless and "subquery" not in line.lower()]


# A stored view that sums over a union gets no condition pushed into its parts by SQLite; the console's views do not
# need that, they hold one run from the start.
_SCANS_WHEN_STORED = {"channel_daily", "creative_daily", "identity_quality"}


def test_one_run_is_reached_by_key(sqlite_url: str) -> None:
    """No view walks a whole table to answer for one run: neither in the console, nor stored and asked by run_id."""
    _, run_id = make_store(sqlite_url)
    for view in [*VIEW_COLUMNS, *SYNONYMS]:
        plan = run_query(sqlite_url, f"EXPLAIN QUERY PLAN SELECT * FROM {view}")
        assert not _scans_of_tables([str(row[3]) for row in plan.rows]), view
    with closing(sqlite3.connect(_path(sqlite_url))) as connection:
        for view in set(VIEW_COLUMNS) - _SCANS_WHEN_STORED:
            sql = f"EXPLAIN QUERY PLAN SELECT * FROM {stored_name(view)} WHERE run_id = '{run_id}'"
            assert not _scans_of_tables([row[3] for row in connection.execute(sql)]), view
