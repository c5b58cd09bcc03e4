"""Intervals cover what they should, and are what their formulas say."""

from __future__ import annotations

import numpy as np
import pytest

from gaelp_sim.analyse.estimates import mean, quantile, ratio, share

TRIALS = 2_000


def test_wilson_s_interval_is_the_published_example() -> None:
    """Newcombe (1998), table I: 81 of 263 gives .2553 to .3662."""
    found = share(81, 263)
    assert (round(found.low, 4), round(found.high, 4)) == (0.2553, 0.3662)


@pytest.mark.parametrize("rate", [0.003, 0.05, 0.5])
def test_shares_cover_the_truth(rate: float) -> None:
    hits = np.random.default_rng(1).binomial(800, rate, TRIALS)
    covered = np.mean([share(int(k), 800).low <= rate <= share(int(k), 800).high for k in hits])
    assert 0.93 < covered < 0.98


def test_means_and_quantiles_cover_the_truth() -> None:
    """Of a lopsided distribution: exponential with mean 1, 90 % quantile ln 10."""
    rng = np.random.default_rng(2)
    samples = [rng.exponential(1.0, 120) for _ in range(TRIALS)]
    for estimate, truth in ((mean, 1.0), (lambda x: quantile(x, 0.5), np.log(2)), (lambda x: quantile(x, 0.9), np.log(10))):
        covered = np.mean([found.low <= truth <= found.high for found in map(estimate, samples)])
        assert 0.91 < covered < 0.99


def test_ratios_cover_the_truth() -> None:
    rng = np.random.default_rng(3)
    above, below = rng.poisson(400, TRIALS), rng.poisson(80, TRIALS)
    covered = np.mean([ratio(a, b).low <= 5.0 <= ratio(a, b).high for a, b in zip(above, below, strict=True)])
    assert 0.93 < covered < 0.97


def test_nothing_observed_is_no_figure() -> None:
    """Without observations every value is possible and the count is 0."""
    nothing = np.zeros(0)
    assert [found.count for found in (share(0, 0), mean(nothing), quantile(nothing, 0.5), ratio(0, 3))] == [0] * 4
    assert mean(nothing).high == np.inf
