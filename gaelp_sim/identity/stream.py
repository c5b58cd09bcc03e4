"""The streaming linker: evidence comes in by the hour, users are kept up to date, and every change of them is told.

It joins what is likely at once and parts what is no longer likely, so that its users are what a running system would
have known at that moment. `linker.resolve` links the same evidence at leisure, after the fact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from gaelp_sim.compiled import compiled, inlined
from gaelp_sim.events import NONE, Bools, Floats, Ints
from gaelp_sim.identity.blocks import no_codes, note, with_room
from gaelp_sim.identity.evidence import BLOCKS, Aliases, Sightings
from gaelp_sim.identity.joins import (
    Asked,
    Links,
    Moves,
    asked_of,
    confidence,
    grouped,
    join_account,
    no_links,
    relink,
    settle,
)
from gaelp_sim.identity.pairs import Parameters
from gaelp_sim.identity.weighing import (
    ADDRESS_MAX,
    COUNTED_MAX,
    KINDS,
    Known,
    Scales,
    scales_of,
)

Memories = Callable[[Ints], Ints]
"""How many decisions are remembered of users, by their founders."""


class Rules(NamedTuple):
    """How evidence becomes users."""

    parameters: Parameters = Parameters()
    join_at: float = 0.5
    """Probability from which two aliases are joined"""
    part_below: float = 0.25
    """Probability below which they are parted again"""


@dataclass
class Stream:
    """All aliases of a process, of whatever units; evidence of one unit never touches another."""

    known: Known
    scales: Scales
    rules: Rules
    links: Links
    _marks: Ints
    _fresh: Bools
    """(aliases,): evidence has come since the last update"""
    _touched: list[Ints] = field(default_factory=list)
    _in_account: dict[int, int] = field(default_factory=dict)
    """An alias of each account"""

    @staticmethod
    def of(aliases: Aliases, shares: Floats, rules: Rules) -> Stream:
        """Nothing seen yet; shares: (BLOCKS,) everybody's requests by block of the day. Accounts come by `log_in`."""
        n, units = len(aliases.kind), int(aliases.unit.max(initial=-1)) + 1
        known = Known(
            aliases.unit, aliases.kind, np.full(n, NONE, dtype=np.int64), np.zeros((n, BLOCKS + 1), dtype=np.int16),
            np.zeros(n), np.zeros((units, KINDS), dtype=np.int64), no_codes(n), no_codes(n),
        )
        scales = scales_of(rules.parameters, shares)
        return Stream(known, scales, rules, no_links(n), np.full(n, NONE, dtype=np.int64), np.zeros(n, dtype=np.bool_))

    def observe(self, seen: Sightings) -> None:
        """Add requests; within one unit their order matters for nothing but ties."""
        addresses, places = (with_room(codes, len(seen.alias)) for codes in (self.known.addresses, self.known.places))
        self.known = self.known._replace(addresses=addresses, places=places)
        _observe(self.known, self.scales.rising, (seen.alias, seen.block), (seen.address, seen.place), self._fresh)

    def log_in(self, alias: int, account: int) -> None:
        """An account was used on an alias, for the first time: it is joined to the account's others at the next update."""
        self.known.account[alias] = account
        self._fresh[alias] = True
        other = self._in_account.setdefault(account, alias)
        if other != alias:
            room = np.empty(64, dtype=np.int64)
            count = join_account(self.links, self.known.kind, (alias, other), room)
            self._touched.append(room[:count])

    def update(self, memories: Memories) -> Moves:
        """Bring users up to date with all evidence so far; returns what has changed.

        Where users become one, the founder of whom most is remembered gives the name.
        """
        fresh = np.flatnonzero(self._fresh)
        if not len(fresh):
            return _NOBODY
        self._fresh[fresh] = False
        asked = asked_of(self.known, (self.scales, self.rules.join_at), self._marks, fresh, self.links)
        order = np.lexsort([asked.other, asked.one, -asked.chance])
        bounds = (self.rules.join_at, self.rules.part_below)
        touched = np.concatenate([*self._touched, relink(self.links, self.known.kind, asked, order, bounds)])
        self._touched = []
        if not len(touched):
            return _NOBODY
        remembered, founders = np.zeros(len(self._fresh), dtype=np.int64), np.unique(self.links.user[touched])
        remembered[founders] = memories(founders)
        groups = grouped(self.links, np.unique(touched), np.zeros(len(self._fresh), dtype=np.int64))
        moves = settle(self.links, groups, remembered, self.known.account)
        order = np.argsort(moves.alias)
        chances = moves.chance[order]
        return Moves(moves.alias[order], moves.previous[order], moves.user[order], chances, moves.method[order])

    def confidence(self) -> Floats:
        """(aliases,): probability of each alias's weakest link; 1 by log-in or alone."""
        return _confidence(self.links)

    def possible(self, at_least: float) -> Asked:
        """Each alias's likeliest other of each kind, and whom it is linked to: pairs once, ascending by (one, other)."""
        everybody = np.flatnonzero(self.known.hours[:, BLOCKS] > 0)
        asked = asked_of(self.known, (self.scales, at_least), self._marks, everybody, self.links)
        likely = np.flatnonzero(asked.chance >= at_least)
        _, first = np.unique(asked.one[likely] << 32 | asked.other[likely], return_index=True)
        some = likely[first]
        return Asked(asked.one[some], asked.other[some], asked.chance[some])

    def restore(self, links: Links) -> None:
        """Take up links where they had been left; evidence and log-ins have been told again."""
        self.links.partner[:], self.links.chance[:], self.links.user[:] = links.partner, links.chance, links.user
        self._fresh[:] = False
        self._touched = []


_NONE = np.zeros(0, dtype=np.int64)
_NOBODY = Moves(_NONE, _NONE, _NONE, np.zeros(0), _NONE)


@compiled
def _observe(known: Known, rising: Floats, seen: tuple[Ints, Ints], codes: tuple[Ints, Ints], fresh: Bools) -> None:
    """An alias is worth another look when half as many requests more have come, or it shares a telling address anew."""
    hours, alone, units, kinds, met = known.hours, known.alone, known.unit, known.kind, known.met
    for i in range(len(seen[0])):
        one = seen[0][i]
        total = int(hours[one, BLOCKS])
        if total == 0:
            met[units[one], kinds[one]] += 1
        if total < COUNTED_MAX:
            block, before = seen[1][i], int(hours[one, seen[1][i]])
            alone[one] += rising[block, before + 1] - rising[block, before]
            alone[one] -= rising[BLOCKS, total + 1] - rising[BLOCKS, total]
            hours[one, block] += 1
            hours[one, BLOCKS] += 1
            fresh[one] |= _due(total + 1)
    nodes = note(known.addresses, seen[0], units, codes[0])
    note(known.places, seen[0], units, codes[1])
    for i in range(len(nodes)):
        if nodes[i] != NONE and known.addresses.times[nodes[i]] == 1:
            fresh[seen[0][i]] |= 1 < known.addresses.size[known.addresses.at[nodes[i]]] <= ADDRESS_MAX


@inlined
def _due(total: int) -> bool:
    """True for 1, 2, 3, 4, 6, 9, 13, 19, 28 ...: each half as much more than the one before."""
    due = 1
    while due < total:
        due += max(due // 2, 1)
    return due == total


@compiled
def _confidence(links: Links) -> Floats:
    found = np.empty(len(links.user))
    for alias in range(len(found)):
        found[alias] = confidence(links, alias)
    return found
