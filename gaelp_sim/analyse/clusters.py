"""Sums over people with the luck of who the people were: intervals by household, or by world where there are enough."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.analyse.estimates import Z_95
from gaelp_sim.draws import Draws, Purpose, uniform
from gaelp_sim.events import Floats, Ints

WORLDS_MIN = 10
"""From so many worlds on, worlds are the clusters: people of one world share its market."""
Sums = NDArray[np.float64]


class Interval(NamedTuple):
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


def clusters_of(world: Ints, household: Ints) -> tuple[Ints, int]:
    """The cluster of each person, numbered from 0, and how many there are."""
    several = len(np.unique(world)) >= WORLDS_MIN
    _, cluster = np.unique(world if several else world << 32 | household, return_inverse=True)
    return cluster, int(cluster.max(initial=-1)) + 1


def summed(cluster: Ints, clusters: int, value: Floats | Ints) -> Sums:
    """(clusters,): values added up by cluster."""
    return np.bincount(cluster, weights=value, minlength=clusters).astype(np.float64)


def total(by_cluster: Sums) -> Interval:
    """The sum over clusters; its variance is the number of clusters times that of one (clusters are drawn alike)."""
    n, value = len(by_cluster), float(by_cluster.sum())
    half = Z_95 * float(np.sqrt(n * by_cluster.var(ddof=1))) if n > 1 else 0.0
    return Interval(value, value - half, value + half)


def resampled(seed: int, clusters: int, times: int) -> Sums:
    """(times, clusters): how often each cluster is drawn when as many as there are are drawn with replacement."""
    draws = Draws(seed)
    weights = np.empty((times, clusters))
    for turn in range(times):
        words = draws.words(Purpose.RESAMPLE, 0, np.arange(clusters), turn)
        chosen = np.minimum((uniform(words[0]) * clusters).astype(np.int64), clusters - 1)
        weights[turn] = np.bincount(chosen, minlength=clusters)
    return weights


def percentiles(values: Floats, value: float) -> Interval:
    """A figure with the 2.5 % and 97.5 % quantiles of its resampled values; those that are no number are left out."""
    known = values[np.isfinite(values)]
    if not len(known):
        return Interval(value, float("nan"), float("nan"))
    low, high = np.quantile(known, [0.025, 0.975])
    return Interval(value, float(low), float(high))
