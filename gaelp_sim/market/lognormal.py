"""A lognormal fitted to prices that were seen exactly, or only known to lie above or below a bid (censored regression)."""

from __future__ import annotations

from math import erf, pi, sqrt
from typing import NamedTuple

import numpy as np

from gaelp_sim.compiled import compiled, inlined
from gaelp_sim.events import Floats, Ints
from gaelp_sim.market.landscape import ABOVE, BELOW, BUCKETS, EXACT

_ROUNDS = 200
_TOLERANCE = 1e-7
_ROOT_2, _ROOT_2PI = sqrt(2.0), sqrt(2.0 * pi)
_STEP = 1e-3


class Fitted(NamedTuple):
    """Mean and standard deviation of log price on the scale of buckets, with the mean's standard error."""

    mean: float
    sd: float
    mean_se: float
    """0 where nothing could be fitted"""


@compiled
def fit_lognormal(counts: Ints) -> Fitted:
    """The maximum-likelihood lognormal of grouped and censored counts, (BUCKETS, 3 or more): EXACT, ABOVE, BELOW.

    By expectation-maximisation; the standard error is from the likelihood's
    curvature. Needs prices from both sides or seen exactly: otherwise mean_se is 0.
    Source: Tobin (1958); Dempster, Laird & Rubin (1977), section 4.2.
    """
    seen, above, below = counts[:, EXACT].sum(), counts[:, ABOVE].sum(), counts[:, BELOW].sum()
    if seen == 0 and (above == 0 or below == 0):
        return Fitted(0.0, 1.0, 0.0)
    mean, sd = BUCKETS / 2.0, 3.0
    for _ in range(_ROUNDS):
        total, first, second = 0.0, 0.0, 0.0
        for bucket in range(BUCKETS):
            edge = float(bucket)
            for kind in range(3):
                n = counts[bucket, kind]
                if n == 0:
                    continue
                low = -1e9 if kind == BELOW else edge
                high = edge + 1.0 if kind == EXACT else edge if kind == BELOW else 1e9
                one, two = _moments(mean, sd, low, high)
                total, first, second = total + n, first + n * one, second + n * two
        fresh = first / total
        spread = sqrt(max(second / total - fresh * fresh, 0.01))
        done = abs(fresh - mean) + abs(spread - sd) < _TOLERANCE
        mean, sd = fresh, spread
        if done:
            break
    return Fitted(mean, sd, _standard_error(counts, mean, sd))


@inlined
def _cdf(z: float) -> float:
    return 0.5 * (1.0 + erf(z / _ROOT_2))


@inlined
def _moments(mean: float, sd: float, low: float, high: float) -> tuple[float, float]:
    """First and second moment of a normal between two bounds."""
    a, b = max((low - mean) / sd, -8.0), min((high - mean) / sd, 8.0)
    mass = _cdf(b) - _cdf(a)
    if mass < 1e-12:
        point = min(max(mean, low), high)
        return point, point * point
    at_a, at_b = np.exp(-a * a / 2) / _ROOT_2PI, np.exp(-b * b / 2) / _ROOT_2PI
    shift = (at_a - at_b) / mass
    variance = 1.0 + (a * at_a - b * at_b) / mass - shift * shift
    one = mean + sd * shift
    return one, one * one + sd * sd * max(variance, 0.0)


@inlined
def _log_likelihood(counts: Ints, mean: float, sd: float) -> float:
    total = 0.0
    for bucket in range(BUCKETS):
        below = _cdf((bucket - mean) / sd)
        inside = _cdf((bucket + 1.0 - mean) / sd) - below
        total += counts[bucket, EXACT] * np.log(max(inside, 1e-300))
        total += counts[bucket, ABOVE] * np.log(max(1.0 - below, 1e-300))
        total += counts[bucket, BELOW] * np.log(max(below, 1e-300))
    return total


@compiled
def _standard_error(counts: Ints, mean: float, sd: float) -> float:
    """Of the mean, from the inverse of the observed information."""
    h = _STEP * sd
    here = _log_likelihood(counts, mean, sd)
    means = (_log_likelihood(counts, mean + h, sd) - 2 * here + _log_likelihood(counts, mean - h, sd)) / (h * h)
    sds = (_log_likelihood(counts, mean, sd + h) - 2 * here + _log_likelihood(counts, mean, sd - h)) / (h * h)
    mixed = (
        _log_likelihood(counts, mean + h, sd + h) - _log_likelihood(counts, mean + h, sd - h)
        - _log_likelihood(counts, mean - h, sd + h) + _log_likelihood(counts, mean - h, sd - h)
    ) / (4 * h * h)
    determinant = means * sds - mixed * mixed
    if determinant <= 0.0 or sds >= 0.0:
        return 0.0
    return sqrt(-sds / determinant)


def lognormal_place(fit: Fitted, z: float) -> Floats:
    """Places of a quantile and of the median's 95 % bounds on the scale of buckets; z: the quantile's normal score."""
    return np.array([fit.mean + z * fit.sd, fit.mean - 1.96 * fit.mean_se, fit.mean + 1.96 * fit.mean_se])
