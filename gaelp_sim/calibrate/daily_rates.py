"""Rates from daily sums, with intervals that know that days, and weeks, differ by more than luck of counting."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gaelp_sim.events import Floats, Ints

Z_95 = 1.959964
WEEK = 7
WEEKS_LEAST = 4
"""Weeks from which their spread is asked, besides that of days"""


@dataclass(frozen=True)
class Rate:
    """A fitted figure; low and high bound its 95 % interval, which is symmetric in the logarithm."""

    value: float
    low: float
    high: float
    count: float
    """What it rests on: events above the line, or days"""

    @property
    def log_se(self) -> float:
        """Standard error of the logarithm."""
        return float(np.log(self.high / self.value) / Z_95) if self.value > 0 and np.isfinite(self.high) else np.inf


def around(value: float, log_se: float, count: float) -> Rate:
    """A rate with the interval that a standard error of its logarithm gives."""
    factor = float(np.exp(Z_95 * log_se))
    return Rate(value, value / factor, value * factor, count)


def ratio_over_days(above: Floats, below: Floats, *, counted: bool) -> Rate:
    """sum(above) / sum(below) over days, with a cluster-robust interval.

    above, below: (days,). The residuals above - ratio x below are summed by day, and by week where there are four weeks;
    the wider answer counts, with Student's quantile. `counted`: above counts events, so its luck is Poisson's at least.
    Source: the linearised variance of a ratio (Cochran, Sampling Techniques, chapter 6).
    >>> ratio_over_days(np.array([2.0, 3.0, 1.0, 2.0]), np.full(4, 10.0), counted=False).value
    0.2
    """
    total, base = float(above.sum()), float(below.sum())
    if total <= 0 or base <= 0:
        return Rate(0.0, 0.0, np.inf, total)
    residual = above - total / base * below
    spreads = [_half(residual[below > 0])]
    if len(above) >= WEEKS_LEAST * WEEK:
        whole = len(residual) // WEEK * WEEK
        spreads.append(_half(residual[:whole].reshape(-1, WEEK).sum(axis=1)) * np.sqrt(len(residual) / whole))
    half = max(spreads) / total
    if counted:
        half = max(half, Z_95 / np.sqrt(total))
    return around(total / base, half / Z_95, total)


def _half(residual: Floats) -> float:
    """Half the 95 % interval of a sum of clusters' residuals."""
    n = len(residual)
    if n < 2:
        return np.inf
    return student_95(n - 1) * float(np.sqrt(n / (n - 1) * (residual**2).sum()))


def student_95(freedom: int) -> float:
    """The 97.5 % quantile of Student's t.

    Source: Cornish and Fisher's expansion (Abramowitz and Stegun 26.7.5); exact below three degrees.
    >>> [round(student_95(freedom), 2) for freedom in (1, 2, 3, 10, 1000)]
    [12.71, 4.3, 3.18, 2.23, 1.96]
    """
    if freedom < 3:
        return {1: 12.7062, 2: 4.30265}[freedom]
    z, v = Z_95, float(freedom)
    terms = (
        (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96, (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / v ** (power + 1) for power, term in enumerate(terms))


def curve(counts: Floats, phase: Ints, periods: int) -> list[Rate]:
    """A curve of mean 1 over the phases of a cycle (weekdays, hours), each phase with its interval.

    counts: (rows, moments), summed over moments of a phase; phase: (moments,), 0 to periods - 1. The luck of counting is
    widened by what rows and phases leave unexplained (Pearson's chi-square by its degrees of freedom, at least 1).
    """
    rows = counts[counts.sum(axis=1) > 0]
    moments = np.bincount(phase, minlength=periods)
    by_phase = np.array([rows[:, phase == place].sum() for place in range(periods)])
    level = by_phase / np.maximum(moments, 1)
    known = level[moments > 0].mean() if moments.any() else 0.0
    if known <= 0:
        return [Rate(1.0, 0.0, np.inf, 0.0)] * periods
    expected = rows.sum(axis=1, keepdims=True) * (level / level[phase].sum())[phase]
    dispersion = _dispersion(rows, expected, len(rows) + periods - 1)
    rates = []
    for place in range(periods):
        if by_phase[place] <= 0:
            rates.append(Rate(1.0, 0.0, np.inf, 0.0))
        else:
            rates.append(around(float(level[place] / known), np.sqrt(dispersion / by_phase[place]), float(by_phase[place])))
    return rates


def _dispersion(counts: Floats, expected: Floats, parameters: int) -> float:
    used = expected > 0
    freedom = max(int(used.sum()) - parameters, 1)
    return max(float(((counts - expected)[used] ** 2 / expected[used]).sum()) / freedom, 1.0)
