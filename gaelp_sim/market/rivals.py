"""Rivals of the first form: each bids a multiple of the market's level, drawn anew for each opportunity.

The multiple is a table of 2**16 equally likely quantiles, so a bid is one lookup and one multiplication.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.compiled import compiled
from gaelp_sim.draws import Words, normal_quantile
from gaelp_sim.events import NONE, Bids, Floats, Ints, Opportunities, Outcomes, Statistics
from gaelp_sim.market.bidder import Moment
from gaelp_sim.scenario.schema import Rival, Scenario
from gaelp_sim.units import micros

_TABLE_BITS = 16
FIVE_SEATS_MEDIAN = 1.97
"""Median of the maximum of five lognormals of sigma .6, over the median of one (notes on the economy, section 3)."""
HOUR_POWER = 0.1
"""Prices follow the hour curve to this power."""
RULE_SIGMA = 0.25
RULE_DEFENCE = 1.3
"""Circle's rule: it defends branded and comparison queries by this factor, and saves a little elsewhere."""
RULE_ELSEWHERE = 0.95


def market_level_micros(scenario: Scenario) -> Floats:
    """A single seat's median bid for each signal code, in micros."""
    prices = [micros(signal.price_median_usd) for channel in scenario.channels for signal in channel.signals]
    return np.array(prices, dtype=np.float64) / FIVE_SEATS_MEDIAN


def quantile_table(strategy: str, sigma: float) -> Floats:
    """2**16 equally likely multiples of the market level under a strategy.

    lognormal: exp(sigma z); rule: the same with a small sigma; random: uniform on [0, 2].
    """
    share = (np.arange(2**_TABLE_BITS) + 0.5) / 2**_TABLE_BITS
    if strategy == "random":
        return 2.0 * share
    return np.exp((RULE_SIGMA if strategy == "rule" else sigma) * normal_quantile(share))


@dataclass
class TableRival:
    """A rival that does not learn: lognormal, rule-based or random."""

    name: str
    level_micros: Floats
    """(signals,)"""
    multiples: Floats
    """(2**16,)"""

    @staticmethod
    def of(scenario: Scenario, rival: Rival) -> TableRival:
        """Compile one rival of the scenario."""
        level = market_level_micros(scenario) * rival.level
        if rival.strategy == "rule":
            level = level * _defence(scenario)
        return TableRival(rival.name, level, quantile_table(rival.strategy, rival.sigma))

    def bid(self, opportunities: Opportunities, moment: Moment) -> Bids:
        """Market level x the unit's and hour's factor x a drawn multiple."""
        multiple = self.multiples[moment.luck >> np.uint32(32 - _TABLE_BITS)]
        multiple *= self.level_micros[opportunities.signal]
        multiple *= moment.price_factor[opportunities.unit]
        n = len(opportunities)
        none = np.full(n, NONE, dtype=np.int16)
        return Bids(multiple.astype(np.int64), none, none, np.ones(n))

    def observe(self, opportunities: Opportunities, outcomes: Outcomes) -> Statistics:
        """Nothing: this rival does not learn."""
        return Statistics(np.zeros(0, dtype=np.int64))

    def update(self, statistics: Statistics) -> None:
        """Nothing to update."""


@dataclass(frozen=True)
class Panel:
    """Several table rivals bidding at once: the same bids as one by one, in one pass."""

    level_micros: Floats
    """(rivals, signals)"""
    multiples: Floats
    """(rivals, 2**16)"""

    @staticmethod
    def of(rivals: list[TableRival]) -> Panel:
        """Stack the rivals' tables."""
        levels, tables = [rival.level_micros for rival in rivals], [rival.multiples for rival in rivals]
        return Panel(np.stack(levels), np.stack(tables))

    def bid(self, opportunities: Opportunities, price_factor: Floats, luck: Words) -> Ints:
        """Bids of all, int64 (rivals, n); luck: (rivals, n)."""
        return _panel_bids(self.multiples, self.level_micros, luck, opportunities.signal, price_factor[opportunities.unit])


@compiled
def _panel_bids(
    multiples: Floats, level_micros: Floats, luck: Words, signal: NDArray[np.int16], factor: Floats
) -> Ints:
    bids = np.empty(luck.shape, dtype=np.int64)
    for rival in range(luck.shape[0]):
        for i in range(luck.shape[1]):
            multiple = multiples[rival, luck[rival, i] >> np.uint32(32 - _TABLE_BITS)]
            bids[rival, i] = np.int64(multiple * level_micros[rival, signal[i]] * factor[i])
    return bids


def _defence(scenario: Scenario) -> Floats:
    factors = []
    for channel in scenario.channels:
        for place, signal in enumerate(channel.signals):
            late = channel.search_like and place >= len(channel.signals) // 2
            factors.append(RULE_DEFENCE if late or signal.branded == "rival" else RULE_ELSEWHERE)
    return np.array(factors)
