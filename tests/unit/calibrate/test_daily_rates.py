"""Rates of daily sums: right on average, and with intervals that hold as often as they say, also where days differ."""

from __future__ import annotations

import numpy as np
import pytest

from gaelp_sim.calibrate.daily_rates import curve, ratio_over_days, student_95

WORLDS = 400


def held(covered: int, of: int = WORLDS) -> bool:
    """Whether 95 % intervals held often enough: binomial, three standard deviations, and not all the time by being wide."""
    return covered >= 0.95 * of - 3 * (0.95 * 0.05 * of) ** 0.5


@pytest.mark.parametrize("day_sd", [0.0, 0.4])
def test_click_rates_cover(day_sd: float) -> None:
    """28 days, 2,000 impressions each, a rate of 2 % that differs from day to day by day_sd (logs)."""
    rng = np.random.default_rng(1)
    covered, widths = 0, []
    for _ in range(WORLDS):
        shown = rng.poisson(2_000, 28).astype(float)
        clicks = rng.binomial(shown.astype(int), 0.02 * np.exp(day_sd * rng.standard_normal(28) - day_sd**2 / 2))
        rate = ratio_over_days(clicks.astype(float), shown, counted=True)
        covered += rate.low <= 0.02 <= rate.high
        widths.append(rate.log_se)
    assert held(covered)
    ideal = np.sqrt(1 / (0.02 * 28 * 2_000) + (np.exp(day_sd**2) - 1) / 28)
    assert ideal * 0.9 < np.mean(widths) < ideal * 1.6


def test_weeks_that_differ_widen_the_interval() -> None:
    """Eight weeks with levels of their own: days alone would hold them for independent, and cover far too seldom."""
    rng = np.random.default_rng(2)
    covered = alone = 0
    for _ in range(WORLDS):
        level = np.repeat(np.exp(0.3 * rng.standard_normal(8) - 0.045), 7)
        counts = rng.poisson(100 * level).astype(float)
        rate = ratio_over_days(counts, np.ones(56), counted=True)
        covered += rate.low <= 100 <= rate.high
        residual = counts - counts.mean()
        half = 1.96 * np.sqrt((residual**2).sum()) / counts.sum()
        alone += abs(np.log(counts.mean() / 100)) < half
    assert covered / WORLDS > 0.9 > 0.75 > alone / WORLDS


def test_prices_are_not_counts() -> None:
    """A price's interval comes from days alone: the luck of counting says nothing of money."""
    rate = ratio_over_days(np.full(14, 50.0), np.full(14, 10.0), counted=False)
    assert rate.value == 5.0 and rate.low == pytest.approx(5.0) == rate.high
    assert ratio_over_days(np.full(14, 50.0), np.full(14, 10.0), counted=True).high > 5.0


def test_nothing_is_no_rate() -> None:
    rate = ratio_over_days(np.zeros(5), np.ones(5), counted=True)
    assert (rate.value, rate.low, rate.high) == (0.0, 0.0, np.inf)


@pytest.mark.parametrize("extra_sd", [0.0, 0.25])
def test_curves_are_recovered(extra_sd: float) -> None:
    """A planted weekday curve over six weeks and two channels: each point covered, also where days are overdispersed."""
    rng = np.random.default_rng(3)
    truth = np.array([1.1, 1.25, 1.05, 1.0, 0.95, 0.85, 0.8])
    phase = np.arange(42) % 7
    covered = np.zeros(7)
    for _ in range(WORLDS):
        noise = np.exp(extra_sd * rng.standard_normal((2, 42)) - extra_sd**2 / 2)
        counts = rng.poisson(np.array([[80.0], [300.0]]) * truth[phase] * noise).astype(float)
        points = curve(counts, phase, 7)
        assert np.mean([point.value for point in points]) == pytest.approx(1.0)
        covered += [point.low <= level <= point.high for point, level in zip(points, truth, strict=True)]
    assert (covered / WORLDS > 0.9).all()


def test_a_phase_without_events_is_open() -> None:
    points = curve(np.array([[5.0, 0.0, 5.0]]), np.arange(3), 3)
    assert points[1].low == 0.0 and points[1].high == np.inf


def test_students_quantiles() -> None:
    """Against the published table."""
    table = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 10: 2.228, 30: 2.042, 120: 1.980}
    for freedom, wanted in table.items():
        assert student_95(freedom) == pytest.approx(wanted, abs=0.02)
