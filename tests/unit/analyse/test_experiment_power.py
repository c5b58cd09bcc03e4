"""Formulas that plan experiments, against tables and against brute force on toys whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from gaelp_sim.analyse.experiment_estimates import Estimates, estimated
from gaelp_sim.analyse.experiment_power import below, correlation, detectable, power, quantile, times_as_large, two_sided
from gaelp_sim.analyse.experiment_units import Units
from gaelp_sim.draws import Draws, Purpose, normal_quantile, uniform
from gaelp_sim.events import Floats

TRIES = 2_000


def _normals(rows: int, columns: int, slot: int = 2**20) -> Floats:
    words = Draws(8).words(
        Purpose.ASSIGNMENT, 0, np.repeat(np.arange(rows), columns), np.tile(np.arange(columns), rows), slot)
    return normal_quantile(uniform(words[0]) + 2.0**-33).reshape(rows, columns)


def _toy(home_sd: float, homes: int, effect: float, *, paired: bool = False) -> tuple[Units, Floats]:
    """TRIES worlds of homes of two people, half of the homes treated; outcomes N(0, 1 + home_sd^2) + effect."""
    people = 2 * homes
    world, home = np.repeat(np.arange(TRIES), people), np.tile(np.arange(people) // 2, TRIES)
    second = home % 2 == 1
    cluster = world * homes + (home // 2 if paired else home)
    alike = np.repeat(_normals(TRIES, homes, 2**20 + 1), 2, axis=1).ravel()
    value = _normals(TRIES, people).ravel() + home_sd * alike + effect * second
    count = np.full(TRIES, float(people))
    return Units(world, second, np.ones(len(world)), cluster, False, count, count, lambda a, b, c, d: a), value


def test_student_s_t_is_the_table_s() -> None:
    """Critical values of any book of statistics."""
    for free, critical in ((1, 12.7062), (2, 4.3027), (5, 2.5706), (18, 2.1009), (120, 1.9799), (5_000, 1.9600)):
        assert two_sided(critical, free) == pytest.approx(0.05, abs=2e-5)
        assert quantile(0.975, free) == pytest.approx(critical, rel=5e-4)
    assert below(-1.0, 2) == pytest.approx(0.211325, abs=1e-6) and below(1.0, 2) == pytest.approx(0.788675, abs=1e-6)


@pytest.mark.parametrize("home_sd", [0.0, 1.0])
def test_power_is_what_brute_force_finds(home_sd: float) -> None:
    """With homes alike or not; a plan that took members of a home for strangers would promise far more."""
    homes, effect = 60, 0.5
    units, value = _toy(home_sd, homes, effect)
    got = estimated(units, value)
    truly = np.sqrt(4 / homes * (home_sd**2 + 0.5))
    assert np.sqrt((got.error**2).mean()) == pytest.approx(truly, rel=0.02)
    planned = power(effect, float(truly), homes - 2, 0.05)
    assert np.mean(got.p_values() < 0.05) == pytest.approx(planned, abs=0.03)
    assert np.mean(np.abs(got.value - effect) < got.half(0.05)) == pytest.approx(0.95, abs=0.015)
    strangers = Estimates(got.value, got.error / np.sqrt(1 + home_sd**2 / (home_sd**2 + 1)), got.free)
    if home_sd:
        assert np.mean(np.abs(strangers.value - effect) < strangers.half(0.05)) < 0.91


def test_alpha_is_kept_where_there_is_nothing_to_find() -> None:
    units, value = _toy(1.0, 20, 0.0)
    assert np.mean(estimated(units, value).p_values() < 0.05) == pytest.approx(0.05, abs=0.015)


def test_a_test_of_the_planned_size_has_the_power_that_was_wanted() -> None:
    """Ten homes' error tells how many more it takes."""
    error = float(np.sqrt(4 / 10 * 0.5))
    homes = 2 * round(10 * times_as_large(0.4, error, 0.05, 0.8) / 2)
    units, value = _toy(0.0, homes, 0.4)
    assert np.mean(estimated(units, value).p_values() < 0.05) == pytest.approx(0.8, abs=0.03)
    error = float(np.sqrt(4 / homes * 0.5))
    assert detectable(error, homes - 2, 0.05, 0.8) == pytest.approx(0.4, rel=0.02)


def test_correlation_within_homes_is_recovered() -> None:
    units, value = _toy(1.0, 40, 0.0)
    some = units.world < 200
    assert correlation(value[some], units.cluster[some]) == pytest.approx(0.5, abs=0.03)
    assert correlation(value[some], np.arange(int(some.sum()))) == 0.0


def test_estimates_are_the_textbook_s() -> None:
    """Singles: Welch's test; pairs: the paired t-test, one value per unit."""
    value = np.array([3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0])
    second = np.array([0, 1, 0, 1, 0, 1, 0, 1], dtype=bool)
    count = np.array([8.0])
    apart = Units(np.zeros(8, dtype=np.int64), second, np.ones(8), np.arange(8), False, count, count, lambda a, b, c, d: a)
    got = estimated(apart, value)
    a, b = value[~second], value[second]
    assert got.value[0] == b.mean() - a.mean()
    assert got.error[0] == pytest.approx(np.sqrt(a.var(ddof=1) / 4 + b.var(ddof=1) / 4))
    paired = Units(apart.world, second, np.ones(8), np.arange(8) // 2, True, np.array([4.0]), count, apart.of)
    got, difference = estimated(paired, value), b - a
    assert got.value[0] == pytest.approx(2 * difference.mean()) and got.free[0] == 3
    assert got.error[0] == pytest.approx(2 * difference.std(ddof=1) / 2)
