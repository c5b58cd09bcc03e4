"""Estimators that take each decision by itself: what it earns does not depend on the decisions before it, nor do later ones
on it. Cheap and steady; wrong where ads work later, by what they leave out.
"""

from __future__ import annotations

import numpy as np

from gaelp_sim.evaluate.steps import Found, Steps, summed
from gaelp_sim.events import Floats

CLIP = 10.0
"""Greatest weight of `clipped`"""
SWITCH = 10.0
"""Greatest weight that `switch_dr` trusts; beyond it the model is believed"""


def ips(steps: Steps) -> Found:
    """Rewards weighted by how much likelier the target was to do what was done.

    Source: Horvitz & Thompson (1952); for policies, Strehl et al. (2010).
    """
    return summed(steps, steps.weight * steps.reward, steps.weight)


def snips(steps: Steps) -> Found:
    """The same over the sum of weights, times decisions a user.

    Source: Swaminathan & Joachims (2015), section 4.
    """
    weight = steps.weight
    total = max(float(weight.sum()), 1e-300)
    mean, each = float((weight * steps.reward).sum()) / total, len(steps) / steps.users
    count = np.diff(steps.begins)
    moved = steps.by_user(weight * (steps.reward - mean)) * (len(steps) / total) + mean * (count - each)
    return Found(mean * each, moved, weight)


def clipped(steps: Steps) -> Found:
    """Inverse propensities with no weight above CLIP: less spread for a bias towards what was logged.

    Source: Ionides (2008).
    """
    weight = np.minimum(steps.weight, CLIP)
    return summed(steps, weight * steps.reward, weight)


def direct(steps: Steps, model: Floats) -> Found:
    """What a model of rewards says the target's actions earn; model: (n, actions), fitted on other users.

    The spread is that of the doubly robust correction, which is how far the model's own luck moves it; the spread of what
    the model says would leave that out.
    """
    found = doubly_robust(steps, model)
    return Found(float(steps.by_user((steps.target * model).sum(axis=1)).mean()), found.influence, steps.weight)


def doubly_robust(steps: Steps, model: Floats) -> Found:
    """The model's word, and the weighted error of what it said of the action taken.

    Source: Dudik et al. (2014), equation 3.
    """
    error = steps.reward - model[np.arange(len(steps)), steps.action]
    return summed(steps, (steps.target * model).sum(axis=1) + steps.weight * error, steps.weight)


def switch_dr(steps: Steps, model: Floats) -> Found:
    """Doubly robust where weights are at most SWITCH, the model alone where they are not.

    Source: Wang, Agarwal & Dudik (2017), section 4.
    """
    weight = np.where(steps.weight <= SWITCH, steps.weight, 0.0)
    error = steps.reward - model[np.arange(len(steps)), steps.action]
    return summed(steps, (steps.target * model).sum(axis=1) + weight * error, weight)
