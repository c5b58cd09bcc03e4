"""Estimators that weigh whole journeys up to a decision: right whatever decisions do to later ones, and wide where journeys
are long."""

from __future__ import annotations

import numpy as np

from gaelp_sim.evaluate.steps import Found, Steps, summed
from gaelp_sim.events import Floats, Ints


def per_decision(steps: Steps) -> Found:
    """Each reward weighted by the product of weights up to its decision (PDIS).

    Source: Precup, Sutton & Singh (2000).
    """
    return summed(steps, steps.path_weight * steps.reward, _of_users(steps))


def weighted(steps: Steps) -> Found:
    """The same, each turn's rewards over that turn's mean weight (WPDIS); a journey that has ended keeps its weight.

    Source: Precup, Sutton & Singh (2000); Thomas (2015), section 3.9. The spread is that of the linear expansion.
    """
    turn = np.arange(len(steps)) - steps.begins[:-1][steps.user]
    total = _mean_weights(steps, turn)
    share = steps.path_weight / np.maximum(total, 1e-300)[turn]
    earned = np.bincount(turn, share * steps.reward) / steps.users  # (turns,): each turn's part of the value
    moved = steps.by_user(share * steps.reward) - _told_by_weights(steps, total, earned)
    return Found(float(earned.sum()), moved, _of_users(steps))


def doubly_robust(steps: Steps, worth: Floats) -> Found:
    """What a model says journeys are worth, corrected by weighted errors on the way.

    worth: (n, actions), what taking an action here and following the target afterwards is worth, fitted on other users.
    Source: Jiang & Li (2016), equation 10, unrolled.
    """
    here = (steps.target * worth).sum(axis=1)
    after = np.where(steps.last, 0.0, np.append(here[1:], 0.0))
    error = steps.reward + after - worth[np.arange(len(steps)), steps.action]
    first = np.zeros(len(steps))
    first[steps.begins[:-1]] = here[steps.begins[:-1]]
    return summed(steps, first + steps.path_weight * error, _of_users(steps))


def _of_users(steps: Steps) -> Floats:
    """(users,): the weight of each whole journey."""
    return steps.path_weight[steps.begins[1:] - 1]


def _mean_weights(steps: Steps, turn: Ints) -> Floats:
    """(turns,): the mean over all users of their weight at a turn; who has ended keeps the last one."""
    total = np.bincount(turn, steps.path_weight)
    ended, final = np.diff(steps.begins), _of_users(steps)
    kept = np.cumsum(np.bincount(ended, final, minlength=len(total) + 1))[: len(total)]
    return (total + kept) / steps.users


def _told_by_weights(steps: Steps, total: Floats, earned: Floats) -> Floats:
    """(users,): what each user's weights take from the value by raising the means that rewards are divided by."""
    rate = earned / np.maximum(total, 1e-300)
    turn = np.arange(len(steps)) - steps.begins[:-1][steps.user]
    later = np.append(np.cumsum(rate[::-1])[::-1], 0.0)  # (turns + 1,): of all turns from this one on
    length = np.diff(steps.begins)
    return steps.by_user(steps.path_weight * rate[turn]) + _of_users(steps) * later[length]
