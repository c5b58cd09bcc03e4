"""A run's life in the store: begun, found, claimed for resuming, finished, deleted."""

from __future__ import annotations

import json
import os
import secrets
import socket
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from gaelp_sim.errors import RunNotFoundError, StoreBusyError, UsageError
from gaelp_sim.store.encode import partition_name
from gaelp_sim.store.engines import Link
from gaelp_sim.store.layout import LAYOUTS, MAILBOX
from gaelp_sim.store.records import CHECKPOINT_COLUMNS, FINISHED, RUN_COLUMNS, RUNNING, Checkpoint, RunRecord

LAST = "@last"
_HELD_HERE: set[str] = set()  # writer tokens of this process: a token of our pid that isn't here was left behind


def all_runs(link: Link) -> list[RunRecord]:
    """Every run, oldest first."""
    rows = link.all(f"SELECT {', '.join(RUN_COLUMNS)} FROM run ORDER BY run_key")
    return [RunRecord(**dict(zip(RUN_COLUMNS, row, strict=True))) for row in rows]


def find(link: Link, ref: str, url: str) -> RunRecord:
    """The run that `ref` names: `@last`, or a prefix of its id that fits no other; raises RunNotFoundError."""
    runs = all_runs(link)
    if not runs:
        raise RunNotFoundError(f"{url}: no runs yet; next: gaelp run SCENARIO")
    if ref == LAST:
        return runs[-1]
    fitting = [run for run in runs if ref and run.run_id.startswith(ref.lower())]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        ids = ", ".join(run.run_id for run in fitting[:5])
        raise RunNotFoundError(f"{url}: {ref!r} fits {len(fitting)} runs ({ids}); next: give more letters of the id")
    raise RunNotFoundError(f"{url}: no run {ref!r}, nearest: {_nearest(runs, ref)}; next: gaelp runs list")


def _nearest(runs: list[RunRecord], ref: str) -> str:
    import difflib

    ids = [run.run_id for run in runs]
    near = difflib.get_close_matches(ref.lower(), ids, n=3, cutoff=0.3)
    return ", ".join(near or ids[-3:])


def begin(link: Link, record: RunRecord) -> RunRecord:
    """Store a new run under a fresh key and id, held by this process."""
    fresh = replace(
        record, run_id=secrets.token_hex(6), status=RUNNING, hours_done=record.start_hour,
        created_at=now_iso(), finished_at="", **_writer(),
    )
    names = [name for name in RUN_COLUMNS if name != "run_key"]
    marks = ", ".join("?" * len(names))
    sql = f"INSERT INTO run ({', '.join(names)}) VALUES ({marks}) RETURNING run_key"
    (run_key,) = link.all(sql, [getattr(fresh, name) for name in names])[0]
    root = run_key if record.root_run_key < 0 else record.root_run_key
    link.execute("UPDATE run SET root_run_key = ? WHERE run_key = ?", (root, run_key))
    return replace(fresh, run_key=run_key, root_run_key=root)


def claim(link: Link, run: RunRecord, url: str) -> RunRecord:
    """Make this process the run's writer; raises StoreBusyError while another process that lives holds it."""
    lock = " FOR UPDATE" if link.dialect == "postgresql" else ""
    row = link.one(
        f"SELECT status, writer_pid, writer_host, writer_token FROM run WHERE run_key = ?{lock}", (run.run_key,)
    )
    if row is None:
        raise RunNotFoundError(f"{url}: run {run.run_id} was deleted; next: gaelp runs list")
    status, pid, host, token = row
    if status == FINISHED:
        raise UsageError(f"{url}: run {run.run_id} is finished, and a finished run never changes; next: "
                         f"gaelp run --continue {run.run_id}")
    if is_held(pid, host, token):
        raise StoreBusyError(
            f"{url}: run {run.run_id} is being written by process {pid} on {host}; next: wait for it, or end it first"
        )
    held = replace(run, status=RUNNING, finished_at="", **_writer())
    link.execute(
        "UPDATE run SET status = ?, finished_at = '', writer_pid = ?, writer_host = ?, writer_token = ? "
        "WHERE run_key = ?",
        (RUNNING, held.writer_pid, held.writer_host, held.writer_token, run.run_key),
    )
    return held


def hold(token: str) -> None:
    """Remember that this process writes under `token`."""
    _HELD_HERE.add(token)


def release(token: str) -> None:
    """Forget `token`: this process writes under it no more."""
    _HELD_HERE.discard(token)


def is_held(pid: int, host: str, token: str) -> bool:
    """Whether the writer of that pid, host and token still lives, as far as can be known from here.

    A writer on another host can't be seen: it counts as gone, and if it lives its next commit is refused by token.
    """
    if not token or host != socket.gethostname():
        return False
    if pid == os.getpid():
        return token in _HELD_HERE
    started = _process_start(pid)
    return started is not None and token.startswith(f"{started}-")


def is_gone(run: RunRecord) -> bool:
    """Whether an unfinished run's writer was a process of this machine that lives no more."""
    here = run.writer_host == socket.gethostname()
    return run.status == RUNNING and here and not is_held(run.writer_pid, run.writer_host, run.writer_token)


def _process_start(pid: int) -> str | None:
    """When a process started, in clock ticks since boot ("0" where unknown); None for no such process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[19]
    except OSError:
        return "0"


def _writer() -> dict[str, Any]:
    pid = os.getpid()
    token = f"{_process_start(pid)}-{secrets.token_hex(8)}"
    return {"writer_pid": pid, "writer_host": socket.gethostname(), "writer_token": token}


def advance(link: Link, run: RunRecord, hour: int, url: str) -> None:
    """Write the hours done, provided that this process still is the run's writer; raises StoreBusyError otherwise."""
    moved = link.execute(
        "UPDATE run SET hours_done = ? WHERE run_key = ? AND writer_token = ?", (hour, run.run_key, run.writer_token)
    )
    if moved.rowcount == 1:
        return
    row = link.one("SELECT writer_pid, writer_host FROM run WHERE run_key = ?", (run.run_key,))
    if row is None:
        raise RunNotFoundError(f"{url}: run {run.run_id} was deleted while it ran; next: gaelp runs list")
    raise StoreBusyError(
        f"{url}: run {run.run_id} was taken over by process {row[0]} on {row[1]}; next: let that one finish"
    )


def finish(link: Link, run: RunRecord, status: str, summary: dict[str, Any]) -> RunRecord:
    """Close the run with a status and a summary, and let go of it."""
    done = replace(
        run, status=status, summary=json.dumps(summary, sort_keys=True), finished_at=now_iso(),
        writer_pid=0, writer_host="", writer_token="",
    )
    link.execute(
        "UPDATE run SET status = ?, summary = ?, finished_at = ?, writer_pid = 0, writer_host = '', writer_token = '' "
        "WHERE run_key = ?",
        (done.status, done.summary, done.finished_at, run.run_key),
    )
    link.execute("DELETE FROM outside_ask WHERE run_key = ?", (run.run_key,))  # nobody waits for its bids any more
    if link.dialect == "postgresql":
        _analyse(link, run.run_key)
    return done


def _analyse(link: Link, run_key: int) -> None:
    """Let the planner know the run's own partitions: knowing nothing it walks one of them for each row of another."""
    for layout in LAYOUTS.values():
        if layout.large and link.one("SELECT to_regclass(?)", (partition_name(layout, run_key),)) != (None,):
            link.execute(f"ANALYZE {partition_name(layout, run_key)}")


def delete(link: Link, run: RunRecord, url: str) -> None:
    """Remove a run and all its rows; raises UsageError when it has children, StoreBusyError while it is written."""
    children = link.all("SELECT run_id FROM run WHERE parent_run_key = ? ORDER BY run_key", (run.run_key,))
    if children:
        ids = ", ".join(row[0] for row in children)
        raise UsageError(f"{url}: run {run.run_id} is continued or replayed by {ids}; next: delete those first")
    row = link.one("SELECT writer_pid, writer_host, writer_token FROM run WHERE run_key = ?", (run.run_key,))
    if row is not None and is_held(*row):
        raise StoreBusyError(f"{url}: run {run.run_id} is being written by process {row[0]}; next: end it first")
    for layout in reversed(LAYOUTS.values()):
        if layout.large and link.dialect == "postgresql":
            link.execute(f"DROP TABLE IF EXISTS {partition_name(layout, run.run_key)}")
        else:
            link.execute(f"DELETE FROM {layout.name} WHERE run_key = ?", (run.run_key,))
    link.execute(f"DELETE FROM {MAILBOX} WHERE run_id = ?", (run.run_id,))
    link.execute("DELETE FROM run WHERE run_key = ?", (run.run_key,))


def checkpoint_at(link: Link, run_key: int, hour: int | None) -> Checkpoint | None:
    """The checkpoint of `hour`, or the newest one; None where there is none."""
    condition, parameters = ("", [run_key]) if hour is None else (" AND hour = ?", [run_key, hour])
    sql = f"SELECT {', '.join(CHECKPOINT_COLUMNS)} FROM checkpoint WHERE run_key = ?{condition} ORDER BY hour DESC LIMIT 1"
    row = link.one(sql, parameters)
    return None if row is None else Checkpoint(**dict(zip(CHECKPOINT_COLUMNS, row, strict=True)))


def state_before(link: Link, run_key: int, hour: int) -> Checkpoint | None:
    """The newest checkpoint at or before `hour` that carries a state; None where there is none."""
    sql = (
        f"SELECT {', '.join(CHECKPOINT_COLUMNS)} FROM checkpoint WHERE run_key = ? AND hour <= ? AND length(state) > 0 "
        "ORDER BY hour DESC LIMIT 1"
    )
    row = link.one(sql, (run_key, hour))
    return None if row is None else Checkpoint(**dict(zip(CHECKPOINT_COLUMNS, row, strict=True)))


def now_iso() -> str:
    """The wall clock, for people to read: never part of a result."""
    return datetime.now(UTC).isoformat(timespec="seconds")
