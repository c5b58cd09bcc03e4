"""What came of decisions: rewards, returns and advantages over steps that are hours or days apart."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gaelp_sim.attribution.reward import PROFIT, reward_micros
from gaelp_sim.attribution.reward import Journeys as Ended
from gaelp_sim.compiled import compiled
from gaelp_sim.events import Bools, Floats, Ints
from gaelp_sim.learn.journeys import Kept
from gaelp_sim.units import MICROS_PER_UNIT


class Pay(NamedTuple):
    """What pays a learner."""

    rule: str
    """One of `attribution.reward.RULES`"""
    value_usd: float
    """Of a sale"""
    cac_target_usd: float


def rewards_usd(kept: Kept, sales: Kept, pay: Pay) -> Floats:
    """(n,): dollars that each decision brought: less what it cost, and what a sale pays at the last decision before it.

    kept: decisions in the order (user, second); sales: `user` and `second` of each sale of ours, when it was decided.
    Sales of users of whom we never decided anything, or only later, are nobody's doing. A sale pays its value, or, by the
    design document's rule (all credit is ours), the journey's figure and what its touches have cost, paid already.
    """
    reward = -kept["charge_micros"] / MICROS_PER_UNIT
    key = kept["user"].astype(np.int64) << 32 | kept["second"]
    at = np.searchsorted(key, sales["user"].astype(np.int64) << 32 | sales["second"], side="right") - 1
    ours = np.flatnonzero((at >= 0) & (kept["user"][np.maximum(at, 0)] == sales["user"]))
    np.add.at(reward, at[ours], _paid_usd(kept, (sales["second"][ours], at[ours]), pay))
    return np.asarray(reward, dtype=np.float64)


def _paid_usd(kept: Kept, sale: tuple[Ints, Ints], pay: Pay) -> Floats:
    """(sales,): what each sale pays; sale: when, and its decision's row."""
    second, at = sale
    if pay.rule == PROFIT:
        return np.full(len(at), pay.value_usd)
    first = np.searchsorted(kept["user"], kept["user"][at])
    spent = np.concatenate([[0], np.cumsum(kept["charge_micros"].astype(np.int64))])
    cost = spent[at + 1] - spent[first]
    # The journey begins with the first touch, which may come after the first decision.
    won = np.concatenate([[0], np.cumsum(kept["won"])])
    touched = np.searchsorted(won, won[first], side="right") - 1
    since = np.where(touched <= at, kept["second"][np.minimum(touched, len(kept["second"]) - 1)], second)
    n = len(at)
    value = np.full(n, round(pay.value_usd * MICROS_PER_UNIT))
    journeys = Ended(np.ones(n, dtype=bool), np.ones(n), value, cost, second - since)
    target = round(pay.cac_target_usd * MICROS_PER_UNIT)
    return np.asarray((reward_micros(journeys, pay.rule, target) + cost) / MICROS_PER_UNIT, dtype=np.float64)


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
