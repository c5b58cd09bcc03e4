"""What a stored run was for us, person by person: sales, costs and touches, people in the same order in every life."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gaelp_sim.analyse.clusters import Sums, summed
from gaelp_sim.analyse.touch_paths import TRUE, Window, stored_paths
from gaelp_sim.attribution.models import Options, credited
from gaelp_sim.events import NONE, US, Bools, Floats, Ints, TouchKind
from gaelp_sim.store import RunRecord, Store
from gaelp_sim.units import MICROS_PER_UNIT, SECONDS_PER_DAY


@dataclass(frozen=True)
class Credited:
    """Linear credit of our touches: (touches of sales,)."""

    row: Ints
    channel: Ints
    share: Floats


@dataclass(frozen=True)
class Life:
    """One row a person, ascending by world and number; and one a touch of ours."""

    person: Ints
    """`world_id << 32 | person_id`"""
    household: Ints
    segment: Ints
    """At the start"""
    sales: Ints
    """Of ours, decided in the run's hours"""
    paid_sales: Ints
    """Those decided after a touch of ours"""
    value_micros: Ints
    journey_days: Floats
    """From our first touch in the run to the decision, summed over paid sales"""
    bought_from: Ints
    """The advertiser of the first sale, NONE without"""
    cost_micros: Ints
    impressions: Ints
    clicks: Ints
    touch_row: Ints
    touch_s: Ints
    touch_channel: Ints
    touch_creative: Ints
    touch_clicked: Ints
    touch_kind: Ints
    touch_micros: Ints
    credit: Credited
    channels: list[str]
    segments: list[str]
    cac_incremental_usd: float | None
    """As the run's summary tells it"""
    win_rate: float | None

    def of(self, here: Bools) -> Life:
        """The same people, with nothing for those who are not meant; touches stay as they are."""
        names = ("sales", "paid_sales", "value_micros", "journey_days", "cost_micros", "impressions", "clicks")
        meant: dict[str, Any] = {name: np.where(here, getattr(self, name), 0) for name in names}
        return replace(self, **meant)

    def touch_figure(self, figure: str, channel: int) -> Floats:
        """(touches,): what each touch counts for a figure of a channel."""
        here = self.touch_channel == channel
        if figure == "spend_usd":
            return np.where(here, self.touch_micros / MICROS_PER_UNIT, 0.0)
        counted = self.touch_kind == TouchKind.IMPRESSION if figure == "impressions" else self.touch_clicked > 0
        return (here & counted).astype(np.float64)


def life_of(store: Store, run: RunRecord, worlds: int) -> Life:
    """What the first so many worlds of a finished run were for us."""
    people = _read(store, run, "person", ("world_id", "person_id", "household_id"), worlds)
    person = people["world_id"] << 32 | people["person_id"]
    segment = _read(store, run, "truth_person", ("world_id", "person_id", "segment_at_start"), worlds)
    touch = _touches(store, run, worlds, person)
    sale = _sales(store, run, worlds, person)
    count, ours = len(person), np.flatnonzero(sale["advertiser"] == US)
    first = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(first, touch["row"], touch["occurred_s"])
    paid = ours[first[sale["row"][ours]] <= sale["decided_s"][ours]]
    days = (sale["decided_s"][paid] - first[sale["row"][paid]]) / SECONDS_PER_DAY
    bought = np.full(count, NONE)
    order = np.argsort(-sale["decided_s"], kind="stable")  # the earliest is written last
    bought[sale["row"][order]] = sale["advertiser"][order]
    told = json.loads(run.summary)
    seen = touch["kind"] == TouchKind.IMPRESSION
    return Life(
        person, people["household_id"], segment["segment_at_start"], _counted(count, sale["row"][ours]),
        _counted(count, sale["row"][paid]), _counted(count, sale["row"][ours], sale["value_micros"][ours]),
        np.bincount(sale["row"][paid], days, count).astype(np.float64), bought,
        _counted(count, touch["row"], touch["price_micros"]), _counted(count, touch["row"][seen]),
        _counted(count, touch["row"][touch["clicked"] > 0]),
        touch["row"], touch["occurred_s"], touch["channel"], touch["creative"], touch["clicked"], touch["kind"],
        touch["price_micros"], _credited(store, run, person), _names(store, run, "channel"),
        _names(store, run, "segment"), told.get("cac_incremental_usd") if worlds == run.worlds else None,
        _win_rate(store, run, worlds),
    )


def channel_credits(life: Life, cluster: Ints, clusters: int) -> list[Sums]:
    """(clusters,) for each channel: sales of ours that linear attribution gives it."""
    credit = life.credit
    return [
        summed(cluster[credit.row], clusters, np.where(credit.channel == code, credit.share, 0.0))
        for code in range(len(life.channels))
    ]


def _read(store: Store, run: RunRecord, table: str, names: tuple[str, ...], worlds: int) -> dict[str, Ints]:
    rows = {name: np.asarray(column) for name, column in store.read(run, table, columns=names).items()}
    if worlds == run.worlds:
        return rows
    here = rows["world_id"] < worlds
    return {name: column[here] for name, column in rows.items()}


def _touches(store: Store, run: RunRecord, worlds: int, person: Ints) -> dict[str, Ints]:
    """Our touches by people's rows, in the order of (person, second)."""
    names = ("world_id", "person_id", "occurred_s", "kind", "channel", "creative", "clicked", "price_micros")
    told = store.read(run, "touchpoint", columns=names, where={"advertiser": US}, order=False)
    here = np.asarray(told["world_id"]) < worlds
    rows = {name: np.asarray(column, dtype=np.int64)[here] for name, column in told.items()}
    rows["row"] = np.searchsorted(person, rows["world_id"] << 32 | rows["person_id"])
    order = np.lexsort([rows["occurred_s"], rows["row"]])
    return {name: column[order] for name, column in rows.items()}


def _sales(store: Store, run: RunRecord, worlds: int, person: Ints) -> dict[str, Ints]:
    names = ("world_id", "person_id", "decided_s", "advertiser", "value_micros")
    rows = _read(store, run, "conversion", names, worlds)
    rows["row"] = np.searchsorted(person, rows["world_id"] << 32 | rows["person_id"])
    return rows


def _counted(count: int, row: Ints, of: Ints | None = None) -> Ints:
    found = np.zeros(count, dtype=np.int64)
    np.add.at(found, row, 1 if of is None else of)
    return found


def _credited(store: Store, run: RunRecord, person: Ints) -> Credited:
    found = stored_paths(store, run, Window(identity=TRUE))
    shares = credited(found.paths, "linear", Options()).shares
    given = np.flatnonzero((found.sale_of_touch != NONE) & (shares > 0))
    row = np.searchsorted(person, found.touches.person[given])
    inside = row < len(person)
    channel = found.touches.record["channel"].astype(np.int64)[given]
    return Credited(row[inside], channel[inside], shares[given][inside])


def _names(store: Store, run: RunRecord, kind: str) -> list[str]:
    return [str(name) for name in store.read(run, "name", columns=("name",), where={"kind": kind})["name"]]


def _win_rate(store: Store, run: RunRecord, worlds: int) -> float | None:
    names = ("world_id", "hour", "channel", "advertiser", "opportunities", "wins")
    rows = _read(store, run, "auction_hour", names, worlds)
    # Every (world, hour, channel) tells its opportunities on each winner's row: they are counted once.
    cell = rows["world_id"] << 40 | rows["hour"] << 8 | rows["channel"]
    met = int(rows["opportunities"][np.unique(cell, return_index=True)[1]].sum())
    return int(rows["wins"][rows["advertiser"] == US].sum()) / met if met else None
