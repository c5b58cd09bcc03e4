"""What may happen to people on a day: proposals whose times and luck no policy can influence.

For each (person, day) the number of proposals in the quiet and in the active layer is Poisson with the layer's bound;
each has a second of the day (by the hour curve), a kind, a thinning mark and luck of its own. A proposal comes true
where its mark is below the person's present rate (thinning). A layer nobody needs is never evaluated; being keyed, it
would be the same whenever it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.compiled import compiled
from gaelp_sim.draws import Draws, Purpose, Who, Words
from gaelp_sim.events import Floats, Ints, Proposals
from gaelp_sim.population.kinds import Kinds
from gaelp_sim.population.people import People
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import HOURS_PER_DAY, SECONDS_PER_DAY, SECONDS_PER_HOUR

_COUNT_MAX = 40
"""A person's proposals per layer and day stop here; at a mean below 12 the chance of more is under 1e-9."""
_HOUR_TABLE_BITS = 16


@dataclass(frozen=True)
class Layer:
    """One layer of proposals: its bounds by kind, and what its draws are for."""

    purpose: Purpose
    count_word: int
    bound: Floats
    """(kinds,), events per day"""
    base: Floats
    """(kinds,): marks of this layer start here"""


@dataclass(frozen=True)
class Proposer:
    """Draws the proposals of a day."""

    draws: Draws
    kinds: Kinds
    hour_table: NDArray[np.uint8]
    natural: int
    """People with lower numbers have proposals; those above are scripted"""

    @staticmethod
    def of(draws: Draws, kinds: Kinds, scenario: Scenario) -> Proposer:
        """Compile the hour curve into a table of 2**16 equally likely entries, in UTC hours."""
        local = np.array(scenario.curves.hour)
        utc = local[(np.arange(HOURS_PER_DAY) + scenario.utc_offset_hours) % HOURS_PER_DAY]
        edges = np.cumsum(utc)[:-1] / utc.sum()
        entries = (np.arange(2**_HOUR_TABLE_BITS) + 0.5) / 2**_HOUR_TABLE_BITS
        table = np.searchsorted(edges, entries, side="right").astype(np.uint8)
        return Proposer(draws, kinds, table, scenario.population.people)

    def layer(self, *, active: bool) -> Layer:
        """The quiet layer, or the active one on top of it."""
        kinds = self.kinds
        if active:
            return Layer(Purpose.ACTIVE_PROPOSAL, 1, kinds.active_bound, kinds.quiet_bound)
        return Layer(Purpose.QUIET_PROPOSAL, 0, kinds.quiet_bound, np.zeros(kinds.count))

    def propose(self, people: People, rows: Ints, day: int, traffic: Floats, *, active: bool) -> Proposals:
        """Proposals of one layer for the people at `rows` on a day, unordered.

        traffic: float, (units,), the day's factor on opportunities of each unit
        """
        layer = self.layer(active=active)
        channels = self.kinds.channels
        split = Split(traffic, float(layer.bound[:channels].sum()), float(layer.bound[channels:].sum()))
        when = np.full(len(rows), day, dtype=np.int64)
        words = self.draws.blocks(Purpose.DAY_COUNTS, Who(people.world[rows], people.person[rows], when), slots=1)
        counts = _poisson_counts(words[layer.count_word], people.unit[rows], split.total())
        owner = np.repeat(np.arange(len(rows)), counts)
        slot = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        row = rows[owner]
        luck = self.draws.words(layer.purpose, people.world[row], people.person[row], day, slot)
        second, kind, mark = _drawn(luck, people.unit[row], split, (layer.bound, layer.base), self.hour_table)
        return Proposals(row, second + day * SECONDS_PER_DAY, kind, mark, luck[2], luck[3])


class Split(NamedTuple):
    """How many proposals a day brings, and how they part: opportunities are scaled by the unit's traffic."""

    traffic: Floats
    """(units,)"""
    ads: float
    moves: float

    def total(self) -> Floats:
        """(units,): mean number of a person's proposals."""
        return self.ads * self.traffic + self.moves


@compiled
def _poisson_counts(luck: Words, unit: NDArray[np.int32], mean: Floats) -> Ints:
    """Poisson counts by inverting the distribution function; mean: (units,)."""
    # The same sums for everybody in a unit: once, in a table.
    reached = np.empty((len(mean), _COUNT_MAX))
    for u in range(len(mean)):
        weight = np.exp(-mean[u])
        total = weight
        for k in range(_COUNT_MAX):
            reached[u, k] = total
            weight *= mean[u] / (k + 1)
            total += weight
    counts = np.empty(len(luck), dtype=np.int64)
    for i in range(len(luck)):
        place, k = luck[i] * 2.0**-32, 0
        while k < _COUNT_MAX - 1 and place >= reached[unit[i], k]:
            k += 1
        counts[i] = k
    return counts


@compiled
def _drawn(
    luck: Words, unit: NDArray[np.int32], split: Split, layer: tuple[Floats, Floats], hour_table: NDArray[np.uint8]
) -> tuple[Ints, NDArray[np.int16], Floats]:
    """Second of the day, kind and mark of each proposal.

    [0, ads x traffic + moves) is split into opportunities and moves, then by kind; the rest is the mark.
    """
    bound, base = layer
    edges = np.cumsum(bound)
    n = luck.shape[1]
    second, kind, mark = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int16), np.empty(n)
    for i in range(n):
        hour = np.int64(hour_table[luck[0, i] >> np.uint32(32 - _HOUR_TABLE_BITS)])
        second[i] = hour * SECONDS_PER_HOUR + (np.int64(luck[0, i] & np.uint32(0xFFFF)) * SECONDS_PER_HOUR >> 16)
        traffic = split.traffic[unit[i]]
        place = luck[1, i] * 2.0**-32 * (split.ads * traffic + split.moves)
        # Opportunities fill [0, ads x traffic): scaled back, one set of edges serves every day.
        scaled = place / traffic
        place = scaled if scaled < split.ads else place - split.ads * traffic + split.ads
        k = 0
        while k < len(edges) - 1 and place >= edges[k]:
            k += 1
        kind[i] = k
        mark[i] = place - (edges[k] - bound[k]) + base[k]
    return second, kind, mark


@dataclass(frozen=True)
class DayPlan:
    """The proposals of a day, cut by hour."""

    day: int
    proposals: Proposals
    edges: Ints
    """(25,): proposals of hour h stand at edges[h]:edges[h + 1]"""

    def of_hour(self, hour: int) -> Proposals:
        """Every proposal of this hour of the day, unordered within it."""
        return Proposals(**self.proposals.take(slice(int(self.edges[hour]), int(self.edges[hour + 1]))))


def plan_day(proposer: Proposer, people: People, day: int, traffic: Floats) -> DayPlan:
    """Draw a day's proposals: the quiet layer for all, the active one for whoever may come to need it.

    A quiet person can become active today only through a quiet proposal, so those without one are left out.
    """
    everyone = np.flatnonzero(people.person < proposer.natural)
    quiet = proposer.propose(people, everyone, day, traffic, active=False)
    needed = people.needs_active_layer() & (people.person < proposer.natural)
    needed[quiet.row] = True
    active = proposer.propose(people, np.flatnonzero(needed), day, traffic, active=True)
    both = concatenated([quiet, active])
    hour = ((both.second - day * SECONDS_PER_DAY) // SECONDS_PER_HOUR).astype(np.uint8)
    order = np.argsort(hour, kind="stable")
    edges = np.concatenate([[0], np.cumsum(np.bincount(hour, minlength=HOURS_PER_DAY))])
    return DayPlan(day, Proposals(**both.take(order)), edges)


def concatenated(parts: list[Proposals]) -> Proposals:
    """Several bundles of proposals as one."""
    names = list(vars(parts[0]))
    return Proposals(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})
