"""A run's life: begun, found, claimed, finished, deleted."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from gaelp_sim.errors import CorruptStoreError, RunNotFoundError, StoreBusyError, UsageError
from gaelp_sim.store import Store, check_finished, row_hash

HELD_BY_ANOTHER = """
import sys
from gaelp_sim.store import RunRecord, Store
store = Store.open(sys.argv[1])
run = store.begin_run(RunRecord(scenario_name="s", scenario_text="{}", scenario_hash="", seed=1, people=1, days=1,
                                worlds=1, start_s=0, end_hour=24), {"channel": ["search"]})
print(run.run_id, flush=True)
sys.stdin.read()
"""


def test_a_run_gets_key_id_root_and_writer(db_url: str, run_record) -> None:
    with Store.open(db_url) as store:
        run = store.begin_run(run_record, {})
        assert len(run.run_id) == 12 and int(run.run_id, 16) >= 0
        assert (run.root_run_key, run.parent_run_key, run.status) == (run.run_key, -1, "RUNNING")
        assert store.find_run("@last") == run


def test_finding_by_prefix(db_url: str, run_record) -> None:
    with Store.open(db_url) as store:
        with pytest.raises(RunNotFoundError, match="no runs yet"):
            store.find_run("@last")
        runs = [store.begin_run(run_record, {}) for _ in range(3)]
        assert store.runs() == runs
        assert store.find_run(runs[0].run_id[:11].upper()) == runs[0]
        with pytest.raises(RunNotFoundError, match=f"nearest: .*{runs[1].run_id}"):
            store.find_run(runs[1].run_id[:-1] + "x")
        with pytest.raises(RunNotFoundError):
            store.find_run("")


def test_a_writer_that_is_gone_is_told_from_one_that_writes(db_url: str, run_record) -> None:
    """Here, in another process, in none that lives; a run that is closed has no writer to be gone."""
    with Store.open(db_url) as store:
        mine = store.begin_run(run_record, {})
        assert not store.writer_is_gone(mine)
        words = [sys.executable, "-c", HELD_BY_ANOTHER, db_url]
        other = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert other.stdout is not None
        theirs = store.find_run(other.stdout.readline().decode().strip())
        assert not store.writer_is_gone(theirs)
        other.kill()
        other.communicate()
        assert store.writer_is_gone(theirs) and not store.writer_is_gone(store.finish_run(mine, "FINISHED", {}))


@pytest.mark.parametrize("status, way", [("INTERRUPTED", "gaelp resume abc"), ("FAILED", "gaelp resume abc"), (
    "RUNNING", "gaelp watch abc follows it; where its process is gone, gaelp resume abc goes on")])
def test_what_is_not_finished_is_told_with_the_way_on(run_record, status: str, way: str) -> None:
    check_finished(replace(run_record, status="FINISHED"), "can be judged")
    with pytest.raises(UsageError) as told:
        check_finished(replace(run_record, run_id="abc", status=status), "can be judged")
    assert str(told.value) == f"run abc is {status}; only a finished run can be judged; next: {way}"


def test_resuming_gives_the_rows_of_an_uninterrupted_run(db_url: str, run_record, made_batch) -> None:
    with Store.open(db_url) as store:
        straight = store.begin_run(run_record, {"channel": ["search"]})
        for day in range(4):
            store.commit(straight, made_batch(day))
        run = store.begin_run(run_record, {"channel": ["search"]})
        for day in range(2):
            store.commit(run, made_batch(day))
        store.finish_run(run, "INTERRUPTED", {})
    with Store.open(db_url) as store:
        run, checkpoint = store.claim_run(run.run_id)
        assert checkpoint is not None and (checkpoint.hour, checkpoint.state) == (48, b"state of day 1")
        for day in (2, 3):
            store.commit(run, made_batch(day))
        done = store.finish_run(run, "FINISHED", {"touchpoints": 1200})
        assert store.find_run(run.run_id) == replace(done, hours_done=96)
        assert row_hash(store, run) == row_hash(store, straight)
        assert store.checkpoint(run) == store.checkpoint(straight)


def test_a_run_without_commit_is_claimed_from_its_start(db_url: str, run_record) -> None:
    with Store.open(db_url) as store:
        run = store.begin_run(run_record, {"channel": ["search"]})
        store.finish_run(run, "INTERRUPTED", {})
        claimed, checkpoint = store.claim_run("@last")
    assert checkpoint is None and claimed.run_key == run.run_key


def test_a_finished_run_never_changes(db_url: str, run_record) -> None:
    with Store.open(db_url) as store:
        store.finish_run(store.begin_run(run_record, {}), "FINISHED", {})
        with pytest.raises(UsageError, match="a finished run never changes"):
            store.claim_run("@last")


def test_rows_changed_behind_our_back_stop_a_resume(db_url: str, run_record, made_batch) -> None:
    with Store.open(db_url) as store:
        run = store.begin_run(run_record, {})
        store.commit(run, made_batch(0))
        store.finish_run(run, "INTERRUPTED", {})
        with store.database.writing() as link:
            link.execute("UPDATE journey SET clicks = clicks - 1 WHERE person_id = 7")
        with pytest.raises(CorruptStoreError, match="stored rows differ from what was committed at hour 24"):
            store.claim_run("@last")


def test_a_living_writer_is_respected_a_dead_one_is_not(db_url: str) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", HELD_BY_ANOTHER, db_url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    run_id = child.stdout.readline().strip()
    with Store.open(db_url) as store:
        try:
            for refused in (lambda: store.claim_run(run_id), lambda: store.delete_run(store.find_run(run_id))):
                with pytest.raises(StoreBusyError, match=f"by process {child.pid}"):
                    refused()
        finally:
            child.kill()
            child.communicate()
        assert store.claim_run(run_id)[0].run_id == run_id


def test_deleting_removes_every_row_and_spares_parents(db_url: str, run_record, made_batch) -> None:
    with Store.open(db_url) as store:
        parent = store.begin_run(run_record, {"channel": ["search"]})
        store.commit(parent, made_batch(0))
        parent = store.finish_run(parent, "FINISHED", {})
        child = store.begin_run(replace(run_record, parent_run_key=parent.run_key, root_run_key=parent.run_key), {})
        assert child.root_run_key == parent.run_key
        child = store.finish_run(child, "FINISHED", {})
        with pytest.raises(UsageError, match=f"is continued or replayed by {child.run_id}"):
            store.delete_run(parent)
        store.delete_run(child)
        store.delete_run(parent)
        assert store.runs() == []
        with store.database.reading() as link:
            for table in ("name", "touchpoint", "person", "checkpoint", "decision"):
                assert link.one(f"SELECT count(*) FROM {table}") == (0,)
        assert store.begin_run(run_record, {}).run_key > child.run_key
