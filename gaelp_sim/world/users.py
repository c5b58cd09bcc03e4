"""Whom we take for one user, brought up to date each hour where users are linked by evidence: merges, splits, memories."""

from __future__ import annotations

import numpy as np

from gaelp_sim.events import Ints
from gaelp_sim.observe.memory import merge
from gaelp_sim.units import SECONDS_PER_HOUR
from gaelp_sim.world.log import full
from gaelp_sim.world.stack import Stack


def update_users(stack: Stack, hour: int) -> None:
    """Link and part users by what has been observed until now; nothing where users are devices or people.

    Where users become one, the one of whom more decisions are remembered stays, and what is remembered of all is added
    up. What leaves a user begins without a memory.
    """
    linkage = stack.linkage
    if linkage is None:
        return
    moves = linkage.update(hour, stack.first_seen_s, lambda users: _decisions(stack, users))
    if not len(moves.alias):
        return
    # A founder that moves brings all that its user remembers; where one is left behind, whoever moves brings nothing.
    ended = moves.alias == moves.previous
    _merge(stack, linkage.founded(moves.user[ended]), linkage.founded(moves.previous[ended]))
    stack.log.add("identity_change", {
        "world_id": stack.people.world[linkage.row[moves.alias]], "alias_id": linkage.alias_id[moves.alias],
        "changed_s": full(len(moves.alias), hour * SECONDS_PER_HOUR + stack.model.start_s),
        "previous_user_id": linkage.alias_id[moves.previous], "resolved_user_id": linkage.alias_id[moves.user],
        "probability": moves.chance, "method": moves.method,
    })


def _decisions(stack: Stack, users: Ints) -> Ints:
    records = stack.memory.take(users)
    return (records["impressions"] + records["losses"] + records["emails"]).astype(np.int64)


def _merge(stack: Stack, into: Ints, others: Ints) -> None:
    """Add memories to those that stay, one after the other where several join one."""
    while len(into):
        _, now = np.unique(into, return_index=True)
        merge(stack.memory, into[now], others[now])
        if stack.frequency is not None:
            stack.frequency.merge(into[now], others[now])
        later = np.ones(len(into), dtype=bool)
        later[now] = False
        into, others = into[later], others[later]
