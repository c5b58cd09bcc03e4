"""Bars of weights are plain counts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gaelp_sim.evaluate.overlap import DECISION, EDGES, JOURNEY, overlap
from gaelp_sim.evaluate.steps import Steps


def _steps() -> Steps:
    """Three users of two, one and two decisions; weights 2, 2; 0; .5, .25."""
    target = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.25, 0.75], [0.125, 0.875]])
    return Steps(
        np.array([0, 2, 3, 5]), np.arange(3), np.zeros(5, dtype=np.int64), np.full(5, 0.5), target, np.zeros(5),
        np.zeros((5, 1), dtype=np.float32), np.zeros(5, dtype=np.int64),
    )


def test_bars_are_plain_counts() -> None:
    bars = overlap("p", _steps())
    decisions = {bar.low: bar for bar in bars if bar.family == DECISION}
    assert {low for low, bar in decisions.items() if bar.share} == {0.0, 0.25, 0.5, 2.0}
    assert decisions[2.0].share == pytest.approx(0.4) and decisions[2.0].weight_share == pytest.approx(4 / 4.75)
    journeys = {bar.low: bar for bar in bars if bar.family == JOURNEY}
    assert {low for low, bar in journeys.items() if bar.share} == {0.0, 0.125, 4.0}
    assert journeys[4.0].high == 8.0 and journeys[EDGES[-2]].high is None
    for family in (decisions, journeys):
        assert sum(bar.share for bar in family.values()) == pytest.approx(1.0)
        assert sum(bar.weight_share for bar in family.values()) == pytest.approx(1.0)


def test_a_target_that_does_nothing_of_it_has_no_weight() -> None:
    steps = _steps()
    never = overlap("p", replace(steps, target=np.tile([0.0, 1.0], (5, 1))))
    assert [bar.share for bar in never if bar.low == 0.0] == [1.0, 1.0] and not any(bar.weight_share for bar in never)
