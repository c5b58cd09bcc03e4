"""Attribution graded: each model's credit against what channels truly caused, with the luck of who the people were."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.analyse.clusters import Interval, clusters_of, percentiles, resampled
from gaelp_sim.analyse.incrementality import CHANNEL, Effect
from gaelp_sim.events import US, Floats, Ints
from gaelp_sim.store import RunRecord, Store

TIMES = 400
"""Resamples behind an interval."""
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Grade:
    """How far a model is from the truth."""

    model: str
    estimand: str
    mae: Interval
    """Mean absolute error of a channel's sales"""
    rank: Interval
    """Kendall's tau-b between channels by credit and by truth"""
    misallocated_micros: Interval
    """Money on the wrong channels if the budget followed the model: half of the sum of |share by credit - share by truth|,
    times what was spent. A channel whose ads cost sales has a true share of 0"""


def grades(store: Store, run: RunRecord, models: list[str], effects: list[Effect]) -> list[Grade]:
    """Grade the attributions kept beside a run under these labels by the effects of channels; the grades are kept, too.

    Luck: households (worlds where there are ten or more) drawn again. A chain's credit is resampled through the shares of
    its touches, its removal effects held as they are.
    """
    found: list[Grade] = []
    cluster_of = _clusters(store, run)
    spend = float(np.asarray(store.read(run, "ledger", columns=("amount_micros",))["amount_micros"]).sum())
    for estimand in dict.fromkeys(effect.estimand for effect in effects):
        these = [effect for effect in effects if (effect.estimand, effect.by) == (estimand, CHANNEL)]
        if len(these) < 2:
            continue
        truth = np.stack([effect.by_cluster for effect in these], axis=1)
        weights = resampled(run.seed, len(truth), TIMES)
        for model in models:
            credit = _credit(store, run, model, ([effect.code for effect in these], cluster_of, len(truth)))
            found.append(_grade((model, estimand), credit, truth, weights, spend))
    _keep(store, run, found)
    return found


def _clusters(store: Store, run: RunRecord) -> tuple[Ints, Ints]:
    """(people,): `world << 32 | person`, ascending, and the cluster of each."""
    names = ("world_id", "person_id", "household_id")
    rows = {name: np.asarray(column) for name, column in store.read(run, "person", columns=names).items()}
    key = rows["world_id"] << 32 | rows["person_id"]
    order = np.argsort(key)
    cluster, _ = clusters_of(rows["world_id"], rows["household_id"])
    return key[order], cluster[order]


def _credit(store: Store, run: RunRecord, model: str, wanted: tuple[list[int], tuple[Ints, Ints], int]) -> Matrix:
    """(clusters, channels): sales credited to our touches on each channel, by the buyer's cluster."""
    channels, (people, cluster), clusters = wanted
    names = ("world_id", "person_id", "touch_person_id", "occurred_s", "touch_slot", "share")
    rows = {k: np.asarray(v) for k, v in store.read(run, "credit", columns=names, where={"model": model}).items()}
    channel = _channel_of_touches(store, run, rows)
    credit = np.zeros((clusters, len(channels)))
    sums = {k: np.asarray(v) for k, v in store.read(run, "credit_sum", where={"model": model, "advertiser": US}).items()}
    at = cluster[np.searchsorted(people, rows["world_id"] << 32 | rows["person_id"])]
    for place, code in enumerate(channels):
        here = channel == code
        credit[:, place] = np.bincount(at[here], weights=rows["share"][here], minlength=clusters)
        told, shared = float(sums["conversions"][sums["channel"] == code].sum()), credit[:, place].sum()
        if shared > 0:
            credit[:, place] *= told / shared
    return credit


def _channel_of_touches(store: Store, run: RunRecord, rows: dict[str, Any]) -> Ints:
    """Channel of each touch of ours among these rows, -1 for rivals'."""
    names = ("world_id", "person_id", "occurred_s", "touch_slot", "channel")
    touches = {k: np.asarray(v) for k, v in store.read(run, "touchpoint", columns=names, where={"advertiser": US}).items()}
    known = _key(touches["world_id"], touches["person_id"], touches["occurred_s"] - run.start_s, touches["touch_slot"])
    asked = _key(rows["world_id"], rows["touch_person_id"], rows["occurred_s"] - run.start_s, rows["touch_slot"])
    order = np.argsort(known)
    at = np.minimum(np.searchsorted(known[order], asked), max(len(order) - 1, 0))
    if not len(order):
        return np.full(len(asked), -1)
    return np.where(known[order][at] == asked, touches["channel"][order][at], -1)


def _key(world: Ints, person: Ints, second: Ints, slot: Ints) -> NDArray[np.void]:
    """Touches as bytes that compare in the order of the columns."""
    columns = np.stack([world, person, second, slot], axis=1).astype(">i8")
    return np.ascontiguousarray(columns).view([("key", "V32")])["key"][:, 0]


def _grade(of: tuple[str, str], credit: Matrix, truth: Matrix, weights: Matrix, spend: float) -> Grade:
    def spread(figure: Callable[[Matrix, Matrix], Floats]) -> Interval:
        value = figure(credit.sum(axis=0)[None], truth.sum(axis=0)[None])[0]
        return percentiles(figure(weights @ credit, weights @ truth), float(value))

    return Grade(
        *of, spread(lambda given, true: np.abs(given - true).mean(axis=1)), spread(kendall),
        spread(lambda given, true: misallocated(given, true) * spend),
    )


def misallocated(credit: Matrix, truth: Matrix) -> Floats:
    """The share of the money that is on the wrong channels if it follows the credit: (times,); nan where none is right.

    >>> misallocated(np.array([[3.0, 1.0]]), np.array([[2.0, 2.0]])).tolist()
    [0.25]
    """
    given, true = np.maximum(credit, 0), np.maximum(truth, 0)
    with np.errstate(invalid="ignore"):
        shares = given / given.sum(axis=1, keepdims=True), true / true.sum(axis=1, keepdims=True)
    return np.asarray(np.abs(shares[0] - shares[1]).sum(axis=1) / 2)


def kendall(first: Matrix, second: Matrix) -> Floats:
    """Kendall's tau-b of each row of two (times, n) arrays; nan where one of them is constant.

    >>> kendall(np.array([[1.0, 2.0, 3.0]]), np.array([[1.0, 3.0, 2.0]])).round(6).tolist()
    [0.333333]
    """
    left, right = np.triu_indices(first.shape[1], 1)
    signs = [np.sign(values[:, right] - values[:, left]) for values in (first, second)]
    agreeing = (signs[0] * signs[1]).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(agreeing / np.sqrt((signs[0] != 0).sum(axis=1) * (signs[1] != 0).sum(axis=1)))


def _keep(store: Store, run: RunRecord, found: list[Grade]) -> None:
    for grade in found:
        rows: dict[str, Any] = {"model": [grade.model], "estimand": [grade.estimand]}
        for name, interval in (("mae", grade.mae), ("rank", grade.rank)):
            rows[name] = _known(interval.value)
            rows |= {f"{name}_low": _known(interval.low), f"{name}_high": _known(interval.high)}
        money = grade.misallocated_micros
        rows |= {
            "misallocated_micros": _known(money.value), "misallocated_low": _known(money.low),
            "misallocated_high": _known(money.high),
        }
        store.add_analysis(run, {"attribution_error": rows}, replacing={"model": grade.model, "estimand": grade.estimand})


def _known(value: float) -> Floats:
    """One value for the store, which holds no NaN: what can't be told is -1e300, which the views show as none."""
    return np.array([value if np.isfinite(value) else UNKNOWN])


UNKNOWN = -1e300
