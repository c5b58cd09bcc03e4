"""How many clicks will have sold within a window, when not all of their sales are known yet.

A click is observed for as long as has passed since, at most for the window. Its sale is either known, after some delay, or
not yet: it may still come, or never. Counting the known sales alone is too low, the more so for recent clicks.
"""

from __future__ import annotations

from collections.abc import Callable
from math import erf, exp, log, pi, sqrt
from typing import NamedTuple

import numpy as np

from gaelp_sim.analyse.estimates import Z_95, Estimate, share
from gaelp_sim.compiled import compiled
from gaelp_sim.events import NONE, Floats, Ints
from gaelp_sim.units import SECONDS_PER_DAY

ROUNDS, TOLERANCE = 3_000, 1e-10
GROUPS = 600
"""Clicks without a known sale are grouped by how long they have been observed, in so many equal steps of the window."""
SELLS_MOST = 1.0 - 1e-6
"""Above it every click is taken to sell"""
MIXTURE_SALES = 12
_STEP = 1e-4


class Observed(NamedTuple):
    """Clicks as they are known at one moment, grouped where nothing is lost by it."""

    delay_s: Floats
    """(sales,): from click to report of the sales known, within the window; more than 0"""
    elapsed_s: Floats
    """(groups,): how long clicks without a known sale have been observed, ascending, at most the window"""
    clicks: Floats
    """(groups,): how many"""
    window_s: float

    @property
    def total(self) -> int:
        """All clicks."""
        return len(self.delay_s) + int(self.clicks.sum())


def observed(clicked_s: Ints, reported_s: Ints, now_s: int, window_days: float) -> Observed:
    """What is known at `now_s` of clicks and of the reports of their sales (NONE: no sale ever), both (n,).

    Clicks after `now_s` are left out; so are sales reported later than the window after their click.
    """
    window_s = window_days * SECONDS_PER_DAY
    here = clicked_s < now_s
    clicked_s, reported_s = clicked_s[here], reported_s[here]
    delay = np.maximum(reported_s - clicked_s, 1)
    known = (reported_s != NONE) & (reported_s <= now_s) & (delay <= window_s)
    elapsed = np.minimum(now_s - clicked_s[~known], window_s)
    group = np.minimum((elapsed * (GROUPS / window_s)).astype(np.int64), GROUPS)
    counts, sums = np.bincount(group, minlength=GROUPS + 1), np.bincount(group, elapsed, minlength=GROUPS + 1)
    some = counts > 0
    return Observed(
        np.sort(delay[known]).astype(np.float64), sums[some] / counts[some], counts[some].astype(np.float64), window_s
    )


def naive(seen: Observed) -> Estimate:
    """Known sales over clicks, as if nothing were still to come (Wilson's interval)."""
    return share(len(seen.delay_s), seen.total)


def kaplan_meier(seen: Observed) -> Estimate:
    """One minus the product-limit estimate of not having sold by the end of the window; Greenwood's variance.

    Where no click has been observed for the whole window it tells of the longest time that one was. The interval is
    symmetric in log(-log S). Source: Kaplan & Meier (1958); Greenwood (1926).
    """
    n = seen.total
    if not len(seen.delay_s):
        return naive(seen)
    times, events = np.unique(seen.delay_s, return_counts=True)
    left = np.searchsorted(seen.elapsed_s, times)
    gone = np.concatenate([[0.0], np.cumsum(seen.clicks)])[left] + np.concatenate([[0], np.cumsum(events)[:-1]])
    at_risk = n - gone
    survives = float(np.prod(1.0 - events / at_risk))
    if survives <= 0.0:
        return naive(seen)
    variance = float((events / (at_risk * np.maximum(at_risk - events, 1e-9))).sum())
    half = Z_95 * sqrt(variance) / -log(survives)
    return Estimate(1.0 - survives, 1.0 - survives ** exp(-half), 1.0 - survives ** exp(half), n)


class DelayedFeedback(NamedTuple):
    """Chapelle's model: a click sells with some probability, after an exponential delay."""

    sells: float
    mean_s: float


def fit_delayed_feedback(seen: Observed) -> DelayedFeedback:
    """Maximum likelihood by expectation-maximisation. Source: Chapelle (2014), without covariates."""
    sold, n = len(seen.delay_s), seen.total
    total_s, sells = float(seen.delay_s.sum()), max(sold, 1) / n
    mean_s = max(total_s / max(sold, 1), 1.0)
    for _ in range(ROUNDS):
        waits = np.exp(-seen.elapsed_s / mean_s)
        coming = seen.clicks * sells * waits / (1.0 - sells + sells * waits)
        fresh = (sold + float(coming.sum())) / n
        fresh_s = (total_s + float((coming * (seen.elapsed_s + mean_s)).sum())) / max(sold + float(coming.sum()), 1e-12)
        done = abs(fresh - sells) < TOLERANCE and abs(fresh_s / mean_s - 1) < 1e-9
        sells, mean_s = fresh, fresh_s
        if done:
            break
    return DelayedFeedback(sells, mean_s)


def delayed_feedback(seen: Observed) -> Estimate:
    """Sales within the window by Chapelle's model.

    Without a known sale nothing is known of delays, and it is `naive`; where every click sells, `kaplan_meier`, as the
    likelihood then has no peak to tell an interval from.
    """
    if not len(seen.delay_s):
        return naive(seen)
    fitted = fit_delayed_feedback(seen)
    if fitted.sells > SELLS_MOST:
        return kaplan_meier(seen)

    def rate(at: Floats) -> float:
        return float(_logistic(at[0]) * -np.expm1(-seen.window_s / np.exp(at[1])))

    def likelihood(at: Floats) -> float:
        sells, mean_s = _logistic(at[0]), np.exp(at[1])
        known = (np.log(sells / mean_s) - seen.delay_s / mean_s).sum()
        return float(known + (seen.clicks * np.log1p(-sells * -np.expm1(-seen.elapsed_s / mean_s))).sum())

    return _with_interval(rate, likelihood, np.array([_logit(fitted.sells), log(fitted.mean_s)]), seen.total)


class Mixture(NamedTuple):
    """Two lognormal delays: impulse and consideration; the first is the shorter one."""

    sells: float
    """Probability that a click sells at all, also after the window"""
    weight: float
    """Share of the shorter delay among sales"""
    log_median: tuple[float, float]
    """Of seconds"""
    sigma: tuple[float, float]

    def by(self, seconds: Floats) -> Floats:
        """Share of the delays that are over by then."""
        first, second = (
            normal_cdf((np.log(seconds) - middle) / sd) for middle, sd in zip(self.log_median, self.sigma, strict=True)
        )
        return np.asarray(self.weight * first + (1.0 - self.weight) * second)

    @property
    def parameters(self) -> Floats:
        """(6,) without bounds: logits, log medians, logs of sigma."""
        return np.array([_logit(self.sells), _logit(self.weight), *self.log_median, *np.log(self.sigma)])

    @staticmethod
    def at(parameters: Floats) -> Mixture:
        """The mixture of these parameters."""
        sells, weight, first, second, *sigma = parameters
        return Mixture(
            float(_logistic(sells)), float(_logistic(weight)), (float(first), float(second)),
            (float(np.exp(sigma[0])), float(np.exp(sigma[1]))),
        )


def fit_mixture(seen: Observed, *, rounds: int = ROUNDS) -> Mixture:
    """Maximum likelihood by expectation-maximisation, delays being censored where a sale is not known yet.

    A mixture truncated at the window with its own rate, and one without an end, are the same model of what is seen within
    the window: the rate of sales within it is sells x by(window).
    """
    logs = np.log(seen.delay_s)
    if len(logs) < 2:
        middle = float(logs.mean()) if len(logs) else log(SECONDS_PER_DAY)
        return Mixture(max(len(logs), 0.5) / max(seen.total, 1), 0.5, (middle, middle + 1.0), (1.0, 1.0))
    low, high = np.quantile(logs, [0.25, 0.75])
    spread = max(float(logs.std()) / 2, 0.1)
    start = np.array([min(len(logs) / seen.total * 1.1, 0.99), 0.5, low, max(high, low + 0.1), spread, spread])
    censored = np.log(np.maximum(seen.elapsed_s, 1.0))
    sells, weight, one, two, sd_one, sd_two = _expectation_maximisation(logs, (censored, seen.clicks), start, rounds)
    if one > two:
        one, two, sd_one, sd_two, weight = two, one, sd_two, sd_one, 1.0 - weight
    return Mixture(float(sells), float(weight), (float(one), float(two)), (float(sd_one), float(sd_two)))


@compiled
def _expectation_maximisation(logs: Floats, censored: tuple[Floats, Floats], start: Floats, rounds: int) -> Floats:
    """Parameters (sells, weight, means, standard deviations of log delay) after enough rounds."""
    edge, clicks = censored
    at, total = start.copy(), len(logs) + clicks.sum()
    sums = np.empty((2, 3))
    for _ in range(rounds):
        sums[:] = 0.0
        for value in logs:
            dense = at[1] * _density(value, at[2], at[4])
            other = (1.0 - at[1]) * _density(value, at[3], at[5])
            part = dense / max(dense + other, 1e-300)
            for component in range(2):
                belongs = part if component == 0 else 1.0 - part
                sums[component, 0] += belongs
                sums[component, 1] += belongs * value
                sums[component, 2] += belongs * value * value
        for i in range(len(edge)):
            tails = at[1] * _tail(edge[i], at[2], at[4]), (1.0 - at[1]) * _tail(edge[i], at[3], at[5])
            unsold = 1.0 - at[0] * (1.0 - tails[0] - tails[1])
            for component in range(2):
                belongs = clicks[i] * at[0] * tails[component] / unsold
                one, two = _moments_above(edge[i], at[2 + component], at[4 + component])
                sums[component, 0] += belongs
                sums[component, 1] += belongs * one
                sums[component, 2] += belongs * two
        moved = 0.0
        sellers = sums[0, 0] + sums[1, 0]
        fresh = np.empty(6)
        fresh[0], fresh[1] = min(sellers / total, 1.0 - 1e-9), sums[0, 0] / sellers
        for component in range(2):
            mean = sums[component, 1] / max(sums[component, 0], 1e-300)
            fresh[2 + component] = mean
            fresh[4 + component] = sqrt(max(sums[component, 2] / max(sums[component, 0], 1e-300) - mean * mean, 1e-4))
        for i in range(6):
            moved = max(moved, abs(fresh[i] - at[i]))
            at[i] = fresh[i]
        if moved < 1e-9:
            break
    return at


@compiled
def _density(value: float, mean: float, sd: float) -> float:
    z = (value - mean) / sd
    return exp(-0.5 * z * z) / (sd * sqrt(2.0 * pi))


@compiled
def _tail(edge: float, mean: float, sd: float) -> float:
    return 0.5 * (1.0 - erf((edge - mean) / (sd * sqrt(2.0))))


@compiled
def _moments_above(edge: float, mean: float, sd: float) -> tuple[float, float]:
    """First and second moment of a normal variable known to be above `edge`."""
    tail = _tail(edge, mean, sd)
    if tail < 1e-12:
        return edge, edge * edge
    z = (edge - mean) / sd
    mills = exp(-0.5 * z * z) / sqrt(2.0 * pi) / tail
    one = mean + sd * mills
    return one, mean * mean + 2.0 * mean * sd * mills + sd * sd * (1.0 + z * mills)


def normal_cdf(z: Floats) -> Floats:
    """The normal distribution function."""
    return _cdf(np.atleast_1d(np.asarray(z, dtype=np.float64)))


@compiled
def _cdf(z: Floats) -> Floats:
    found = np.empty_like(z)
    for i in range(len(z)):
        found[i] = 0.5 * (1.0 + erf(z[i] / sqrt(2.0)))
    return found


def mixture(seen: Observed) -> Estimate:
    """Sales within the window by the mixture of two lognormal delays; with fewer than MIXTURE_SALES known, `kaplan_meier`.

    Six parameters can't be had from a handful of sales, nor an interval where every click sells.
    """
    if len(seen.delay_s) < MIXTURE_SALES:
        return kaplan_meier(seen)
    fitting = fit_mixture(seen)
    if fitting.sells > SELLS_MOST:
        return kaplan_meier(seen)
    window = np.array([seen.window_s])

    def rate(at: Floats) -> float:
        fitted = Mixture.at(at)
        return float(fitted.sells * fitted.by(window)[0])

    return _with_interval(rate, _mixture_likelihood(seen), fitting.parameters, seen.total)


def mixture_errors(seen: Observed, fitted: Mixture) -> Floats:
    """(6,): standard errors of `Mixture.parameters`, from the likelihood's curvature; nan where nothing is known."""
    curvature = -_hessian(_mixture_likelihood(seen), fitted.parameters)
    values, vectors = np.linalg.eigh((curvature + curvature.T) / 2)
    if values.min() <= 1e-9 * max(values.max(), 1e-12):
        return np.full(len(values), np.nan)
    return np.asarray(np.sqrt((vectors**2 / values).sum(axis=1)))


def _mixture_likelihood(seen: Observed) -> Callable[[Floats], float]:
    """The logarithm of the probability of what is seen, by the mixture's parameters."""

    def likelihood(at: Floats) -> float:
        fitted = Mixture.at(at)
        logs = np.log(seen.delay_s)
        dense = sum(
            part * np.exp(-0.5 * ((logs - middle) / sd) ** 2) / sd
            for part, middle, sd in zip((fitted.weight, 1.0 - fitted.weight), fitted.log_median, fitted.sigma, strict=True)
        )
        unsold = 1.0 - fitted.sells * fitted.by(np.maximum(seen.elapsed_s, 1.0))
        return float((np.log(fitted.sells * np.maximum(dense, 1e-300))).sum() + (seen.clicks * np.log(unsold)).sum())

    return likelihood


def _with_interval(
    rate: Callable[[Floats], float], likelihood: Callable[[Floats], float], at: Floats, count: int
) -> Estimate:
    """A rate with its interval by the delta method on its logit, from the likelihood's curvature."""
    value = rate(at)
    curvature = -_hessian(likelihood, at)
    slope = _gradient(lambda x: _logit(min(max(rate(x), 1e-12), 1 - 1e-12)), at)
    # Directions in which nothing is known (a component without sales) must not make everything unknown.
    values, vectors = np.linalg.eigh((curvature + curvature.T) / 2)
    known = values > 1e-6 * max(values.max(), 1e-12)
    along = vectors[:, known].T @ slope
    error = float(np.sqrt((along**2 / values[known]).sum()))
    middle = _logit(min(max(value, 1e-12), 1 - 1e-12))
    return Estimate(value, float(_logistic(middle - Z_95 * error)), float(_logistic(middle + Z_95 * error)), count)


def _gradient(function: Callable[[Floats], float], at: Floats) -> Floats:
    steps = np.eye(len(at)) * _STEP
    return np.array([(function(at + step) - function(at - step)) / (2 * _STEP) for step in steps])


def _hessian(function: Callable[[Floats], float], at: Floats) -> Floats:
    steps = np.eye(len(at)) * _STEP
    return np.array([(_gradient(function, at + step) - _gradient(function, at - step)) / (2 * _STEP) for step in steps])


def _logit(share: float) -> float:
    return log(share / (1.0 - share))


def _logistic(value: float) -> float:
    return 1.0 / (1.0 + float(np.exp(-value)))


MODELS: dict[str, Callable[[Observed], Estimate]] = {
    "naive": naive, "kaplan_meier": kaplan_meier, "mixture": mixture, "delayed_feedback": delayed_feedback,
}
"""Estimates of the share of clicks that sell within the window, by name."""
