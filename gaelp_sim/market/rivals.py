"""Rivals' bids: a private value drawn for each opportunity, times what the seat has learned to make of it.

A bid is `level x value x action x factor`: the seat's level for the signal (with all that it has learned: aggression,
pace, the value of a click), a value drawn from its table, the multiple that its policy picks, the hour's market level.
A seat that has learned nothing picks 1, so that its bids are its values.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.compiled import compiled, inlined
from gaelp_sim.draws import Words, normal_quantile
from gaelp_sim.events import Floats, Ints, Opportunities
from gaelp_sim.market.bidder import BID_MICROS_MAX
from gaelp_sim.market.cast import Strategy
from gaelp_sim.scenario.schema import Scenario

_TABLE_BITS = 16
HOUR_POWER = 0.1
"""Prices follow the hour curve to this power."""
RULE_SIGMA = 0.25
ACTIONS = np.array([0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 1.0, 1.1, 1.25, 1.5])
"""What a learning seat may make of its value."""
TRUTHFUL = 8
"""The action that bids the value itself."""
WHOLE = 2**16
"""Probabilities of actions are whole parts of this."""


class Book(NamedTuple):
    """How the rivals of each unit bid this hour: (units, rivals, ...)."""

    table: Ints
    """Row of `Panel.multiples` that a seat draws its values from"""
    scale_micros: Floats
    """(units, rivals, signals): the level of its bids"""
    cut: Ints
    """(units, rivals, channels, ACTIONS): the policy's cumulative probabilities, in parts of WHOLE"""
    picks: NDArray[np.bool_]
    """(units, rivals): False for seats that always bid their value"""


class Panel(NamedTuple):
    """All rivals' seats, bidding at once."""

    multiples: Floats
    """(tables, 2**16): equally likely values, as multiples of a seat's level"""
    lognormal_table: Ints
    """(rivals,): row of each seat's own spread"""
    rule_table: int
    random_table: int

    @staticmethod
    def of(scenario: Scenario) -> Panel:
        """Compile the scenario's rivals; equal spreads share a table, which the processor's cache thanks for."""
        spreads = sorted({rival.sigma for rival in scenario.rivals})
        tables = [quantile_table("lognormal", sigma) for sigma in spreads]
        tables += [quantile_table("rule", 0.0), quantile_table("random", 0.0)]
        own = np.array([spreads.index(rival.sigma) for rival in scenario.rivals], dtype=np.int64)
        return Panel(np.stack(tables), own, len(spreads), len(spreads) + 1)

    def table_of(self, strategy: Ints) -> Ints:
        """The table that seats of these strategies draw from: (worlds, rivals)."""
        own = np.broadcast_to(self.lognormal_table, strategy.shape)
        fixed = np.where(strategy == Strategy.RULE, self.rule_table, self.random_table)
        return np.where((strategy == Strategy.RULE) | (strategy == Strategy.RANDOM), fixed, own)

    def bid(self, opportunities: Opportunities, book: Book, price_factor: Floats, luck: Words) -> Ints:
        """Bids of all seats, int64 (rivals, n).

        price_factor: (units,), market level of the hour; luck: (rivals, n)
        """
        seen = Seen(opportunities.unit, opportunities.channel, opportunities.signal, luck)
        return _panel_bids(self.multiples, book, seen, price_factor)


class Seen(NamedTuple):
    """What seats see of a round of opportunities, and their luck."""

    unit: Ints
    channel: NDArray[np.int16]
    signal: NDArray[np.int16]
    luck: Words
    """(rivals, n): its high half draws the value, its low half the action"""


@compiled
def _panel_bids(multiples: Floats, book: Book, seen: Seen, factor: Floats) -> Ints:
    bids = np.empty(seen.luck.shape, dtype=np.int64)
    for rival in range(seen.luck.shape[0]):
        for i in range(seen.luck.shape[1]):
            unit, luck = seen.unit[i], seen.luck[rival, i]
            multiple = multiples[book.table[unit, rival], luck >> np.uint32(32 - _TABLE_BITS)]
            bid = multiple * book.scale_micros[unit, rival, seen.signal[i]] * factor[unit]
            if book.picks[unit, rival]:
                bid *= ACTIONS[action_of(book, unit, rival, seen.channel[i], luck)]
            bids[rival, i] = np.int64(min(bid, BID_MICROS_MAX))
    return bids


@inlined
def action_of(book: Book, unit: int, rival: int, channel: int, luck: int) -> int:
    """The action that a seat's policy picks with this luck."""
    place, action = np.int64(luck) & (WHOLE - 1), 0
    while place >= book.cut[unit, rival, channel, action]:
        action += 1
    return action


def quantile_table(strategy: str, sigma: float) -> Floats:
    """2**16 equally likely multiples of the market level under a strategy.

    lognormal: exp(sigma z); rule: the same with a small sigma; random: uniform on [0, 2].
    """
    share = (np.arange(2**_TABLE_BITS) + 0.5) / 2**_TABLE_BITS
    if strategy == "random":
        return 2.0 * share
    return np.exp((RULE_SIGMA if strategy == "rule" else sigma) * normal_quantile(share))
