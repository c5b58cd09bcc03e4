"""Commit points: what goes in comes out, whole or not at all, once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gaelp_sim.errors import CorruptStoreError, StoreBusyError
from gaelp_sim.store import LAYOUTS, Batch, Store
from gaelp_sim.store.columns import Rows, blob_list

NAMES = {"channel": ["search", "social"], "advertiser": ["us", "Qustodio"]}


def listed(column: object) -> list[object]:
    """A column as Python values, whatever holds it."""
    if isinstance(column, np.ndarray) and column.ndim == 1:
        return column.tolist()
    return list(blob_list(column))  # type: ignore[arg-type]


def test_rows_come_back_as_they_went_in(db_url: str, run_record, made_batch) -> None:
    with Store.open(db_url) as store:
        run = store.begin_run(run_record, NAMES)
        batch = made_batch(0)
        store.commit(run, batch)
        for table, columns in batch.tables.items():
            put, got = Rows.of(LAYOUTS[table], columns), store.read(run, table)
            assert {name: listed(put.columns[name]) for name in got} == {n: listed(c) for n, c in got.items()}, table


def test_names_have_their_position_as_code(db_url: str, run_record) -> None:
    with Store.open(db_url) as store:
        run = store.begin_run(run_record, NAMES)
        names = store.read(run, "name", where={"kind": "channel"})
    assert (names["code"].tolist(), names["name"]) == ([0, 1], ["search", "social"])


def test_replaced_rows_give_way_and_added_ones_stay(db_url: str, run_record, made_batch) -> None:
    with Store.open(db_url) as store:
        run = store.begin_run(run_record, NAMES)
        store.commit(run, made_batch(0))
        store.commit(run, made_batch(1))
        assert len(store.read(run, "person")["person_id"]) == 300
        assert len(store.read(run, "touchpoint")["person_id"]) == 600
        second = Rows.of(LAYOUTS["person"], made_batch(1).tables["person"])
        assert store.read(run, "person")["goodwill_s"].tolist() == second.number("goodwill_s").tolist()


def test_reading_some_columns_of_some_rows(db_url: str, run_record, made_batch) -> None:
    with Store.open(db_url) as store:
        run = store.begin_run(run_record, NAMES)
        store.commit(run, made_batch(0))
        part = store.read(run, "touchpoint", columns=["person_id"], where={"world_id": np.int64(1), "kind": 30_000})
        assert list(part) == ["person_id"] and part["person_id"].dtype == np.int64 and not len(part["person_id"])
        with pytest.raises(KeyError):
            store.read(run, "touchpoint", columns=["run_key; DROP TABLE run"])


def test_the_same_batch_twice_is_one_commit(db_url: str, run_record, made_batch) -> None:
    """After a lost connection nobody knows whether the commit got through: it is simply made again."""
    with Store.open(db_url) as store:
        run = store.begin_run(run_record, NAMES)
        before = store._positions[run.run_key]
        store.commit(run, made_batch(0))
        store._positions[run.run_key] = before
        store.commit(run, made_batch(0))
        store.commit(run, made_batch(1))
        assert len(store.read(run, "touchpoint")["person_id"]) == 600
        store._positions[run.run_key] = before
        with pytest.raises(CorruptStoreError, match="hour 24 is committed already, with other rows"):
            store.commit(run, made_batch(0, seed=1))


@pytest.mark.parametrize("table,column", [
    ("touchpoint", "price_micros"), ("ledger", "amount_micros"), ("budget_day", "spent_micros"),
])
def test_books_that_do_not_balance_are_not_committed(db_url: str, run_record, made_batch, table, column) -> None:
    with Store.open(db_url) as store:
        run = store.begin_run(run_record, NAMES)
        batch = made_batch(0)
        wrong = batch.tables[table][column].copy()
        wrong[0] += 1
        tables = {**batch.tables, table: {**batch.tables[table], column: wrong}}
        with pytest.raises(CorruptStoreError, match=r"world \d, hour 24: touches cost"):
            store.commit(run, replace(batch, tables=tables))
        assert store.checkpoint(run) is None
        assert store.read(run, "person")["person_id"].size == 0


def test_budget_rows_may_grow_within_a_day(db_url: str, run_record, made_batch) -> None:
    with Store.open(db_url) as store:
        run = store.begin_run(run_record, NAMES)
        first, second = made_batch(0), made_batch(1)
        store.commit(run, replace(first, hour=12))
        grown = {
            **second.tables["budget_day"], "day": np.zeros(2, int),
            "spent_micros": first.tables["budget_day"]["spent_micros"] + second.tables["budget_day"]["spent_micros"],
        }
        store.commit(run, replace(second, tables={**second.tables, "budget_day": grown}, hour=24))
        assert store.read(run, "budget_day")["spent_micros"].tolist() == grown["spent_micros"].tolist()


def test_a_charge_is_never_written_twice(db_url: str, run_record, made_batch) -> None:
    with Store.open(db_url) as store:
        run = store.begin_run(run_record, NAMES)
        store.commit(run, made_batch(0))
        again = {name: made_batch(0).tables[name] for name in ("trigger_event",)}
        with pytest.raises(CorruptStoreError, match="nothing was committed"):
            store.commit(run, Batch(again, hour=48, state=b""))
        assert store.find_run("@last").hours_done == 24


@pytest.mark.parametrize("column,values,message", [
    ("size", [1.0, float("nan")], "finite"),
    ("kind", [1, 70_000], "leaves -32768..32767"),
    ("kind", [1.0, 2.0], "must be an integer"),
    ("kind", [1], "unequal length"),
])
def test_values_that_no_column_holds_are_refused(column: str, values: list[float], message: str) -> None:
    columns = {name: np.arange(2) for name in LAYOUTS["trigger_event"].column_names} | {column: np.array(values)}
    with pytest.raises(ValueError, match=message):
        Rows.of(LAYOUTS["trigger_event"], columns)


def test_states_of_the_first_and_the_last_two_commits_are_kept(db_url: str, run_record, made_batch) -> None:
    with Store.open(db_url) as store:
        run = store.begin_run(run_record, NAMES)
        for day in range(5):
            store.commit(run, made_batch(day, people=3))
        states = {hour: store.checkpoint(run, hour).state for hour in range(24, 121, 24)}  # type: ignore[union-attr]
    assert states == {24: b"state of day 0", 48: b"", 72: b"", 96: b"state of day 3", 120: b"state of day 4"}


def test_states_are_counted_among_commits_that_carry_one(db_url: str, run_record, made_batch) -> None:
    """Commits without a state push no state out; the newest kept state at or before an hour is found."""
    with Store.open(db_url) as store:
        run = store.begin_run(run_record, NAMES)
        for day in range(9):
            store.commit(run, replace(made_batch(day, people=3), **({} if day % 2 == 0 else {"state": b""})))
        hours = [hour for hour in range(24, 240, 24) if store.checkpoint(run, hour).state]  # type: ignore[union-attr]
        found = [store.state_before(run, hour) for hour in (23, 24, 150, 192, 500)]
    assert hours == [24, 168, 216]
    assert [each and each.hour for each in found] == [None, 24, 24, 168, 216]
    assert found[-1] is not None and found[-1].state == b"state of day 8"


def test_a_writer_that_was_taken_over_is_refused(db_url: str, run_record, made_batch) -> None:
    with Store.open(db_url) as first, Store.open(db_url) as second:
        run = first.begin_run(run_record, NAMES)
        first.commit(run, made_batch(0, people=5))
        with pytest.raises(StoreBusyError, match="is being written by process"):
            second.claim_run("@last")
        from gaelp_sim.store import lifecycle

        lifecycle.release(run.writer_token)  # as if the first writer's host had vanished
        taken, checkpoint = second.claim_run("@last")
        assert checkpoint is not None and checkpoint.state == b"state of day 0"
        with pytest.raises(StoreBusyError, match="was taken over by process"):
            first.commit(run, made_batch(1, people=5))
        second.commit(taken, made_batch(1, people=5))
        assert second.find_run("@last").hours_done == 48
