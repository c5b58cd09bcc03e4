"""People as columns: one row per person of every world and cell in a process."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.draws import Draws, Purpose, Words, uniform
from gaelp_sim.events import NONE, Column, DeviceKind, Floats, JourneyStatus, Stage
from gaelp_sim.population.kinds import by_stage
from gaelp_sim.scenario.schema import Scenario

GOODWILL, RIVAL_GOODWILL, FATIGUE_TEACH, FATIGUE_OFFER = range(4)
"""Rows of `People.level`: the few integer levels that carry a touch's effect to later."""
LEVELS = 4


class People(NamedTuple):
    """The state of every person in a stack; row order is (unit, person id) and never changes.

    Times are seconds since the root run's start, NONE where the thing never happened. Levels are read lazily: they
    held at `level_s` and have decayed since.
    """

    unit: NDArray[np.int32]
    world: NDArray[np.int64]
    person: NDArray[np.int64]
    household: NDArray[np.int32]
    segment: NDArray[np.int8]
    segment_at_start: NDArray[np.int8]
    stage: NDArray[np.int8]
    level: NDArray[np.int8]
    """(LEVELS, n)"""
    level_s: NDArray[np.int64]
    """When the levels were last read; all four are read together."""
    last_rival: NDArray[np.int8]
    clicked_rival: NDArray[np.int8]
    """The rival whose ad the person clicked last, NONE before."""
    clicked_signal: NDArray[np.int8]
    """The signal under which that was."""
    clicked_s: NDArray[np.int32]
    on_list: NDArray[np.bool_]
    device: NDArray[np.int8]
    owned: NDArray[np.int8]
    """Bitmask by DeviceKind."""
    logged_in: NDArray[np.int8]
    """Bitmask by DeviceKind: devices known to belong to the person's account."""
    crisis_s: NDArray[np.int64]
    decided_s: NDArray[np.int64]
    converted_s: NDArray[np.int64]
    converted_advertiser: NDArray[np.int8]
    status: NDArray[np.int8]
    journey: NDArray[np.int32]
    """Index of the person's present journey, NONE before the first touch."""
    started_s: NDArray[np.int64]
    last_touch_s: NDArray[np.int64]
    lost_s: NDArray[np.int64]
    cost_micros: NDArray[np.int64]
    touches: NDArray[np.int32]
    impressions: NDArray[np.int32]
    clicks: NDArray[np.int32]
    our_touches: NDArray[np.int32]
    our_clicks: NDArray[np.int32]
    devices_seen: NDArray[np.int8]
    channels_seen: NDArray[np.int64]
    rivals_seen: NDArray[np.int64]

    @property
    def size(self) -> int:
        """Number of people."""
        return len(self.person)

    def arrays(self) -> dict[str, Column]:
        """Every column by name, for a snapshot."""
        return self._asdict()

    def needs_active_layer(self) -> NDArray[np.bool_]:
        """True for people whom more than the quiet proposals may concern."""
        live = (self.stage != Stage.UNAWARE) & (self.stage != Stage.CONVERTED)
        return live | ((self.stage == Stage.UNAWARE) & ((self.level[GOODWILL] > 0) | self.on_list))


def household_of(draws: Draws, scenario: Scenario, world: int) -> NDArray[np.int32]:
    """Household index of each person of a world, ascending: (people,)."""
    people = scenario.population.people
    shares = scenario.population.households
    luck = uniform(draws.words(Purpose.HOUSEHOLD, world, np.arange(people), 0)[0])
    total = shares.one + shares.two + shares.three
    size = 1 + (luck * total >= shares.one) + (luck * total >= shares.one + shares.two)
    starts = np.cumsum(size) - size
    starts = starts[starts < people]
    first = np.zeros(people, dtype=np.int32)
    first[starts] = 1
    return np.cumsum(first, dtype=np.int32) - 1


def cell_of(household: NDArray[np.int32], cells: int) -> NDArray[np.int32]:
    """Cell of each person: whole households, cut into `cells` nearly equal runs."""
    homes = int(household[-1]) + 1
    return (household.astype(np.int64) * cells // homes).astype(np.int32)


def born(draws: Draws, scenario: Scenario, world: int, cells: range) -> People:
    """The people of some cells of a world as they stand at the start; `unit` counts from the first of these cells."""
    household = household_of(draws, scenario, world)
    cell = cell_of(household, scenario.cells)
    household, cell = _with_scripted(household, cell, scenario)
    person = np.flatnonzero((cell >= cells.start) & (cell < cells.stop))
    words = draws.words(Purpose.PERSON_START, world, person, 0)
    segment = _pick(words[0], np.array([part.share for part in scenario.population.segments]))
    stage = np.zeros(len(person), dtype=np.int8)
    names = [part.name for part in scenario.population.segments]
    for code, part in enumerate(scenario.population.segments):
        rows = segment == code
        stage[rows] = _pick(words[1][rows], by_stage(part.start)[:4])
    owned = _owned(scenario, words[2])
    for number, scripted in enumerate(scenario.script):
        here = person == scenario.population.people + number
        segment[here], stage[here] = names.index(scripted.segment), Stage.UNAWARE
        owned[here] = sum(1 << kind for kind in {DeviceKind[event.device.upper()] for event in scripted.events})
    blank = _blank(len(person))
    blank.update(
        unit=(cell[person] - cells.start).astype(np.int32), world=np.full(len(person), world), person=person,
        household=household[person], segment=segment, segment_at_start=segment.copy(), stage=stage, owned=owned,
    )
    return People(**blank)


def _with_scripted(
    household: NDArray[np.int32], cell: NDArray[np.int32], scenario: Scenario
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Scripted people come after the others, each in a home of their own, in the last cell."""
    scripted = np.arange(len(scenario.script), dtype=np.int32)
    homes = np.concatenate([household, household[-1] + 1 + scripted])
    return homes, np.concatenate([cell, np.full(len(scripted), scenario.cells - 1, dtype=np.int32)])


def joined(parts: list[People]) -> People:
    """Stack people of several worlds; units are renumbered in order."""
    columns = {}
    for name in People._fields:
        columns[name] = np.concatenate([getattr(part, name) for part in parts], axis=-1)
    offset = np.cumsum([0] + [int(part.unit[-1]) + 1 for part in parts[:-1]])
    columns["unit"] = np.concatenate([part.unit + int(first) for part, first in zip(parts, offset, strict=True)])
    columns["unit"] = columns["unit"].astype(np.int32)
    return People(**columns)


def _pick(words: Words, shares: Floats) -> NDArray[np.int8]:
    edges = np.cumsum(shares)[:-1] / shares.sum()
    return np.searchsorted(edges, uniform(words), side="right").astype(np.int8)


def _owned(scenario: Scenario, words: Words) -> NDArray[np.int8]:
    devices = scenario.population.devices
    desktop = (words >> np.uint32(16)) < devices.owns_desktop * 2**16
    tablet = (words & np.uint32(0xFFFF)) < devices.owns_tablet * 2**16
    owned = 1 << DeviceKind.MOBILE
    return (owned + (desktop << DeviceKind.DESKTOP) + (tablet << DeviceKind.TABLET)).astype(np.int8)


def _blank(n: int) -> dict[str, Column]:
    zeros: dict[str, type[np.generic]] = {
        "device": np.int8, "logged_in": np.int8, "cost_micros": np.int64, "touches": np.int32, "our_touches": np.int32,
        "impressions": np.int32, "clicks": np.int32, "our_clicks": np.int32, "devices_seen": np.int8,
        "channels_seen": np.int64, "rivals_seen": np.int64, "on_list": np.bool_,
    }
    columns: dict[str, Column] = {name: np.zeros(n, dtype=kind) for name, kind in zeros.items()}
    never = ("crisis_s", "decided_s", "converted_s", "started_s", "last_touch_s", "lost_s")
    columns.update({name: np.full(n, NONE, dtype=np.int64) for name in never})
    columns.update(
        level=np.zeros((LEVELS, n), dtype=np.int8), level_s=np.zeros(n, dtype=np.int64),
        last_rival=np.full(n, NONE, dtype=np.int8), clicked_rival=np.full(n, NONE, dtype=np.int8),
        clicked_signal=np.full(n, NONE, dtype=np.int8), clicked_s=np.zeros(n, dtype=np.int32),
        converted_advertiser=np.full(n, NONE, dtype=np.int8),
        status=np.full(n, JourneyStatus.NONE, dtype=np.int8), journey=np.full(n, NONE, dtype=np.int32),
    )
    return columns


