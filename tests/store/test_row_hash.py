"""The row hash: equal rows give equal hashes, wherever and however they were stored."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gaelp_sim.store import Batch, RunRecord, Store, reader, row_hash

GOLDEN = "350cecf121959286248243b74861dd4fa757ca59061783ca6866aba428ca112f"


def hash_of_days(url: str, record: RunRecord, batches: list[Batch]) -> str:
    with Store.open(url) as store:
        run = store.begin_run(record, {"channel": ["search", "social"]})
        for batch in batches:
            store.commit(run, batch)
        return row_hash(store, run)


def test_both_databases_agree_with_the_golden_hash(db_url: str, run_record, made_batch) -> None:
    """A changed hash makes old and new runs incomparable: say so in the changelog."""
    assert hash_of_days(db_url, run_record, [made_batch(0), made_batch(1)]) == GOLDEN


def test_every_block_but_the_last_is_full(db_url: str, run_record, made_batch, monkeypatch) -> None:
    days = [made_batch(0), made_batch(1)]
    monkeypatch.setattr(reader, "_PIECE_ROWS", 64)
    monkeypatch.setattr(reader, "FETCH_ROWS", 128)
    with Store.open(db_url) as store:
        run = store.begin_run(run_record, {})
        for batch in days:
            store.commit(run, batch)
        chosen = reader.Selection(["person_id"])
        with store.database.reading() as link:
            blocks = list(reader.read_parts(link, run.run_key, reader.LAYOUTS["touchpoint"], selection=chosen))
        assert [len(block["person_id"]) for block in blocks] == [128] * 4 + [88]


def test_one_changed_value_changes_the_hash(db_url: str, run_record, made_batch) -> None:
    with Store.open(db_url) as store:
        run = store.begin_run(run_record, {})
        store.commit(run, made_batch(0))
        before = row_hash(store, run)
        for change in ("decision SET propensity = propensity + 1e-15", "journey SET touches = touches - 1",
                       "name SET name = name || 'x'", "touchpoint SET clicked = clicked - 1"):
            with store.database.writing() as link:
                link.execute(f"UPDATE {change} WHERE run_key = {run.run_key}")
            after = row_hash(store, run)
            assert (after != before) == (not change.startswith("name"))  # this run has no names
            before = after


def test_surrogates_and_clocks_do_not_count(sqlite_url: str, run_record, made_batch) -> None:
    with Store.open(sqlite_url) as store:
        hashes = set()
        for label in ("one", "two"):
            run = store.begin_run(replace(run_record, label=label), {})
            store.commit(run, made_batch(0))
            hashes.add(row_hash(store, run))
            store.finish_run(run, "FINISHED", {"label": label})
            hashes.add(row_hash(store, store.find_run("@last")))
    assert len(hashes) == 1


def test_parent_and_child_together_are_the_straight_run(db_url: str, run_record, made_batch) -> None:
    with Store.open(db_url) as store:
        straight = store.begin_run(run_record, {"channel": ["search"]})
        parent = store.begin_run(run_record, {"channel": ["search"]})
        child = store.begin_run(replace(run_record, parent_run_key=parent.run_key), {"channel": ["search"]})
        for day in range(4):
            store.commit(straight, made_batch(day))
            store.commit(parent if day < 2 else child, made_batch(day))
        assert row_hash(store, runs=[parent, child]) == row_hash(store, straight)
        assert row_hash(store, [child, parent]) != row_hash(store, straight)


def test_negative_zero_is_zero(db_url: str, run_record) -> None:
    columns = {"occurred_s": [1], "person_id": [1], "kind": [0], "segment_from": [0], "segment_to": [1], "world_id": [0]}
    hashes = set()
    for size in (0.0, -0.0):
        with Store.open(db_url) as store:
            run = store.begin_run(run_record, {})
            store.commit(run, Batch({"trigger_event": {**columns, "size": np.array([size])}}, hour=24, state=b""))
            hashes.add(row_hash(store, run))
    assert len(hashes) == 1
