"""Frequency caps: how many of our impressions a user, as we resolve them, has had in the last days on all channels.

Kept exactly and sparsely: each user's impressions are a chain through one pool, the newest first, and what has left the
window is dropped when the pool is full. Memory follows the impressions inside the window, not people x cap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.compiled import compiled, inlined
from gaelp_sim.events import NONE, Bools, Ints
from gaelp_sim.scenario.schema import FrequencyCap
from gaelp_sim.units import SECONDS_PER_DAY, SECONDS_PER_HOUR

_ROOM = 1024
Short = NDArray[np.int32]
"""Seconds of 68 years and two billion impressions fit into 32 bits."""


class Chains(NamedTuple):
    """Users' impressions: where each user's newest one stands in the pool, and in the pool where the one before it is."""

    newest: Short
    """(users,), NONE for nobody's"""
    second: Short
    """(room,)"""
    before: Short
    """(room,), NONE at a chain's end"""


@dataclass
class Frequency:
    """Our impressions of the last days by user, under a cap of so many within a window of so long."""

    cap: int
    window_s: int
    chains: Chains
    used: int = 0
    """Places of the pool in use"""

    @staticmethod
    def of(cap: FrequencyCap | None, users: int) -> Frequency | None:
        """An empty memory of so many users, or None without a cap."""
        if cap is None:
            return None
        room = np.empty(_ROOM, dtype=np.int32)
        chains = Chains(np.full(users, NONE, dtype=np.int32), room, room.copy())
        return Frequency(cap.impressions, max(round(cap.days * SECONDS_PER_DAY), 1), chains)

    def reached(self, users: Ints, second: Ints) -> Bools:
        """True where one more impression at that second would be the user's (cap + 1)-th within the window.

        The window of a second t is (t - window, t]: impressions exactly a window apart don't share one.
        """
        return _reached(self.chains, users, second, (self.cap, self.window_s))

    def note(self, users: Ints, second: Ints) -> None:
        """Add impressions in the order given; none of them is before an earlier one of its user."""
        if not len(users):
            return
        if self.used + len(users) > len(self.chains.second):
            # The hour's other rounds may still ask about its first second.
            self._make_room(len(users), int(second.min()) // SECONDS_PER_HOUR * SECONDS_PER_HOUR)
        self.used = _note(self.chains, self.used, users, second)

    def merge(self, users: Ints, others: Ints) -> None:
        """Give the impressions of `others` to `users`, in order of time; all of them are different users."""
        _merge(self.chains, users, others)

    def rows(self, now_s: int) -> tuple[Ints, Ints]:
        """Users and seconds of all impressions that a window from `now_s` on may reach, by user, then by time."""
        users, second = _listed(self.chains, now_s - self.window_s, self.used)
        return users, second

    def _make_room(self, more: int, now_s: int) -> None:
        users, second = self.rows(now_s)
        room = max(_ROOM, 2 * (len(users) + more))
        pool = np.empty(room, dtype=np.int32)
        self.chains.newest[:] = NONE
        self.chains, self.used = Chains(self.chains.newest, pool, pool.copy()), 0
        self.used = _note(self.chains, 0, users, second)


@compiled
def _reached(chains: Chains, users: Ints, second: Ints, rule: tuple[int, int]) -> Bools:
    cap, window_s = rule
    reached = np.zeros(len(users), dtype=np.bool_)
    for i in range(len(users)):
        at, seen = np.int64(chains.newest[users[i]]), 0
        while at != NONE and seen < cap and chains.second[at] > second[i] - window_s:
            seen += 1
            at = np.int64(chains.before[at])
        reached[i] = seen >= cap
    return reached


@compiled
def _note(chains: Chains, used: int, users: Ints, second: Ints) -> int:
    for i in range(len(users)):
        chains.second[used], chains.before[used] = second[i], chains.newest[users[i]]
        chains.newest[users[i]] = used
        used += 1
    return used


@compiled
def _merge(chains: Chains, users: Ints, others: Ints) -> None:
    for i in range(len(users)):
        one, other = np.int64(chains.newest[users[i]]), np.int64(chains.newest[others[i]])
        chains.newest[others[i]] = NONE
        last = np.int64(NONE)
        while one != NONE or other != NONE:
            if other == NONE or (one != NONE and chains.second[one] >= chains.second[other]):
                taken, one = one, np.int64(chains.before[one])
            else:
                taken, other = other, np.int64(chains.before[other])
            _link(chains, users[i], int(last), int(taken))
            last = taken
        if last != NONE:
            chains.before[last] = NONE


@inlined
def _link(chains: Chains, user: int, last: int, taken: int) -> None:
    if last == NONE:
        chains.newest[user] = taken
    else:
        chains.before[last] = taken


@compiled
def _listed(chains: Chains, after_s: int, used: int) -> tuple[Ints, Ints]:
    users, second = np.empty(used, dtype=np.int64), np.empty(used, dtype=np.int64)
    count = 0
    for user in range(len(chains.newest)):
        first, at = count, np.int64(chains.newest[user])
        while at != NONE and chains.second[at] > after_s:
            users[count], second[count] = user, chains.second[at]
            count += 1
            at = np.int64(chains.before[at])
        second[first:count] = second[first:count][::-1].copy()
    return users[:count], second[:count]
