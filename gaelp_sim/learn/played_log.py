"""A learned policy along a log: its chances at every decision, with the memory that it would have had of the user."""

from __future__ import annotations

from typing import Any

import numpy as np

from gaelp_sim.errors import UsageError
from gaelp_sim.events import Floats, Ints, Opportunities
from gaelp_sim.learn.logged import Logged
from gaelp_sim.learn.policy import LearnedPolicy
from gaelp_sim.market.actions import LEVELS
from gaelp_sim.market.bidder import Known, Moment
from gaelp_sim.units import PPM


def chances_along(logged: Logged, policy: Any) -> tuple[Floats, Ints, Floats]:
    """Of each of the policy's actions its multiple and creative, (actions,); and its chances, (n, actions).

    A user's decisions are taken by time; a user without earlier ones begins without a memory.
    """
    if not isinstance(policy, LearnedPolicy):
        raise UsageError("only a learned policy can be led along a log")
    actions = np.arange(policy.actions.count)
    turn = np.arange(len(logged.user)) - logged.begins[:-1][logged.user]
    notes = np.zeros((len(logged.begins) - 1, policy.notes), dtype=np.float32)
    found = np.zeros((len(logged.user), policy.actions.count))
    first_s = int(logged.second.min())
    order = np.argsort(turn, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(turn[order])) + 1):
        here = Opportunities(
            np.arange(len(rows)), np.zeros(len(rows), dtype=np.int64), logged.second[rows] - first_s,
            logged.channel[rows].astype(np.int16), logged.signal[rows].astype(np.int16),
            np.zeros(len(rows), dtype=np.int16),
        )
        user = logged.user[rows]
        known = Known(user, np.zeros(len(rows), dtype=bool), notes, None, logged.observation[rows])
        found[rows] = policy.decide(here, _moment(len(rows), len(policy.actions.allowed)), known).chances
    return LEVELS[policy.actions.level(actions)], policy.actions.creative(actions).astype(np.int64), found


def _moment(n: int, channels: int) -> Moment:
    whole = np.full((1, channels), PPM, dtype=np.int64)
    return Moment(0, 0, np.ones(1), np.zeros(n, dtype=np.uint32), np.zeros(n, dtype=bool), whole, whole)
