"""Sales still to come: planted delays are recovered, rates corrected to within 1 % where naive ones miss by 10."""

from __future__ import annotations

import numpy as np
import pytest

from gaelp_sim.analyse.delay_models import (
    MODELS,
    Observed,
    fit_delayed_feedback,
    fit_mixture,
    kaplan_meier,
    mixture,
    naive,
    normal_cdf,
    observed,
)
from gaelp_sim.events import NONE
from gaelp_sim.response.sale import lag_table
from gaelp_sim.scenario.loading import load_scenario

DAY = 86_400
WINDOW = 30
CVR = 0.1


def clicks(seed: int, n: int, days: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """Clicks over some days, a tenth of which sell after the flagship's lag: moment, and moment of the report."""
    rng = np.random.default_rng(seed)
    table = lag_table(load_scenario("parental_controls").conversion.purchase_lag, WINDOW * DAY)
    clicked = np.sort(rng.integers(0, days * DAY, n))
    return clicked, np.where(rng.random(n) < CVR, clicked + table[rng.integers(0, len(table), n)], NONE)


def test_acceptance() -> None:
    """Twelve logs of 40,000 clicks seen on day 30: within 1 % of the truth on average, naive is 12 to 14 % off.

    The exponential family is the wrong one here, and misses by some 4 %.
    """
    errors: dict[str, list[float]] = {name: [] for name in MODELS}
    for seed in range(12):
        clicked, reported = clicks(seed, 40_000)
        true = float((reported != NONE).mean())
        seen = observed(clicked, reported, 30 * DAY, WINDOW)
        for name, model in MODELS.items():
            errors[name].append(model(seen).value / true - 1)
    mean = {name: float(np.mean(values)) for name, values in errors.items()}
    assert -0.14 < mean["naive"] < -0.12
    assert abs(mean["mixture"]) < 0.005 and abs(mean["kaplan_meier"]) < 0.01
    assert np.mean(np.abs(errors["mixture"])) < 0.01
    assert -0.06 < mean["delayed_feedback"] < -0.03


def test_the_last_week() -> None:
    """Of the last seven days' clicks a third of the sales is missing; with the delays of all clicks they are put right."""
    clicked, reported = clicks(3, 200_000)
    late = clicked >= 23 * DAY
    true = float((reported[late] != NONE).mean())
    seen = observed(clicked[late], reported[late], 30 * DAY, WINDOW)
    assert -0.40 < naive(seen).value / true - 1 < -0.32
    fitted = fit_mixture(observed(clicked, reported, 30 * DAY, WINDOW))
    known = (reported[late] != NONE) & (reported[late] <= 30 * DAY)
    by, within = fitted.by(30.0 * DAY - clicked[late]), fitted.by(np.array([30.0 * DAY]))[0]
    coming = fitted.sells * (within - by) / (1 - fitted.sells * by)
    assert np.where(known, 1.0, coming).mean() / true - 1 == pytest.approx(0, abs=0.04)


@pytest.mark.parametrize("name", ["kaplan_meier", "mixture"])
def test_intervals_cover(name: str) -> None:
    """95 % intervals of the rate hold the planted one in 200 logs as often as they say."""
    covered = 0
    for seed in range(200):
        seen = observed(*clicks(1000 + seed, 3_000), 30 * DAY, WINDOW)
        estimate = MODELS[name](seen)
        covered += estimate.low <= CVR <= estimate.high
    assert 0.91 <= covered / 200 <= 0.99


def test_the_mixture_is_recovered() -> None:
    """Medians 760 s and 6.22 days, sigmas 1.32 and 1, weight .508 (of the delays within 30 days), from censored clicks."""
    clicked, reported = clicks(5, 400_000)
    fitted = fit_mixture(observed(clicked, reported, 30 * DAY, WINDOW))
    assert np.exp(fitted.log_median[0]) == pytest.approx(760, rel=0.05)
    assert np.exp(fitted.log_median[1]) / DAY == pytest.approx(6.22, rel=0.05)
    assert fitted.sigma == pytest.approx((1.32, 1.0), abs=0.05)
    within = fitted.by(np.array([WINDOW * float(DAY)]))[0]
    assert fitted.weight / within == pytest.approx(0.508, abs=0.02)


def test_exponential_delays_are_recovered() -> None:
    """Chapelle's model on its own kind of data: 8 % sell, after three days on average."""
    rng = np.random.default_rng(2)
    clicked = np.sort(rng.integers(0, 20 * DAY, 200_000))
    sold = rng.random(200_000) < 0.08
    reported = np.where(sold, clicked + rng.exponential(3 * DAY, 200_000).astype(np.int64) + 1, NONE)
    fitted = fit_delayed_feedback(observed(clicked, reported, 20 * DAY, 60))
    assert fitted.sells == pytest.approx(0.08, rel=0.03)
    assert fitted.mean_s == pytest.approx(3 * DAY, rel=0.03)


def test_kaplan_meier_by_hand() -> None:
    """Six clicks: sales after 1 and 3, others observed for 2, 4, 5, 5: S = 5/6 x 3/4."""
    seen = Observed(np.array([1.0, 3.0]), np.array([2.0, 4.0, 5.0]), np.array([1.0, 1.0, 2.0]), 5.0)
    assert kaplan_meier(seen).value == pytest.approx(1 - 5 / 6 * 3 / 4)


def test_without_censoring_all_agree() -> None:
    """Everything observed to the end of its window: the plain share, whatever the model."""
    clicked, reported = clicks(8, 20_000)
    seen = observed(clicked, reported, 100 * DAY, WINDOW)
    plain = naive(seen)
    for name in ("kaplan_meier", "mixture"):
        found = MODELS[name](seen)
        assert found.value == pytest.approx(plain.value, rel=1e-3)
        assert (found.low, found.high) == pytest.approx((plain.low, plain.high), abs=0.001)


def test_nothing_known_yet() -> None:
    """No sale so far: rates of zero, with room above."""
    seen = observed(np.arange(50), np.full(50, NONE), 100, WINDOW)
    for model in MODELS.values():
        found = model(seen)
        assert found.value == 0.0 and 0.0 <= found.low < found.high < 0.2
    assert mixture(observed(np.arange(5), np.arange(5) + 7, 100, WINDOW)).value == pytest.approx(1.0)


@pytest.mark.parametrize("sold, total", [(1, 1), (3, 3), (9, 10), (200, 200), (199, 200)])
def test_all_clicks_sell(sold: int, total: int) -> None:
    """Every click, or every click but the last one, has sold: a rate near one, with room below."""
    clicked = np.arange(total) * 1_000
    reported = np.where(np.arange(total) < sold, clicked + 5_000 + 37 * clicked % 4_001, NONE)
    seen = observed(clicked, reported, int(clicked[-1]) + 10_000, WINDOW)
    for model in MODELS.values():
        found = model(seen)
        assert 0.0 <= found.low < found.high <= 1.0 and found.value >= 0.9
        assert found.low <= found.value <= found.high + 1e-12


def test_the_normal_distribution_function() -> None:
    """Three quantiles that everybody knows."""
    assert normal_cdf(np.array([0.0, 1.959964, -1.0])) == pytest.approx([0.5, 0.975, 0.158655], abs=1e-6)
