"""Grades of what is chosen by estimators: the candidate to deploy, held against what each would truly have earned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from gaelp_sim.evaluate.coverage_graded import Said, Truth
from gaelp_sim.events import Floats


@dataclass(frozen=True)
class Chosen:
    """How candidates were chosen by one estimator over many logs; regrets in USD a user.

    A log chooses where the estimator answers for every candidate. Regret at k: how much more the best candidate earns than
    the best of the k that were estimated highest (Swaminathan et al. 2017; `regret@k` of SCOPE-RL). An error of type I: a
    candidate's interval says that it beats the logged policy and it doesn't; of type II: the candidate beats it and the
    interval doesn't say so.
    """

    estimator: str
    logs: int
    refused: float
    """Share of logs in which some candidate was refused"""
    best_share: float | None
    """How often the best one was chosen"""
    regret_1: float | None
    regret_2: float | None
    regret_at_random: float
    """Of a choice by lot"""
    regret_worst: float
    type_1: float | None
    """Share of the candidates that don't beat the logged policy which are said to"""
    type_2: float | None
    """Share of the candidates that beat it which are not said to"""

    def as_json(self) -> dict[str, Any]:
        """The fields by name."""
        return asdict(self)


def choices_graded(name: str, said: Sequence[Sequence[Said]], truths: Sequence[Truth]) -> Chosen:
    """Grade an estimator's choices from what it said of each candidate (outer), log by log (inner)."""
    worth = np.array([truth.value for truth in truths])
    answered = [log for log in zip(*said, strict=True) if not any(one.refused for one in log)]
    lost = worth.max() - worth
    fixed = {"regret_at_random": float(lost.mean()), "regret_worst": float(lost.max())}
    logs, share = len(said[0]), 1.0 - len(answered) / len(said[0])
    if not answered:
        return Chosen(name, logs, share, None, None, None, type_1=None, type_2=None, **fixed)
    value = np.array([[one.value for one in log] for log in answered])
    order = np.argsort(-value, axis=1, kind="stable")
    regret = lost[order]
    false, missed = _errors(np.array([[one.gain_low for one in log] for log in answered]), truths)
    return Chosen(
        name, logs, share, float((regret[:, 0] == 0).mean()), float(regret[:, 0].mean()),
        float(regret[:, :2].min(axis=1).mean()), type_1=false, type_2=missed, **fixed,
    )


def _errors(gain_low: Floats, truths: Sequence[Truth]) -> tuple[float | None, float | None]:
    """(logs, candidates) lower bounds of gains: the shares of errors of type I and II; None without such candidates."""
    better = np.array([truth.gain > 0.0 for truth in truths])
    claimed = gain_low > 0.0
    false = float(claimed[:, ~better].mean()) if not better.all() else None
    return false, float((~claimed[:, better]).mean()) if better.any() else None
