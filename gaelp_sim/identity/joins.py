"""Links between aliases, and the users that they make: joined where likely, parted where no longer likely."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np

from gaelp_sim.compiled import compiled, inlined
from gaelp_sim.events import NONE, Bools, Floats, Ints
from gaelp_sim.identity.weighing import BEST, KINDS, SUM, WEIGHT, Known, Near, Scales, chance, looked_at


class Method(IntEnum):
    """Why an alias changed its user."""

    LOGIN = 0
    LINK = 1
    SPLIT = 2
    """Its user's founder went elsewhere, or it left"""


class Links(NamedTuple):
    """Which aliases are taken for one person's. A user is named by one of its own aliases, its founder."""

    partner: Ints
    """(aliases, KINDS): alias of that kind that it is linked to, NONE without"""
    chance: Floats
    """(aliases, KINDS): probability of that link when either was looked at last"""
    next_in_account: Ints
    """(aliases,): the aliases of one account in a circle; itself without"""
    user: Ints
    """(aliases,): founder of its user"""


class Asked(NamedTuple):
    """Pairs with their present probability, (n,) each."""

    one: Ints
    other: Ints
    chance: Floats


def no_links(aliases: int) -> Links:
    """Every alias for itself."""
    alone = np.arange(aliases, dtype=np.int64)
    partner = np.full((aliases, KINDS), NONE, dtype=np.int64)
    return Links(partner, np.zeros((aliases, KINDS)), alone, alone.copy())


def asked_of(known: Known, weighing: tuple[Scales, float], marks: Ints, fresh: Ints, links: Links) -> Asked:
    """For aliases with fresh evidence: the likeliest candidate of each kind, and whom they are linked to.

    weighing: what evidence is weighed by, and the probability that new candidates need; marks: as `near` wants them
    """
    scales, needed = weighing
    nearby, odds, found = looked_at(known, scales, fresh, marks)
    # The most that a probability can be: were the candidate without rivals of its own.
    most = chance(scales, found[:, WEIGHT], found[:, SUM], found[:, WEIGHT])
    place, candidate, weight = _chosen(links.partner[fresh], nearby, odds, found, most >= needed)
    one = fresh[place]
    others, at = np.unique(candidate, return_inverse=True)
    theirs = looked_at(known, scales, others, marks)[2]
    sums = found[place, SUM, known.kind[candidate]], theirs[at, SUM, known.kind[one]]
    return Asked(np.minimum(one, candidate), np.maximum(one, candidate), chance(scales, weight, *sums))


@compiled
def _chosen(partner: Ints, nearby: Near, odds: Floats, found: Floats, likely: Bools) -> tuple[Ints, Ints, Floats]:
    """Pairs worth a closer look: place of the first, the other, their odds; linked ones with nothing in common have 0."""
    room = 2 * partner.size
    first, other, weight, count = np.empty(room, dtype=np.int64), np.empty(room, dtype=np.int64), np.zeros(room), 0
    for i in range(len(partner)):
        for kind in range(KINDS):
            linked, best = partner[i, kind], np.int64(found[i, BEST, kind])
            if best != NONE and (likely[i, kind] or best == linked):
                first[count], other[count], weight[count] = i, best, found[i, WEIGHT, kind]
                count += 1
            if linked != NONE and linked != best:
                first[count], other[count] = i, linked
                for place in range(nearby.begins[i], nearby.begins[i + 1]):
                    if nearby.other[place] == linked:
                        weight[count] = odds[place]
                count += 1
    return first[:count], other[:count], weight[:count]


@compiled
def relink(links: Links, kind: Ints, asked: Asked, order: Ints, bounds: tuple[float, float]) -> Ints:
    """Link and part pairs, likeliest first; returns the aliases whose links changed, some twice.

    order: of `asked`, by falling probability; bounds: linked from the first on, parted below the second
    """
    join_at, part_below = bounds
    touched, count = np.empty(6 * len(order), dtype=np.int64), 0
    room = np.empty(len(kind), dtype=np.int64)
    for place in order[::-1]:  # first part what has become unlikely
        one, other, probability = asked.one[place], asked.other[place], asked.chance[place]
        if links.partner[one, kind[other]] == other:
            _join(links, kind, one, other, probability)
            if probability < part_below:
                _part(links, kind, one, other)
                touched[count], touched[count + 1] = one, other
                count += 2
    for place in order:
        one, other, probability = asked.one[place], asked.other[place], asked.chance[place]
        if probability < join_at:
            break
        if links.partner[one, kind[other]] == other or not _free(links, kind, one, other, probability):
            continue
        old_one, old_other = links.partner[one, kind[other]], links.partner[other, kind[one]]
        was_one, was_other = links.chance[one, kind[other]], links.chance[other, kind[one]]
        if old_one != NONE:
            _part(links, kind, one, old_one)
        if old_other != NONE:
            _part(links, kind, other, old_other)
        if _kinds(links, kind, one, room) & _kinds(links, kind, other, room):
            if old_one != NONE:
                _join(links, kind, one, old_one, was_one)
            if old_other != NONE:
                _join(links, kind, other, old_other, was_other)
            continue
        _join(links, kind, one, other, probability)
        for alias in (one, other, old_one, old_other):
            if alias != NONE:
                touched[count] = alias
                count += 1
    return touched[:count]


@inlined
def _join(links: Links, kind: Ints, one: int, other: int, probability: float) -> None:
    links.partner[one, kind[other]], links.partner[other, kind[one]] = other, one
    links.chance[one, kind[other]] = links.chance[other, kind[one]] = probability


@inlined
def _part(links: Links, kind: Ints, one: int, other: int) -> None:
    links.partner[one, kind[other]] = links.partner[other, kind[one]] = NONE
    links.chance[one, kind[other]] = links.chance[other, kind[one]] = 0.0


@inlined
def _free(links: Links, kind: Ints, one: int, other: int, probability: float) -> bool:
    """Whether neither is linked to a likelier one of that kind."""
    free = True
    for alias, its in ((one, kind[other]), (other, kind[one])):
        if links.partner[alias, its] != NONE and links.chance[alias, its] >= probability:
            free = False
    return free


@compiled
def members(links: Links, alias: int, found: Ints) -> int:
    """Everybody that links and accounts lead to from an alias, itself first: into `found`; returns how many."""
    count, done = 1, 0
    found[0] = alias
    while done < count:
        here = found[done]
        done += 1
        for kind in range(KINDS + 1):
            there = links.partner[here, kind] if kind < KINDS else links.next_in_account[here]
            new = there != NONE
            for place in range(count):
                if found[place] == there:
                    new = False
            if new:
                found[count] = there
                count += 1
    return count


@compiled
def _kinds(links: Links, kind: Ints, alias: int, room: Ints) -> int:
    kinds = 0
    for place in range(members(links, alias, room)):
        kinds |= 1 << kind[room[place]]
    return kinds


@compiled
def join_account(links: Links, kind: Ints, pair: tuple[int, int], touched: Ints) -> int:
    """Put an alias into the circle of another with the same account; returns how many aliases it has written to `touched`.

    A log-in is certain: links to a second device of a kind that the account has are given up.
    """
    alias, other = pair
    ahead = links.next_in_account
    ahead[alias], ahead[other] = ahead[other], ahead[alias]
    touched[0], touched[1] = alias, other
    count, here = 2, alias
    while True:
        there = ahead[here]
        while there != here:
            old = links.partner[here, kind[there]]
            if old != NONE:
                _part(links, kind, here, old)
                touched[count], touched[count + 1] = here, old
                count += 2
            there = ahead[there]
        here = ahead[here]
        if here == alias:
            return count


@compiled
def grouped(links: Links, touched: Ints, seen: Ints) -> tuple[Ints, Ints]:
    """The users of aliases whose links changed, as they are now: members, and where each user's begin, then their number.

    seen: (aliases,) zeros, and again afterwards
    """
    found, begins, count, users = np.empty(len(seen), dtype=np.int64), np.empty(len(touched) + 1, dtype=np.int64), 0, 0
    for alias in touched:
        if seen[alias]:
            continue
        begins[users] = count
        users += 1
        more = members(links, alias, found[count:])
        for place in range(count, count + more):
            seen[found[place]] = 1
        count += more
    begins[users] = count
    for place in range(count):
        seen[found[place]] = 0
    return found[:count], begins[: users + 1]


class Moves(NamedTuple):
    """Aliases that changed their user, (n,) each."""

    alias: Ints
    previous: Ints
    """The founder of the user that it was in"""
    user: Ints
    chance: Floats
    """Probability of its weakest link; 1 by log-in or alone"""
    method: Ints


@compiled
def settle(links: Links, groups: tuple[Ints, Ints], memories: Ints, logged_in: Ints) -> Moves:
    """Name the users of `groups` anew: the founder with most memories stays, where it is still a member.

    memories: (aliases,), how many decisions are remembered of a founder's user; logged_in: (aliases,), the account or NONE
    """
    found, begins = groups
    moves = np.empty((4, len(found)), dtype=np.int64)
    weakest, count = np.empty(len(found)), 0
    for group in range(len(begins) - 1):
        member = found[begins[group] : begins[group + 1]]
        founder = NONE
        for alias in member:
            if links.user[alias] == alias and (
                founder == NONE or memories[alias] > memories[founder]
                or (memories[alias] == memories[founder] and alias < founder)
            ):
                founder = alias
        if founder == NONE:
            founder = member.min()
        for alias in member:
            before = links.user[alias]
            if before == founder:
                continue
            stays = False
            for other in member:
                stays |= other == before
            method = _SPLIT if not stays else _LOGIN if logged_in[alias] != NONE and _with(links, alias, founder) else _LINK
            moves[0, count], moves[1, count], moves[2, count], moves[3, count] = alias, before, founder, method
            weakest[count] = confidence(links, alias)
            count += 1
        for alias in member:
            links.user[alias] = founder
    return Moves(moves[0, :count], moves[1, :count], moves[2, :count], weakest[:count], moves[3, :count])


_LOGIN, _LINK, _SPLIT = int(Method.LOGIN), int(Method.LINK), int(Method.SPLIT)


@inlined
def _with(links: Links, alias: int, founder: int) -> bool:
    """Whether both are of one account."""
    there, together = links.next_in_account[alias], False
    while there != alias:
        together |= there == founder
        there = links.next_in_account[there]
    return together


@inlined
def confidence(links: Links, alias: int) -> float:
    """Probability of an alias's weakest link; 1 where none binds it."""
    least = 1.0
    for kind in range(KINDS):
        if links.partner[alias, kind] != NONE:
            least = min(least, links.chance[alias, kind])
    return least
