"""The mailbox of agents from outside: what each kind of row comes to, and what a role may do."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import numpy as np
import pytest

from gaelp_sim.errors import UsageError
from gaelp_sim.store import RunRecord, Store
from gaelp_sim.store.engines import Database, connect
from gaelp_sim.store.outside import BID_MICROS_MOST, Mailbox
from gaelp_sim.store.roles import grant_agent
from tests.store.hand_made_store import make_store

NAMES = {"channel": ["search", "social"], "signal": ["generic", "urgent", "broad"]}
CELLS = ((0, 0), (0, 1), (1, 2))
INSERT = "INSERT INTO outside_bid (run_id, world_id, hour, channel, signal, bid_micros) VALUES (?, ?, ?, ?, ?, ?)"


@contextmanager
def _asked(url: str, record: RunRecord, hour: int = 5) -> Iterator[tuple[Store, RunRecord, Mailbox]]:
    """A store with a run of two worlds that waits for the bids of an hour."""
    with Store.open(url) as store:
        run = store.begin_run(record, NAMES)
        box = Mailbox(store.database, run)
        box.ask(hour, _sheet())
        yield store, run, box


def _sheet() -> dict[str, Any]:
    world = np.repeat([0, 1], len(CELLS))
    channel, signal = (np.tile([cell[part] for cell in CELLS], 2) for part in (0, 1))
    return {"world_id": world, "channel": channel, "signal": signal, "default_micros": 1_000_000 + signal,
            "budget_micros": np.full(len(world), -1)}


def _put(store: Store, *rows: tuple[Any, ...]) -> None:
    with store.database.writing() as link:
        link.execute_many(INSERT, rows)


def _whole(run: RunRecord, hour: int) -> list[tuple[Any, ...]]:
    return [(run.run_id, world, hour, NAMES["channel"][channel], NAMES["signal"][signal], 100 * world + signal)
            for world in (0, 1) for channel, signal in CELLS]


def _verdicts(store: Store) -> list[str]:
    with store.database.reading() as link:
        return [row[0] for row in link.all("SELECT verdict FROM observed_answers ORDER BY hour, number")]


def _open_rows(store: Store) -> int:
    with store.database.reading() as link:
        return int(link.all("SELECT COUNT(*) FROM observed_sheet WHERE asked = 1")[0][0])


def test_a_whole_sheet_closes_its_hour(db_url: str, run_record: RunRecord) -> None:
    with _asked(db_url, run_record) as (store, run, box):
        assert not box.has_rows() and _open_rows(store) == 6
        _put(store, *_whole(run, 5))
        assert box.has_rows() and _open_rows(store) == 0, "what lies there need not be written again"
        given = box.take(5)
        assert given.complete and given.refused == 0
        assert given.bids == {(w, c, s): 100 * w + s for w in (0, 1) for c, s in CELLS}
        assert _verdicts(store) == ["ACCEPTED"] * 6 and not box.has_rows()
        _put(store, *_whole(run, 5))
        assert box.take(6).bids == {} and _verdicts(store)[6:] == ["LATE"] * 6


def test_each_kind_of_row_has_its_verdict(db_url: str, run_record: RunRecord) -> None:
    """Nothing of it is lost, the first good row for a cell counts, and what is missing stays asked."""
    with _asked(db_url, run_record) as (store, run, box):
        me = run.run_id
        cases = [
            ((me, 0, 5, "search", "generic", -1), "ABSURD"),
            ((me, 0, 5, "search", "generic", BID_MICROS_MOST + 1), "ABSURD"),
            ((me, 0, 5, "search", "generic", 2**63 - 1), "ABSURD"),
            ((me, 0, 5, "search", "generic", BID_MICROS_MOST), "ACCEPTED"),
            ((me, 0, 5, "search", "generic", 7), "DUPLICATE"),
            ((me, 0, 5, "search", "urgent", 0), "ACCEPTED"),
            ((me, 0, 4, "search", "urgent", 7), "LATE"),
            ((me, 0, -2**63, "search", "urgent", 7), "LATE"),
            ((me, 0, 6, "social", "broad", 7), "EARLY"),
            ((me, 2, 5, "social", "broad", 7), "FOREIGN"),
            ((me, -1, 5, "social", "broad", 7), "FOREIGN"),
            ((me, 0, 5, "search", "broad", 7), "FOREIGN"),
            ((me, 0, 5, "Search", "generic", 7), "FOREIGN"),
            ((me, 0, 5, "search", "generic'; DROP TABLE run; --", 7), "FOREIGN"),
            (("000000000000", 0, 5, "search", "generic", 7), "FOREIGN"),
            (("", 0, 5, "x" * 1_000_000, "generic", 7), "FOREIGN"),
        ]
        _put(store, *(row for row, _ in cases))
        given = box.take(5)
        assert _verdicts(store) == [verdict for _, verdict in cases]
        assert given.bids == {(0, 0, 0): BID_MICROS_MOST, (0, 0, 1): 0} and not given.complete
        assert given.refused == len(cases) - 2 and _open_rows(store) == 4
        last = box.take(5, closing=True)
        assert last.bids == given.bids and _open_rows(store) == 0
        with store.database.reading() as link:
            assert link.all("SELECT MAX(LENGTH(channel)) FROM observed_answers") == [(40,)]


def test_rows_for_another_run_wait_for_it(db_url: str, run_record: RunRecord) -> None:
    """A run that goes on, or may be resumed, judges its own rows; those of a finished or unknown one are foreign."""
    with _asked(db_url, run_record) as (store, run, box):
        other = store.begin_run(run_record, NAMES)
        _put(store, *_whole(other, 5))
        assert not box.has_rows() and box.take(5).bids == {} and _verdicts(store) == []
        its = Mailbox(store.database, other)
        its.ask(5, _sheet())
        assert its.take(5).complete
        store.finish_run(other, "FINISHED", {})
        _put(store, *_whole(other, 6))
        assert box.has_rows() and box.take(5).refused == 6
        store.delete_run(other)
        assert _verdicts(store) == ["FOREIGN"] * 6


def test_what_was_accepted_outlives_the_simulator(db_url: str, run_record: RunRecord) -> None:
    """Half a sheet is there, the process dies, another takes over and asks again: the other half is enough."""
    with _asked(db_url, run_record) as (store, run, box):
        rows = _whole(run, 5)
        _put(store, *rows[:3])
        assert len(box.take(5).bids) == 3
        again = Mailbox(store.database, run)
        again.ask(5, _sheet())
        assert _open_rows(store) == 3
        _put(store, *rows[3:])
        assert again.take(5).complete and _verdicts(store) == ["ACCEPTED"] * 6


def test_a_flood_is_taken_in_parts(sqlite_url: str, run_record: RunRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gaelp_sim.store.outside.ROWS_AT_ONCE", 10)
    with _asked(sqlite_url, run_record) as (store, run, box):
        _put(store, *[(run.run_id, 0, 4, "search", "generic", 1)] * 25, *_whole(run, 5))
        assert [box.take(5).complete for _ in range(4)] == [False, False, False, True]
        assert len(_verdicts(store)) == 31


def test_the_database_refuses_what_is_no_row(db_url: str, run_record: RunRecord) -> None:
    """NULLs and words in place of numbers never get in; the agent's own statement fails."""
    from gaelp_sim.errors import GaelpError

    with _asked(db_url, run_record) as (store, run, box):
        good = [run.run_id, 0, 5, "search", "generic", 7]
        for place, value in ((0, None), (5, None), (1, "zero"), (2, "now"), (5, "plenty"), (5, 2**63)):
            bad = [*good[:place], value, *good[place + 1 :]]
            with pytest.raises((GaelpError, OverflowError, Exception)):  # noqa: B017 (drivers share no base class)
                _put(store, tuple(bad))
        assert not box.has_rows()


def test_bytes_that_are_no_text_do_no_harm(sqlite_url: str, run_record: RunRecord) -> None:
    """SQLite holds any bytes as text, and a driver that reads them as UTF-8 raises."""
    with _asked(sqlite_url, run_record) as (store, run, box):
        with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as raw, raw:
            raw.execute(
                "INSERT INTO outside_bid (run_id, world_id, hour, channel, signal, bid_micros) VALUES "
                "(?, 0, 5, CAST(x'ff00fe' AS TEXT), 'a' || char(0) || 'b', 1)", (run.run_id,)
            )
        assert box.take(5).refused == 1 and _verdicts(store) == ["FOREIGN"]


def test_a_key_of_its_own_closes_the_table_to_nobody(sqlite_url: str, run_record: RunRecord) -> None:
    with _asked(sqlite_url, run_record) as (store, run, box):
        with store.database.writing() as link:
            link.execute(INSERT.replace("(run_id", "(bid_key, run_id").replace("(?", f"({2**63 - 1}, ?"),
                         (run.run_id, 0, 5, "search", "generic", 3))
        _put(store, *_whole(run, 5)[1:])
        assert box.take(5).complete


def test_an_agents_role_reads_views_and_writes_bids_alone(pg_url: str, run_record: RunRecord) -> None:
    import psycopg

    with _asked(pg_url, run_record) as (store, run, box):
        role = f"agent_{run.run_id}"
        try:
            assert "observed_sheet" in grant_agent(store.database, role)
            grant_agent(store.database, role)  # again, as after an upgrade
            _try_as(store, role, run, psycopg)
            assert len(box.take(5).bids) == 1
            with pytest.raises(UsageError, match="superuser"):
                grant_agent(store.database, "postgres")
            with pytest.raises(UsageError, match="small letters"):
                grant_agent(store.database, 'x"; DROP TABLE run; --')
        finally:
            with store.database.writing() as link:
                link.execute(f"DROP OWNED BY {role}")
                link.execute(f"DROP ROLE {role}")


def _try_as(store: Store, role: str, run: RunRecord, psycopg: Any) -> None:
    url = store.database.engine.url.set(drivername="postgresql", username=role).render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as agent:
        assert agent.execute("SELECT COUNT(*) FROM observed_sheet WHERE asked = 1").fetchone() == (6,)
        assert agent.execute("SELECT status FROM observed_runs").fetchall() == [("RUNNING",)]
        agent.execute(INSERT.replace("?", "%s"), (run.run_id, 0, 5, "search", "generic", 3))
        assert agent.execute("SELECT COUNT(*) FROM observed_sheet WHERE asked = 1").fetchone() == (5,)
        for refused in (
            "SELECT * FROM outside_bid", "SELECT * FROM run", "SELECT * FROM touchpoint", "SELECT * FROM truth_people",
            "SELECT * FROM journeys", "DELETE FROM outside_bid", "UPDATE outside_bid SET bid_micros = 0",
            "INSERT INTO outside_ask VALUES (1, 0, 5, 0, 0, 0, 0)", "TRUNCATE outside_bid", "DROP VIEW observed_sheet",
            "INSERT INTO outside_bid OVERRIDING SYSTEM VALUE VALUES (1, 'x', 0, 5, 'search', 'generic', 1)",
            "CREATE TABLE mine (x INT)",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                agent.execute(refused)


def test_a_role_cannot_look_behind_a_view(pg_url: str) -> None:
    """A cheap function of its own in WHERE is shown no row that the view leaves out; without the barrier it would be."""
    make_store(pg_url)
    database, role = connect(pg_url), "agent_that_peeps"
    try:
        grant_agent(database, role)
        assert len(_peeped(database, role)) == 12
        with database.writing() as link:
            link.execute("ALTER VIEW observed_touches SET (security_barrier = false)")
        assert len(_peeped(database, role)) == 14, "a rival's touch in either run"
    finally:
        with database.writing() as link:
            link.execute(f"DROP OWNED BY {role}")
            link.execute(f"DROP ROLE {role}")
        database.close()


def _peeped(database: Database, role: str) -> list[str]:
    import psycopg

    url = database.engine.url.set(drivername="postgresql", username=role).render_as_string(hide_password=False)
    told: list[str] = []
    with psycopg.connect(url, autocommit=True) as agent:
        agent.add_notice_handler(lambda notice: told.append(notice.message_primary or ""))
        agent.execute(
            "CREATE FUNCTION pg_temp.told(smallint) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS "
            "'BEGIN RAISE NOTICE ''%'', $1; RETURN true; END'"
        )
        agent.execute("SELECT COUNT(*) FROM observed_touches WHERE pg_temp.told(touch_slot)")
    return told


def test_sqlite_knows_no_roles(sqlite_url: str, run_record: RunRecord) -> None:
    Store.open(sqlite_url).close()
    database = connect(sqlite_url)
    with pytest.raises(UsageError, match="SQLite has no roles"):
        grant_agent(database, "agent")
    database.close()
