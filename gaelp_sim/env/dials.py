"""Seats in the auctions that agents outside turn by dials: a multiplier for each channel, set before every hour."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from gaelp_sim.draws import Draws
from gaelp_sim.events import NONE, Bids, Floats, Ints, Opportunities, Outcomes, Statistics
from gaelp_sim.market.bidder import BID_MICROS_MAX, Moment
from gaelp_sim.market.cast import cast_of, own_level_micros
from gaelp_sim.market.rivals import Panel
from gaelp_sim.market.rule_policy import RulePolicy
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import PPM
from gaelp_sim.world.log import Table
from gaelp_sim.world.model import Model

MULTIPLIER_MAX = 4.0
"""Of the market's price for us, of their own value for rivals, in each channel."""
_TABLE_BITS = 16


@dataclass
class Dial:
    """Our seat: the rule's creatives, at the market's price times the hour's multiplier of the channel."""

    name: str
    rule: RulePolicy
    multiplier: Floats
    """(worlds, channels)"""
    met: Floats
    """(worlds, channels): opportunities of the hour"""

    @staticmethod
    def of(scenario: Scenario, worlds: int) -> Dial:
        """A dial at the market's price."""
        shape = (worlds, len(scenario.channels))
        return Dial(scenario.us.name, RulePolicy.of(scenario), np.ones(shape), np.zeros(shape))

    def turn(self, multiplier: Floats) -> None:
        """Set the hour's multipliers: (worlds, channels)."""
        self.multiplier, self.met = np.clip(multiplier, 0.0, MULTIPLIER_MAX), np.zeros_like(self.met)

    def bid(self, opportunities: Opportunities, moment: Moment) -> Bids:
        """Bids for a round; nothing in channels in which we run no campaign."""
        bids = self.rule.bid(opportunities, moment)
        where = opportunities.unit, opportunities.channel
        np.add.at(self.met, where, 1.0)
        asked = self.rule.price_micros[opportunities.signal] * self.multiplier[where]
        asked[self.rule.fits.option_count[opportunities.channel] == 0] = 0.0
        return replace(bids, bid_micros=np.rint(asked).astype(np.int64))

    def observe(self, opportunities: Opportunities, outcomes: Outcomes) -> Statistics:
        """Nothing: the agent learns outside."""
        return Statistics(np.zeros(0, dtype=np.int64))

    def update(self, statistics: Statistics) -> None:
        """Nothing to update."""


@dataclass
class RivalDial:
    """A rival's seat: its own value of each opportunity, as the scenario has it, times the hour's multiplier.

    With the multiplier 1 it bids what the scenario's rival bids that has learned nothing.
    """

    name: str
    code: int
    multiples: Floats
    """(tables, 2**16): equally likely values as multiples of `worth_micros`"""
    table: Ints
    """(worlds,)"""
    worth_micros: Floats
    """(worlds, signals): the level of its values, a click or a thousand impressions as the channel charges"""
    multiplier: Floats
    """(worlds, channels)"""
    met: Floats
    """(worlds, channels)"""
    values: list[tuple[Opportunities, Floats]] = field(default_factory=list)
    """The hour's rounds with the seat's value of each opportunity, micros"""

    @staticmethod
    def of(scenario: Scenario, code: int, seed: int, worlds: range) -> RivalDial:
        """The seat of rival `code` (from 1) in these worlds of the run seed."""
        cast = cast_of(scenario, Draws(seed), np.arange(worlds.start, worlds.stop))
        panel, shape = Panel.of(scenario), (len(worlds), len(scenario.channels))
        return RivalDial(
            scenario.rivals[code - 1].name, code, panel.multiples, panel.table_of(cast.strategy)[:, code - 1],
            own_level_micros(scenario, cast)[:, code - 1], np.ones(shape), np.zeros(shape),
        )

    def turn(self, multiplier: Floats) -> None:
        """Set the hour's multipliers: (worlds, channels)."""
        self.multiplier, self.met = np.clip(multiplier, 0.0, MULTIPLIER_MAX), np.zeros_like(self.met)
        self.values = []

    def bid(self, opportunities: Opportunities, moment: Moment) -> Bids:
        """Bids for a round."""
        unit, n = opportunities.unit, len(opportunities)
        np.add.at(self.met, (unit, opportunities.channel), 1.0)
        multiple = self.multiples[self.table[unit], moment.luck >> np.uint32(32 - _TABLE_BITS)]
        value = multiple * self.worth_micros[unit, opportunities.signal] * moment.price_factor[unit]
        self.values.append((opportunities, value))
        bid = np.minimum(value * self.multiplier[unit, opportunities.channel], BID_MICROS_MAX).astype(np.int64)
        none = np.full(n, NONE, dtype=np.int16)
        return Bids(bid, none, none, np.ones(n))

    def observe(self, opportunities: Opportunities, outcomes: Outcomes) -> Statistics:
        """Nothing: the agent learns outside."""
        return Statistics(np.zeros(0, dtype=np.int64))

    def update(self, statistics: Statistics) -> None:
        """Nothing to update."""

    def value_micros(self, outcome: Table, model: Model) -> Floats:
        """(worlds,): what the hour's wins were worth to it: its value a click, or a thousandth an impression.

        outcome: the hour's, a row a slot in the order in which opportunities were bid for
        """
        channel = np.concatenate([one.channel for one, _ in self.values])
        unit = np.concatenate([one.unit for one, _ in self.values])
        value = np.concatenate([value for _, value in self.values])
        slots = model.rules.slots[channel]
        slot = np.concatenate([np.arange(count) for count in slots])
        channel, unit, value = (np.repeat(column, slots) for column in (channel, unit, value))
        assert np.array_equal(outcome["channel"], channel), "every slot of the hour was bid for"
        each = np.where(
            model.rules.per_click[channel], outcome["clicked"] > 0,
            model.rules.worth_ppm[channel, slot] / PPM / 1_000,
        )
        worth = np.where(outcome["advertiser"] == self.code, value * each, 0.0)
        return np.bincount(unit, weights=worth, minlength=len(self.table)).astype(np.float64)
