"""Worlds as an ad platform would report them: our impressions, clicks, cost and conversions by channel and day."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gaelp_sim.calibrate.account_formats import METRICS
from gaelp_sim.events import NONE, US, Floats, Ints, TouchKind
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import HOURS_PER_DAY, MICROS_PER_UNIT, SECONDS_PER_DAY, epoch_seconds
from gaelp_sim.world.crew import Crew
from gaelp_sim.world.executors import executor_of
from gaelp_sim.world.log import Table, joined_columns
from gaelp_sim.world.policies import DEFAULT_POLICY
from gaelp_sim.world.shard import Task
from gaelp_sim.world.stack import Place

OnDay = Callable[[int], None]
_CLICK_COLUMNS = ("world_id", "person_id", "occurred_s", "channel")
_SALE_COLUMNS = ("world_id", "person_id", "decided_s", "purchased_s", "reported_s")


@dataclass(frozen=True)
class Counting:
    """How a platform counts sales."""

    window_days: int = 30
    """A sale belongs to the last click on us that many days before it; without one it belongs to nobody"""
    by_click: bool = True
    """It is counted on the day of that click, else on the day of the purchase"""


@dataclass(frozen=True)
class Days:
    """(worlds, channels, days) of each metric of METRICS; cost in the scenario's currency."""

    metrics: dict[str, Floats]

    def summed(self, days: slice) -> dict[str, Floats]:
        """(worlds, channels) of each metric, over some days."""
        return {metric: table[:, :, days].sum(axis=2) for metric, table in self.metrics.items()}


def simulated_days(scenario: Scenario, counting: Counting, on_day: OnDay, workers: int = 1) -> Days:
    """Simulate all worlds of a scenario under its default policy and count what a platform would show at the end.

    Sales that have not been reported by then are not counted, as in an export of the last day. on_day: called with each
    day done. Days are UTC.
    """
    quiet = scenario.model_copy(update={"log": "wins"})
    executor = executor_of(Task(quiet, scenario.seed, DEFAULT_POLICY, Place(range(0), range(0)), 0, None), Crew(workers))
    count = _Count(scenario)
    try:
        for day in range(1, scenario.days + 1):
            for tables in executor.advance(day * HOURS_PER_DAY):
                count.take(tables)
            on_day(day)
    finally:
        executor.close()
    return Days({**count.seen, "conversions": count.conversions(counting)})


class _Count:
    """Sums by world, channel and day, and the clicks and sales that are matched at the end."""

    def __init__(self, scenario: Scenario) -> None:
        self.shape = scenario.worlds, len(scenario.channels), scenario.days
        self.start_s = epoch_seconds(scenario.start)
        self.seen = {metric: np.zeros(self.shape) for metric in METRICS if metric != "conversions"}
        self.clicks: list[Table] = []
        self.sales: list[Table] = []

    def take(self, tables: dict[str, Table]) -> None:
        """Add the rows of a day."""
        if "touchpoint" in tables:
            touch = tables["touchpoint"]
            ours = (touch["advertiser"] == US) & (touch["kind"] == TouchKind.IMPRESSION)
            ours &= touch["channel"] < self.shape[1]
            clicked = ours & (touch["clicked"] > 0)
            self._add("impressions", touch, ours, 1)
            self._add("clicks", touch, clicked, 1)
            self._add("cost", touch, ours, touch["price_micros"][ours] / MICROS_PER_UNIT)
            self.clicks.append({name: touch[name][clicked] for name in _CLICK_COLUMNS})
        if "conversion" in tables:
            sale = tables["conversion"]
            self.sales.append({name: sale[name][sale["advertiser"] == US] for name in _SALE_COLUMNS})

    def _add(self, metric: str, touch: Table, rows: np.ndarray, amount: Floats | int) -> None:
        day = (touch["occurred_s"][rows] - self.start_s) // SECONDS_PER_DAY
        np.add.at(self.seen[metric], (touch["world_id"][rows], touch["channel"][rows], day), amount)

    def conversions(self, counting: Counting) -> Floats:
        """Sales by the channel and day that a platform would count them under."""
        total = np.zeros(self.shape)
        if not self.clicks or not self.sales:
            return total
        clicks, sales = joined_columns(self.clicks), joined_columns(self.sales)
        end_s = self.start_s + self.shape[2] * SECONDS_PER_DAY
        at = last_click(clicks, sales, counting.window_days)
        known = (at != NONE) & (sales["reported_s"] < end_s)
        at, world = at[known], sales["world_id"][known]
        second = clicks["occurred_s"][at] if counting.by_click else sales["purchased_s"][known]
        np.add.at(total, (world, clicks["channel"][at], (second - self.start_s) // SECONDS_PER_DAY), 1)
        return total


def last_click(clicks: Table, sales: Table, window_days: int) -> Ints:
    """(sales,): row of the person's last click at or before each decision, NONE where none is within the window."""
    order = np.lexsort([clicks["occurred_s"], clicks["person_id"], clicks["world_id"]])
    moment = clicks["occurred_s"][order]
    first_s = min(int(moment.min(initial=0)), int(sales["decided_s"].min(initial=0)))
    span = 1 << 34
    person = clicks["world_id"].astype(np.int64) << 25 | clicks["person_id"]
    buyer = sales["world_id"].astype(np.int64) << 25 | sales["person_id"]
    people, code = np.unique(np.concatenate([person[order], buyer]), return_inverse=True)
    assert len(people) < 1 << 28, "keys of 64 bits hold the people who clicked or bought"
    key = code[: len(order)] * span + (moment - first_s)
    wanted = code[len(order) :] * span + (sales["decided_s"] - first_s)
    place = np.searchsorted(key, wanted, side="right") - 1
    found = np.full(len(wanted), NONE, dtype=np.int64)
    near = np.flatnonzero(place >= 0)
    row = place[near]
    same = (key[row] // span == wanted[near] // span) & (wanted[near] - key[row] <= window_days * SECONDS_PER_DAY)
    found[near[same]] = order[row[same]]
    return found
