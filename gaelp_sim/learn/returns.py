"""What came of decisions: rewards, returns and advantages over steps that are hours or days apart."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gaelp_sim.compiled import compiled
from gaelp_sim.events import Bools, Floats, Ints
from gaelp_sim.learn.journeys import Kept


def rewards_usd(kept: Kept, sales: Kept, value_usd: float) -> Floats:
    """(n,): dollars that each decision brought: less what it cost, and a sale's value at the last decision before it.

    kept: decisions in the order (user, second); sales: `user` and `second` of each sale of ours, when it was decided.
    Sales of users of whom we never decided anything, or only later, are nobody's doing.
    """
    reward = -kept["charge_micros"] / 1e6
    key = kept["user"].astype(np.int64) << 32 | kept["second"]
    at = np.searchsorted(key, sales["user"].astype(np.int64) << 32 | sales["second"], side="right") - 1
    ours = (at >= 0) & (kept["user"][np.maximum(at, 0)] == sales["user"])
    np.add.at(reward, at[ours], value_usd)
    return np.asarray(reward, dtype=np.float64)


class Steps(NamedTuple):
    """Decisions of journeys, in order: (n,) columns, and (journeys,) ones."""

    reward: Floats
    value: Floats
    """What the critic expected"""
    days: Floats
    """Since the journey's decision before"""
    begins: Ints
    """(journeys + 1,)"""
    ended: Bools
    """Nothing can follow: the user has bought"""


@compiled
def advantages(steps: Steps, rule: tuple[float, float]) -> tuple[Floats, Floats]:
    """Generalised advantage estimates and returns, (n,) each.

    After the last step of a journey that has ended nothing is expected; where the time was over, the last value stands for
    what would have come. rule: (discount per day, lambda per step). Between two steps d days apart the discount is its d-th
    power. Source: Schulman et al. (2016), with the discount of a semi-Markov process.
    """
    reward, value, days, begins, ended = steps
    discount, trace = rule
    advantage, target = np.zeros(len(reward)), np.zeros(len(reward))
    for journey in range(len(begins) - 1):
        ahead = 0.0
        last = begins[journey + 1] - 1
        for at in range(last, begins[journey] - 1, -1):
            if at == last:
                after, fade = (0.0 if ended[journey] else value[at]), 1.0
            else:
                after, fade = value[at + 1], discount ** days[at + 1]
            gained = reward[at] + fade * after - value[at]
            ahead = gained + (fade * trace * ahead if at < last else 0.0)
            advantage[at] = ahead
            target[at] = ahead + value[at]
    return advantage, target
