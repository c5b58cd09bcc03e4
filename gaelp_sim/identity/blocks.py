"""Which aliases were seen under which codes (addresses, or places), kept one sighting at a time.

A sighting is a node in two chains: the alias's own, and that of everybody seen under the code. Codes of different units are
different codes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gaelp_sim.compiled import compiled, inlined
from gaelp_sim.events import NONE, Ints

_ROOM, _POOLS = 1024, 11
_SHARED_MAX = 400
"""A code of so many aliases tells nothing more: whoever comes later is not counted there."""


class Codes(NamedTuple):
    """Chains through pools of nodes and of codes, found by a hash table."""

    table: Ints
    """(power of two,): places of codes, NONE where free"""
    unit: Ints
    """(codes,)"""
    code: Ints
    newest_of_code: Ints
    """(codes,): node that was added last"""
    size: Ints
    """(codes,): aliases seen under it"""
    dwellers: Ints
    """(codes,): aliases whose commonest code it is"""
    first: Ints
    """(codes,): one of them, NONE without"""
    alias: Ints
    """(nodes,)"""
    at: Ints
    """(nodes,): place of its code"""
    times: Ints
    """(nodes,): how often the alias was seen there"""
    before_of_code: Ints
    """(nodes,): the code's node before"""
    before_of_alias: Ints
    newest_of_alias: Ints
    """(aliases,)"""
    commonest: Ints
    """(aliases,): node of the commonest code, the smaller code of equals; NONE without any"""
    home: Ints
    """(aliases,): place of that code"""
    ahead: Ints
    """(aliases,): the next of those with the same commonest code, NONE for the last"""
    behind: Ints
    used: Ints
    """(2,): nodes and codes in use"""


def no_codes(aliases: int) -> Codes:
    """Nobody seen anywhere."""
    pools = [np.zeros(_ROOM, dtype=np.int64) for _ in range(_POOLS)]
    by_alias = [np.full(aliases, NONE, dtype=np.int64) for _ in range(5)]
    return Codes._make([np.full(2 * _ROOM, NONE, dtype=np.int64), *pools, *by_alias, np.zeros(2, dtype=np.int64)])


def with_room(codes: Codes, more: int) -> Codes:
    """The same with room for so many more sightings."""
    if codes.used.max() + more <= len(codes.alias):
        return codes
    room = len(codes.alias)
    while room < codes.used.max() + more:
        room *= 2
    pools = [np.concatenate([pool, np.zeros(room - len(pool), dtype=np.int64)]) for pool in codes[1 : 1 + _POOLS]]
    grown = Codes._make([np.full(2 * room, NONE, dtype=np.int64), *pools, *codes[1 + _POOLS :]])
    _fill_table(grown)
    return grown


@inlined
def _hash(unit: int, code: int, size: int) -> int:
    mixed = (np.uint64(code) ^ (np.uint64(unit) << np.uint64(44))) * np.uint64(0x9E3779B97F4A7C15)
    return int(np.int64(mixed >> np.uint64(20)) & np.int64(size - 1))


@compiled
def _fill_table(codes: Codes) -> None:
    for at in range(codes.used[1]):
        here = _hash(codes.unit[at], codes.code[at], len(codes.table))
        while codes.table[here] != NONE:
            here = (here + 1) & (len(codes.table) - 1)
        codes.table[here] = at


@compiled
def note(codes: Codes, aliases: Ints, units: Ints, seen: Ints) -> Ints:
    """Aliases were seen under codes, NONE for none; units: of every alias. Returns the node of each sighting, or NONE."""
    # Arrays are taken out of their bundle once: each time counts their references, which costs more than the step.
    at, times, code, commonest = codes.at, codes.times, codes.code, codes.commonest
    newest_of_alias, before_of_alias = codes.newest_of_alias, codes.before_of_alias
    nodes = np.full(len(aliases), NONE, dtype=np.int64)
    for i in range(len(aliases)):
        if seen[i] == NONE:
            continue
        alias = aliases[i]
        here = _place_of((codes.table, codes.unit, codes.code), units[alias], seen[i])
        if here == NONE:
            here = _added(codes, units[alias], seen[i])
        node = commonest[alias]  # most often it is that one
        if node == NONE or at[node] != here:
            node = newest_of_alias[alias]
            while node != NONE and at[node] != here:
                node = before_of_alias[node]
        if node == NONE:
            if codes.size[here] >= _SHARED_MAX:
                continue
            node = _first_time(codes, alias, here)
        times[node] += 1
        nodes[i], best = node, commonest[alias]
        if best == NONE or times[node] > times[best] or (
            times[node] == times[best] and code[here] < code[at[best]]
        ):
            if best != node:
                _settle(codes, alias, node)
    return nodes


@inlined
def _place_of(table: tuple[Ints, Ints, Ints], unit: int, code: int) -> int:
    """Where a code stands; NONE where it is new."""
    places, units, codes = table
    here = _hash(unit, code, len(places))
    while places[here] != NONE:
        if codes[places[here]] == code and units[places[here]] == unit:
            break
        here = (here + 1) & (len(places) - 1)
    return int(places[here])


@compiled
def _added(codes: Codes, unit: int, code: int) -> int:
    here = _hash(unit, code, len(codes.table))
    while codes.table[here] != NONE:
        here = (here + 1) & (len(codes.table) - 1)
    at = codes.used[1]
    codes.used[1] += 1
    codes.table[here], codes.unit[at], codes.code[at] = at, unit, code
    codes.newest_of_code[at], codes.size[at], codes.dwellers[at], codes.first[at] = NONE, 0, 0, NONE
    return at


@compiled
def _first_time(codes: Codes, alias: int, at: int) -> int:
    node = codes.used[0]
    codes.used[0] += 1
    codes.alias[node], codes.at[node], codes.times[node] = alias, at, 0
    codes.before_of_alias[node], codes.newest_of_alias[alias] = codes.newest_of_alias[alias], node
    codes.before_of_code[node], codes.newest_of_code[at] = codes.newest_of_code[at], node
    codes.size[at] += 1
    return node


@compiled
def _settle(codes: Codes, alias: int, node: int) -> None:
    """Another code has become the alias's commonest."""
    if codes.commonest[alias] != NONE:
        at, ahead, behind = codes.home[alias], codes.ahead[alias], codes.behind[alias]
        codes.dwellers[at] -= 1
        if behind == NONE:
            codes.first[at] = ahead
        else:
            codes.ahead[behind] = ahead
        if ahead != NONE:
            codes.behind[ahead] = behind
    at = codes.at[node]
    codes.commonest[alias] = node
    codes.dwellers[at] += 1
    codes.home[alias], codes.ahead[alias], codes.behind[alias] = at, codes.first[at], NONE
    if codes.first[at] != NONE:
        codes.behind[codes.first[at]] = alias
    codes.first[at] = alias
