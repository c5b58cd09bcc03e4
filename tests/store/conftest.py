"""A run to store, and batches of made-up rows for it whose books balance."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from gaelp_sim.store import LAYOUTS, SIMULATION_TABLES, Batch, RunRecord
from gaelp_sim.store.layout import ColumnKind, TableLayout

START_S = 1_756_684_800
DAY_S = 86_400


@pytest.fixture
def run_record() -> RunRecord:
    """A run of ten people in two worlds over four days, from hour 0."""
    return RunRecord(
        scenario_name="small", scenario_text="{}", scenario_hash="0" * 64, seed=7, people=10, days=4, worlds=2,
        start_s=START_S, end_hour=96,
    )


@pytest.fixture
def made_batch() -> Callable[..., Batch]:
    """Function (day, people=300, seed=0) -> Batch that holds every simulation table, with references that hold."""
    return batch_of_day


def batch_of_day(day: int, people: int = 300, seed: int = 0) -> Batch:
    """One day of rows for `people` people: everyone has one touch of ours, one decision, one journey."""
    rng = np.random.default_rng([seed, day])
    tables = {name: _made(LAYOUTS[name], day, people, rng) for name in SIMULATION_TABLES if name != "name"}
    prices = rng.integers(0, 5_000_000, people)
    tables["touchpoint"] |= {"advertiser": np.zeros(people, int), "price_micros": prices}
    shared = {name: tables["touchpoint"][name] for name in ("world_id", "person_id", "occurred_s", "touch_slot")}
    tables["ledger"] |= shared | {"amount_micros": prices}
    tables["budget_day"] = _budgets(day, tables["touchpoint"]["world_id"], prices)
    tables["world"] = {
        "world_id": np.arange(2), "people": np.full(2, people), "market_noise_ppm": np.zeros(2, int),
        "season_shift_days": np.zeros(2, int),
    }
    return Batch(tables, hour=24 * (day + 1), state=f"state of day {day}".encode())


def _made(layout: TableLayout, day: int, count: int, rng: np.random.Generator) -> dict[str, object]:
    columns = {column.name: _values(column.kind, count, rng) for column in layout.columns}
    keys = {column.name for column in layout.key}
    if "world_id" in keys:
        columns["world_id"] = np.arange(count) % 2
    if "person_id" in columns:
        columns["person_id"] = np.arange(count)[::-1] if layout.name == "decision" else np.arange(count)
        columns["world_id"] = columns["person_id"] % 2
    for name in keys & {"occurred_s", "decided_s"}:
        columns[name] = START_S + day * DAY_S + rng.integers(0, DAY_S, count)
    if "hour" in keys:
        columns["hour"], columns["channel"] = 24 * day + np.arange(count) % 24, np.arange(count) // 48
    for name in keys & {"alias_id", "other_alias_id"}:
        columns[name] = np.arange(count)
    if layout.name in ("device", "journey", "alias_link"):
        columns |= {name: np.zeros(count, int) for name in keys & {"device", "journey_index", "resolution_id"}}
    if layout.name == "conversion":
        columns["order_id"] = day * count + np.arange(count)
    return columns


def _values(kind: ColumnKind, count: int, rng: np.random.Generator) -> object:
    if kind is ColumnKind.TEXT:
        return [("naïve", "", "probabilistic")[code] for code in rng.integers(0, 3, count)]
    if kind is ColumnKind.BYTES:
        return [rng.bytes(28 * int(length)) for length in rng.integers(0, 4, count)]
    if kind is ColumnKind.DOUBLE:
        return rng.random(count) - 0.5
    limits = {ColumnKind.SMALL: 2**15, ColumnKind.INT: 2**31, ColumnKind.BIG: 2**62}
    return rng.integers(-limits[kind], limits[kind], count)


def _budgets(day: int, worlds: np.ndarray, prices: np.ndarray) -> Mapping[str, object]:
    spent = np.array([prices[worlds == world].sum() for world in (0, 1)])
    return {
        "world_id": np.arange(2), "day": np.full(2, day), "advertiser": np.zeros(2, int),
        "campaign": np.full(2, -1), "limit_micros": np.full(2, -1), "spent_micros": spent,
        "exhausted_s": np.full(2, -1),
    }
