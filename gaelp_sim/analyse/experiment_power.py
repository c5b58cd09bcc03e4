"""Formulas for planning an experiment: power, minimum detectable effect, size; and Student's t, which they need.

Sources: Bloom (1995), "Minimum detectable effects", Evaluation Review 19(5), for power and effects as multiples of the
standard error; Donner & Klar (2000), "Design and Analysis of Cluster Randomization Trials", for the correlation within
clusters; Abramowitz & Stegun 26.7.3 and 26.7.4 for Student's t.
"""

from __future__ import annotations

import math

import numpy as np

from gaelp_sim.events import Floats, Ints

NORMAL_FROM = 3_000
"""From so many degrees of freedom on, t is taken for normal: the difference is below 1e-4 of any quantile in use."""


def two_sided(t: float, free: int) -> float:
    """Chance that Student's t with `free` degrees of freedom lies as far from 0 as `t`, or farther.

    >>> round(two_sided(2.776445, 4), 6), round(two_sided(-1.959964, 10**6), 6)
    (0.05, 0.05)
    """
    if free >= NORMAL_FROM:
        return math.erfc(abs(t) / math.sqrt(2.0))
    angle = math.atan(abs(t) / math.sqrt(free))
    cosine = math.cos(angle)
    odd = free % 2
    term = total = cosine if odd else 1.0
    for k in range(3 if odd else 2, free - 1, 2):
        term *= (k - 1) / k * cosine * cosine
        total += term
    if odd:
        within = 2.0 / math.pi * (angle + (math.sin(angle) * total if free > 1 else 0.0))
    else:
        within = math.sin(angle) * total
    return min(max(1.0 - within, 0.0), 1.0)


def quantile(probability: float, free: int) -> float:
    """The quantile of Student's t, by bisection; probability in (0, 1).

    >>> round(quantile(0.975, 18), 4), round(quantile(0.2, 18), 4)
    (2.1009, -0.862)
    """
    if probability == 0.5:
        return 0.0
    tail, low, high = 2.0 * min(probability, 1.0 - probability), 0.0, 1.0
    while two_sided(high, free) > tail:
        high *= 2.0
    for _ in range(80):
        middle = (low + high) / 2.0
        low, high = (middle, high) if two_sided(middle, free) > tail else (low, middle)
    return math.copysign(high, probability - 0.5)


def below(t: float, free: int) -> float:
    """The distribution function of Student's t."""
    half = two_sided(t, free) / 2.0
    return 1.0 - half if t > 0 else half


def power(effect: float, error: float, free: int, alpha: float) -> float:
    """Chance that a two-sided test at level `alpha` finds an effect whose estimate has the standard error `error`.

    Source: Bloom (1995): the estimate over its error is t shifted by effect / error.
    >>> round(power(2.8, 1.0, 10**6, 0.05), 3), round(power(0.0, 1.0, 10**6, 0.05), 3)
    (0.8, 0.05)
    """
    if error <= 0:
        return 1.0 if effect else alpha
    critical, shift = quantile(1 - alpha / 2, free), abs(effect) / error
    return below(shift - critical, free) + below(-shift - critical, free)


def detectable(error: float, free: int, alpha: float, wanted: float) -> float:
    """The smallest effect that is found with power `wanted`, (t of 1 - alpha / 2 + t of power) x the standard error.

    Source: Bloom (1995).
    >>> round(detectable(1.0, 10**6, 0.05, 0.8), 3)
    2.802
    """
    return (quantile(1 - alpha / 2, free) + quantile(wanted, free)) * error


def times_as_large(effect: float, error: float, alpha: float, wanted: float) -> float:
    """How many times as large a test must be as one with the standard error `error`, to find `effect` with power `wanted`.

    The variance falls as one over the size: ((z of 1 - alpha / 2 + z of power) x error / effect)^2.
    >>> round(times_as_large(1.0, 1.0, 0.05, 0.8), 2)
    7.85
    """
    return (detectable(error, NORMAL_FROM, alpha, wanted) / effect) ** 2 if effect else math.inf


def correlation(value: Floats, cluster: Ints) -> float:
    """The correlation of values within clusters, by the analysis of variance; 0 where every cluster is a single one.

    value, cluster: (n,). Source: Donner & Klar (2000), equation 1.4.
    >>> correlation(np.array([1.0, 1.0, 5.0, 5.0]), np.array([0, 0, 1, 1]))
    1.0
    """
    _, place = np.unique(cluster, return_inverse=True)
    size = np.bincount(place)
    groups, n = len(size), len(value)
    if groups < 2 or n == groups:
        return 0.0
    mean = np.bincount(place, weights=value) / size
    within = float(((value - mean[place]) ** 2).sum()) / (n - groups)
    between = float((size * (mean - value.mean()) ** 2).sum()) / (groups - 1)
    typical = (n - float((size**2).sum()) / n) / (groups - 1)
    all_of_it = between + (typical - 1.0) * within
    return (between - within) / all_of_it if all_of_it > 0 else 0.0
