"""How a target and a log overlap, as data for a picture: how many decisions, and journeys, bear which weight."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gaelp_sim.evaluate.steps import Steps
from gaelp_sim.events import Floats

DECISION, JOURNEY = "decision", "journey"
EDGES: Floats = np.concatenate([[0.0], 2.0 ** np.arange(-6, 8), [np.inf]])
"""Bounds of the bars, a doubling each; the first also holds what the target would never do."""


@dataclass(frozen=True)
class Bar:
    """Decisions, or users' whole journeys, whose weight lies in [low, high)."""

    policy: str
    family: str
    low: float
    high: float | None
    """None: no bound"""
    share: float
    """Of decisions, or users"""
    weight_share: float
    """Of all weight: where much of it lies in the last bars, a few decisions tell everything"""


def overlap(policy: str, steps: Steps) -> list[Bar]:
    """The bars of both families; shares of each sum to 1, or are 0 where the target would do nothing that was done.

    A weight is the target's chance of what was done over the log's; a journey's is the product of its decisions'.
    """
    return [*_bars(policy, DECISION, steps.weight), *_bars(policy, JOURNEY, steps.path_weight[steps.last])]


def _bars(policy: str, family: str, weight: Floats) -> list[Bar]:
    place = np.searchsorted(EDGES, weight, side="right") - 1
    count = np.bincount(place, minlength=len(EDGES) - 1)
    total = np.bincount(place, weight, minlength=len(EDGES) - 1)
    whole = max(float(weight.sum()), 1e-300)
    return [
        Bar(policy, family, float(EDGES[k]), float(EDGES[k + 1]) if np.isfinite(EDGES[k + 1]) else None,
            float(count[k] / len(weight)), float(total[k] / whole))
        for k in range(len(EDGES) - 1)
    ]
