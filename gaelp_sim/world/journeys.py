"""Journeys: begun by a touch, carried on by touches, ended by a purchase or by silence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gaelp_sim.compiled import compiled, inlined
from gaelp_sim.events import NONE, US, Bools, Column, Columns, Ints, JourneyStatus
from gaelp_sim.population.people import People
from gaelp_sim.units import SECONDS_PER_DAY
from gaelp_sim.world.log import Block, Table
from gaelp_sim.world.model import Model
from gaelp_sim.world.stack import Stack

EMAIL_SLOT, VISIT_SLOT = 100, 101
"""Slots of touches that hold no place on a page."""
_ACTIVE, _LOST = int(JourneyStatus.ACTIVE), int(JourneyStatus.LOST)
_KEPT = (
    "row", "journey", "started_s", "last_touch_s", "status", "stage", "cost_micros", "touches", "impressions", "clicks",
    "our_touches", "our_clicks", "devices_seen", "channels_seen", "rivals_seen", "lost_s", "converted_s",
    "converted_advertiser",
)
"""What is told of a journey, in the order of `_snapshot`."""
TOUCH = (
    "row", "second", "journey", "slot", "kind", "advertiser", "channel", "campaign", "creative", "signal", "position",
    "device", "price_micros", "examined", "clicked",
)
"""Columns of a touch; (columns, n) arrays of integers hold touches of distinct people, in clearing order."""
(
    ROW, SECOND, JOURNEY, SLOT, KIND, ADVERTISER, CHANNEL, CAMPAIGN, CREATIVE, SIGNAL, POSITION, DEVICE, PRICE, EXAMINED,
    CLICKED,
) = range(len(TOUCH))


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

    def rows(self) -> Ints:
        """The same as one array, `TOUCH` by n; journeys are still to be told."""
        columns = vars(self) | {"journey": np.zeros(len(self), dtype=np.int64)}
        return np.stack([columns[name].astype(np.int64, copy=False) for name in TOUCH])


def record_touches(stack: Stack, touches: Touches, *, impressions: bool = True) -> None:
    """Open, or carry on, the journeys of the people touched, and log the touches that the scenario records."""
    if len(touches):
        record_rows(stack, touches.rows(), impressions=impressions)


def record_rows(stack: Stack, touches: Ints, *, impressions: bool = True) -> None:
    """The same for touches that stand in one array already, `TOUCH` by n."""
    seen = (stack.first_seen_s, stack.last_seen_s)
    ended = _carry_on(stack.people, touches, seen, deadline_of(stack.model), impressions)
    if ended.shape[1]:
        stack.closed.append(journey_columns(stack, Block(_KEPT, ended)))
    if stack.model.scenario.log == "wins":
        keep = (touches[ADVERTISER] == US) | (touches[CLICKED] > 0)
        if not keep.all():
            touches = touches[:, keep]
    if touches.shape[1]:
        stack.log.add_block("touch", Block(TOUCH, touches))


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
def _carry_on(
    people: People, touches: Ints, seen: tuple[Ints, Ints], deadline: Deadline, impressions: bool
) -> Ints:
    """Add touches to journeys, and tell each touch its journey; what had ended comes back, `_KEPT` by k.

    seen: first and last second of our touches, (people, devices)
    A touch begins a journey where none is ACTIVE; one that was silent too long is called LOST first.
    """
    ended, count = np.empty((len(_KEPT), touches.shape[1]), dtype=np.int64), 0
    for i in range(touches.shape[1]):
        row, second, device = touches[ROW, i], touches[SECOND, i], touches[DEVICE, i]
        due_s = deadline_s(people, row, deadline)
        if people.status[row] == _ACTIVE and due_s < second:
            people.lost_s[row], people.status[row] = due_s, _LOST
        if people.status[row] != _ACTIVE:
            if people.journey[row] >= 0:
                _snapshot(people, row, ended, count)
                count += 1
            _begin(people, row, second)
        touches[JOURNEY, i] = people.journey[row]
        people.last_touch_s[row] = second
        people.touches[row] += 1
        people.impressions[row] += impressions
        people.clicks[row] += touches[CLICKED, i]
        people.devices_seen[row] |= np.int8(1 << device)
        people.channels_seen[row] |= 1 << touches[CHANNEL, i]
        if touches[ADVERTISER, i] == US:
            people.cost_micros[row] += touches[PRICE, i]
            people.our_touches[row] += 1
            people.our_clicks[row] += touches[CLICKED, i]
            if seen[0][row, device] < 0:
                seen[0][row, device] = second
            seen[1][row, device] = second
        else:
            people.rivals_seen[row] |= 1 << touches[ADVERTISER, i]
    return ended[:, :count]


@inlined
def _snapshot(people: People, row: int, kept: Ints, place: int) -> None:
    kept[0, place], kept[1, place], kept[2, place] = row, people.journey[row], people.started_s[row]
    kept[3, place], kept[4, place], kept[5, place] = people.last_touch_s[row], people.status[row], people.stage[row]
    kept[6, place], kept[7, place], kept[8, place] = people.cost_micros[row], people.touches[row], people.impressions[row]
    kept[9, place], kept[10, place], kept[11, place] = people.clicks[row], people.our_touches[row], people.our_clicks[row]
    kept[12, place], kept[13, place] = people.devices_seen[row], people.channels_seen[row]
    kept[14, place], kept[15, place], kept[16, place] = people.rivals_seen[row], people.lost_s[row], people.converted_s[row]
    kept[17, place] = people.converted_advertiser[row]


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


@compiled
def _present(people: People) -> Ints:
    """Everybody's present journey, `_KEPT` by k, of those who have one."""
    kept, count = np.empty((len(_KEPT), len(people.journey)), dtype=np.int64), 0
    for row in range(len(people.journey)):
        if people.journey[row] >= 0:
            _snapshot(people, row, kept, count)
            count += 1
    return kept[:, :count]


def present_journeys(stack: Stack) -> Table:
    """The journeys in which people stand now, as rows of table `journey` without their paths."""
    return journey_columns(stack, Block(_KEPT, _present(stack.people)))


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


def journey_columns(stack: Stack, journeys: Block) -> Table:
    """Journeys (`_KEPT` by n) as rows of table `journey`, without their paths."""
    people, start, kept = stack.people, stack.model.start_s, journeys.table()
    rows = kept["row"]
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
    ("position", "<i2"), ("campaign", "<i2"), ("kind", "i1"), ("clicked", "i1"), ("device", "i1"),
])
_KEPT_TOUCH = np.dtype([("row", "<i4"), ("journey", "<i4"), ("slot", "<i2"), ("path", PATH_RECORD)])
"""What paths need of a touch, in 39 bytes: a run keeps all of its recorded touches until its end."""
PATH_COLUMNS = ("row", "journey", "second", "slot", *(name for name in PATH_RECORD.names or () if name != "occurred_s"))


class History:
    """Recorded touches of a run, kept small for the paths that are written at its end."""

    def __init__(self, start_s: int) -> None:
        self._pieces: list[np.ndarray] = []
        self._start_s = start_s

    def add(self, touches: Table, *, before: bool = False) -> None:
        """Keep touches (`PATH_COLUMNS`), after those kept already or before them."""
        kept = np.empty(len(touches["row"]), dtype=_KEPT_TOUCH)
        for name in ("row", "journey", "slot"):
            kept[name] = touches[name]
        for name in PATH_RECORD.names or ():
            kept["path"][name] = touches["second"] + self._start_s if name == "occurred_s" else touches[name]
        self._pieces.insert(0 if before else len(self._pieces), kept)

    def of_present_journeys(self, stack: Stack) -> Table:
        """Touches of the journeys in which people stand now, as `PATH_COLUMNS`."""
        kept = self._joined()
        kept = kept[stack.people.journey[kept["row"]] == kept["journey"]]
        table = {name: kept[name].astype(np.int64) for name in ("row", "journey", "slot")}
        for name in PATH_RECORD.names or ():
            table[name] = kept["path"][name].astype(np.int64)
        table["second"] = table.pop("occurred_s") - self._start_s
        return {name: table[name] for name in PATH_COLUMNS}

    def with_paths(self, journeys: Table) -> Table:
        """Add each journey's path: its recorded touches in time order, packed as `PATH_RECORD`.

        journeys: columns with `row` and `journey_index`
        """
        kept = self._joined()
        kept = kept[np.lexsort([kept["slot"], kept["path"]["occurred_s"], _journey_key(kept["row"], kept["journey"])])]
        key, wanted = _journey_key(kept["row"], kept["journey"]), _journey_key(journeys["row"], journeys["journey_index"])
        first, last = np.searchsorted(key, wanted), np.searchsorted(key, wanted, side="right")
        packed, width = kept["path"].tobytes(), PATH_RECORD.itemsize
        paths = [packed[a * width : b * width] for a, b in zip(first.tolist(), last.tolist(), strict=True)]
        table = {name: column for name, column in journeys.items() if name != "row"}
        table["path"] = paths  # type: ignore[assignment]
        return table

    def seconds(self) -> tuple[Ints, Ints, Ints]:
        """Row, kind and second of every touch kept."""
        kept = self._joined()
        second = kept["path"]["occurred_s"] - self._start_s
        return kept["row"].astype(np.int64), kept["path"]["kind"].astype(np.int64), second

    def _joined(self) -> np.ndarray:
        if len(self._pieces) != 1:
            self._pieces = [np.concatenate(self._pieces) if self._pieces else np.empty(0, dtype=_KEPT_TOUCH)]
        return self._pieces[0]


def _journey_key(row: Column, journey: Column) -> Ints:
    return row.astype(np.int64) << 20 | journey


def no_touches() -> Table:
    """Touch columns without a row."""
    return {name: np.zeros(0, dtype=np.int64) for name in PATH_COLUMNS}
