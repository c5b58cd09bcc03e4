"""What a journey pays a learner: the design document's rule and profit, in whole micros."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gaelp_sim.errors import UsageError
from gaelp_sim.events import Bools, Floats, Ints
from gaelp_sim.units import SECONDS_PER_DAY

PROFIT, DOCUMENT, DOCUMENT_SIGNED = "profit", "document", "document_signed"
RULES = (PROFIT, DOCUMENT, DOCUMENT_SIGNED)
QUICK_DAYS = 3
"""A sale in under so many days earns the bonus."""
BONUS, PENALTY = (6, 5), (4, 5)
"""x 1.2 for a quick sale, x 0.8 for a journey that cost more than the CAC target; as fractions, to stay exact."""


class Journeys(NamedTuple):
    """Journeys that have ended, (n,) each: sold by us or not."""

    sold: Bools
    """Whether the sale is ours: no other one pays"""
    credit: Floats
    """Share of the sale that attribution gives to our touches, 0 to 1; whatever it is where nothing was sold"""
    value_micros: Ints
    """What the sale is worth"""
    cost_micros: Ints
    """What our touches of the journey cost, 0 or more"""
    duration_s: Ints
    """From the first touch to the sale"""


def reward_micros(journeys: Journeys, rule: str, cac_target_micros: int) -> Ints:
    """What each journey pays in all, (n,) micros.

    Without a sale of ours: -cost. With one, `profit`: value - cost. `document`: credit x value - cost, x 1.2 if it took
    under three days, x 0.8 if the cost is over the CAC target. `document_signed`: the same, but a negative amount is
    divided instead, so that a bonus never makes a loss greater, nor a penalty smaller. Halves of a micro are rounded up.

    >>> lisa = Journeys(*(np.array([x]) for x in (True, 0.6, 180_000_000, 8_700_000, 6 * 86_400)))
    >>> reward_micros(lisa, "document", 100_000_000).tolist()
    [99300000]
    """
    if rule not in RULES:
        raise UsageError(f"no reward is called {rule!r}; there are {', '.join(RULES)}")
    if rule == PROFIT:
        return np.where(journeys.sold, journeys.value_micros, 0) - journeys.cost_micros
    amount = np.rint(journeys.credit * journeys.value_micros).astype(np.int64) - journeys.cost_micros
    upside_down = (amount < 0) & (rule == DOCUMENT_SIGNED)
    top, bottom = np.ones(len(amount), dtype=np.int64), np.ones(len(amount), dtype=np.int64)
    quick = journeys.duration_s < QUICK_DAYS * SECONDS_PER_DAY
    dear = journeys.cost_micros > cac_target_micros
    for applies, (over, under) in ((quick, BONUS), (dear, PENALTY)):
        top *= np.where(applies, np.where(upside_down, under, over), 1)
        bottom *= np.where(applies, np.where(upside_down, over, under), 1)
    return np.where(journeys.sold, (2 * amount * top + bottom) // (2 * bottom), -journeys.cost_micros)


class Steps(NamedTuple):
    """A journey's reward, paid as it goes."""

    touch_micros: Ints
    """(touches,): -price at each touch"""
    end_micros: Ints
    """(n,): the rest, when the journey ends"""


def stepwise(starts: Ints, price_micros: Ints, reward: Ints) -> Steps:
    """The same reward in steps: -price at each touch, the rest at the end; every journey sums to its reward exactly.

    starts: (n + 1,): first touch of each journey; price_micros: (touches,), 0 for what cost nothing
    """
    paid = np.concatenate([[0], np.cumsum(price_micros)])
    return Steps(-price_micros, reward + paid[starts[1:]] - paid[starts[:-1]])


def late_micros(reward: Ints, paid_micros: Ints) -> Ints:
    """What a sale after the journey was given up still pays: the final figure, less what was paid already."""
    return reward - paid_micros
