"""Backward from the last hour: what each state is worth at the start of every hour, under a way of bidding.

V_t(x) = U_t(x) + P(opportunity) sum over channels of P(channel) [ L(x) - U_t(x) + sum over signals of P(signal) gain ],
where U_t(x) is the mean of V_{t+1} after the hour's natural part (at most one change, one e-mail, the decay of levels), L
the mean of U_t where somebody else's ad is shown, and the gain that of the best bid for the lift over it.
Source: notes on the economy, section 4.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.compiled import compiled, inlined
from gaelp_sim.events import NONE, Floats
from gaelp_sim.planning.dynamics import Calendar, Dynamics
from gaelp_sim.planning.leads import Lead
from gaelp_sim.planning.prices import gained, looked_up
from gaelp_sim.planning.states import GOODWILL, LIVE, OFFER, RIVAL, SEGMENT, STAGE, TEACH
from gaelp_sim.response.touch import FATIGUE_MAX, GOODWILL_MAX, RIVAL_GOODWILL_MAX

EVERYTHING = 1_000.0
"""A bid of so many market prices wins nearly anything"""
_BEST, _SILENT, _FIXED = range(3)


class Way(IntEnum):
    """How we bid."""

    BEST = _BEST
    SILENT = _SILENT
    FIXED = _FIXED
    """A multiple of the signal's market price, with the rule's creative for somebody unknown"""


class Asked(NamedTuple):
    """What is to be worked out."""

    way: int
    multiple: float
    """Of a fixed bid"""
    money: float
    """Value of a dollar spent: 1, or more where a budget binds"""
    ad_hours: int
    """From then on we bid nothing and send no e-mail"""


class Worth(NamedTuple):
    """What a person is worth."""

    start: Floats
    """(states,): at the start of the first hour"""
    after: NDArray[np.float32]
    """(ad_hours, states): after an hour's auctions, before its natural part"""


@compiled
def worked_back(at: Dynamics, calendar: Calendar, asked: Asked) -> Worth:
    """Work back from the last hour of the calendar, when nothing is worth anything any more."""
    states = len(at.slots_per_day)
    value, after = np.zeros(states), np.empty(states)
    kept = np.empty((asked.ad_hours, states), dtype=np.float32)
    for hour in range(len(calendar.day_share) - 1, -1, -1):
        advertising = hour < asked.ad_hours
        _level_decayed(value, GOODWILL, GOODWILL_MAX, at.alive[0])
        _level_decayed(value, RIVAL, RIVAL_GOODWILL_MAX, at.alive[1])
        _level_decayed(value, TEACH, FATIGUE_MAX, at.alive[2])
        _level_decayed(value, OFFER, FATIGUE_MAX, at.alive[3])
        if at.lists == 2 and advertising:
            _mailed(at.mailed, at.mails_per_day * calendar.day_share[hour], asked.money * at.mail_usd, value)
        _changed(at, calendar.day_share[hour], calendar.strikes[hour], value, after)
        volume = calendar.day_share[hour] * calendar.traffic[hour]
        if advertising:
            kept[hour] = after
            _auctioned(at, (volume, calendar.price[hour]), asked, after, value)
        else:
            _left_to_rivals(at, volume, after, value)
    return Worth(value, kept)


@inlined
def led(to: NDArray[np.int32], chance: Floats, row: int, worth: NDArray[np.floating[Any]]) -> float:
    """Mean worth of where a row of a lead leads, sales left out."""
    mean = 0.0
    for term in range(to.shape[1]):
        if chance[row, term] == 0.0:
            break
        mean += chance[row, term] * worth[to[row, term]]
    return float(mean)


@compiled
def _level_decayed(value: Floats, step: int, most: int, alive: float) -> None:
    """In place, the mean over what an hour leaves of a level whose units die by themselves; the highest level first, as
    lower ones are still to be read."""
    dead = 1.0 - alive
    for first in range(0, len(value), step * (most + 1)):
        for low in range(first, first + step):
            zero, one, two = value[low], value[low + step], value[low + 2 * step]
            if most == 3:
                many = alive * alive * (alive * value[low + 3 * step] + 3.0 * dead * two)
                value[low + 3 * step] = many + dead * dead * (3.0 * alive * one + dead * zero)
            value[low + 2 * step] = alive * alive * two + 2.0 * alive * dead * one + dead * dead * zero
            value[low + step] = alive * one + dead * zero


@compiled
def _mailed(mailed: Lead, mails: float, cost: float, value: Floats) -> None:
    """In place, for those on the list: perhaps an e-mail."""
    comes, old = 1.0 - np.exp(-mails), value.copy()
    to, chance = mailed.to, mailed.chance
    for state in range(len(value) // 2, len(value)):
        value[state] = comes * (led(to, chance, state, old) - cost) + (1.0 - comes) * old[state]


@compiled
def _changed(at: Dynamics, day_share: float, strikes: Floats, value: Floats, after: Floats) -> None:
    """The mean over the hour's natural changes; value: what each state is worth after them."""
    to, chance, sale, rate, struck = at.changed.to, at.changed.chance, at.changed.sale_usd, at.changes_per_day, at.struck
    segments = at.segments
    for state in range(len(value)):
        changes, worth = 1.0 - np.exp(-rate[state] * day_share), value[state]
        if changes > 0.0:
            worth += changes * (sale[state] + led(to, chance, state, value) - worth)
        strike = strikes[state // SEGMENT % segments]
        if strike > 0.0:
            worth += strike * (value[struck[state]] - worth)
        after[state] = worth


@compiled
def _left_to_rivals(at: Dynamics, volume: float, after: Floats, value: Floats) -> None:
    """The mean over the hour's first opportunity where we bid for none."""
    to, chance, channel, rate, states = at.lost.to, at.lost.chance, at.channel, at.slots_per_day, len(after)
    for state in range(states):
        comes, mean = 1.0 - np.exp(-rate[state] * volume), 0.0
        for c in range(len(channel)):
            if channel[c, state] > 0.0:
                mean += channel[c, state] * led(to, chance, c * states + state, after)
        value[state] = comes * mean + (1.0 - comes) * after[state]


@compiled
def _auctioned(at: Dynamics, hour: tuple[float, float], asked: Asked, after: Floats, value: Floats) -> None:
    """The mean over the hour's first opportunity; hour: (days' worth of opportunities, price factor)."""
    volume, factor = hour
    _left_to_rivals(at, volume, after, value)
    if asked.way == _SILENT:
        return
    channel, rate, states = at.channel, at.slots_per_day, len(after)
    lost_to, lost_chance, to, chance = at.lost.to, at.lost.chance, at.options.shown.to, at.options.shown.chance
    sale, option_from, first, shares = at.options.shown.sale_usd, at.options.first, at.first_signal, at.signal_shares
    lift, cost, segments, fixed = np.empty(option_from[-1]), np.empty(option_from[-1]), at.segments, asked.way == _FIXED
    market, gains, below, spent = at.prices.market_usd, at.prices.gain, at.prices.below, at.prices.paid
    paid, rank, fitting = at.options.paid, at.options.rank, at.fitting
    for state in range(states):
        comes, mean = 1.0 - np.exp(-rate[state] * volume), 0.0
        place = state // STAGE % (segments * LIVE)
        for c in range(len(channel)):
            if channel[c, state] == 0.0 or option_from[c] == option_from[c + 1]:
                continue
            without = led(lost_to, lost_chance, c * states + state, after)
            for option in range(option_from[c], option_from[c + 1]):
                row = option * states + state
                lift[option] = sale[row] + led(to, chance, row, after) - without
                cost[option] = asked.money * factor * paid[option, state]
            for signal in range(first[c], first[c + 1]):
                seen = channel[c, state] * shares[signal, place]
                if fixed and seen > 0.0 and fitting[signal] != NONE:
                    option = fitting[signal]
                    bid = asked.multiple * rank[option, state] / factor
                    wins, pays = looked_up(below[signal], bid), looked_up(spent[signal], bid)
                    mean += seen * (wins * lift[option] - cost[option] * market[signal] * pays)
                elif not fixed and seen > 0.0:
                    best = 0.0
                    for option in range(option_from[c], option_from[c + 1]):
                        share = cost[option] * market[signal]
                        if lift[option] > 0.0 and share > 0.0:
                            best = max(best, share * gained(gains[signal], lift[option] / share))
                    mean += seen * best
        value[state] += comes * mean
