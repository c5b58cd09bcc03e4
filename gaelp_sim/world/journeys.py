"""Journeys: begun by a touch, carried on by touches, ended by a purchase or by silence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gaelp_sim.compiled import compiled, inlined
from gaelp_sim.events import NONE, US, Bools, Columns, Ints, JourneyStatus
from gaelp_sim.population.people import People
from gaelp_sim.units import SECONDS_PER_DAY
from gaelp_sim.world.log import Table, full
from gaelp_sim.world.model import Model
from gaelp_sim.world.stack import Stack

EMAIL_SLOT, VISIT_SLOT = 100, 101
"""Slots of touches that hold no place on a page."""
_ACTIVE, _LOST = int(JourneyStatus.ACTIVE), int(JourneyStatus.LOST)
_KEPT = (
    "journey", "started_s", "last_touch_s", "status", "stage", "cost_micros", "touches", "impressions", "clicks",
    "our_touches", "our_clicks", "devices_seen", "channels_seen", "rivals_seen", "lost_s", "converted_s",
    "converted_advertiser",
)


@dataclass(frozen=True)
class Touches(Columns):
    """Touches of distinct people, in clearing order."""

    row: Ints
    second: Ints
    slot: Ints
    kind: Ints
    advertiser: Ints
    channel: Ints
    campaign: Ints
    creative: Ints
    signal: Ints
    position: Ints
    device: Ints
    price_micros: Ints
    examined: Bools
    clicked: Bools


def record_touches(stack: Stack, touches: Touches, *, impressions: bool = True) -> None:
    """Open, or carry on, the journeys of the people touched, and log the touches that the scenario records."""
    if not len(touches):
        return
    people, row = stack.people, touches.row
    fresh = _begins_anew(people, row, touches.second, deadline_of(stack.model))
    ended = row[fresh & (people.journey[row] >= 0)]
    if len(ended):
        stack.closed.append(journey_columns(stack, ended))
    told = _Told(
        row, touches.second, touches.advertiser, touches.channel, touches.device, touches.price_micros, touches.clicked,
        fresh,
    )
    _carry_on(people, told, (stack.first_seen_s, stack.last_seen_s), impressions)
    _log(stack, touches)


class Deadline(NamedTuple):
    """When a silent journey is called LOST."""

    timeout_s: int
    since_last_touch: bool


def deadline_of(model: Model) -> Deadline:
    """The scenario's time-out."""
    return Deadline(model.timeout_s, model.scenario.timeout.since == "last_touch")


@inlined
def deadline_s(people: People, row: int, deadline: Deadline) -> int:
    """Second after which the person's present journey counts as silent."""
    since = people.last_touch_s[row] if deadline.since_last_touch else people.started_s[row]
    return since + deadline.timeout_s


@compiled
def _begins_anew(people: People, row: Ints, second: Ints, deadline: Deadline) -> Bools:
    """True where a touch begins a journey; those that were silent too long are called LOST first."""
    fresh = np.empty(len(row), dtype=np.bool_)
    for i in range(len(row)):
        person = row[i]
        due_s = deadline_s(people, person, deadline)
        if people.status[person] == _ACTIVE and due_s < second[i]:
            people.lost_s[person] = due_s
            people.status[person] = _LOST
        fresh[i] = people.status[person] != _ACTIVE
    return fresh


class _Told(NamedTuple):
    """What a touch adds to its journey: (n,) columns of distinct people."""

    row: Ints
    second: Ints
    advertiser: Ints
    channel: Ints
    device: Ints
    price_micros: Ints
    clicked: Bools
    fresh: Bools


@compiled
def _carry_on(people: People, told: _Told, seen: tuple[Ints, Ints], impressions: bool) -> None:
    """Add touches to journeys; seen: first and last second of our touches, (people, devices)."""
    for i in range(len(told.row)):
        row, second, device = told.row[i], told.second[i], told.device[i]
        if told.fresh[i]:
            _begin(people, row, second)
        ours = told.advertiser[i] == US
        people.last_touch_s[row] = second
        people.touches[row] += 1
        people.impressions[row] += impressions
        people.clicks[row] += told.clicked[i]
        people.devices_seen[row] |= np.int8(1 << device)
        people.channels_seen[row] |= 1 << told.channel[i]
        if ours:
            people.cost_micros[row] += told.price_micros[i]
            people.our_touches[row] += 1
            people.our_clicks[row] += told.clicked[i]
            if seen[0][row, device] < 0:
                seen[0][row, device] = second
            seen[1][row, device] = second
        else:
            people.rivals_seen[row] |= 1 << told.advertiser[i]


@inlined
def _begin(people: People, row: int, second: int) -> None:
    people.journey[row] += 1
    people.started_s[row] = second
    people.status[row] = _ACTIVE
    people.cost_micros[row] = 0
    people.touches[row], people.impressions[row], people.clicks[row] = 0, 0, 0
    people.our_touches[row], people.our_clicks[row] = 0, 0
    people.devices_seen[row], people.channels_seen[row], people.rivals_seen[row] = 0, 0, 0
    people.lost_s[row], people.converted_s[row], people.converted_advertiser[row] = NONE, NONE, NONE


def _log(stack: Stack, touches: Touches) -> None:
    columns: Table = touches.take(slice(None))
    columns["journey"] = stack.people.journey[touches.row]
    if stack.model.scenario.log == "wins":
        keep = (touches.advertiser == US) | touches.clicked
        if not keep.all():
            columns = {name: column[keep] for name, column in columns.items()}
    if len(columns["row"]):
        stack.log.add("touch", columns)


def sweep_lost(stack: Stack, now_s: int) -> None:
    """Call every journey LOST, as of its deadline, whose deadline has passed; a label only."""
    _sweep(stack.people, now_s, deadline_of(stack.model))


@compiled
def _sweep(people: People, now_s: int, deadline: Deadline) -> None:
    for row in range(len(people.status)):
        if people.status[row] == _ACTIVE:
            due_s = deadline_s(people, row, deadline)
            if due_s < now_s:
                people.lost_s[row] = due_s
                people.status[row] = _LOST


def journey_columns(stack: Stack, rows: Ints) -> Table:
    """The present journeys of people as rows of table `journey`, without their paths."""
    people, start = stack.people, stack.model.start_s
    kept = {name: getattr(people, name)[rows].astype(np.int64) for name in _KEPT}
    ended = np.where(kept["converted_s"] >= 0, kept["converted_s"], kept["lost_s"])
    last = np.where(ended >= 0, ended, kept["last_touch_s"])
    return {
        "row": rows, "world_id": people.world[rows], "person_id": people.person[rows],
        "journey_index": kept["journey"], "started_s": kept["started_s"] + start,
        "first_touch_s": kept["started_s"] + start, "last_touch_s": kept["last_touch_s"] + start,
        "ended_s": epoch(ended, start), "lost_s": epoch(kept["lost_s"], start),
        "converted_s": epoch(kept["converted_s"], start), "status": kept["status"], "stage": kept["stage"],
        "cost_micros": kept["cost_micros"], "touches": kept["touches"], "impressions": kept["impressions"],
        "clicks": kept["clicks"], "our_touches": kept["our_touches"], "our_clicks": kept["our_clicks"],
        "days_in_journey": (last - kept["started_s"]) // SECONDS_PER_DAY, "devices_seen": kept["devices_seen"],
        "channels_exposed": kept["channels_seen"], "competitors_seen": kept["rivals_seen"],
        "converted_advertiser": kept["converted_advertiser"],
    }


def epoch(relative_s: Ints, start_s: int) -> Ints:
    """Seconds since the run's start as epoch seconds; NONE stays NONE."""
    return np.where(relative_s < 0, NONE, relative_s + start_s)


PATH_RECORD = np.dtype([
    ("occurred_s", "<i8"), ("price_micros", "<i8"), ("advertiser", "<i2"), ("channel", "<i2"), ("creative", "<i2"),
    ("position", "<i2"), ("kind", "i1"), ("clicked", "i1"), ("device", "i1"), ("campaign", "i1"),
])


def with_paths(journeys: Table, touches: Table, start_s: int) -> Table:
    """Add each journey's path: its recorded touches in time order, packed.

    journeys: columns with `row` and `journey_index`; touches: touch columns of the whole run
    """
    order = np.lexsort([touches["slot"], touches["second"], touches["journey"], touches["row"]])
    records = np.zeros(len(order), dtype=PATH_RECORD)
    for name in PATH_RECORD.names or ():
        if name != "occurred_s":
            records[name] = touches[name][order]
    records["occurred_s"] = touches["second"][order] + start_s
    key = touches["row"][order] << 20 | touches["journey"][order]
    wanted = journeys["row"] << 20 | journeys["journey_index"]
    first, last = np.searchsorted(key, wanted), np.searchsorted(key, wanted, side="right")
    packed, width = records.tobytes(), PATH_RECORD.itemsize
    paths = [packed[a * width : b * width] for a, b in zip(first.tolist(), last.tolist(), strict=True)]
    table = {name: column for name, column in journeys.items() if name != "row"}
    table["path"] = paths  # type: ignore[assignment]
    return table


def no_touches() -> Table:
    """Touch columns without a row."""
    names = (*Touches.__dataclass_fields__, "journey")
    return {name: full(0, 0) for name in names}
