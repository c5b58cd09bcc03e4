"""Figures with their luck: a value, its 95 % interval, and how many observations it rests on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gaelp_sim.events import Column

Z_95 = 1.959964


@dataclass(frozen=True)
class Estimate:
    """A measured figure; low and high bound its 95 % interval."""

    value: float
    low: float
    high: float
    count: int
    """Observations it rests on."""


def share(hits: int, count: int) -> Estimate:
    """A share with Wilson's score interval.

    Source: Wilson (1927).
    >>> share(5, 10)
    Estimate(value=0.5, low=0.2365930890114794, high=0.7634069109885206, count=10)
    """
    if not count:
        return Estimate(0.0, 0.0, 1.0, 0)
    rate, z = hits / count, Z_95
    middle = (rate + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * (rate * (1 - rate) / count + z * z / (4 * count * count)) ** 0.5
    return Estimate(rate, max(middle - half, 0.0), min(middle + half, 1.0), count)


def mean(values: Column) -> Estimate:
    """A mean with the normal interval of its standard error.

    >>> mean(np.array([1.0, 3.0])).value
    2.0
    """
    count = len(values)
    if not count:
        return Estimate(0.0, -np.inf, np.inf, 0)
    value = float(np.mean(values))
    half = Z_95 * float(np.std(values, ddof=1)) / count**0.5 if count > 1 else np.inf
    return Estimate(value, value - half, value + half, count)


def quantile(values: Column, level: float) -> Estimate:
    """A quantile with the distribution-free interval between order statistics.

    The interval's ranks are count x level -+ z sqrt(count x level (1 - level)), cut to the sample.
    >>> quantile(np.arange(101), 0.5)
    Estimate(value=50.0, low=40.0, high=60.0, count=101)
    """
    count = len(values)
    if not count:
        return Estimate(0.0, -np.inf, np.inf, 0)
    ascending = np.sort(values)
    spread = Z_95 * (count * level * (1 - level)) ** 0.5
    first = int(np.clip(np.floor(count * level - spread), 0, count - 1))
    last = int(np.clip(np.ceil(count * level + spread) - 1, 0, count - 1))
    return Estimate(float(np.quantile(values, level)), float(ascending[first]), float(ascending[last]), count)


def ratio(above: float, below: float) -> Estimate:
    """The ratio of two counts, each as uncertain as a Poisson count; the interval is symmetric in the logarithm."""
    if not above or not below:
        return Estimate(0.0, 0.0, np.inf, 0)
    half = np.exp(Z_95 * (1 / above + 1 / below) ** 0.5)
    return Estimate(above / below, above / below / half, above / below * half, int(min(above, below)))
