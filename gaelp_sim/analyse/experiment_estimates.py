"""What a team would read off an experiment: the difference in means, its standard error, interval and p-value."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gaelp_sim.analyse.experiment_power import quantile, two_sided
from gaelp_sim.analyse.experiment_units import Units
from gaelp_sim.errors import UsageError
from gaelp_sim.events import Floats, Ints


class Estimates(NamedTuple):
    """One world's experiment each, (worlds,): the second policy's effect per person of the market, over the whole test."""

    value: Floats
    error: Floats
    """Standard error"""
    free: Ints
    """Degrees of freedom"""

    def half(self, alpha: float) -> Floats:
        """Half of the (1 - alpha) interval's width."""
        critical = {free: quantile(1 - alpha / 2, free) for free in np.unique(self.free).tolist()}
        return self.error * np.array([critical[free] for free in self.free.tolist()])

    def p_values(self) -> Floats:
        """Two-sided, against no effect; 1 where nothing at all was measured."""
        known = self.error > 0
        ratio = np.where(known, self.value / np.where(known, self.error, 1.0), np.where(self.value == 0, 0.0, np.inf))
        return np.array([two_sided(t, free) for t, free in zip(ratio.tolist(), self.free.tolist(), strict=True)])


def estimated(units: Units, value: Floats) -> Estimates:
    """The effect on a unit's outcome, (units,), estimated in each world apart."""
    ratio = _paired(units, value) if units.paired else _apart(units, value)
    scale = units.whole / units.people
    return Estimates(ratio.value * scale, ratio.error * scale, ratio.free)


def whole_effect(units: Units, first: Floats, second: Floats) -> Floats:
    """(worlds,): the effect as the outcomes of all units, (units,), tell it under either policy; nothing is estimated."""
    worlds, counted = len(units.people), units.weight > 0
    weight = np.bincount(units.world, weights=units.weight, minlength=worlds)
    sums = [np.bincount(units.world[counted], weights=part[counted], minlength=worlds) for part in (first, second)]
    effect: Floats = (sums[1] - sums[0]) / weight * units.whole / units.people
    return effect


def _apart(units: Units, value: Floats) -> Estimates:
    """Difference of ratio means, each with its variance over clusters.

    Sources: Cochran (1977), "Sampling Techniques", 6.3, the variance of a ratio; Abadie, Athey, Imbens & Wooldridge (2023),
    "When should you adjust standard errors for clustering?": by what was assigned as one; Welch's degrees of freedom.
    """
    worlds = len(units.people)
    counted = np.flatnonzero(units.weight > 0)
    arm = units.world[counted] * 2 + units.second[counted]
    weight, outcome = units.weight[counted], value[counted]
    whole = np.bincount(arm, weights=weight, minlength=2 * worlds)
    _, first, cluster = np.unique(units.cluster[counted], return_index=True, return_inverse=True)
    clusters = np.bincount(arm[first], minlength=2 * worlds)
    if (clusters < 2).any():
        raise UsageError("a policy got fewer than two users, homes or regions of a world; next: more people or regions")
    mean = np.bincount(arm, weights=outcome, minlength=2 * worlds) / whole
    off = np.bincount(cluster, weights=outcome - mean[arm] * weight)
    square = np.bincount(arm[first], weights=off**2, minlength=2 * worlds)
    variance = clusters / (clusters - 1) * square / whole**2
    both, each = variance.reshape(-1, 2), (clusters - 1).reshape(-1, 2)
    total = both.sum(axis=1)
    spread = (both**2 / each).sum(axis=1)
    free = np.where(spread > 0, total**2 / np.where(spread > 0, spread, 1.0), each.sum(axis=1))
    pairs = mean.reshape(-1, 2)
    return Estimates(pairs[:, 1] - pairs[:, 0], np.sqrt(total), np.maximum(free.astype(np.int64), 1))


def _paired(units: Units, value: Floats) -> Estimates:
    """Mean difference within pairs, weighted by the pairs' weight; its variance over pairs.

    Source: Imai, King & Nall (2009), "The essential role of pair matching in cluster-randomized experiments", section 4.
    """
    worlds = len(units.people)
    counted = np.flatnonzero(units.weight > 0)
    _, first, pair = np.unique(units.cluster[counted], return_index=True, return_inverse=True)
    sign = np.where(units.second[counted], 1.0, -1.0)
    difference = np.bincount(pair, weights=sign * value[counted] / units.weight[counted])
    weight, world = np.bincount(pair, weights=units.weight[counted]), units.world[counted][first]
    pairs, whole = (np.bincount(world, weights=part, minlength=worlds) for part in (None, weight))
    mean = np.bincount(world, weights=weight * difference, minlength=worlds) / whole
    off = (weight * (difference - mean[world])) ** 2
    variance = pairs / np.maximum(pairs - 1, 1) * np.bincount(world, weights=off, minlength=worlds) / whole**2
    return Estimates(mean, np.sqrt(variance), np.maximum(pairs - 1, 1).astype(np.int64))
