"""What must be beaten: the distribution of the greatest rival bid by signal, and what a bidder gains against it.

Against rivals that learn nothing the price to beat is a draw from a known distribution: the product of the seats' own.
What a value v gains on average, E[max over bids of (v - price) where won], is then a table; a plan only looks it up.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gaelp_sim.compiled import inlined
from gaelp_sim.events import Bools, Floats
from gaelp_sim.market.cast import cast_of, channel_of_signal, own_level_micros
from gaelp_sim.scenario.schema import Scenario, Variation
from gaelp_sim.units import MICROS_PER_UNIT
from gaelp_sim.world.model import Model

STEPS_PER_DOUBLING = 64
DOUBLINGS = 10
POINTS = 2 * DOUBLINGS * STEPS_PER_DOUBLING + 1
"""The grid reaches from 1/1024 of a signal's market price to 1024 times it"""
_FINER = 16


class Prices(NamedTuple):
    """Tables by signal on a grid of values, in multiples of the signal's market price: (signals, POINTS)."""

    market_usd: Floats
    """(signals,): the median price to beat, per click or per thousand, as the scenario states it"""
    below: Floats
    """Probability that a bid of so much wins"""
    gain: Floats
    """What a value of so much gains on average, bidding as it should"""
    bid: Floats
    """The bid that gains it: the value itself at second price, less at first price"""
    paid: Floats
    """What a bid of so much pays on average, 0 where it loses"""
    sold: Floats
    """(signals,): probability that a rival takes what we leave"""
    shaded: Bools
    """(signals,): first price, where one bids less than one's value"""


def prices_of(model: Model) -> Prices:
    """Compile the prices of a model whose worlds have rivals as the scenario writes them."""
    scenario, signals = model.scenario, len(model.market_price_micros)
    grid = 2.0 ** (np.arange(POINTS) / STEPS_PER_DOUBLING - DOUBLINGS)
    market = np.maximum(model.market_price_micros / MICROS_PER_UNIT, 1e-6)
    channel = channel_of_signal(scenario)
    reserve = model.rules.reserve_micros[channel] / MICROS_PER_UNIT / market
    levels = _levels(model) / MICROS_PER_UNIT / market
    below, gain, bid, paid = (np.zeros((signals, POINTS)) for _ in range(4))
    for signal in range(signals):
        chance = _chances(model, levels[:, signal])
        first = bool(model.rules.first_price[channel[signal]])
        below[signal] = np.where(grid >= reserve[signal], chance(grid), 0.0)
        parts = _first_price(grid, below[signal]) if first else _second_price(grid, chance, float(reserve[signal]))
        gain[signal], bid[signal], paid[signal] = parts
    sold = np.array([1.0 - float(_chances(model, levels[:, s])(reserve[s : s + 1])[0]) for s in range(signals)])
    return Prices(market, below, gain, bid, paid, sold, model.rules.first_price[channel])


def _levels(model: Model) -> Floats:
    """(rivals, signals): level of each seat's bids in micros, without a world's own spread."""
    scenario = _unvaried(model.scenario)
    return own_level_micros(scenario, cast_of(scenario, model.draws, np.zeros(1, dtype=np.int64)))[0]


def _unvaried(scenario: Scenario) -> Scenario:
    return scenario.model_copy(update={"variation": Variation(market_noise_sd=0.0)})


class _Chance(NamedTuple):
    """P(every rival bids less)."""

    values: list[Floats]
    levels: Floats

    def __call__(self, bid: Floats) -> Floats:
        chance = np.ones(len(bid))
        for values, level in zip(self.values, self.levels, strict=True):
            if level > 0:
                chance *= np.searchsorted(values, bid / level) / len(values)
        return chance


def _chances(model: Model, levels: Floats) -> _Chance:
    scenario = _unvaried(model.scenario)
    strategy = cast_of(scenario, model.draws, np.zeros(1, dtype=np.int64)).strategy
    table = model.panel.table_of(strategy)[0]
    return _Chance([model.panel.multiples[row] for row in table], levels)


def _second_price(grid: Floats, chance: _Chance, reserve: float) -> tuple[Floats, Floats, Floats]:
    """Gain E[(v - price)+] = integral of the chance from the reserve to v; truthful bids."""
    fine = np.concatenate([[0.0], np.linspace(grid[:-1], grid[1:], _FINER, endpoint=False).T.ravel(), grid[-1:]])
    won = np.where(fine >= reserve, chance(fine), 0.0)
    steps = np.diff(fine) * (won[1:] + won[:-1]) / 2
    gain = np.interp(grid, fine, np.concatenate([[0.0], np.cumsum(steps)]))
    return gain, grid, grid * np.where(grid >= reserve, chance(grid), 0.0) - gain


def _first_price(grid: Floats, below: Floats) -> tuple[Floats, Floats, Floats]:
    """Gain max over b of F(b) (v - b)."""
    gain, bid = np.zeros(len(grid)), np.zeros(len(grid))
    for point, value in enumerate(grid):
        each = below * (value - grid)
        best = int(each.argmax())
        if each[best] > 0:
            gain[point], bid[point] = each[best], grid[best]
    return gain, bid, grid * below


@inlined
def looked_up(table: Floats, multiple: float) -> float:
    """A row of `Prices` at a multiple of the market price, linear between points."""
    place = (np.log2(max(multiple, 1e-12)) + DOUBLINGS) * STEPS_PER_DOUBLING
    if place <= 0.0:
        return 0.0
    if place >= POINTS - 1:
        return float(table[POINTS - 1])
    low = int(place)
    part = place - low
    return float(table[low] + part * (table[low + 1] - table[low]))


@inlined
def gained(gain: Floats, multiple: float) -> float:
    """A row of `Prices.gain`; above all prices everything is won, and one more of value is one more of gain."""
    return looked_up(gain, multiple) + max(multiple - 2.0**DOUBLINGS, 0.0)
