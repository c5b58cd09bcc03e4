"""What an experiment compares: users, homes, regions or blocks of hours, and which policy each of them gets.

Everything is keyed by what the unit is, in draws of their own, so an assignment depends neither on policies nor on what
people do. Units of several worlds stand in one table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gaelp_sim.draws import Purpose, uniform
from gaelp_sim.errors import UsageError
from gaelp_sim.events import NONE, Bools, Column, DeviceKind, Floats, Ints, Opportunities
from gaelp_sim.observe.memory import SLOTS
from gaelp_sim.units import HOURS_PER_DAY, SECONDS_PER_HOUR
from gaelp_sim.world.stack import Stack

PEOPLE_A_REGION = 10
"""At least, on average, so that no region is empty but by the rarest luck"""
_OF_HOME, _OF_REGION, _OF_PAIR, _OF_BLOCK, _OF_HALF = range(SLOTS + 1, SLOTS + 6)
"""Slots of draws; users have 0..SLOTS by where their memory stands."""


@dataclass(frozen=True)
class Design:
    """How the traffic of one world is dealt out between two policies."""

    kind: str = "ab"
    by: str = "user"
    share: float = 0.5
    """Of users or homes that get the second policy"""
    regions: int = 20
    matched: bool = False
    """Regions next to each other in size are paired, and a coin is thrown within each pair"""
    block_hours: int = 24
    washout_hours: int = 0
    """At the start of each block, left out of what is compared"""

    def check(self, days: int, people: int) -> None:
        """Raises UsageError for settings that leave nothing to compare in worlds of so many days and people."""
        if self.kind == "switchback" and self.washout_hours >= self.block_hours:
            raise UsageError(f"--washout-hours {self.washout_hours}: it takes all of a block of {self.block_hours} hours; "
                             "give fewer hours, or longer blocks")
        if self.kind == "switchback" and self.pairs(days) < 2:
            raise UsageError(f"--design switchback: {days} days hold fewer than two pairs of blocks; "
                             "next: a longer test, as with --set days=14")
        if self.kind == "geo" and self.regions * PEOPLE_A_REGION > people:
            raise UsageError(f"--regions {self.regions}: {people} people are fewer than {PEOPLE_A_REGION} a region; "
                             "next: fewer regions, or more people with --set population.people=N")
        if self.kind == "geo" and self.matched and self.regions % 2:
            raise UsageError(f"--regions {self.regions}: regions are paired with --matched, so it takes an even number")

    def pairs(self, days: int) -> int:
        """Pairs of blocks at the same hours of two days that follow each other."""
        return days // 2 * (HOURS_PER_DAY // self.block_hours)


@dataclass(frozen=True)
class Units:
    """The units of some worlds: (units,) columns, worlds in order."""

    world: Ints
    """Index of the world among those played"""
    second: Bools
    """Gets the second policy"""
    weight: Floats
    """What a unit's outcome is divided by: users, people or hours; 0 where it is not compared"""
    cluster: Ints
    """What was assigned as one, numbered within all worlds"""
    paired: bool
    """Clusters are pairs of one unit of each policy"""
    people: Floats
    """(worlds,)"""
    whole: Floats
    """(worlds,): all weight that the policies stand for; effects are told per person by whole / people"""
    of: Callable[[Ints, Ints, Column, Ints], Ints]
    """Unit of an event, by the person's row, the user, the device and the second; NONE for none"""

    def deal(self, opportunities: Opportunities, user: Ints) -> Bools:
        """True where the second policy acts; where no unit is meant, the first one does."""
        unit = self.of(opportunities.row, user, opportunities.device, opportunities.second)
        return self.second[unit] & (unit != NONE)


def units_of(design: Design, stack: Stack, days: int) -> Units:
    """The units of a stack's worlds, whose draws key the assignment."""
    if design.kind == "geo":
        return _regions(design, stack)
    if design.kind == "switchback":
        return _blocks(design, stack, days)
    if design.kind == "budget":
        return _halves(stack)
    if design.by == "household":
        return _homes(design, stack)
    return _users(design, stack)


def _world(stack: Stack) -> tuple[Ints, Floats]:
    """Index of each person's world, and people of each."""
    world = stack.people.world - stack.place.worlds.start
    return world, np.bincount(world, minlength=len(stack.place.worlds)).astype(np.float64)


def _users(design: Design, stack: Stack) -> Units:
    """Each user is one by itself: as the advertiser resolves them, or its devices, whoever holds them."""
    people, mode = stack.people, stack.model.scenario.identity.mode
    owned = (people.owned[:, None] >> np.arange(len(DeviceKind)) & 1) == 1
    account = np.full((people.size, 1), design.by == "user" and mode != "linked")
    there = np.concatenate([account, owned & (design.by == "device" or mode != "perfect")], axis=1).ravel()
    row, slot = np.divmod(np.arange(people.size * SLOTS), SLOTS)
    words = stack.model.draws.words(Purpose.ASSIGNMENT, people.world[row], people.person[row], 0, slot)
    world, count = _world(stack)
    weight = there.astype(np.float64)
    by_device = design.by == "device"
    return Units(
        world[row], uniform(words[0]) < design.share, weight, np.arange(len(row)), False, count,
        np.bincount(world[row], weights=weight, minlength=len(count)).astype(np.float64),
        lambda row, user, device, second: row * SLOTS + 1 + device if by_device else user,
    )


def _homes(design: Design, stack: Stack) -> Units:
    """People, assigned with all who live with them."""
    people = stack.people
    words = stack.model.draws.words(Purpose.ASSIGNMENT, people.world, people.household.astype(np.int64), 0, _OF_HOME)
    return _people(stack, uniform(words[0]) < design.share)


def _halves(stack: Stack) -> Units:
    """People of half of the cells; which half gets the second policy is a coin thrown for each world."""
    people, cells = stack.people, len(stack.place.cells)
    words = stack.model.draws.words(Purpose.ASSIGNMENT, people.world, 0, 0, _OF_HALF)
    return _people(stack, (people.unit % cells >= cells // 2) ^ (uniform(words[0]) < 0.5))


def _people(stack: Stack, second: Bools) -> Units:
    world, count = _world(stack)
    _, home = np.unique(stack.people.world << 32 | stack.people.household, return_inverse=True)
    return Units(
        world, second, np.ones(len(world)), home.astype(np.int64), False, count, count,
        lambda row, user, device, second: row,
    )


def _regions(design: Design, stack: Stack) -> Units:
    """Regions of homes; they differ by luck alone, and half of them get the second policy."""
    people, n, draws = stack.people, design.regions, stack.model.draws
    words = draws.words(Purpose.ASSIGNMENT, people.world, people.household.astype(np.int64), 0, _OF_REGION)
    world, count = _world(stack)
    region = world * n + np.minimum((uniform(words[0]) * n).astype(np.int64), n - 1)
    size = np.bincount(region, minlength=n * len(count)).astype(np.float64)
    ids = np.repeat(np.arange(stack.place.worlds.start, stack.place.worlds.stop), n)
    luck = uniform(draws.words(Purpose.ASSIGNMENT, ids, np.tile(np.arange(n), len(count)), 0, _OF_PAIR)[0])
    second, cluster = _drawn(luck.reshape(-1, n), size.reshape(-1, n), matched=design.matched)
    return Units(
        np.repeat(np.arange(len(count)), n), second.ravel(), size, cluster.ravel(), design.matched, count, count,
        lambda row, user, device, second: region[row],
    )


def _drawn(luck: Floats, size: Floats, *, matched: bool) -> tuple[Bools, Ints]:
    """Which regions get the second policy, and what they are clusters of; (worlds, regions)."""
    worlds, n = luck.shape
    rank = np.arange(n) + np.zeros((worlds, 1), dtype=np.int64)
    second, cluster = np.zeros((worlds, n), dtype=bool), np.arange(worlds * n).reshape(worlds, n)
    if not matched:
        np.put_along_axis(second, np.argsort(luck, axis=1, kind="stable"), rank < n // 2, axis=1)
        return second, cluster
    order = np.argsort(size, axis=1, kind="stable")
    pair = np.empty((worlds, n), dtype=np.int64)
    np.put_along_axis(pair, order, np.arange(worlds)[:, None] * n + rank // 2, axis=1)
    coin = np.take_along_axis(luck, order, axis=1)[:, ::2] < 0.5
    np.put_along_axis(second, order, np.repeat(coin, 2, axis=1) ^ (rank % 2 == 1), axis=1)
    return second, pair


def _blocks(design: Design, stack: Stack, days: int) -> Units:
    """Blocks of hours, paired with the same hours of the next day, a coin thrown for each pair.

    Days after the last pair of days get the policy of a coin, too, and are not compared; nor is what happens after the ads.
    """
    per_day, hours = HOURS_PER_DAY // design.block_hours, design.block_hours
    blocks, (_, count) = per_day * days, _world(stack)
    day, of_day = np.divmod(np.arange(blocks), per_day)
    pair = day // 2 * per_day + of_day
    worlds = np.arange(stack.place.worlds.start, stack.place.worlds.stop)
    luck = uniform(stack.model.draws.words(
        Purpose.ASSIGNMENT, np.repeat(worlds, blocks), np.tile(pair, len(worlds)), 0, _OF_BLOCK)[0])
    second = (luck < 0.5) ^ np.tile(day % 2 == 1, len(worlds))
    weight = np.tile(np.where(day < days // 2 * 2, float(hours - design.washout_hours), 0.0), len(worlds))
    index = np.repeat(np.arange(len(worlds)), blocks)
    world = stack.people.world - stack.place.worlds.start

    def of(row: Ints, user: Ints, device: Column, second: Ints) -> Ints:
        block = second // (hours * SECONDS_PER_HOUR)
        return np.where(block < blocks, world[row] * blocks + np.minimum(block, blocks - 1), NONE)

    return Units(
        index, second, weight, index * blocks + np.tile(pair, len(worlds)), True, count,
        np.full(len(worlds), float(days * HOURS_PER_DAY)), of,
    )


def compared(design: Design, second: Ints) -> Bools:
    """Whether what happens at these seconds is compared: not in a block's wash-out."""
    if design.kind != "switchback":
        return np.ones(len(second), dtype=bool)
    return second // SECONDS_PER_HOUR % design.block_hours >= design.washout_hours

