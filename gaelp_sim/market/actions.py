"""What an agent may do with an opportunity: stay out, or bid a level with a creative of the channel's campaign."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.events import NONE, Bools, Column, Floats, Ints
from gaelp_sim.market.cast import channel_of_signal
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import micros

LEVELS: Floats = np.concatenate([[0.0], 2.0 ** (np.arange(-6, 9) / 2)])
"""Bids as multiples of the market's median price: none, then half-octaves from 1/8 to 16."""
BIDS = len(LEVELS) - 1


@dataclass(frozen=True)
class Actions:
    """The actions of a scenario, numbered: 0 stays out; then every creative at every level, levels fastest."""

    price_micros: Ints
    """(signals,): the market's median price to beat"""
    allowed: Bools
    """(channels, actions)"""
    creatives: int
    channel_of_signal: Ints
    """(signals,)"""

    @staticmethod
    def of(scenario: Scenario) -> Actions:
        """The actions of a scenario; a channel without a campaign of ours allows only staying out."""
        prices = [micros(signal.price_median_usd) for channel in scenario.channels for signal in channel.signals]
        codes = [creative.name for creative in scenario.creatives]
        allowed = np.zeros((len(scenario.channels), 1 + BIDS * len(codes)), dtype=np.bool_)
        allowed[:, 0] = True
        for place, channel in enumerate(scenario.channels):
            for campaign in scenario.us.campaigns:
                for name in campaign.creatives if campaign.channel == channel.name else ():
                    first = 1 + BIDS * codes.index(name)
                    allowed[place, first : first + BIDS] = True
        return Actions(np.array(prices, dtype=np.int64), allowed, len(codes), np.asarray(channel_of_signal(scenario)))

    @property
    def count(self) -> int:
        """How many there are."""
        return self.allowed.shape[1]

    def level(self, action: Ints) -> NDArray[np.int16]:
        """(n,): level of each action, an index of LEVELS; 0 stays out."""
        return np.where(action > 0, 1 + (action - 1) % BIDS, 0).astype(np.int16)

    def creative(self, action: Ints) -> NDArray[np.int16]:
        """(n,): creative of each action, NONE for staying out."""
        return np.where(action > 0, (action - 1) // BIDS, NONE).astype(np.int16)

    def number(self, level: Column, creative: Column) -> Ints:
        """(n,): the action of a level and a creative."""
        return np.where(level > 0, 1 + BIDS * creative.astype(np.int64) + level - 1, 0)

    def bid_micros(self, action: Ints, signal: Column) -> Ints:
        """(n,): what each action bids on a signal."""
        return np.rint(LEVELS[self.level(action)] * self.price_micros[signal]).astype(np.int64)
