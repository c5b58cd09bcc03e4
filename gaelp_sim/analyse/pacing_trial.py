"""A market to grade pacing in: opportunities whose prices are known afterwards, bought under a day's budget.

Everything that decides is the product's: the auction within budgets, the pacing's state and the learned traffic curve.
Only the stream is made up: values and prices to beat per opportunity, lognormal, hours by the flagship's curve.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.draws import Draws, Purpose, normal_quantile, uniform
from gaelp_sim.events import NONE, US, Bools, Floats, Ints, Mechanism
from gaelp_sim.market.auction import Offers, Rules, Sale, full_quality
from gaelp_sim.market.budgets import Account, Budgets, Round, clear_within_budgets
from gaelp_sim.market.pacing import Mode, Pace, Passed, Traffic, pacing_multiplier_ppm, step
from gaelp_sim.units import HOURS_PER_DAY, PER_MILLE, PPM

SIGMA_PRICE, SIGMA_VALUE = 0.45, 0.8
DAY_SD = 0.1
"""Spread, in logs, of a day's volume and of its prices."""
_LEVEL_MICROS = 10_000_000


class Stream(NamedTuple):
    """Opportunities of all worlds, days and hours: (n,) columns sorted by (day, hour, world)."""

    world: Ints
    value_micros: Ints
    """Expected click value, per thousand impressions"""
    price_micros: Ints
    """The price to beat"""
    start: Ints
    """(days x 24 + 1,): where each hour begins"""
    curve: Floats
    """(24,): the true shares of a day's traffic"""


class Grades(NamedTuple):
    """How one way of pacing did, (worlds, days) each."""

    value_share: Floats
    """Of the greatest value that the budget could have bought"""
    curve_error: Floats
    """max over hours of |spend so far - hindsight-optimal spend so far| / budget"""
    half_spent: Floats
    """Share of the budget spent in the first half of the day"""
    overspent: Bools


def stream_of(seed: int, size: tuple[int, int, int], curve: Floats) -> Stream:
    """Draw a market; size: (worlds, days, opportunities per world and day on average)."""
    worlds, days, per_day = size
    draws, hours = Draws(seed), days * HOURS_PER_DAY
    days_luck = draws.words(Purpose.WORLD, np.tile(np.arange(worlds), days), 0, np.repeat(np.arange(days), worlds))
    volume, level = (np.exp(DAY_SD * normal_quantile(_open(word))).reshape(days, worlds) for word in days_luck[:2])
    mean = per_day * np.repeat(volume, HOURS_PER_DAY, axis=0) * np.tile(curve, days)[:, None]
    count = np.rint(mean).astype(np.int64).ravel()
    world = np.repeat(np.tile(np.arange(worlds), hours), count)
    day = np.repeat(np.repeat(np.arange(hours), worlds), count) // HOURS_PER_DAY
    luck = draws.words(Purpose.OPPORTUNITY, world, np.arange(len(world)), day)
    value = _LEVEL_MICROS * np.exp(SIGMA_VALUE * normal_quantile(_open(luck[0])))
    price = _LEVEL_MICROS * np.exp(SIGMA_PRICE * normal_quantile(_open(luck[1]))) * level[day, world]
    start = np.concatenate([[0], np.cumsum(count.reshape(hours, worlds).sum(axis=1))])
    return Stream(world, value.astype(np.int64), price.astype(np.int64), start, curve)


def _open(word: NDArray[np.uint32]) -> Floats:
    return uniform(word) + 2.0**-33


def unconstrained_micros(stream: Stream, worlds: int) -> Floats:
    """Mean spend of a day and world that bids its values without a budget."""
    won = stream.value_micros > stream.price_micros
    days = (len(stream.start) - 1) // HOURS_PER_DAY
    return np.bincount(stream.world[won], weights=_charge(stream.price_micros[won]), minlength=worlds) / days


def _charge(price_micros: Ints) -> Ints:
    return -(-price_micros // PER_MILLE)


class Spend(NamedTuple):
    """What was bought, (days, 24, worlds) each."""

    spent_micros: Ints
    value_micros: Ints


def trial(stream: Stream, mode: Mode, limit_micros: Ints) -> Spend:
    """Buy through a stream with one day account a world, paced by `mode`; limit_micros: (worlds,)."""
    worlds, hours = len(limit_micros), len(stream.start) - 1
    pace, traffic = Pace.of(worlds, 1), Traffic.of(worlds)
    budgets = Budgets.of([Account(US, NONE, False, 0)], worlds, 1)
    spent, value = (np.zeros((hours, worlds), dtype=np.int64) for _ in range(2))
    for hour in range(hours):
        of_day = hour % HOURS_PER_DAY
        if of_day == 0:
            budgets.left_micros[:, 0], budgets.dropped[:] = limit_micros, False
        here = slice(stream.start[hour], stream.start[hour + 1])
        before = budgets.left_micros[:, 0].copy()
        won = _hour(stream, here, _Sheet.of(mode, pace, limit_micros, before, (stream.curve, of_day)), budgets)
        spent[hour] = before - budgets.left_micros[:, 0]
        bought = np.bincount(stream.world[here][won], weights=stream.value_micros[here][won], minlength=worlds)
        value[hour] = bought.astype(np.int64)
        traffic.note(of_day, np.bincount(stream.world[here], minlength=worlds))
        step(mode, pace, _passed(traffic, of_day, limit_micros, (budgets.left_micros[:, 0], spent[hour])))
    shape = (hours // HOURS_PER_DAY, HOURS_PER_DAY, worlds)
    return Spend(spent.reshape(shape), value.reshape(shape))


class _Sheet(NamedTuple):
    factor_ppm: Ints
    """(worlds,)"""
    share_ppm: Ints

    @staticmethod
    def of(mode: Mode, pace: Pace, limit: Ints, left: Ints, when: tuple[Floats, int]) -> _Sheet:
        everything = np.full(len(limit), PPM, dtype=np.int64)
        if mode == "none":
            return _Sheet(everything, everything)
        if mode == "even":  # it knows the true curve
            curve, of_day = when
            return _Sheet(pacing_multiplier_ppm(limit - left, limit, float(curve[:of_day].sum())), everything)
        return _Sheet((pace.factor[:, 0] * PPM).astype(np.int64), (pace.share[:, 0] * PPM).astype(np.int64))


def _hour(stream: Stream, here: slice, sheet: _Sheet, budgets: Budgets) -> Bools:
    """Hold an hour's auctions; True where we won."""
    world, value, price = stream.world[here], stream.value_micros[here], stream.price_micros[here]
    n = len(world)
    takes_part = (np.arange(n) * 2_654_435_761 % PPM) < sheet.share_ppm[world]
    ours = np.where(takes_part, value * sheet.factor_ppm[world] // PPM, 0)
    nobody, zero = np.zeros((1, n), dtype=bool), np.zeros(n, dtype=np.int64)
    offers = Offers(np.stack([ours, price]), full_quality(2, n), np.zeros(n, dtype=np.int16), np.zeros(n, dtype=np.uint32))
    sold = clear_within_budgets(budgets, offers, Round(world, zero, nobody, nobody, nobody[0]), _RULES)
    return np.asarray(sold.winner[0] == US)


_RULES = Rules.of_sales([Sale(Mechanism.SECOND_PRICE, per_click=False)])


def _passed(traffic: Traffic, of_day: int, limit: Ints, money: tuple[Ints, Ints]) -> Passed:
    left, used = money
    curve = traffic.curve()
    return Passed(
        ((limit - left) / limit)[:, None], (used / limit)[:, None], curve[:, : of_day + 1].sum(axis=1)[:, None],
        curve[:, of_day, None], curve[:, (of_day + 1) % HOURS_PER_DAY, None],
        np.full((len(limit), 1), float(of_day == HOURS_PER_DAY - 1)),
    )


def hindsight(stream: Stream, limit_micros: Ints) -> Spend:
    """The greatest value that each day's budget could buy with all prices known: best value for money first.

    The last item is left out where it does not fit, so the optimum is at most one item's value better.
    """
    worlds, hours = len(limit_micros), len(stream.start) - 1
    hour = np.repeat(np.arange(hours), np.diff(stream.start))
    day, charge = hour // HOURS_PER_DAY, _charge(stream.price_micros)
    order = np.lexsort([-stream.value_micros / stream.price_micros, stream.world, day])
    group = (day * worlds + stream.world)[order]
    total = np.cumsum(charge[order])
    first = np.flatnonzero(np.concatenate([[True], group[1:] != group[:-1]]))
    before = np.repeat(total[first] - charge[order][first], np.diff(np.concatenate([first, [len(group)]])))
    bought = order[total - before <= limit_micros[stream.world[order]]]
    key = hour[bought] * worlds + stream.world[bought]
    spent, value = (
        np.bincount(key, weights=column[bought], minlength=hours * worlds).astype(np.int64)
        for column in (charge, stream.value_micros)
    )
    shape = (hours // HOURS_PER_DAY, HOURS_PER_DAY, worlds)
    return Spend(spent.reshape(shape), value.reshape(shape))


def graded(bought: Spend, best: Spend, limit_micros: Ints) -> Grades:
    """Hold what was bought against the best that could have been."""
    lead = np.abs(np.cumsum(bought.spent_micros, axis=1) - np.cumsum(best.spent_micros, axis=1))
    return Grades(
        (bought.value_micros.sum(axis=1) / np.maximum(best.value_micros.sum(axis=1), 1)).T,
        (lead.max(axis=1) / limit_micros).T, (bought.spent_micros[:, : HOURS_PER_DAY // 2].sum(axis=1) / limit_micros).T,
        (bought.spent_micros.sum(axis=1) > limit_micros).T,
    )
