"""Bidders from outside in rivals' seats, and in ours: asked for bids, told of their own outcomes, never of others'.

A bidder that learns has `state` and `restore` and adds its experience up: each cell observes, the world's controller
updates on the sum and sends the state back with the next hour's orders. One that cannot add up (`additive = False`)
learns inside the only cell of its world. Any other is taken to be a pure function of what it sees.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gaelp_sim.errors import BidderError, UsageError
from gaelp_sim.events import NONE, US, Bids, Column, Ints, Opportunities, Outcomes, Statistics
from gaelp_sim.market.bidder import Bidder, Moment, checked_bids
from gaelp_sim.market.budgets import Spent
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import PPM
from gaelp_sim.world.policies import named_from_outside, outsider_named

Experience = dict[int, Ints]
"""What learners have observed, by bidder code: (units or worlds, ...) integers."""
Make = Callable[[], Bidder]


def makers(scenario: Scenario, policy: str, bidders: Sequence[tuple[str, str]]) -> dict[int, Make]:
    """How to make each bidder from outside, by code; bidders: (rival's name, module:Class).

    Raises UsageError for a rival that is not in the scenario, and for a bidder that cannot add up where worlds are cut.
    """
    names = [rival.name for rival in scenario.rivals]
    found: dict[int, Make] = {}
    for name, ref in bidders:
        if name not in names:
            raise UsageError(f"--bidder {name}={ref}: no such rival; the scenario has {', '.join(names) or 'none'}")
        if 1 + names.index(name) in found:
            raise UsageError(f"--bidder {name}={ref}: {name} has a bidder already; name each rival once")
        found[1 + names.index(name)] = _maker(ref, f"--bidder {name}={ref}", scenario)
    if named_from_outside(policy):
        made = _maker(policy, f"--policy {policy}", scenario)
        if learns(made()):
            found[US] = made
    for make in found.values():
        bidder = make()
        if not additive(bidder) and scenario.cells > 1:
            raise UsageError(f"bidder {bidder.name}: it cannot add up what cells learn (additive = False); set cells=1")
    return found


def _maker(ref: str, said: str, scenario: Scenario) -> Make:
    return lambda: outsider_named(ref, said, scenario)


def additive(bidder: Bidder) -> bool:
    """Whether its experience in several cells can be summed."""
    return bool(getattr(bidder, "additive", True))


def learns(bidder: Bidder) -> bool:
    """Whether it changes from hour to hour."""
    return not additive(bidder) or (_has(bidder, "state") and _has(bidder, "restore"))


def _has(bidder: Any, verb: str) -> bool:
    return callable(getattr(bidder, verb, None))


class Outsiders:
    """The bidders from outside of one stack."""

    def __init__(self, made: dict[int, Make], units: int) -> None:
        """One instance of each for all units, or one for every unit where it learns."""
        self.seats: dict[int, list[Bidder]] = {}
        for code, make in sorted(made.items()):
            first = make()
            self.seats[code] = [first, *(make() for _ in range(units - 1))] if learns(first) else [first]
        self.units = units
        self._sums: Experience = {}

    def bid(self, code: int, opportunities: Opportunities, moment: Moment) -> Bids:
        """One bidder's bids for a round; rivals cannot tell whom an opportunity is about: rows are places in the round."""
        told = opportunities if code == US else replace(opportunities, row=np.arange(len(opportunities)))
        seats = self.seats[code]
        if not learns(seats[0]):
            return seats[0].bid(told, moment)
        n = len(opportunities)
        none = np.full(n, NONE, dtype=np.int16)
        whole = Bids(np.zeros(n, dtype=np.int64), none, none.copy(), np.ones(n))
        for unit, bidder in enumerate(seats):
            at = np.flatnonzero(opportunities.unit == unit)
            part = bidder.bid(Opportunities(**told.take(at)), _part_of(moment, at))
            checked_bids(bidder.name, part, len(at))
            for name, column in vars(whole).items():
                column[at] = getattr(part, name)
        return whole

    def observe(self, opportunities: Opportunities, spent: Spent) -> None:
        """Tell every learner how its own auctions ended."""
        told = replace(opportunities, row=np.arange(len(opportunities)))
        for code, seats in self.seats.items():
            if not learns(seats[0]):
                continue
            outcomes = own_outcomes(spent, code)
            for unit, bidder in enumerate(seats):
                at = np.flatnonzero(opportunities.unit == unit)
                seen = bidder.observe(Opportunities(**told.take(at)), Outcomes(**outcomes.take(at)))
                self._add(code, unit, _integers(bidder, seen))

    def _add(self, code: int, unit: int, seen: Ints) -> None:
        if code not in self._sums:
            self._sums[code] = np.zeros((self.units, *seen.shape), dtype=np.int64)
        if self._sums[code].shape[1:] != seen.shape:
            raise BidderError(f"bidder {self.seats[code][0].name}: statistics of shape {seen.shape}, before "
                              f"{self._sums[code].shape[1:]}; they must be of one shape, so that they can be added")
        self._sums[code][unit] += seen

    def report(self) -> Experience:
        """What learners observed in the hour; those that cannot add up learn from it here and now."""
        sums, self._sums = self._sums, {}
        told: Experience = {}
        for code, seen in sums.items():
            for unit, bidder in enumerate(self.seats[code]):
                if not additive(bidder):
                    bidder.update(Statistics(seen[unit]))
            if additive(self.seats[code][0]):
                told[code] = seen
        return told

    def take(self, minds: dict[int, Column]) -> None:
        """Take up the states that the controller sends, by code and unit."""
        for code, states in minds.items():
            for bidder, state in zip(self.seats[code], states, strict=True):
                bidder.restore(state)  # type: ignore[attr-defined]


class Pupils:
    """The learners from outside of one controller: one for every world, updated on sums over its cells."""

    def __init__(self, made: dict[int, Make], worlds: int) -> None:
        """New ones."""
        able = {code: make for code, make in sorted(made.items()) if learns(make()) and additive(make())}
        self.seats = {code: [make() for _ in range(worlds)] for code, make in able.items()}
        self.worlds = worlds

    def learn(self, experience: Experience, unit_world: Ints) -> None:
        """Update every learner on its world's sum, cells in their order."""
        for code, seen in experience.items():
            whole = np.zeros((self.worlds, *seen.shape[1:]), dtype=np.int64)
            np.add.at(whole, unit_world, seen)
            for bidder, sums in zip(self.seats[code], whole, strict=True):
                bidder.update(Statistics(sums))

    def minds(self, unit_world: Ints) -> dict[int, Column]:
        """The states to send to the units: arrays of states."""
        found = {}
        for code, seats in self.seats.items():
            states = np.empty(len(seats), dtype=object)
            states[:] = [_sound(bidder) for bidder in seats]
            found[code] = states[unit_world]
        return found

    def arrays(self) -> dict[str, Column]:
        """The state to resume from: every array of every state, worlds first."""
        found = {}
        for code, seats in self.seats.items():
            states = [_sound(bidder) for bidder in seats]
            for name in states[0]:
                found[f"bidder.{code}.{name}"] = np.stack([np.asarray(state[name]) for state in states])
        return found

    def restore(self, arrays: dict[str, Column]) -> None:
        """Take up a state given by `arrays`."""
        for code, seats in self.seats.items():
            head = f"bidder.{code}."
            told = {name[len(head) :]: column for name, column in arrays.items() if name.startswith(head)}
            for place, bidder in enumerate(seats if told else []):
                bidder.restore({name: column[place].copy() for name, column in told.items()})  # type: ignore[attr-defined]


def rival_moment(moment: Moment, luck: Column) -> Moment:
    """The hour as a rival sees it: its own luck, no sheet of ours, nobody recognised or known to be tired."""
    everything = np.full_like(moment.multiplier_ppm, PPM)
    nobody = np.zeros(len(luck), dtype=bool)
    return replace(
        moment, luck=luck, returning=nobody, multiplier_ppm=everything, participate_ppm=everything,
        recent=moment.recent[:, :0], creative=moment.creative[:, :0],
    )


def own_outcomes(spent: Spent, code: int) -> Outcomes:
    """What a bidder may know of a round: which slots it won, at what price and charge, and which were clicked."""
    own = spent.winner == code
    won, slot = own.any(axis=0), own.argmax(axis=0)
    at = np.arange(own.shape[1])
    clicked = won & spent.clicked[slot, at]
    return Outcomes(
        np.where(won, code, NONE).astype(np.int16), np.where(won, spent.price_micros[slot, at], 0),
        np.where(won, spent.charge_micros[slot, at], 0), clicked, clicked,
    )


def _part_of(moment: Moment, at: Ints) -> Moment:
    recent = moment.recent[:, at] if moment.recent.shape[1] == len(moment.luck) else moment.recent
    return replace(moment, luck=moment.luck[at], returning=moment.returning[at], recent=recent)


def _sound(bidder: Bidder) -> dict[str, Column]:
    """A learner's state, if it can be stored: numbers in arrays, by name."""
    state = bidder.state()  # type: ignore[attr-defined]
    if not isinstance(state, dict):
        raise BidderError(f"bidder {bidder.name}: state gave {type(state).__name__}; a dict of arrays by name is needed")
    arrays = {str(name): np.asarray(value) for name, value in state.items()}
    for name, array in arrays.items():
        if array.dtype.kind not in "biuf":
            raise BidderError(f"bidder {bidder.name}: its state {name!r} is {array.dtype}; arrays of numbers are needed")
    return arrays


def _integers(bidder: Bidder, seen: Statistics) -> Ints:
    sums = np.asarray(seen.sums)
    if not np.issubdtype(sums.dtype, np.integer):
        raise BidderError(f"bidder {bidder.name}: statistics are {sums.dtype}; integers are needed, so that sums are exact")
    return sums.astype(np.int64, copy=False)
