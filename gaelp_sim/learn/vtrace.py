"""V-trace: what old decisions teach a policy that would decide otherwise by now. Source: Espeholt et al. (2018)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gaelp_sim.compiled import compiled
from gaelp_sim.events import Floats
from gaelp_sim.learn.returns import Steps


class Clips(NamedTuple):
    """How much of a ratio counts."""

    rho: float = 1.0
    """In what a step gained: it decides which policy's value is learned"""
    c: float = 1.0
    """In what is handed back: it decides how fast"""


@compiled
def vtrace(steps: Steps, ratio: Floats, discount_per_day: float, clips: Clips) -> tuple[Floats, Floats]:
    """Targets for the critic and advantages for the actor, (n,) each.

    ratio: (n,): chance of each action now over that when it was taken. Between two steps d days apart the discount is its
    d-th power. After the last step of a journey that has ended nothing is expected; where the time was over, the last value
    stands for what would have come, as in `returns.advantages`.
    """
    reward, value, days, begins, ended = steps
    target, advantage = np.zeros(len(reward)), np.zeros(len(reward))
    for journey in range(len(begins) - 1):
        last = begins[journey + 1] - 1
        for at in range(last, begins[journey] - 1, -1):
            rho = min(ratio[at], clips.rho)
            if at == last:
                after, fade, beyond = (0.0 if ended[journey] else value[at]), 1.0, 0.0
                following = after
            else:
                fade = discount_per_day ** days[at + 1]
                after, following = value[at + 1], target[at + 1]
                beyond = fade * min(ratio[at], clips.c) * (following - after)
            target[at] = value[at] + rho * (reward[at] + fade * after - value[at]) + beyond
            advantage[at] = rho * (reward[at] + fade * following - value[at])
    return target, advantage
