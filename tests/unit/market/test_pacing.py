"""Pacing spends a budget as the traffic comes; its state recovers; what is learned of traffic converges."""

from __future__ import annotations

import numpy as np
import pytest

from gaelp_sim.analyse.pacing_checks import BUDGETS, pacing_checks
from gaelp_sim.analyse.pacing_trial import graded, hindsight, stream_of, trial, unconstrained_micros
from gaelp_sim.market.pacing import FLOOR, Mode, Pace, Passed, Traffic, step
from gaelp_sim.scenario.loading import load_scenario


@pytest.fixture(scope="module")
def curve() -> np.ndarray:
    hours = np.array(load_scenario("parental_controls").curves.hour)
    return hours / hours.sum()


def _passed(spent: float, spent_hour: float, traffic: float, traffic_hour: float) -> Passed:
    return Passed(*(np.full((1, 1), value) for value in (spent, spent_hour, traffic, traffic_hour, 1 / 24, 0.0)))


@pytest.mark.parametrize("mode", ["dual", "pid"])
def test_bids_fall_while_spend_runs_ahead_and_rise_again(mode: Mode) -> None:
    pace = Pace.of(1, 1)
    before = []
    for hour in range(1, 6):
        step(mode, pace, _passed(0.1 * hour, 0.1, hour / 24, 1 / 24))
        before.append(float(pace.factor[0, 0]))
    assert before == sorted(before, reverse=True) and before[-1] < 0.8
    for hour in range(6, 20):
        step(mode, pace, _passed(0.5, 0.0, hour / 24, 1 / 24))
    assert pace.factor[0, 0] > before[-1]
    assert FLOOR <= pace.factor[0, 0] <= 1.0


def test_throttling_takes_part_in_what_the_budget_pays_for() -> None:
    """Full participation would spend four budgets a day: a quarter of opportunities is left."""
    pace = Pace.of(1, 1)
    for hour in range(1, 24):
        share = float(pace.share[0, 0])
        spent_hour = 4.0 / 24 * share if hour > 1 else 4.0 / 24
        spent = 4.0 / 24 + (hour - 1) / 24
        step("throttle", pace, _passed(min(spent, 0.99), spent_hour, hour / 24, 1 / 24))
    assert 0.02 < pace.share[0, 0] < 0.4 and pace.factor[0, 0] == 1.0


@pytest.mark.parametrize("mode", ["none", "even"])
def test_other_modes_leave_the_state_alone(mode: Mode) -> None:
    pace = Pace.of(1, 1)
    step(mode, pace, _passed(0.9, 0.9, 1 / 24, 1 / 24))
    assert all((a == b).all() for a, b in zip(pace, Pace.of(1, 1), strict=True))


def test_traffic_is_learned(curve: np.ndarray) -> None:
    traffic = Traffic.of(1)
    assert np.allclose(traffic.curve(), 1 / 24)
    for _ in range(30):
        for hour in range(24):
            traffic.note(hour, np.array([round(10_000 * curve[hour])]))
    assert np.abs(traffic.curve()[0] - curve).max() < 0.001


@pytest.mark.parametrize("part", BUDGETS)
def test_no_mode_overspends_and_none_beats_hindsight(part: float, curve: np.ndarray) -> None:
    stream = stream_of(3, (2, 3, 4_000), curve)
    limit = (unconstrained_micros(stream, 2) * float(part)).astype(np.int64)
    best = hindsight(stream, limit)
    for mode in ("none", "even", "throttle", "pid", "dual"):
        grades = graded(trial(stream, mode, limit), best, limit)  # type: ignore[arg-type]
        assert not grades.overspent.any()
        assert grades.value_share.max() < 1.002, "the optimum leaves out at most its last item"


def test_hindsight_is_the_greatest_value_that_fits(curve: np.ndarray) -> None:
    """Against brute force over every subset, on days of a dozen opportunities."""
    stream = stream_of(5, (1, 6, 12), curve)
    limit = np.array([40_000])
    best = hindsight(stream, limit)
    charge = -(-stream.price_micros // 1_000)
    for day in range(6):
        here = slice(stream.start[24 * day], stream.start[24 * day + 24])
        values, costs = stream.value_micros[here], charge[here]
        n = len(values)
        chosen = (np.arange(2**n)[:, None] >> np.arange(n) & 1).astype(bool)
        fits = (chosen * costs).sum(axis=1) <= limit[0]
        exact = int((chosen * values).sum(axis=1)[fits].max())
        greedy = int(best.value_micros[day].sum())
        assert greedy <= exact <= greedy + values.max()


def test_asked_figures_are_reached_and_planted_faults_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from gaelp_sim.market import pacing

    assert all(check.passed for check in pacing_checks(seed=4) if check.asked)
    monkeypatch.setattr("gaelp_sim.analyse.pacing_trial.step", lambda mode, pace, passed: None)
    assert not any(check.passed for check in pacing_checks(per_day=2_000) if check.asked)
    assert pacing.step is step
