"""Bidders with one price for each signal, whoever it is about; and any bidder with its bids scaled."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from gaelp_sim.events import Bids, Ints, Opportunities, Outcomes, Statistics
from gaelp_sim.market.bidder import BID_MICROS_MAX, Bidder, Informed, Known, Moment, informed
from gaelp_sim.market.rule_policy import MARKET_LEVEL, RulePolicy
from gaelp_sim.scenario.schema import Scenario

PRICE_MAX = BID_MICROS_MAX // 10
"""A value credited to a handful of charges can be anything; nobody bids more than this."""
_HARDLY = 1e-6


def priced(scenario: Scenario, price_micros: Ints, exploration: float = _HARDLY) -> RulePolicy:
    """Bids so much for each signal, whoever it is about; creatives are the rule's."""
    rule = RulePolicy.of(scenario)
    level = np.full_like(rule.greedy_level, MARKET_LEVEL)
    return replace(rule, price_micros=np.clip(price_micros, 1, PRICE_MAX), greedy_level=level, epsilon=exploration,
                   device_factor=np.ones_like(rule.device_factor))


def fixed(scenario: Scenario, multiple: float) -> Bidder:
    """A multiple of the market's price for every signal."""
    return priced(scenario, np.rint(RulePolicy.of(scenario).price_micros * multiple).astype(np.int64))


def scaled(bidder: Bidder, multiple: float) -> Bidder:
    """The same bidder with its bids multiplied; its choices and propensities stay."""
    knowing = informed(bidder)
    return Scaled(bidder, multiple) if knowing is None else ScaledInformed(knowing, multiple)


@dataclass
class Scaled:
    """A bidder whose bids are a multiple of another's."""

    bidder: Any
    multiple: float

    @property
    def name(self) -> str:
        """The other's."""
        return cast(str, self.bidder.name)

    def bid(self, opportunities: Opportunities, moment: Moment) -> Bids:
        """The other's bids, multiplied."""
        return self._times(self.bidder.bid(opportunities, moment))

    def observe(self, opportunities: Opportunities, outcomes: Outcomes) -> Statistics:
        """As the other."""
        return cast(Statistics, self.bidder.observe(opportunities, outcomes))

    def update(self, statistics: Statistics) -> None:
        """As the other."""
        self.bidder.update(statistics)

    def _times(self, bids: Bids) -> Bids:
        price = np.minimum(np.rint(bids.bid_micros * self.multiple), BID_MICROS_MAX).astype(np.int64)
        return replace(bids, bid_micros=price)


@dataclass
class ScaledInformed(Scaled):
    """The same for one that knows more than an outsider."""

    bidder: Informed

    @property
    def sees_truth(self) -> bool:
        """As the other."""
        return self.bidder.sees_truth

    @property
    def observes(self) -> bool:
        """As the other."""
        return self.bidder.observes

    @property
    def notes(self) -> int:
        """As the other."""
        return self.bidder.notes

    def bid_knowing(self, opportunities: Opportunities, moment: Moment, known: Known) -> Bids:
        """The other's bids, multiplied."""
        return self._times(self.bidder.bid_knowing(opportunities, moment, known))

    def note(self, opportunities: Opportunities, ended: tuple[Bids, Outcomes], known: Known) -> None:
        """As the other."""
        self.bidder.note(opportunities, ended, known)
