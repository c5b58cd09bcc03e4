"""What an advertiser observes of devices, added up: when they are active, at which addresses, in which places.

Nothing here knows whose device is whose: an alias is a cookie or an app's id, and its number says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.events import NONE, Ints

BLOCKS = 6
"""Blocks of the day, four hours each, by which activity is counted."""
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Sightings:
    """Requests in which aliases were seen, (n,) each; linkage never crosses units."""

    alias: Ints
    """0 to aliases - 1"""
    block: Ints
    """Block of the local day, 0 to BLOCKS - 1"""
    address: Ints
    """Code of the network address, NONE where it is not told"""
    place: Ints
    """Code of the coarse place, NONE where it is not told"""

    @staticmethod
    def together(parts: list[Sightings]) -> Sightings:
        """Several of the same aliases as one."""
        return Sightings(*(np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(Sightings)))


@dataclass(frozen=True)
class Aliases:
    """What is known of the aliases themselves, (aliases,) each."""

    unit: Ints
    """Which part of the world they live in, 0 to units - 1"""
    kind: Ints
    """Kind of device, 0 to 2"""
    account: Ints
    """The account that has been used on it, NONE before a log-in"""


@dataclass(frozen=True)
class Tally:
    """How often aliases were seen under codes: rows by (alias, code), each pair once."""

    alias: Ints
    code: Ints
    count: Counts

    @staticmethod
    def of(alias: Ints, code: Ints) -> Tally:
        """Count pairs; codes of NONE are left out."""
        known = code != NONE
        alias, code = alias[known], code[known]
        order = np.lexsort([code, alias])
        alias, code = alias[order], code[order]
        first = np.flatnonzero(np.diff(alias, prepend=-1) | np.diff(code, prepend=-1))
        return Tally(alias[first], code[first], np.diff(np.append(first, len(alias))))

    def plus(self, other: Tally) -> Tally:
        """Both together."""
        alias, code = np.concatenate([self.alias, other.alias]), np.concatenate([self.code, other.code])
        count = np.concatenate([self.count, other.count])
        order = np.lexsort([code, alias])
        alias, code = alias[order], code[order]
        first = np.flatnonzero(np.diff(alias, prepend=-1) | np.diff(code, prepend=-1))
        return Tally(alias[first], code[first], np.add.reduceat(count[order], first) if len(first) else count)

    def most(self, aliases: int) -> Ints:
        """(aliases,): each alias's commonest code, the smaller one of equals; NONE without any."""
        order = np.lexsort([self.code, -self.count, self.alias])
        first = order[np.flatnonzero(np.diff(self.alias[order], prepend=-1))]
        most = np.full(aliases, NONE, dtype=np.int64)
        most[self.alias[first]] = self.code[first]
        return most


@dataclass(frozen=True)
class Evidence:
    """All sightings so far, as far as linkage looks at them; the order in which they came does not matter."""

    hours: Counts
    """(aliases, BLOCKS)"""
    addresses: Tally
    places: Tally

    @staticmethod
    def none(aliases: int) -> Evidence:
        """Nothing seen yet."""
        empty = Tally(*(np.zeros(0, dtype=np.int64) for _ in fields(Tally)))
        return Evidence(np.zeros((aliases, BLOCKS), dtype=np.int64), empty, empty)

    def plus(self, seen: Sightings) -> Evidence:
        """With more sightings."""
        aliases = len(self.hours)
        hours = np.bincount(seen.alias * BLOCKS + seen.block, minlength=aliases * BLOCKS).reshape(aliases, BLOCKS)
        return Evidence(
            self.hours + hours, self.addresses.plus(Tally.of(seen.alias, seen.address)),
            self.places.plus(Tally.of(seen.alias, seen.place)),
        )


def beside(parts: list[Evidence]) -> Evidence:
    """Evidence of aliases that were looked at apart as that of all, numbered on from part to part."""
    edges = np.cumsum([0, *(len(part.hours) for part in parts)])
    addresses, places = ([getattr(part, name) for part in parts] for name in ("addresses", "places"))
    return Evidence(np.concatenate([part.hours for part in parts]), _beside(addresses, edges), _beside(places, edges))


def _beside(tallies: list[Tally], edges: Ints) -> Tally:
    alias = [tally.alias + first for tally, first in zip(tallies, edges[:-1].tolist(), strict=True)]
    return Tally(
        np.concatenate(alias), np.concatenate([tally.code for tally in tallies]),
        np.concatenate([tally.count for tally in tallies]),
    )
