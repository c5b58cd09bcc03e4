"""Pacing: spending a budget over its period as the traffic comes, not in its first hours.

Each account (a day's or a month's limit, on one channel or on all) is paced by its own small state; what it asks for is
a factor on bids (`pid`, `dual`) or a share of opportunities to take part in (`throttle`). Hours are compared with a
target: what is left of the limit, spread over the traffic still to come. All arrays are (worlds, accounts).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from gaelp_sim.compiled import compiled
from gaelp_sim.events import Floats, Ints
from gaelp_sim.units import HOURS_PER_DAY, PPM

Mode = Literal["none", "even", "throttle", "pid", "dual"]

FLOOR = 0.005
"""No factor and no share falls under this: whoever stops altogether learns nothing more."""
DUAL_STEP = 0.25
RATIO_MAX = 3.0
"""An hour counts as at most this many times its target."""
PID_GAINS = (4.0, 1.0, 2.0)
"""Proportional, integral, derivative: on the spend's lead over the traffic, as a share of the limit."""
PRIOR_DAYS = 0.1
COST_MEMORY = 0.3
"""Weight of the last hour in what full participation is thought to cost."""


class Pace(NamedTuple):
    """What pacing remembers of each account; everything 1 or 0 before the first hour."""

    price: Floats
    """1 + the dual variable of the budget: bids are values divided by it (>= 1)"""
    lead: Floats
    """PID: sum of the hourly leads"""
    lead_before: Floats
    cost: Floats
    """Throttling: spend per unit of a period's traffic when taking part in everything, as a share of the limit"""
    factor: Floats
    """On bids, at the hour to come"""
    share: Floats
    """Of opportunities to take part in"""

    @staticmethod
    def of(worlds: int, accounts: int) -> Pace:
        """Before the first hour: nothing is held back."""
        one, zero = np.ones((worlds, accounts)), np.zeros((worlds, accounts))
        return Pace(one, zero, zero.copy(), zero.copy(), one.copy(), one.copy())


class Passed(NamedTuple):
    """How an hour went, by account; shares are of the account's limit or of its period's traffic."""

    spent: Floats
    """(worlds, accounts): of the limit, since the period began"""
    spent_hour: Floats
    """Of the limit, in the hour that has passed"""
    traffic: Floats
    """Of the period's traffic, since it began"""
    traffic_hour: Floats
    """In the hour that has passed"""
    traffic_next: Floats
    """In the hour to come; the period it belongs to may be a new one"""
    renewed: Floats
    """1 where the hour to come begins a new period"""


def step(mode: Mode, pace: Pace, passed: Passed) -> None:
    """Learn from an hour and set factor and share for the next, in place.

    dual: multiplicative (mirror) descent on the budget's price, after Balseiro & Gur (2019) and Balseiro, Lu & Mirrokni
    (2020). pid: control of the lead, after Zhang et al. (2016). throttle: Xu et al., "Smart pacing" (KDD'15), one layer.
    """
    if mode == "dual":
        _dual(pace, passed)
    elif mode == "pid":
        _pid(pace, passed)
    elif mode == "throttle":
        _throttle(pace, passed)


@compiled
def _dual(pace: Pace, passed: Passed) -> None:
    for world in range(pace.price.shape[0]):
        for account in range(pace.price.shape[1]):
            at = (world, account)
            # What this hour should have spent, of what was left when it began.
            left = 1.0 - (passed.spent[at] - passed.spent_hour[at])
            to_come = 1.0 - (passed.traffic[at] - passed.traffic_hour[at])
            target = max(left, 0.0) * passed.traffic_hour[at] / max(to_come, 1e-9)
            if target <= 0.0:
                continue
            ratio = min(passed.spent_hour[at] / target, RATIO_MAX)
            pace.price[at] = min(max(pace.price[at] * np.exp(DUAL_STEP * (ratio - 1.0)), 1.0), 1.0 / FLOOR)
            pace.factor[at] = 1.0 / pace.price[at]


@compiled
def _pid(pace: Pace, passed: Passed) -> None:
    gain, gain_sum, gain_change = PID_GAINS
    for world in range(pace.price.shape[0]):
        for account in range(pace.price.shape[1]):
            at = (world, account)
            lead = passed.spent[at] - passed.traffic[at]
            total = min(max(pace.lead[at] + lead, 0.0), -np.log(FLOOR) / gain_sum)
            pull = gain * lead + gain_sum * total + gain_change * (lead - pace.lead_before[at])
            pace.lead[at], pace.lead_before[at] = total, lead
            pace.factor[at] = min(max(np.exp(-pull), FLOOR), 1.0)


@compiled
def _throttle(pace: Pace, passed: Passed) -> None:
    for world in range(pace.price.shape[0]):
        for account in range(pace.price.shape[1]):
            at = (world, account)
            if passed.traffic_hour[at] > 0.0 and passed.spent[at] < 1.0:
                cost = passed.spent_hour[at] / max(pace.share[at] * passed.traffic_hour[at], 1e-9)
                known = pace.cost[at] > 0.0
                pace.cost[at] += (COST_MEMORY if known else 1.0) * (cost - pace.cost[at])
            fresh = passed.renewed[at] > 0.0
            left = 1.0 if fresh else max(1.0 - passed.spent[at], 0.0)
            to_come = 1.0 if fresh else max(1.0 - passed.traffic[at], 1e-9)
            # Spend per unit of traffic that uses up what is left, over what taking part in everything would cost.
            wanted = left / to_come
            pace.share[at] = min(max(wanted / max(pace.cost[at], 1e-9), FLOOR), 1.0)


class Traffic(NamedTuple):
    """What an advertiser has learned of how a day's traffic is spread over its hours."""

    seen: Floats
    """(worlds, 24): opportunities met in each hour of the day, all days together"""
    days: Ints
    """(worlds, 24): how often that hour has been seen"""

    @staticmethod
    def of(worlds: int) -> Traffic:
        """Nothing seen yet."""
        return Traffic(np.zeros((worlds, HOURS_PER_DAY)), np.zeros((worlds, HOURS_PER_DAY), dtype=np.int64))

    def note(self, hour_of_day: int, opportunities: Ints) -> None:
        """Take down an hour's opportunities, (worlds,)."""
        self.seen[:, hour_of_day] += opportunities
        self.days[:, hour_of_day] += 1

    def curve(self) -> Floats:
        """(worlds, 24): expected shares of a day's traffic; each leans on the mean one as if on PRIOR_DAYS days."""
        mean = self.seen.sum(axis=1) / np.maximum(self.days.sum(axis=1), 1)
        hourly = (self.seen + PRIOR_DAYS * np.maximum(mean, 1e-9)[:, None]) / (self.days + PRIOR_DAYS)
        return hourly / hourly.sum(axis=1)[:, None]


def pacing_multiplier_ppm(spent_micros: Ints, limit_micros: Ints, traffic_share: float) -> Ints:
    """`even`: how much to hold back when a day's spend runs ahead of the day's traffic; PPM when on track, >= 30 %.

    spent_micros, limit_micros: int64, equal shapes; limit < 0 means unlimited
    traffic_share: share of the day's traffic that has passed, [0, 1]
    Source: our own proportional rule.
    """
    limited = limit_micros > 0
    ahead = np.where(limited, spent_micros / np.maximum(limit_micros, 1) - traffic_share, 0.0)
    factor: Floats = np.clip(1.0 - 2.0 * np.maximum(ahead - 0.05, 0.0), 0.3, 1.0)
    return (factor * PPM).astype(np.int64)
