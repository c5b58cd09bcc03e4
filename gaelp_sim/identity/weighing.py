"""How likely pairs of aliases are one person, asked of one alias at a time while evidence streams in.

The model is that of `pairs`: one person, one household, or strangers. Here the rivals of a pair are counted as if they
had no other choice than the pair itself: exact where they have none, and cheap enough to be asked every hour.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.compiled import compiled
from gaelp_sim.events import NONE, Floats, Ints
from gaelp_sim.identity.blocks import Codes
from gaelp_sim.identity.evidence import BLOCKS
from gaelp_sim.identity.pairs import Parameters, rising_table

Shorts = NDArray[np.int16]
KINDS = 3
COUNTED_MAX = 2000
"""Requests of an alias whose hours are counted; more tell nothing new."""
ADDRESS_MAX, PLACE_MAX = 12, 40
"""An address, or a commonest place, of more aliases than this leads to no candidates: it tells too little for the work."""
_SAME, _HOME, _ADDRESS, _NO_ADDRESS, _PLACE, _NO_PLACE, _ALONE = range(7)
SUM, BEST, WEIGHT = range(3)
"""Rows of what an alias finds among its candidates of each kind: sum of odds, likeliest candidate, its odds."""


class Known(NamedTuple):
    """All evidence so far."""

    unit: Ints
    """(aliases,)"""
    kind: Ints
    account: Ints
    """(aliases,): the account used on it, NONE before a log-in"""
    hours: Shorts
    """(aliases, BLOCKS + 1): requests by block of the day, and of all"""
    alone: Floats
    """(aliases,): log probability of its hours by themselves, Dirichlet-multinomial, apart from the multinomial factor"""
    met: Ints
    """(units, KINDS): aliases of which a request was seen"""
    addresses: Codes
    places: Codes


class Scales(NamedTuple):
    """What evidence is weighed by."""

    factors: Floats
    """(7,): the parameters, as they are multiplied"""
    rising: Floats
    """(BLOCKS + 1, 2 COUNTED_MAX + 1): log of prior (prior + 1) ... by block, and of all blocks together, by how many"""


class Near(NamedTuple):
    """Candidates of aliases, one alias after the other."""

    begins: Ints
    """(n + 1,): where each alias's candidates begin; the last entry is their number"""
    other: Ints
    rarest: Ints
    """Aliases at the rarest address that both were seen at, 0 without"""


def scales_of(parameters: Parameters, shares: Floats) -> Scales:
    """Tables for the parameters; shares: (BLOCKS,) everybody's requests by block of the day, 1 in sum."""
    factors = np.array([
        parameters.same, parameters.home, parameters.address, 1.0 - parameters.address, parameters.place,
        1.0 - parameters.place, max(1.0 - parameters.same / (KINDS - 1), 0.05),
    ])
    return Scales(factors, rising_table(parameters.habit * shares, 2 * COUNTED_MAX))


@compiled
def near(known: Known, aliases: Ints, marks: Ints) -> Near:
    """Whom aliases may be one person with: others of another kind that share a telling address, or the commonest place.

    marks: (aliases,) NONE, and again afterwards
    """
    kinds, places, begins = known.kind, known.places, np.zeros(len(aliases) + 1, dtype=np.int64)
    at, size, whose = known.addresses.at, known.addresses.size, known.addresses.alias
    newest_of_code, before_of_code = known.addresses.newest_of_code, known.addresses.before_of_code
    newest_of_alias, before_of_alias = known.addresses.newest_of_alias, known.addresses.before_of_alias
    home, ahead, first, dwellers = places.home, places.ahead, places.first, places.dwellers
    others, rarest, count = np.empty(1024, dtype=np.int64), np.empty(1024, dtype=np.int64), 0
    for i in range(len(aliases)):
        alias, node = aliases[i], newest_of_alias[aliases[i]]
        kind, begin = kinds[alias], count
        while True:
            if count + ADDRESS_MAX + PLACE_MAX > len(others):
                others, rarest = np.append(others, others), np.append(rarest, rarest)
            if node == NONE:
                break
            there = newest_of_code[at[node]] if 1 < size[at[node]] <= ADDRESS_MAX else NONE
            while there != NONE:
                other = whose[there]
                if kinds[other] != kind and marks[other] == NONE:
                    marks[other], others[count], rarest[count] = count, other, size[at[node]]
                    count += 1
                elif kinds[other] != kind:
                    rarest[marks[other]] = min(rarest[marks[other]], size[at[node]])
                there = before_of_code[there]
            node = before_of_alias[node]
        other = first[home[alias]] if home[alias] != NONE and dwellers[home[alias]] <= PLACE_MAX else NONE
        while other != NONE:
            if kinds[other] != kind and marks[other] == NONE:
                marks[other], others[count], rarest[count] = count, other, 0
                count += 1
            other = ahead[other]
        for place in range(begin, count):
            marks[others[place]] = NONE
        begins[i + 1] = count
    return Near(begins, others[:count], rarest[:count])


@compiled
def weighed(known: Known, scales: Scales, aliases: Ints, nearby: Near) -> Floats:
    """Odds that aliases and their candidates are one person, against one home and strangers.

    What is hidden of either (no address told at all, say) says nothing.
    """
    # Arrays are taken out of their bundles once: each time counts their references, which costs more than the step.
    factors, rising, hours, alone, account = scales.factors, scales.rising, known.hours, known.alone, known.account
    addresses, address_size = known.addresses.home, known.addresses.size
    places, place_size = known.places.home, known.places.dwellers
    others, rarest, odds = nearby.other, nearby.rarest, np.empty(len(nearby.other))
    for i in range(len(aliases)):
        alias = aliases[i]
        met = known.met[known.unit[alias]]
        everybody = float(met[0] + met[1] + met[2])
        partners = (everybody * everybody - float(met[0] * met[0] + met[1] * met[1] + met[2] * met[2])) / everybody
        for place in range(nearby.begins[i], nearby.begins[i + 1]):
            other, at_home = others[place], 1.0 / max(partners, 1.0)
            if account[alias] != NONE and account[other] != NONE:
                odds[place] = 0.0
                continue
            here, there = addresses[alias], addresses[other]
            if here != NONE and there != NONE:
                shared = rarest[place] if rarest[place] or here != there else address_size[here]
                at_home *= everybody / shared * factors[_ADDRESS] if shared else factors[_NO_ADDRESS]
            here, there = places[alias], places[other]
            if here != NONE and there != NONE:
                at_home *= everybody / place_size[here] * factors[_PLACE] if here == there else factors[_NO_PLACE]
            score = -alone[alias] - alone[other] - rising[BLOCKS, np.int64(hours[alias, BLOCKS]) + hours[other, BLOCKS]]
            for block in range(BLOCKS):
                score += rising[block, np.int64(hours[alias, block]) + hours[other, block]]
            odds[place] = factors[_SAME] * at_home * np.exp(min(score, 50.0)) / (factors[_HOME] * at_home + 1.0)
    return odds


@compiled
def best_of(kind: Ints, nearby: Near, odds: Floats) -> Floats:
    """What aliases find among their candidates: (n, 3, KINDS), rows SUM, BEST, WEIGHT."""
    found = np.zeros((len(nearby.begins) - 1, 3, KINDS))
    others = nearby.other
    for i in range(len(found)):
        found[i, BEST] = NONE
        for place in range(nearby.begins[i], nearby.begins[i + 1]):
            other, weight = others[place], odds[place]
            its = kind[other]
            most = found[i, WEIGHT, its]
            found[i, SUM, its] += weight
            if weight > most or (weight == most and weight > 0 and other < found[i, BEST, its]):
                found[i, BEST, its], found[i, WEIGHT, its] = other, weight
    return found


@compiled
def looked_at(known: Known, scales: Scales, aliases: Ints, marks: Ints) -> tuple[Near, Floats, Floats]:
    """`near`, `weighed` and `best_of` in one call."""
    nearby = near(known, aliases, marks)
    odds = weighed(known, scales, aliases, nearby)
    return nearby, odds, best_of(known.kind, nearby, odds)


def chance(scales: Scales, odds: Floats, one_sum: Floats, other_sum: Floats) -> Floats:
    """Probability that pairs are one person, given the sums of odds that both find among candidates of the other's kind."""
    alone = scales.factors[_ALONE]  # the prior weight of having no partner of that kind
    rest = (alone + np.maximum(one_sum - odds, 0.0)) * (alone + np.maximum(other_sum - odds, 0.0))
    return np.asarray(odds / (odds + rest))
