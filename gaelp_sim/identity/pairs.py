"""Pairs of aliases that may be one user, and how likely that is.

Fellegi and Sunter's comparison with a class between match and non-match: two devices are one person's, or of two people of
one household, or of strangers. What a household shares (its address, its place) tells a person's devices from strangers'
but not from the household's others: only the hours do that. So agreement on both address and place, which is one fact told
twice, can't make two people of a home look like one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gaelp_sim.compiled import compiled
from gaelp_sim.events import NONE, Bools, Floats, Ints
from gaelp_sim.identity.evidence import Aliases, Counts, Evidence, Tally

MESSAGES = 20
"""Rounds of messages between rivals for a partner."""
HALVINGS = 10
"""Of the range in which the odds' common factor is looked for."""
ODDS_MIN = 1e-3
"""Pairs of lower odds are nobody's rivals."""
BLOCK_MAX = 80
"""An address or place seen on more devices than this tells too little to pair all of them."""


class Parameters(NamedTuple):
    """What comparisons are weighed by; the defaults were fitted without labels to the flagship's devices."""

    same: float = 0.9
    """Other devices of the same person that a device has among the aliases of its unit, on average"""
    home: float = 1.5
    """Devices of others of its household that it has there, and of another kind than itself"""
    address: float = 0.9
    """Probability that two devices of one home have been seen at an address in common"""
    place: float = 0.9
    """Probability that their commonest places are the same"""
    habit: float = 12.0
    """How alike one person's hours are on two devices: the hours are Dirichlet distributed around everybody's, with this
    concentration; the smaller, the more people differ"""


class Pairs(NamedTuple):
    """Candidate pairs, (n,) each, ascending by (one, other)."""

    one: Ints
    other: Ints
    home_score: Floats
    """log of how much likelier address and place are in one household than among strangers, apart from `Parameters`: the
    sum of -log(frequency) of what they agree on"""
    address_agrees: Bools
    place_agrees: Bools
    hours_score: Floats
    """log of how much likelier the hours are for one person than for two"""
    others: Floats
    """Aliases of another kind that an alias of the unit has beside it, on average: so many partners are possible"""


def candidates(aliases: Aliases, evidence: Evidence) -> tuple[Ints, Ints]:
    """Pairs of one unit, of different kinds, that share an address or a commonest place of few devices; each pair once.

    Two phones are two people's: people have one device of a kind with us.
    """
    return _candidates(aliases, evidence.addresses, evidence.places.most(len(aliases.kind)))


def _candidates(aliases: Aliases, addresses: Tally, place: Ints) -> tuple[Ints, Ints]:
    keys = [_pairs_within(*_grouped(tally, aliases), aliases.kind) for tally in (addresses, _once(place))]
    pairs = np.sort(np.concatenate(keys))
    pairs = pairs[np.diff(pairs, prepend=-1) != 0]
    return pairs >> 32, pairs & 0xFFFFFFFF


def _once(most: Ints) -> Tally:
    """Each alias with its commonest code, once."""
    seen = np.flatnonzero(most != NONE)
    return Tally(seen, most[seen], np.ones(len(seen), dtype=np.int64))


def _grouped(tally: Tally, aliases: Aliases) -> tuple[Ints, Ints]:
    """Aliases in the order of (unit, code), and where each code begins; the last entry is their number."""
    unit = aliases.unit[tally.alias]
    order = np.lexsort([tally.alias, tally.code, unit])
    begins = np.flatnonzero(np.diff(unit[order], prepend=-1) | np.diff(tally.code[order], prepend=-1))
    return tally.alias[order], np.append(begins, len(order))


@compiled
def _pairs_within(alias: Ints, begins: Ints, kind: Ints) -> Ints:
    total = 0
    for group in range(len(begins) - 1):
        size = begins[group + 1] - begins[group]
        if size <= BLOCK_MAX:
            total += size * (size - 1) // 2
    pairs, found = np.empty(total, dtype=np.int64), 0
    for group in range(len(begins) - 1):
        a, b = begins[group], begins[group + 1]
        if b - a > BLOCK_MAX:
            continue
        for i in range(a, b):
            for j in range(i + 1, b):
                if kind[alias[i]] != kind[alias[j]]:
                    pairs[found] = min(alias[i], alias[j]) << 32 | max(alias[i], alias[j])
                    found += 1
    return pairs[:found]


def compared(aliases: Aliases, evidence: Evidence, habit: float) -> Pairs:
    """Every candidate pair with what its comparison tells."""
    n = len(aliases.kind)
    place = evidence.places.most(n)
    one, other = _candidates(aliases, evidence.addresses, place)
    addresses = evidence.addresses
    rarest = _rarest_shared(_rows(addresses, n), addresses.code, _frequency(addresses), (one, other))
    place_frequency = _share_of_place(place)
    same_place = (place[one] == place[other]) & (place[one] != NONE)
    score = np.where(rarest > 0, -np.log(np.maximum(rarest, 1) / max(n, 2)), 0.0)
    score += np.where(same_place, -np.log(place_frequency[np.maximum(one, 0)]), 0.0)
    population = np.maximum(evidence.hours.sum(axis=0), 1).astype(np.float64)
    prior = habit * population / population.sum()
    rising = rising_table(prior, 2 * most_seen(evidence.hours))
    alone = log_marginal(evidence.hours, rising)
    hours = _log_together(evidence.hours, (one, other), rising) - alone[one] - alone[other]
    return Pairs(one, other, score, rarest > 0, same_place, hours, _partners(aliases)[aliases.unit[one]])


def _partners(aliases: Aliases) -> Floats:
    units = int(aliases.unit.max(initial=-1)) + 1
    by_kind = np.bincount(aliases.unit * 3 + aliases.kind, minlength=3 * units).reshape(units, 3).astype(np.float64)
    everybody = by_kind.sum(axis=1)
    return np.maximum((everybody**2 - (by_kind**2).sum(axis=1)) / np.maximum(everybody, 1), 1.0)


def _rows(tally: Tally, aliases: int) -> Ints:
    return np.searchsorted(tally.alias, np.arange(aliases + 1))


def _frequency(tally: Tally) -> Counts:
    """(rows,): on how many devices each row's code was seen."""
    _, at, count = np.unique(tally.code, return_inverse=True, return_counts=True)
    return np.asarray(count[at])


def _share_of_place(place: Ints) -> Floats:
    _, at, count = np.unique(place, return_inverse=True, return_counts=True)
    return np.asarray(count[at] / max(len(place), 1))


@compiled
def _rarest_shared(rows: Ints, code: Ints, frequency: Counts, pairs: tuple[Ints, Ints]) -> Ints:
    """On how many devices the rarest address that both were seen at was seen; 0 where they have none in common."""
    rarest = np.zeros(len(pairs[0]), dtype=np.int64)
    for pair in range(len(rarest)):
        i, j = rows[pairs[0][pair]], rows[pairs[1][pair]]
        end_i, end_j = rows[pairs[0][pair] + 1], rows[pairs[1][pair] + 1]
        while i < end_i and j < end_j:
            if code[i] == code[j]:
                if rarest[pair] == 0 or frequency[i] < rarest[pair]:
                    rarest[pair] = frequency[i]
                i, j = i + 1, j + 1
            elif code[i] < code[j]:
                i += 1
            else:
                j += 1
    return rarest


def most_seen(hours: Counts) -> int:
    """Sightings of the alias that was seen most."""
    return int(hours.sum(axis=1).max(initial=0))


def rising_table(prior: Floats, most: int) -> Floats:
    """(blocks + 1, most + 1): log of prior (prior + 1) ... (prior + count - 1) for each block, and last of their sum.

    prior: (blocks,)
    """
    base = np.append(prior, prior.sum())[:, None]
    steps = np.log(base + np.arange(most))
    return np.concatenate([np.zeros((len(base), 1)), np.cumsum(steps, axis=1)], axis=1)


@compiled
def log_marginal(hours: Counts, rising: Floats) -> Floats:
    """(aliases,): log of the Dirichlet-multinomial probability of each alias's hours, apart from the multinomial factor."""
    found = np.empty(len(hours))
    blocks = hours.shape[1]
    for alias in range(len(hours)):
        total, value = 0, 0.0
        for block in range(blocks):
            total += hours[alias, block]
            value += rising[block, hours[alias, block]]
        found[alias] = value - rising[blocks, total]
    return found


@compiled
def _log_together(hours: Counts, pairs: tuple[Ints, Ints], rising: Floats) -> Floats:
    """(pairs,): the same of the hours of two aliases together."""
    found = np.empty(len(pairs[0]))
    blocks = hours.shape[1]
    for pair in range(len(found)):
        total, value = 0, 0.0
        for block in range(blocks):
            both = hours[pairs[0][pair], block] + hours[pairs[1][pair], block]
            total += both
            value += rising[block, both]
        found[pair] = value - rising[blocks, total]
    return found


def class_scores(pairs: Pairs, parameters: Parameters) -> tuple[Floats, Floats]:
    """log odds of one person and of one household, each against strangers: (n,)."""
    agree = np.where(pairs.address_agrees, np.log(parameters.address), np.log1p(-parameters.address))
    agree += np.where(pairs.place_agrees, np.log(parameters.place), np.log1p(-parameters.place))
    at_home = pairs.home_score + agree - np.log(pairs.others)
    return np.log(parameters.same) + at_home + pairs.hours_score, np.log(parameters.home) + at_home


def odds(pairs: Pairs, parameters: Parameters) -> Floats:
    """Odds of one person against all else, pair by pair."""
    same, home = class_scores(pairs, parameters)
    return np.exp(np.clip(same - np.logaddexp(home, 0.0), -50.0, 50.0))


def probabilities(pairs: Pairs, parameters: Parameters, kind: Ints) -> Floats:
    """Probability that a pair is one person, given that a device has at most one partner of each kind.

    A pair's odds are weights of a matching between each two kinds; the marginals of all matchings are reckoned by passing
    messages between devices, exact where nobody has rivals in a circle. Taken pair by pair the odds allow for no partner at
    all more often than is true of a matching: they are scaled by one factor, so that as many partners are expected as
    the pairs by themselves tell of.
    """
    each = odds(pairs, parameters)
    apart = each / (1.0 + each)
    chance = np.flatnonzero(each > ODDS_MIN)
    ends = pairs.one[chance], pairs.other[chance]
    found, wanted = apart.copy(), float(apart[chance].sum())
    low, high = 0.0, 5.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        found[chance] = _marginals(ends, each[chance] * np.exp(middle), kind)
        low, high = (middle, high) if found[chance].sum() < wanted else (low, middle)
    return found


@compiled
def _marginals(pairs: tuple[Ints, Ints], odds: Floats, kind: Ints) -> Floats:
    """Marginals of the monomer-dimer model by belief propagation: messages say how free their senders are otherwise."""
    one, other = pairs
    ahead, back = np.ones(len(odds)), np.ones(len(odds))
    for _ in range(MESSAGES):
        wanted = np.zeros((len(kind), 3))
        for pair in range(len(odds)):
            wanted[one[pair], kind[other[pair]]] += odds[pair] * back[pair]
            wanted[other[pair], kind[one[pair]]] += odds[pair] * ahead[pair]
        for pair in range(len(odds)):
            rest_one = wanted[one[pair], kind[other[pair]]] - odds[pair] * back[pair]
            rest_other = wanted[other[pair], kind[one[pair]]] - odds[pair] * ahead[pair]
            # Half of the way: messages around a circle of rivals would else swing.
            ahead[pair] = 0.5 * ahead[pair] + 0.5 / (1.0 + max(rest_one, 0.0))
            back[pair] = 0.5 * back[pair] + 0.5 / (1.0 + max(rest_other, 0.0))
    found = np.empty(len(odds))
    for pair in range(len(odds)):
        together = odds[pair] * ahead[pair] * back[pair]
        found[pair] = together / (1.0 + together)
    return found
