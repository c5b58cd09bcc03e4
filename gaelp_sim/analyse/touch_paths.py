"""From stored journeys to paths: the touches that lie before each of our sales, and those of people who did not buy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gaelp_sim.analyse.terms import terms_of
from gaelp_sim.attribution.paths import Paths
from gaelp_sim.compiled import compiled
from gaelp_sim.errors import UsageError
from gaelp_sim.events import NONE, US, Bools, Ints, JourneyStatus, TouchKind
from gaelp_sim.store import RunRecord, Store
from gaelp_sim.units import SECONDS_PER_DAY, SECONDS_PER_HOUR
from gaelp_sim.world.journeys import EMAIL_SLOT, PATH_RECORD, VISIT_SLOT

TRUE, RESOLVED = "true", "resolved"
IDENTITIES = (RESOLVED, TRUE)
TOUCHES = ("all", "ads", "clicks")
PERSON_BITS = 32


@dataclass(frozen=True)
class Window:
    """Which touches count for a sale."""

    lookback_days: int = 30
    touches: str = "all"
    """One of TOUCHES: all; ads: no visits; clicks: only ads and e-mails that were clicked"""
    rivals: bool = False
    """Rivals' touches as well as ours, as the person saw them; no advertiser could"""
    identity: str = RESOLVED
    """RESOLVED: whom we take for one user; TRUE: the person; digits: the users of a later resolution"""
    open_paths: bool = False
    """Journeys still open at the run's end count as paths without a sale; else they are left out, as censored"""
    as_of_s: int | None = None
    """Only sales reported, and touches made, by then"""


@dataclass(frozen=True)
class Touched:
    """Touches of stored journeys, by user and in time order."""

    user: Ints
    """(touches,): 0 to users - 1"""
    segment: Ints
    """(touches,): the journey, ascending"""
    person: Ints
    """(touches,): `world_id << 32 | person_id`"""
    record: np.ndarray
    """(touches,): `PATH_RECORD`"""


@dataclass(frozen=True)
class SalePaths:
    """Paths of a run, with what their touches and sales are in the store."""

    paths: Paths
    touches: Touched
    """(touches of paths,), in the order of `paths`"""
    sale: Ints
    """(paths,): index of the sale at its end, NONE for a path without"""
    sales: dict[str, Ints]
    """Our sales: person, decided_s, purchased_s, reported_s, value_micros, device"""
    untouched: Ints
    """Indices of the sales that no touch lies before"""

    @property
    def count(self) -> int:
        """Our sales, with touches or without."""
        return len(self.sales["person"])

    @property
    def sale_of_touch(self) -> Ints:
        """(touches of paths,): index of the sale at the end of the touch's path, NONE without."""
        return np.repeat(self.sale, self.paths.lengths)


def stored_paths(store: Store, run: RunRecord, window: Window) -> SalePaths:
    """Paths of a finished run, read from `journey.path`; their grouping is the channel, rivals' after ours.

    A sale's path holds its user's touches from `lookback_days` before the purchase up to it. The other journeys are
    paths without a sale, but for those still open and those with a touch in a sale's path.
    """
    touched, statuses = _read_touches(store, run)
    sales = _read_sales(store, run, window.as_of_s)
    if window.identity != TRUE:
        touched, buyer = _resolved((store, run), touched, sales, window.identity)
        statuses = None
    else:
        people, touched = _numbered(touched)
        buyer = place_of(people, sales["person"])
    end_s = run.start_s + run.end_hour * SECONDS_PER_HOUR
    moment = end_s if window.as_of_s is None else min(end_s, window.as_of_s)
    kept = _kept(touched.record, window, moment)
    if window.open_paths:
        censored = np.zeros(0, dtype=np.bool_)
    elif statuses is not None and window.as_of_s is None:
        censored = statuses == JourneyStatus.ACTIVE
    else:
        censored = _last_touch_s(touched) >= moment - terms_of(run).timeout_s
    picked = _picked(touched, kept, (buyer, sales["purchased_s"]), window.lookback_days * SECONDS_PER_DAY)
    channels = len(np.asarray(store.read(run, "name", columns=("code",), where={"kind": "channel"})["code"]))
    null = _null_touches(touched, kept & ~picked.used[touched.segment], censored)
    return _joined((touched, sales, channels), picked, null)


def _read_touches(store: Store, run: RunRecord) -> tuple[Touched, Ints | None]:
    """All touches in journeys' paths, by person and time, and the status of each journey."""
    person, status, blobs = store.read_paths(run)
    lengths = np.fromiter(map(len, blobs), dtype=np.int64, count=len(blobs)) // PATH_RECORD.itemsize
    record = np.frombuffer(b"".join(blobs), dtype=PATH_RECORD)
    segment = np.repeat(np.arange(len(lengths)), lengths)
    return Touched(segment, segment, np.repeat(person, lengths), record), status


def _read_sales(store: Store, run: RunRecord, as_of_s: int | None) -> dict[str, Ints]:
    names = ("world_id", "person_id", "decided_s", "purchased_s", "reported_s", "value_micros", "device")
    read = store.read(run, "conversion", columns=names, where={"advertiser": US})
    rows = {name: np.asarray(column) for name, column in read.items()}
    rows["person"] = rows.pop("world_id") << PERSON_BITS | rows.pop("person_id")
    if as_of_s is not None:
        rows = {name: column[rows["reported_s"] <= as_of_s] for name, column in rows.items()}
    return rows


def _numbered(touched: Touched) -> tuple[Ints, Touched]:
    """Persons as numbers, in the order in which they stand; (persons,) and the touches."""
    begins = np.diff(touched.person, prepend=-1) != 0
    first, user = np.flatnonzero(begins), np.cumsum(begins) - 1
    return touched.person[first], Touched(user, touched.segment, touched.person, touched.record)


def _resolved(
    stored: tuple[Store, RunRecord], touched: Touched, sales: dict[str, Ints], identity: str
) -> tuple[Touched, Ints]:
    """The touches by resolved user instead, journeys drawn anew by silence; and the user behind each sale."""
    store, run = stored
    device_user = device_users(store, run, 0 if identity == RESOLVED else int(identity))
    users, first = np.unique(device_user.user, return_inverse=True)
    at = place_of(device_user.key, touched.person << 2 | touched.record["device"].astype(np.int64))
    user = np.where(at == NONE, NONE, first[np.maximum(at, 0)])
    order = np.flatnonzero(user != NONE)
    order = order[np.lexsort([touched.record["occurred_s"][order], user[order]])]
    record, user = _taken(touched.record, order), user[order]
    silent = np.diff(record["occurred_s"], prepend=0) > terms_of(run).timeout_s
    segment = np.cumsum((np.diff(user, prepend=-1) != 0) | silent) - 1
    buyer_at = place_of(device_user.key, sales["person"] << 2 | sales["device"])
    buyer = np.where(buyer_at == NONE, NONE, first[np.maximum(buyer_at, 0)])
    return Touched(user, segment, touched.person[order], record), buyer


class DeviceUsers(NamedTuple):
    """The resolved user behind each device, numbered from 0."""

    key: Ints
    """`person << 2 | device`, ascending"""
    user: Ints


def device_users(store: Store, run: RunRecord, resolution: int = 0) -> DeviceUsers:
    """The resolved user of every device; one that we have not met is a user of its own.

    resolution: 0 for the run's own. Raises UsageError where there is no such resolution.
    """
    device = {k: np.asarray(v) for k, v in store.read(run, "device").items()}
    columns = ("world_id", "alias_id", "resolved_user_id")
    if resolution:
        read = store.read(run, "resolved_alias", columns=columns, where={"resolution_id": resolution})
        if not len(read["alias_id"]):
            raise UsageError(f"run {run.run_id} has no resolution {resolution}; next: gaelp resolve {run.run_id}")
    else:
        read = store.read(run, "alias", columns=columns)
    alias = {name: np.asarray(column) for name, column in read.items()}
    user = device["alias_id"].copy()
    known = np.lexsort([alias["alias_id"], alias["world_id"]])
    known_users = (alias["world_id"], alias["alias_id"], alias["resolved_user_id"])
    by_world = np.lexsort([device["alias_id"], device["world_id"]])
    _look_up((device["world_id"], device["alias_id"]), by_world, known_users, known, user)
    # Ids are unique within a world: two worlds' users must not be taken for one.
    pair = np.stack([device["world_id"], user])
    _, number = np.unique(pair, axis=1, return_inverse=True)
    key = (device["world_id"] << PERSON_BITS | device["person_id"]) << 2 | device["device"]
    order = np.argsort(key)
    return DeviceUsers(key[order], number[order])


@compiled
def _look_up(
    wanted: tuple[Ints, Ints], wanted_order: Ints, known: tuple[Ints, Ints, Ints], known_order: Ints, found: Ints
) -> None:
    """Merge two sorted lists of (world, alias): `found` gets the third column of those known, where one is."""
    place = 0
    for i in wanted_order:
        while place < len(known_order):
            k = known_order[place]
            if known[0][k] > wanted[0][i] or (known[0][k] == wanted[0][i] and known[1][k] >= wanted[1][i]):
                break
            place += 1
        if place < len(known_order):
            k = known_order[place]
            if known[0][k] == wanted[0][i] and known[1][k] == wanted[1][i]:
                found[i] = known[2][k]


def place_of(ascending: Ints, wanted: Ints) -> Ints:
    """Index of each wanted key, NONE where it is not there."""
    at = np.searchsorted(ascending, wanted)
    found = at < len(ascending)
    found[found] = ascending[at[found]] == wanted[found]
    return np.where(found, at, NONE)


def _kept(record: np.ndarray, window: Window, moment: int) -> Bools:
    kept = np.ones(len(record), dtype=np.bool_) if window.rivals else record["advertiser"] == US
    if window.touches != "all":
        kept = kept & (record["kind"] != TouchKind.VISIT)
    if window.touches == "clicks":
        kept = kept & (record["clicked"] > 0)
    if window.as_of_s is not None:
        kept = kept & (record["occurred_s"] <= moment)
    return kept


def _last_touch_s(touched: Touched) -> Ints:
    """(segments,): second of each journey's last touch."""
    last_s = np.zeros(int(touched.segment.max(initial=-1)) + 1, dtype=np.int64)
    last_s[touched.segment] = touched.record["occurred_s"]
    return last_s


def _null_touches(touched: Touched, free: Bools, censored: Bools) -> Ints:
    """Indices of touches that lie in no sale's path; those of censored journeys are left out."""
    if len(censored):
        free &= ~censored[touched.segment]
    return np.flatnonzero(free)


class _Picked(NamedTuple):
    """Touches of the sales' paths."""

    touch: Ints
    lengths: Ints
    """(sales,)"""
    used: Bools
    """(segments,): whether a touch of the journey lies in a sale's path"""


def _picked(touched: Touched, kept: Bools, sales: tuple[Ints, Ints], lookback_s: int) -> _Picked:
    second = np.ascontiguousarray(touched.record["occurred_s"])
    users = int(touched.user.max(initial=-1)) + 1
    first = np.searchsorted(touched.user, np.arange(users + 1))
    segments = int(touched.segment.max(initial=-1)) + 1
    return _Picked(*_pick((first, second, touched.segment), kept, sales, lookback_s, np.zeros(segments, dtype=np.bool_)))


@compiled
def _pick(
    touched: tuple[Ints, Ints, Ints], kept: Bools, sales: tuple[Ints, Ints], lookback_s: int, used: Bools
) -> tuple[Ints, Ints, Bools]:
    first, second, segment = touched
    buyer, sold_s = sales
    lengths = np.zeros(len(buyer), dtype=np.int64)
    total = 0
    for sale in range(len(buyer)):
        if buyer[sale] >= 0:
            total += first[buyer[sale] + 1] - first[buyer[sale]]
    touch = np.empty(total, dtype=np.int64)
    total = 0
    for sale in range(len(buyer)):
        if buyer[sale] < 0:
            continue
        for i in range(first[buyer[sale]], first[buyer[sale] + 1]):
            if kept[i] and sold_s[sale] - lookback_s <= second[i] <= sold_s[sale]:
                touch[total] = i
                used[segment[i]] = True
                total += 1
                lengths[sale] += 1
    return touch[:total], lengths, used


def _joined(run: tuple[Touched, dict[str, Ints], int], picked: _Picked, null: Ints) -> SalePaths:
    """Sales' paths first, in the order of the sales, then the paths without one."""
    touched, sales, channels = run
    begins = np.flatnonzero(np.diff(touched.segment[null], prepend=-1))
    null_lengths = np.diff(np.append(begins, len(null)))
    sale = np.flatnonzero(picked.lengths)
    lengths = np.concatenate([picked.lengths[sale], null_lengths])
    touch = np.concatenate([picked.touch, null])
    record = _taken(touched.record, touch)
    channel = record["channel"].astype(np.int64)
    rival = record["advertiser"] != US
    channel[rival] += channels
    nones = np.zeros(len(null_lengths))
    paths = Paths(
        np.concatenate([[0], np.cumsum(lengths)]), channel, record["occurred_s"].astype(np.int64),
        np.concatenate([sales["purchased_s"][sale], np.zeros(len(nones), dtype=np.int64)]),
        np.concatenate([np.ones(len(sale)), nones]), np.concatenate([np.zeros(len(sale)), nones + 1]), 2 * channels,
    )
    return SalePaths(
        paths, Touched(touched.user[touch], touched.segment[touch], touched.person[touch], record),
        np.concatenate([sale, np.full(len(nones), NONE)]), sales, np.flatnonzero(picked.lengths == 0),
    )


def _taken(record: np.ndarray, at: Ints) -> np.ndarray:
    """Records at these places; numpy moves rows of bytes several times faster than structured records."""
    return record.view(np.uint8).reshape(-1, PATH_RECORD.itemsize)[at].reshape(-1).view(PATH_RECORD)


def touch_slots(record: np.ndarray) -> Ints:
    """Slot of each touch among those of its second, as table `touchpoint` has it."""
    kind = record["kind"]
    slots = np.where(kind == TouchKind.EMAIL, EMAIL_SLOT, VISIT_SLOT)
    return np.where(kind == TouchKind.IMPRESSION, record["position"].astype(np.int64) - 1, slots)
