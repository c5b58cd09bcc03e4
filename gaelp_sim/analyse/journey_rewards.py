"""Journeys of a stored run with what each pays a learner."""

from __future__ import annotations

from typing import Any

import numpy as np

from gaelp_sim.analyse.terms import terms_of
from gaelp_sim.analyse.touch_paths import SalePaths
from gaelp_sim.attribution.reward import RULES, Journeys, reward_micros
from gaelp_sim.errors import UsageError
from gaelp_sim.events import NONE, US, Bools, Column, Floats, Ints, JourneyStatus
from gaelp_sim.store import RunRecord, Store
from gaelp_sim.units import SECONDS_PER_DAY

_COLUMNS = (
    "world_id", "person_id", "journey_index", "first_touch_s", "status", "cost_micros", "our_touches",
)


def reward_rows(store: Store, run: RunRecord, found: SalePaths, shares: Floats, rule: str) -> dict[str, Any]:
    """Rows of table `journey_reward`, the model left out: journeys of ours that have ended, each with its reward.

    Open journeys are not among them: they have been paid for, and may still sell. shares: (touches of paths,)
    """
    if rule not in RULES:
        raise UsageError(f"no reward is called {rule!r}; there are {', '.join(RULES)}")
    journeys = {name: np.asarray(column) for name, column in store.read(run, "journey", columns=_COLUMNS).items()}
    sale_at, late = _sales_of(store, run, journeys)
    sold = sale_at != NONE
    kept = ((journeys["our_touches"] > 0) & (journeys["status"] != JourneyStatus.ACTIVE)) | sold
    journeys, sale_at, late, sold = ({k: v[kept] for k, v in journeys.items()}, sale_at[kept], late[kept], sold[kept])
    duration_s = np.where(sold, found.sales["purchased_s"][sale_at] - journeys["first_touch_s"], 0) if len(late) else late
    credit = np.where(sold, _our_credit(found, shares)[sale_at], -1.0) if len(late) else np.zeros(0)
    value = np.where(sold, found.sales["value_micros"][sale_at], 0) if len(late) else late
    ended = Journeys(sold, credit, value, journeys["cost_micros"], duration_s)
    return {
        "rule": [rule] * len(late), "world_id": journeys["world_id"], "person_id": journeys["person_id"],
        "journey_index": journeys["journey_index"], "credit": credit,
        "days": np.where(sold, duration_s // SECONDS_PER_DAY, NONE), "cost_micros": journeys["cost_micros"],
        "value_micros": value, "late": late, "reward_micros": reward_micros(ended, rule, terms_of(run).cac_target_micros),
    }


def _sales_of(store: Store, run: RunRecord, journeys: dict[str, Column]) -> tuple[Ints, Ints]:
    """(journeys,): index of the sale of ours that the journey led to, NONE without; and whether it came late."""
    names = ("world_id", "person_id", "journey_index", "late")
    sales = {k: np.asarray(v) for k, v in store.read(run, "conversion", columns=names, where={"advertiser": US}).items()}
    at, late = np.full(len(journeys["status"]), NONE), np.zeros(len(journeys["status"]), dtype=np.int64)
    place = {key: row for row, key in enumerate(_keys(journeys))}
    for index, key in enumerate(_keys(sales)):
        if key in place:
            at[place[key]], late[place[key]] = index, sales["late"][index]
    return at, late


def _keys(table: dict[str, Column]) -> list[tuple[int, int, int]]:
    columns = (table[name].tolist() for name in ("world_id", "person_id", "journey_index"))
    return list(zip(*columns, strict=True))


def _our_credit(found: SalePaths, shares: Floats) -> Floats:
    """(sales,): the sum of the shares of our touches; 0 where no touch lies before the sale."""
    sale = found.sale_of_touch
    ours: Bools = (sale != NONE) & (found.touches.record["advertiser"] == US)
    return np.minimum(np.bincount(sale[ours], weights=shares[ours], minlength=max(found.count, 1)), 1.0)
