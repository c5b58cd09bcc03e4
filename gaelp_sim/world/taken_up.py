"""What a run's stored rows say to whoever takes it up again: the state to begin from, touches before it, figures so far."""

from __future__ import annotations

import numpy as np

from gaelp_sim.store import RunRecord, Store
from gaelp_sim.units import SECONDS_PER_HOUR
from gaelp_sim.world.inherit import is_replay, parent_of
from gaelp_sim.world.log import Table
from gaelp_sim.world.shard import Tables
from gaelp_sim.world.snapshot import unpack
from gaelp_sim.world.state import State
from gaelp_sim.world.tally import Tally


def state_before(store: Store, record: RunRecord, hour: int) -> tuple[State | None, int]:
    """The latest stored state at or before `hour`: of the run itself, else of its parent, else none (birth).

    A replay begins with what the run that it replays began with.
    """
    kept = store.state_before(record, hour)
    if kept is not None:
        return unpack(kept.state), kept.hour
    if record.parent_run_key == -1:
        return None, 0
    parent = parent_of(store, record)
    if is_replay(record):
        return state_before(store, parent, record.start_hour)
    last = store.checkpoint(parent)
    assert last is not None, "a finished run has a checkpoint"
    return unpack(last.state), record.start_hour


def stored_touches(store: Store, record: RunRecord, from_hour: int, done: int) -> tuple[Table, int]:
    """Recorded touches of the run before the state that it resumes from: their paths begin with them."""
    if from_hour == record.start_hour:
        return {}, record.start_s
    touches = store.read(record, "touchpoint")
    early = np.asarray(touches["occurred_s"]) < record.start_s + from_hour * SECONDS_PER_HOUR
    return {name: np.asarray(column)[early] for name, column in touches.items()}, record.start_s


def stored_tally(store: Store, record: RunRecord) -> Tally:
    """The figures of what is stored."""
    tally = Tally()
    tables: Tables = {name: store.read(record, name) for name in ("auction_hour", "touchpoint", "decision", "conversion")}  # type: ignore[misc]
    _add_our_touches(tables, store, record)
    tally.add(tables, record.start_s + record.end_hour * SECONDS_PER_HOUR)
    return tally


def _add_our_touches(tables: Tables, store: Store, record: RunRecord) -> None:
    """Whether each stored buyer had been touched by us: the tally's `our_touches`."""
    sales, touches = tables["conversion"], tables["touchpoint"]
    ours = touches["advertiser"] == 0
    key = touches["world_id"][ours] << 32 | touches["person_id"][ours]
    buyer = sales["world_id"] << 32 | sales["person_id"]
    first = np.full(len(buyer), np.iinfo(np.int64).max)
    order = np.lexsort([touches["occurred_s"][ours], key])
    at = np.searchsorted(key[order], buyer)
    found = (at < len(order)) & (key[order][np.minimum(at, len(order) - 1)] == buyer) if len(order) else at < 0
    first[found] = touches["occurred_s"][ours][order][at[found]]
    sales["our_touches"] = (first <= sales["decided_s"]).astype(np.int64)
