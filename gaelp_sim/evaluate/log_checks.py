"""What forbids an answer from a log: propensities that can't be true, actions it never took, a history that features leave
out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gaelp_sim.draws import normal_quantile
from gaelp_sim.evaluate.steps import Steps
from gaelp_sim.events import Floats, Ints

UNSUPPORTED_MOST = 0.01
"""Share of the target's choices for which the log may have no triple"""
FALSE_ALARM = 1e-3
"""Chance that a check finds fault with a log that has none"""
_SEEN_LEAST, _EXPLORED_LEAST = 5, 300
_RARE = 0.1


class Checks(NamedTuple):
    """Why estimators may not answer; empty where nothing is wrong."""

    propensities: str
    overlap: str
    markov: str


def propensity_fault(steps: Steps, group: Ints) -> str:
    """Whether propensities can be true, by two sums that have a known mean in every log; group: (n,), decisions that could
    take the same actions, such as those on one signal.

    - 1 / propensity averages to the number of actions that could be taken;
    - of actions that were likelier than not there is at most one a decision: counted as 1 / propensity where they were
      taken, they average to at most 1, and to 1 where all others are rare (as in logs that mostly do what is best).
    """
    if (steps.propensity >= 1.0).all():
        return ""  # the log never explored: `overlap_fault` tells
    likely, rare = steps.propensity > 0.5, steps.propensity < _RARE
    mostly = bool((likely | rare).all())
    tests: list[tuple[str, float, float]] = []
    for one in np.unique(group):
        here = np.flatnonzero(group == one)
        seen = np.bincount(steps.action[here])
        often = (seen >= _SEEN_LEAST)[steps.action[here]]
        inverse = 1.0 / steps.propensity[here]
        if (~likely[here]).sum() >= _EXPLORED_LEAST and often.all():
            told = f"1 / propensity averages to {{0:.2f}} over {len(here):,} decisions among {(seen > 0).sum()} actions"
            tests.append((told, *_z(inverse, float((seen > 0).sum()), exact=True)))
        if likely[here].sum() >= _EXPLORED_LEAST:
            told = f"decisions ({len(here):,}) did what was likelier than not {{0:.3f}} times as often as they say"
            tests.append((told, *_z(np.where(likely[here], inverse, 0.0), 1.0, exact=mostly)))
    bound = float(normal_quantile(1.0 - FALSE_ALARM / 2 / max(len(tests), 1)))
    told, mean, z = max(tests, key=lambda test: abs(test[2]), default=("", 0.0, 0.0))
    if abs(z) <= bound:
        return ""
    return f"propensities can't be true: {told.format(mean)} (z {z:.1f}); was the log cut, or are they another policy's?"


def _z(values: Floats, due: float, *, exact: bool) -> tuple[float, float]:
    """The mean, and how many standard errors it lies off what is due; only above it where less may be true as well."""
    mean = float(values.mean())
    z = (mean - due) / max(float(values.std()) / len(values) ** 0.5, 1e-9)
    return mean, z if exact else max(z, 0.0)


def overlap_fault(steps: Steps) -> str:
    """Whether the log took what the target would do; the last action of `target` is what the log has no triple for."""
    missing = float(steps.target[:, -1].mean())
    if missing > UNSUPPORTED_MOST:
        return f"the log never does what the target does in {missing:.1%} of decisions"
    if (steps.propensity >= 1.0).all() and not np.allclose(steps.weight, 1.0):
        return "the log never explored: every propensity is 1, so it tells of its own policy alone"
    return ""


def markov_fault(steps: Steps, model: Floats, worth: Floats) -> str:
    """Whether what came before still tells of rewards, or of what follows, given the features.

    Errors of both models are held against the reward before, the sum of rewards and the number of decisions so far, freed
    of what the features tell of those; the test's spread is by cluster.
    """
    rows = np.arange(len(steps))
    here = (steps.target * worth).sum(axis=1)
    after = np.where(steps.last, 0.0, np.append(here[1:], 0.0))
    errors = {
        "what a decision earns": steps.reward - model[rows, steps.action],
        "what follows from it": steps.reward + after - worth[rows, steps.action],
    }
    past = _freed(_history(steps), steps.features.astype(np.float64))
    for what, error in errors.items():
        z, free = _score(steps, past, error), past.shape[1]
        # Wilson & Hilferty (1931): the cube root of a chi-squared over its degrees is nearly normal.
        normal = ((z / free) ** (1 / 3) - (1 - 2 / (9 * free))) / (2 / (9 * free)) ** 0.5
        if normal > float(normal_quantile(1 - FALSE_ALARM)):
            return f"history still tells of {what}, given the features (chi-squared {z:.0f}, {free} degrees)"
    return ""


def _history(steps: Steps) -> Floats:
    """(n, 3): the reward of the user's decision before, rewards so far, decisions so far."""
    first = np.zeros(len(steps), dtype=np.bool_)
    first[steps.begins[:-1]] = True
    total = np.cumsum(steps.reward) - steps.reward
    earned = total - total[steps.begins[:-1]][steps.user]
    before = np.where(first, 0.0, np.concatenate([[0.0], steps.reward[:-1]]))
    turn = np.arange(len(steps)) - steps.begins[:-1][steps.user]
    return np.stack([before, earned, np.log1p(turn)], axis=1)


def _freed(columns: Floats, of: Floats) -> Floats:
    """What least squares on `of` and a constant leave of columns."""
    base = np.concatenate([np.ones((len(of), 1)), (of - of.mean(axis=0)) / np.maximum(of.std(axis=0), 1e-9)], axis=1)
    gram = base.T @ base + 1e-6 * len(of) * np.eye(base.shape[1])
    left = columns - base @ np.linalg.solve(gram, base.T @ columns)
    kept = left.std(axis=0) > 1e-6 * np.maximum(columns.std(axis=0), 1e-9)
    return np.asarray(left[:, kept])


def _score(steps: Steps, past: Floats, error: Floats) -> float:
    """The quadratic form of the errors' products with the past; its spread by cluster."""
    by_user = np.stack([steps.by_user(past[:, k] * error) for k in range(past.shape[1])], axis=1)
    clusters = int(steps.cluster.max()) + 1
    sums = np.zeros((clusters, past.shape[1]))
    np.add.at(sums, steps.cluster, by_user)
    score, spread = sums.sum(axis=0), sums.T @ sums
    return float(score @ np.linalg.pinv(spread) @ score)
