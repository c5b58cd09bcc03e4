"""Journeys: begun by a touch, carried on by touches, ended by a purchase or by silence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gaelp_sim.events import NONE, US, Bools, Column, Columns, Ints, JourneyStatus
from gaelp_sim.units import SECONDS_PER_DAY
from gaelp_sim.world.log import Table, full
from gaelp_sim.world.stack import Stack

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
    kind: Column
    advertiser: Column
    channel: Column
    campaign: Column
    creative: Column
    signal: Column
    position: Column
    device: Column
    price_micros: Ints
    examined: Bools
    clicked: Bools


def record_touches(stack: Stack, touches: Touches, *, impressions: bool = True) -> None:
    """Open, or carry on, the journeys of the people touched, and log the touches that the scenario records."""
    if not len(touches):
        return
    people, row = stack.people, touches.row
    fresh = _begins_anew(stack, row, touches.second)
    if fresh.any():
        _begin(stack, row[fresh], touches.second[fresh])
    ours = touches.advertiser == US
    people.last_touch_s[row] = touches.second
    people.cost_micros[row] += np.where(ours, touches.price_micros, 0)
    people.touches[row] += 1
    people.impressions[row] += impressions
    people.clicks[row] += touches.clicked
    people.our_touches[row] += ours
    people.our_clicks[row] += ours & touches.clicked
    people.devices_seen[row] |= np.left_shift(1, touches.device).astype(np.int8)
    people.channels_seen[row] |= np.left_shift(np.int64(1), touches.channel.astype(np.int64))
    people.rivals_seen[row] |= np.where(ours, 0, np.left_shift(np.int64(1), touches.advertiser.astype(np.int64)))
    _meet_devices(stack, row[ours], touches.device[ours], touches.second[ours])
    _log(stack, touches, ours)


def _meet_devices(stack: Stack, row: Ints, device: Column, second: Ints) -> None:
    new = stack.first_seen_s[row, device] < 0
    stack.first_seen_s[row[new], device[new]] = second[new]
    stack.last_seen_s[row, device] = second


def _log(stack: Stack, touches: Touches, ours: Bools) -> None:
    columns: Table = touches.take(slice(None))
    columns["journey"] = stack.people.journey[touches.row]
    if stack.model.scenario.log == "wins":
        keep = ours | touches.clicked
        if not keep.all():
            columns = {name: column[keep] for name, column in columns.items()}
    if len(columns["row"]):
        stack.log.add("touch", columns)


def timed_out(stack: Stack, rows: Ints, now_s: Ints) -> Bools:
    """True where an ACTIVE journey has been silent (or open) longer than the scenario allows."""
    people = stack.people
    return (people.status[rows] == JourneyStatus.ACTIVE) & (_deadline(stack, rows) < now_s)


def _deadline(stack: Stack, rows: Ints) -> Ints:
    people, timeout = stack.people, stack.model.scenario.timeout
    since = people.last_touch_s if timeout.since == "last_touch" else people.started_s
    return since[rows] + stack.model.timeout_s


def label_lost(stack: Stack, rows: Ints) -> None:
    """Call these journeys LOST as of their deadline; a label only."""
    stack.people.lost_s[rows] = _deadline(stack, rows)
    stack.people.status[rows] = JourneyStatus.LOST


def sweep_lost(stack: Stack, now_s: int) -> None:
    """Label every journey whose deadline has passed."""
    everyone = np.flatnonzero(stack.people.status == JourneyStatus.ACTIVE)
    label_lost(stack, everyone[timed_out(stack, everyone, np.int64(now_s))])


def _begins_anew(stack: Stack, rows: Ints, second: Ints) -> Bools:
    out = timed_out(stack, rows, second)
    if out.any():
        label_lost(stack, rows[out])
    return stack.people.status[rows] != JourneyStatus.ACTIVE


def _begin(stack: Stack, rows: Ints, second: Ints) -> None:
    people = stack.people
    ended = rows[people.journey[rows] >= 0]
    if len(ended):
        stack.closed.append(journey_columns(stack, ended))
    people.journey[rows] += 1
    people.started_s[rows] = second
    people.status[rows] = JourneyStatus.ACTIVE
    for name in ("cost_micros", "touches", "impressions", "clicks", "our_touches", "our_clicks"):
        getattr(people, name)[rows] = 0
    for name in ("devices_seen", "channels_seen", "rivals_seen"):
        getattr(people, name)[rows] = 0
    for name in ("lost_s", "converted_s", "converted_advertiser"):
        getattr(people, name)[rows] = NONE


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
