"""`gaelp delays`: from click to reported sale, what is still to come at a date, and what came in the end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from gaelp_sim.analyse.delay_models import MODELS, observed
from gaelp_sim.analyse.estimates import Estimate
from gaelp_sim.analyse.touch_paths import device_users, place_of
from gaelp_sim.errors import UsageError
from gaelp_sim.events import NONE, US, Column, Ints, TouchKind
from gaelp_sim.store import RunRecord, Store
from gaelp_sim.units import MICROS_PER_UNIT, SECONDS_PER_DAY, SECONDS_PER_HOUR

GROUPS = ("channel", "campaign", "creative", "signal")
REPORT_BUCKETS = (
    *((f"{day} to {day + 1} days", day, day + 1) for day in range(14)), ("14 to 21 days", 14, 21),
    ("21 to 30 days", 21, 30),
    ("30 to 45 days", 30, 45), ("45 to 60 days", 45, 60), ("60 to 90 days", 60, 90),
)
"""Buckets of conversion lag as ad platforms report them."""


@dataclass(frozen=True)
class Request:
    """What is asked: as of when, by what, and within which window after a click a sale counts."""

    as_of_s: int
    by: str = "channel"
    window_days: int = 30
    models: tuple[str, ...] = tuple(MODELS)


@dataclass(frozen=True)
class Clicks:
    """Our clicks, each with the sale that it was the last click before, (n,)."""

    second: Ints
    reported_s: Ints
    """When its sale is reported, NONE for no sale; the simulator knows this of the future, too"""
    group: Ints
    """Code of what is asked by"""
    spend_micros: dict[str, int]
    """What all of our touches cost up to the date, by group: clicks are not all that is paid for"""


@dataclass(frozen=True)
class Rate:
    """The share of clicks that sell within the window, as one model has it at the date."""

    group: str
    model: str
    clicks: int
    sales_known: int
    spend_usd: float
    cvr: float
    low: float
    high: float
    cac_usd: float | None
    """Spend up to the date per sale that its clicks will have brought within the window"""
    cac_low_usd: float | None
    cac_high_usd: float | None
    true_cvr: float | None
    """What came in the end; None where the run ends before the last of these clicks' windows"""
    error: float | None
    """cvr over true_cvr, less 1"""

    def as_json(self) -> dict[str, Any]:
        """The fields by name."""
        return asdict(self)


def clicks_of(store: Store, run: RunRecord, request: Request) -> tuple[Clicks, list[str]]:
    """Our clicks of a run with their sales, and the names of the groups by code.

    A sale belongs to the last click of the same user, as we resolve them, in the window before the purchase.
    """
    names = ("world_id", "person_id", "device", "occurred_s", "kind", "clicked", "price_micros", *GROUPS)
    rows = {k: np.asarray(v) for k, v in store.read(run, "touchpoint", columns=names, where={"advertiser": US}).items()}
    listed = [str(name) for name in store.read(run, "name", columns=("name",), where={"kind": request.by})["name"]]
    spend = _spend(rows, request, listed)
    clicked = (rows["clicked"] > 0) & (rows["kind"] != TouchKind.VISIT)
    rows = {name: column[clicked] for name, column in rows.items()}
    sales = {k: np.asarray(v) for k, v in store.read(run, "conversion", where={"advertiser": US}).items()}
    users = device_users(store, run)
    user, buyer = (users.user[place_of(users.key, _device_key(table))] for table in (rows, sales))
    order = np.lexsort([rows["occurred_s"], user])
    reported = np.full(len(order), NONE)
    at = _last_click((user[order], rows["occurred_s"][order]), buyer, sales["purchased_s"])
    second, near = rows["occurred_s"][order], np.flatnonzero(at != NONE)
    fits = near[sales["purchased_s"][near] - second[at[near]] <= request.window_days * SECONDS_PER_DAY]
    reported[at[fits]] = sales["reported_s"][fits]
    return Clicks(second, reported, rows[request.by][order], spend), listed


def _spend(touches: dict[str, Column], request: Request, names: list[str]) -> dict[str, int]:
    paid = np.where(touches["occurred_s"] < request.as_of_s, np.maximum(touches["price_micros"], 0), 0)
    code = touches[request.by]
    return {"all": int(paid.sum())} | {name: int(paid[code == place].sum()) for place, name in enumerate(names)}


def _device_key(table: dict[str, Column]) -> Ints:
    return (table["world_id"] << 32 | table["person_id"]) << 2 | table["device"]


def _last_click(clicks: tuple[Ints, Ints], buyer: Ints, purchased_s: Ints) -> Ints:
    """Index of each sale's last click by the same user before the purchase, NONE without; clicks by (user, second)."""
    user, second = clicks
    if not len(user):
        return np.full(len(buyer), NONE)
    start = int(min(second.min(), purchased_s.min(initial=second.min())))
    span = int(max(second.max(), purchased_s.max(initial=0))) - start + 1
    at = np.searchsorted(user * span + second - start, buyer * span + purchased_s - start, side="right") - 1
    return np.where((at >= 0) & (user[np.maximum(at, 0)] == buyer), at, NONE)


def rates(store: Store, run: RunRecord, request: Request) -> list[Rate]:
    """Every model's rate for all clicks, then by group, as known at the date, beside what came in the end.

    Raises UsageError where no click had happened by then.
    """
    clicks, names = clicks_of(store, run, request)
    end_s = run.start_s + run.end_hour * SECONDS_PER_HOUR
    found: list[Rate] = []
    if not (clicks.second < request.as_of_s).any():
        raise UsageError(f"run {run.run_id}: no click of ours before that date; next: a later --as-of")
    for name, here in _groups(clicks, names):
        known = here & (clicks.second < request.as_of_s)
        if known.any():
            found += _rates(name, clicks, known, (request, end_s))
    return found


def _groups(clicks: Clicks, names: list[str]) -> Iterator[tuple[str, Column]]:
    yield "all", np.ones(len(clicks.second), dtype=np.bool_)
    for code, name in enumerate(names):
        yield name, clicks.group == code


def _rates(name: str, clicks: Clicks, here: Column, asked: tuple[Request, int]) -> list[Rate]:
    request, end_s = asked
    second, reported = clicks.second[here], clicks.reported_s[here]
    seen = observed(second, reported, request.as_of_s, request.window_days)
    window_s = request.window_days * SECONDS_PER_DAY
    spend = clicks.spend_micros[name] / MICROS_PER_UNIT
    true = None
    if second.max() + window_s <= end_s:
        true = float(((reported != NONE) & (reported - second <= window_s)).mean())
    return [_rate((name, model), MODELS[model](seen), (len(seen.delay_s), spend), true) for model in request.models]


def _rate(of: tuple[str, str], cvr: Estimate, told: tuple[int, float], true: float | None) -> Rate:
    known, spend = told

    def cac(rate: float) -> float | None:
        return spend / (rate * cvr.count) if rate > 0 and spend > 0 else None

    return Rate(
        *of, cvr.count, known, spend, cvr.value, cvr.low, cvr.high, cac(cvr.value), cac(cvr.high), cac(cvr.low), true,
        cvr.value / true - 1.0 if true else None,
    )


@dataclass(frozen=True)
class Cohort:
    """Clicks of one day."""

    day: int
    clicks: int
    sales_known: int
    naive: float
    corrected: float
    """By the mixture of all clicks: known sales and those still to come"""
    true_cvr: float | None


def cohorts(store: Store, run: RunRecord, request: Request) -> list[Cohort]:
    """Clicks by day: what is known of them, what is still to come, and what came."""
    from gaelp_sim.analyse.delay_models import fit_mixture

    clicks, _ = clicks_of(store, run, request)
    known = clicks.second < request.as_of_s
    second, reported = clicks.second[known], clicks.reported_s[known]
    window_s = request.window_days * SECONDS_PER_DAY
    fitted = fit_mixture(observed(second, reported, request.as_of_s, request.window_days))
    within = float(fitted.by(np.array([float(window_s)]))[0])
    elapsed = np.minimum(request.as_of_s - second, window_s).astype(np.float64)
    sold = (reported != NONE) & (reported <= request.as_of_s) & (reported - second <= window_s)
    by = fitted.by(np.maximum(elapsed, 1.0))
    coming = np.where(sold, 1.0, fitted.sells * (within - by) / (1.0 - fitted.sells * by))
    end_s, day = run.start_s + run.end_hour * SECONDS_PER_HOUR, (second - run.start_s) // SECONDS_PER_DAY
    true = (reported != NONE) & (reported - second <= window_s)
    return [
        Cohort(
            int(one), int(here.sum()), int(sold[here].sum()), float(sold[here].mean()), float(coming[here].mean()),
            float(true[here].mean()) if second[here].max() + window_s <= end_s else None,
        )
        for one, here in ((one, day == one) for one in np.unique(day))
    ]


def lag_buckets(clicks: Clicks, as_of_s: int) -> list[tuple[str, int]]:
    """Known sales by the platforms' buckets of the time from click to report."""
    known = (clicks.reported_s != NONE) & (clicks.reported_s <= as_of_s)
    days = (clicks.reported_s - clicks.second)[known] / SECONDS_PER_DAY
    return [(name, int(((days >= low) & (days < high)).sum())) for name, low, high in REPORT_BUCKETS]


