"""What a win is worth at opportunities, and the bids for it: for states that are known, or believed with some chance."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.compiled import compiled
from gaelp_sim.events import Bools, Floats, Ints
from gaelp_sim.market.bidder import BID_MICROS_MAX
from gaelp_sim.planning.belief import STAGES
from gaelp_sim.planning.dynamics import Dynamics
from gaelp_sim.planning.prices import gained, looked_up
from gaelp_sim.planning.recursion import led
from gaelp_sim.planning.states import GOODWILL, INTENT, LIVE, RIVAL, SEGMENT, STAGE, TEACH
from gaelp_sim.units import MICROS_PER_UNIT, PPM

Codes = NDArray[np.int16]
LEVELS = 4 + 3 + 4 + 4
UNLIKELY = 3e-4
"""Parts of a belief below this are left out"""


class Offer(NamedTuple):
    """Of each opportunity and each option (its place among the channel's): (n, options)."""

    lift: Floats
    """V(shown) - V(lost)"""
    paid: Floats
    """What of the price to beat a win pays on average"""
    clicks: Floats
    """`paid` times what the bid is ranked by: what of our bid a win would pay if it paid the bid"""


class Round(NamedTuple):
    """A round of opportunities as compiled code reads it."""

    unit: Ints
    channel: Codes
    signal: Codes
    multiplier_ppm: Ints
    """(units, channels): our sheet's pace"""
    money: float
    """Value of a dollar spent"""
    factor: float
    """The hour's prices, as the calendar tells them"""
    multiples: Floats
    """The levels that bids are told in"""


class _Ways(NamedTuple):
    """The parts of `Dynamics` that offers are made of: a few arrays are handed on faster than a bundle of forty."""

    lost_to: NDArray[np.int32]
    lost_chance: Floats
    to: NDArray[np.int32]
    chance: Floats
    sale_usd: Floats
    first: Ints
    paid: Floats
    rank: Floats


def _ways(at: Dynamics) -> _Ways:
    ours, shown = at.options, at.options.shown
    return _Ways(
        at.lost.to, at.lost.chance, shown.to, shown.chance, shown.sale_usd, ours.first, ours.paid, ours.rank
    )


def known(at: Dynamics, channel: Codes, state: Ints, after: NDArray[np.float32]) -> Offer:
    """Offers for people in these states; NONE for somebody for whom nothing is worth anything."""
    return _known(_ways(at), channel, state, after)


def expected(at: Dynamics, whom: tuple[Codes, Bools], beliefs: Floats, after: NDArray[np.float32]) -> Offer:
    """Offers averaged over beliefs; whom: (channel, on our list), (n,) each."""
    return _expected(_ways(at), whom, beliefs, after)


@compiled
def _known(ways: _Ways, channel: Codes, state: Ints, after: NDArray[np.float32]) -> Offer:
    n, states, most = len(channel), ways.paid.shape[1], np.diff(ways.first).max()
    lift, paid, clicks = np.zeros((n, most)), np.zeros((n, most)), np.zeros((n, most))
    for i in range(n):
        first = ways.first[channel[i]]
        if state[i] < 0:
            continue
        without = led(ways.lost_to, ways.lost_chance, channel[i] * states + state[i], after)
        for place in range(ways.first[channel[i] + 1] - first):
            row = (first + place) * states + state[i]
            lift[i, place] = ways.sale_usd[row] + led(ways.to, ways.chance, row, after) - without
            paid[i, place] = ways.paid[first + place, state[i]]
            clicks[i, place] = paid[i, place] * ways.rank[first + place, state[i]]
    return Offer(lift, paid, clicks)


@compiled
def _expected(ways: _Ways, whom: tuple[Codes, Bools], beliefs: Floats, after: NDArray[np.float32]) -> Offer:
    channel, listed = whom
    n, states, most, cells = len(channel), ways.paid.shape[1], np.diff(ways.first).max(), beliefs.shape[1] - LEVELS - 2
    lift, paid, clicks = np.zeros((n, most)), np.zeros((n, most)), np.zeros((n, most))
    likely, steps = np.empty(4 * 3 * 4 * 4), np.empty(4 * 3 * 4 * 4, dtype=np.int64)
    lost_to, lost_chance, to, chance, sale = ways.lost_to, ways.lost_chance, ways.to, ways.chance, ways.sale_usd
    pays, rank = ways.paid, ways.rank
    for i in range(n):
        c = channel[i]
        first, options = ways.first[c], ways.first[c + 1] - ways.first[c]
        count = levels_of(beliefs[i], cells, likely, steps) if options > 0 else 0
        for cell in range(cells if options > 0 else 0):
            stage = cell % STAGES
            group = int(listed[i]) * (cells // STAGES) + cell // STAGES
            base = group * SEGMENT + min(stage, INTENT) * STAGE
            for k in range(count):
                part, state = beliefs[i, cell] * likely[k], base + steps[k]
                if part < UNLIKELY:
                    continue
                for place in range(options):
                    paid[i, place] += part * pays[first + place, state]
                    clicks[i, place] += part * pays[first + place, state] * rank[first + place, state]
                if stage == LIVE:  # has decided: an ad costs, and brings nothing
                    continue
                without = led(lost_to, lost_chance, c * states + state, after)
                for place in range(options):
                    row = (first + place) * states + state
                    lift[i, place] += part * (sale[row] + led(to, chance, row, after) - without)
    return Offer(lift, paid, clicks)


@compiled
def levels_of(belief: Floats, cells: int, likely: Floats, steps: Ints) -> int:
    """How the four levels may stand: chances, and steps of the states' numbers."""
    count = 0
    for goodwill in range(4):
        one = belief[cells + goodwill]
        for rival in range(3 if one >= UNLIKELY else 0):
            two = one * belief[cells + 4 + rival]
            for teach in range(4 if two >= UNLIKELY else 0):
                three = two * belief[cells + 7 + teach]
                for offer in range(4 if three >= UNLIKELY else 0):
                    chance = three * belief[cells + 11 + offer]
                    if chance >= UNLIKELY:
                        likely[count] = chance
                        steps[count] = goodwill * GOODWILL + rival * RIVAL + teach * TEACH + offer
                        count += 1
    return count


@compiled
def for_lifts(at: Dynamics, this: Round, offer: Offer) -> tuple[Ints, Codes, Codes]:
    """Bid, level and creative of each opportunity: the option that gains most, at the bid that gains it."""
    n, first = len(this.channel), at.options.first
    bid, level, creative = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int16), np.zeros(n, dtype=np.int16)
    for i in range(n):
        channel, signal = this.channel[i], this.signal[i]
        scale, most = at.prices.market_usd[signal] * this.factor, 0.0
        for place in range(first[channel + 1] - first[channel]):
            share = this.money * offer.paid[i, place]
            if place == 0:
                creative[i] = at.options.creative[first[channel]]
            if offer.lift[i, place] <= 0.0 or share <= 0.0:
                continue
            value = offer.lift[i, place] / share
            gain = share * scale * gained(at.prices.gain[signal], value / scale)
            if gain > most:
                most, creative[i] = gain, at.options.creative[first[channel] + place]
                if at.prices.shaded[signal]:
                    value = min(scale * looked_up(at.prices.bid[signal], value / scale), value)
                usd = value * share / (this.money * offer.clicks[i, place])
                paced = usd * this.multiplier_ppm[this.unit[i], channel] / PPM
                bid[i] = np.int64(min(paced * MICROS_PER_UNIT, float(BID_MICROS_MAX)))
        if bid[i] > 0:
            multiple = bid[i] / MICROS_PER_UNIT / at.prices.market_usd[signal]
            level[i] = 1
            for step in range(2, len(this.multiples)):
                if abs(this.multiples[step] - multiple) < abs(this.multiples[level[i]] - multiple):
                    level[i] = step
    return bid, level, creative
