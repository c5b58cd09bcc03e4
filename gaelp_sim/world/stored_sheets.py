"""Bid sheets of a stored run, for those who live it again and ask nobody."""

from __future__ import annotations

import numpy as np

from gaelp_sim.market.outside_policy import OUTSIDE
from gaelp_sim.store import RunRecord, Store
from gaelp_sim.world.heard import Sheets
from gaelp_sim.world.inherit import is_replay, parent_of


def sheets_of(store: Store, run: RunRecord) -> Sheets | None:
    """The sheets by which a run bids that an agent has written so far: its own, or those of the run that it replays.

    None where no agent writes any, or has not yet.
    """
    if run.policy != OUTSIDE:
        return None
    return stored_sheets(store, parent_of(store, run) if is_replay(run) else run)


def stored_sheets(store: Store, run: RunRecord) -> Sheets | None:
    """The sheets that a run has stored so far, whoever wrote them; None before its first commit."""
    rows = store.read(run, "bid_sheet", columns=("world_id", "hour", "signal", "bid_micros"))
    world, hour, signal, bid = (np.asarray(rows[name]) for name in ("world_id", "hour", "signal", "bid_micros"))
    if not len(bid):
        return None
    worlds = np.unique(world)
    kept = bid[np.lexsort((signal, hour, world))]
    return Sheets(int(hour.min()), worlds, kept.reshape(len(worlds), int(hour.max() - hour.min()) + 1, -1))
