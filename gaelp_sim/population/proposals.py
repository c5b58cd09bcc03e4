"""What may happen to people on a day: proposals whose times and luck no policy can influence.

For each (person, day) the number of proposals in the quiet and in the active layer is Poisson with the layer's bound;
each has a second of the day (by the hour curve), a kind, a thinning mark and luck of its own. A proposal comes true
where its mark is below the person's present rate (thinning). A layer nobody needs is never evaluated; being keyed, it
would be the same whenever it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.draws import Draws, Purpose, Words, uniform
from gaelp_sim.events import Floats, Ints, Proposals
from gaelp_sim.population.kinds import Kinds
from gaelp_sim.population.people import People
from gaelp_sim.scenario.schema import Curves
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

    @staticmethod
    def of(draws: Draws, kinds: Kinds, curves: Curves, utc_offset_hours: int) -> Proposer:
        """Compile the hour curve into a table of 2**16 equally likely entries, in UTC hours."""
        local = np.array(curves.hour)
        utc = local[(np.arange(HOURS_PER_DAY) + utc_offset_hours) % HOURS_PER_DAY]
        edges = np.cumsum(utc)[:-1] / utc.sum()
        entries = (np.arange(2**_HOUR_TABLE_BITS) + 0.5) / 2**_HOUR_TABLE_BITS
        return Proposer(draws, kinds, np.searchsorted(edges, entries, side="right").astype(np.uint8))

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
        ads, moves = layer.bound[:channels].sum(), layer.bound[channels:].sum()
        total = ads * traffic + moves
        words = self.draws.words(Purpose.DAY_COUNTS, people.world[rows], people.person[rows], day)[layer.count_word]
        unit = people.unit[rows]
        counts = _poisson(uniform(words), total, unit)
        owner = np.repeat(np.arange(len(rows)), counts)
        slot = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        row = rows[owner]
        luck = self.draws.words(layer.purpose, people.world[row], people.person[row], day, slot)
        kind, mark = self._kind_and_mark(layer, uniform(luck[1]), traffic[unit[owner]])
        second = day * SECONDS_PER_DAY + self._second_of_day(luck[0])
        return Proposals(row, second, kind, mark, luck[2], luck[3])

    def _second_of_day(self, words: Words) -> Ints:
        hour = self.hour_table[words >> np.uint32(32 - _HOUR_TABLE_BITS)].astype(np.int64)
        within = (words & np.uint32(0xFFFF)).astype(np.int64) * SECONDS_PER_HOUR >> 16
        return hour * SECONDS_PER_HOUR + within

    def _kind_and_mark(self, layer: Layer, luck: Floats, traffic: Floats) -> tuple[NDArray[np.int16], Floats]:
        """Split [0, total) into opportunities (scaled by traffic) and moves, then by kind; the rest is the mark."""
        channels = self.kinds.channels
        ads, moves = layer.bound[:channels].sum(), layer.bound[channels:].sum()
        place = luck * (ads * traffic + moves)
        # Opportunities fill [0, ads * traffic): scale them back so that one set of edges serves every day.
        scaled = place / traffic
        place = np.where(scaled < ads, scaled, place - ads * traffic + ads)
        edges = np.cumsum(layer.bound)
        kind = np.minimum(np.searchsorted(edges, place, side="right"), len(edges) - 1)
        mark = place - (edges - layer.bound)[kind] + layer.base[kind]
        return kind.astype(np.int16), mark


def _poisson(luck: Floats, mean: Floats, unit: NDArray[np.int32]) -> Ints:
    """Poisson counts by inverting the distribution function; mean: (units,)."""
    counts = np.zeros(len(luck), dtype=np.int64)
    weight = np.exp(-mean)
    reached = weight.copy()
    rows = np.flatnonzero(luck >= reached[unit])
    for k in range(1, _COUNT_MAX):
        if not len(rows):
            break
        counts[rows] = k
        weight = weight * mean / k
        reached = reached + weight
        rows = rows[luck[rows] >= reached[unit[rows]]]
    return counts


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
    everyone = np.arange(len(people))
    quiet = proposer.propose(people, everyone, day, traffic, active=False)
    needed = people.needs_active_layer()
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
