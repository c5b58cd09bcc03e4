"""A run in forms that other tools read: AuctionNet's bid log, ChannelAttribution's paths, weeks for mix models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from gaelp_sim.analyse.attribute import channel_names
from gaelp_sim.analyse.touch_paths import Window, stored_paths
from gaelp_sim.events import NONE, US, Column, DecisionStatus, Ints, TouchKind
from gaelp_sim.store import RunRecord, Store
from gaelp_sim.units import HOURS_PER_DAY, MICROS_PER_UNIT, SECONDS_PER_DAY, SECONDS_PER_HOUR

Rows = Iterator[tuple[Any, ...]]
AUCTIONNET = {
    "deliveryPeriodIndex": "day since the run's start, from 0",
    "advertiserNumber": "0: us; rivals' bids are not kept",
    "advertiserCategoryIndex": "always 0: there is one category",
    "budget": "our budget of the day, units of currency; 0 where there is none",
    "CPAConstraint": "CAC target, units of currency",
    "timeStepIndex": "hour of the day, 0-23",
    "remainingBudget": "what is left of the day's budget before this bid; 0 where there is none",
    "pvIndex": "opportunity within the day, from 0, in clearing order",
    "pValue": "always 0: a bidder here is told no conversion probability",
    "pValueSigma": "always 0",
    "bid": "our bid, per click or per thousand impressions, units of currency; 0 where we did not take part",
    "xi": "1 if we won",
    "adSlot": "slot won, 1 from the top; 0 if lost",
    "cost": "what we were charged for it: for the impression, or for its click; else 0",
    "isExposed": "1 if the ad was shown",
    "conversionAction": "1 if a sale of ours followed with this as its last touch",
    "leastWinningCost": "lowest bid that would have won, where told; else our price if we won, 0 if not; as the bid",
    "isEnd": "1 in the run's last hour",
    "propensity": "ours: probability of the action under the policy that decided",
    "seed": "ours: seed of the run",
    "policyVersion": "ours: version of the policy",
}
"""The 18 columns of AuctionNet's bid log, in order, then three of ours; what each holds."""
PATHS = {
    "path": "channels in order, separated by ' > '", "total_conversions": "sales at its end",
    "total_conversion_value": "their value, units of currency", "total_null": "times walked without a sale",
}
"""ChannelAttribution's columns."""


def auctionnet_rows(store: Store, run: RunRecord, cac_target: float) -> Rows:
    """Our logged decisions as rows of AuctionNet's bid log, by world, in the order of (day, second, person)."""
    names = ("world_id", "occurred_s", "person_id", "channel", "bid_micros", "status", "price_micros", "charge_micros",
             "min_to_win_micros", "propensity", "policy_version")
    rows = {name: np.asarray(column) for name, column in store.read(run, "decision", columns=names).items()}
    day = (rows["occurred_s"] - run.start_s) // SECONDS_PER_DAY
    hour = (rows["occurred_s"] - run.start_s) % SECONDS_PER_DAY // SECONDS_PER_HOUR
    won = rows["status"] == DecisionStatus.WON
    charge = np.where(won, np.maximum(rows["charge_micros"], 0), 0)
    budget = _day_budget(store, run)
    place, spent = _within_day(rows["world_id"], day, charge)
    least = np.where(rows["min_to_win_micros"] >= 0, rows["min_to_win_micros"], np.where(won, rows["price_micros"], 0))
    led, slot = _sales_and_slots(store, run, rows)
    last = int(run.end_hour - 1)
    for i in range(len(day)):
        limit = budget.get((int(rows["world_id"][i]), int(day[i])), 0)
        yield (
            int(day[i]), US, 0, limit / MICROS_PER_UNIT, cac_target, int(hour[i]),
            max(limit - int(spent[i]), 0) / MICROS_PER_UNIT, int(place[i]), 0.0, 0.0,
            max(int(rows["bid_micros"][i]), 0) / MICROS_PER_UNIT, int(won[i]), int(slot[i]),
            max(int(rows["charge_micros"][i]), 0) / MICROS_PER_UNIT if won[i] else 0.0, int(won[i]), int(led[i]),
            int(least[i]) / MICROS_PER_UNIT, int(day[i] * HOURS_PER_DAY + hour[i] == last), float(rows["propensity"][i]),
            run.seed, int(rows["policy_version"][i]),
        )


def _day_budget(store: Store, run: RunRecord) -> dict[tuple[int, int], int]:
    """Our whole budget of each (world, day), micros, where there is one."""
    rows = {k: np.asarray(v).tolist() for k, v in store.read(run, "budget_day", where={"advertiser": US}).items()}
    return {
        (world, day): limit
        for world, day, campaign, limit in zip(
            rows["world_id"], rows["day"], rows["campaign"], rows["limit_micros"], strict=True
        )
        if campaign == NONE and limit >= 0
    }


def _within_day(world: Ints, day: Ints, charge: Ints) -> tuple[Ints, Ints]:
    """Place of each decision within its world's day, and what had been spent that day before it."""
    begins = np.flatnonzero(np.diff(world, prepend=-1) | np.diff(day, prepend=-1))
    lengths = np.diff(np.append(begins, len(day)))
    before = np.cumsum(charge) - charge
    return np.arange(len(day)) - np.repeat(begins, lengths), before - np.repeat(before[begins], lengths)


def _sales_and_slots(store: Store, run: RunRecord, decisions: dict[str, Column]) -> tuple[Ints, Ints]:
    """Whether a sale had each decision's impression as its last touch; and the slot it won, from 1."""
    found = stored_paths(store, run, Window(identity="true"))
    last = found.paths.starts[1:][found.sale != NONE] - 1
    last = last[found.touches.record["kind"][last] == TouchKind.IMPRESSION]
    sold = set(zip(found.touches.person[last].tolist(), found.touches.record["occurred_s"][last].tolist(), strict=True))
    names = ("world_id", "person_id", "occurred_s", "position")
    ads = {"advertiser": US, "kind": int(TouchKind.IMPRESSION)}
    touches = {k: np.asarray(v) for k, v in store.read(run, "touchpoint", columns=names, where=ads).items()}
    slots = dict(zip(zip((touches["world_id"] << 32 | touches["person_id"]).tolist(), touches["occurred_s"].tolist(),
                         strict=True), touches["position"].tolist(), strict=True))
    keys = list(zip((decisions["world_id"] << 32 | decisions["person_id"]).tolist(), decisions["occurred_s"].tolist(),
                    strict=True))
    won = decisions["status"] == DecisionStatus.WON
    led = np.array([key in sold for key in keys], dtype=np.int64) * won
    return led, np.array([slots.get(key, 0) for key in keys], dtype=np.int64) * won


def path_rows(store: Store, run: RunRecord) -> Rows:
    """Paths as ChannelAttribution reads them, each distinct one once, in the order of their text."""
    found = stored_paths(store, run, Window())
    paths, names = found.paths, channel_names(store, run)
    sums: dict[str, list[float]] = {}
    for path in range(len(paths)):
        a, b = paths.starts[path], paths.starts[path + 1]
        text = " > ".join(names[code] for code in paths.channel[a:b].tolist())
        total = sums.setdefault(text, [0, 0.0, 0])
        sale = found.sale[path]
        total[0] += int(paths.sales[path])
        total[1] += found.sales["value_micros"][sale] / MICROS_PER_UNIT if sale != NONE else 0.0
        total[2] += int(paths.nulls[path])
    for text in sorted(sums):
        yield (text, *sums[text])


def mix_columns(store: Store, run: RunRecord) -> dict[str, str]:
    """Columns for marketing-mix models: a row a geo (world) and week."""
    columns = {"geo": "world of the run", "time": "first day of the week, ISO date"}
    for name in channel_names(store, run):
        columns |= {f"{name}_impressions": "our impressions and e-mails", f"{name}_clicks": "clicks on them",
                    f"{name}_spend": "what they cost, units of currency"}
    return columns | {"conversions": "our purchases of the week", "revenue": "their value, units of currency"}


def mix_rows(store: Store, run: RunRecord) -> Rows:
    """Our touches and sales by world and week of the run, seven days each from its first one."""
    touches = {k: np.asarray(v) for k, v in store.read(
        run, "touchpoint", columns=("world_id", "occurred_s", "channel", "kind", "clicked", "price_micros"),
        where={"advertiser": US}).items()}
    sales = {k: np.asarray(v) for k, v in store.read(
        run, "conversion", columns=("world_id", "purchased_s", "value_micros"), where={"advertiser": US}).items()}
    channels = len(channel_names(store, run))
    weeks = -(-(run.end_hour - run.start_hour) // (7 * HOURS_PER_DAY))
    first_s = run.start_s + run.start_hour * SECONDS_PER_HOUR

    def summed(cell: Ints, value: Column, size: int) -> list[float]:
        return np.bincount(cell, weights=value, minlength=size).tolist()

    size = run.worlds * weeks
    at = touches["world_id"] * weeks + (touches["occurred_s"] - first_s) // (7 * SECONDS_PER_DAY)
    cell = at * channels + touches["channel"]
    counts = [summed(cell, value, size * channels) for value in (
        (touches["kind"] != TouchKind.VISIT).astype(float), touches["clicked"], touches["price_micros"] / MICROS_PER_UNIT)]
    here = (sales["purchased_s"] >= first_s) & (sales["purchased_s"] < first_s + weeks * 7 * SECONDS_PER_DAY)
    bought = sales["world_id"][here] * weeks + (sales["purchased_s"][here] - first_s) // (7 * SECONDS_PER_DAY)
    sold, revenue = (summed(bought, value, size) for value in (
        np.ones(len(bought)), sales["value_micros"][here] / MICROS_PER_UNIT))
    for row in range(size):
        week_s = first_s + row % weeks * 7 * SECONDS_PER_DAY
        date = str(np.datetime64(week_s, "s").astype("datetime64[D]"))
        media = [part[row * channels + channel] for channel in range(channels) for part in counts]
        yield (row // weeks, date, *media, sold[row], revenue[row])
