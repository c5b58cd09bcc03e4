"""Our default policy: bid by query, stage signal and hour, choose the creative that fits, and explore.

Actions are discrete: participate, a level (a multiple of the market's price), a creative. With probability epsilon the
keyed draw picks level and creative uniformly; the propensity of every action is therefore known and positive.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.compiled import compiled, inlined
from gaelp_sim.draws import Words
from gaelp_sim.events import Bids, Bools, DeviceKind, Floats, Ints, Opportunities, Outcomes, Statistics
from gaelp_sim.market.bidder import Moment
from gaelp_sim.market.creatives import Fits
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import PPM, micros

LEVEL_MULTIPLES = np.array([0.0, 0.25, 0.4, 0.55, 0.7, 0.85, 1.0, 1.2, 1.45, 1.7, 2.0])
"""Bid levels as multiples of the market's price; level 0 stays out."""
MARKET_LEVEL = 6
_THROTTLE_BITS = 14
NIGHT_HOURS = frozenset(range(1, 6))


@dataclass
class RulePolicy:
    """The rule: market price for every signal, one level lower at night, higher for users who have clicked before."""

    name: str
    price_micros: Ints
    """(signals,): the market's median price to beat"""
    greedy_level: NDArray[np.int16]
    """(2, 2, signals): by night and returning"""
    fits: Fits
    rotate_after: float
    """Looks at a family from which the other one is shown; infinite where it never is"""
    device_factor: Floats
    """(devices,)"""
    epsilon: float

    @staticmethod
    def of(scenario: Scenario) -> RulePolicy:
        """Compile the rule for a scenario."""
        signals = [(channel, signal) for channel in scenario.channels for signal in channel.signals]
        policy = scenario.us.policy
        levels = np.empty((2, 2, len(signals)), dtype=np.int16)
        for night in (0, 1):
            for returning in (0, 1):
                factor = policy.bid_multiplier * (policy.repeat_visitor_factor if returning else 1.0)
                levels[night, returning] = max(1, int(np.abs(LEVEL_MULTIPLES - factor).argmin()) - night)
        prices = np.array([micros(signal.price_median_usd) for _, signal in signals])
        after = policy.rotate_after if policy.creatives == "rotate" else np.inf
        devices = np.array([getattr(policy.device_adjustments, kind.name.lower()) for kind in DeviceKind])
        return RulePolicy(scenario.us.name, prices, levels, Fits.of(scenario), after, devices, policy.exploration)

    def bid(self, opportunities: Opportunities, moment: Moment) -> Bids:
        """Level and creative by rule or, with probability epsilon, uniformly; bid = price x pacing x multiple x device."""
        night = int(moment.local_hour in NIGHT_HOURS)
        table = _Table(
            self.price_micros, self.greedy_level[night], LEVEL_MULTIPLES, self.device_factor, self.rotate_after,
            self.epsilon,
        )
        seen = _Seen(
            opportunities.unit, opportunities.channel, opportunities.signal, opportunities.device, moment.luck,
            moment.returning, moment.recent, moment.creative, moment.multiplier_ppm, moment.participate_ppm,
        )
        return Bids(*_rule_bids(table, self.fits, seen))

    def observe(self, opportunities: Opportunities, outcomes: Outcomes) -> Statistics:
        """Nothing: the rule does not learn."""
        return Statistics(np.zeros(0, dtype=np.int64))

    def update(self, statistics: Statistics) -> None:
        """Nothing to update."""


class _Table(NamedTuple):
    """The rule for an hour, as compiled code reads it."""

    price_micros: Ints
    greedy_level: NDArray[np.int16]
    """(2, signals): by returning"""
    multiples: Floats
    device_factor: Floats
    rotate_after: float
    epsilon: float


class _Seen(NamedTuple):
    """What the rule looks at, an entry an opportunity."""

    unit: Ints
    channel: NDArray[np.int16]
    signal: NDArray[np.int16]
    device: NDArray[np.int16]
    luck: Words
    returning: Bools
    recent: NDArray[np.float32]
    creative: NDArray[np.int16]
    multiplier_ppm: Ints
    """(units, channels)"""
    participate_ppm: Ints
    """(units, channels)"""


@compiled
def _rule_bids(table: _Table, fits: Fits, seen: _Seen) -> tuple[Ints, NDArray[np.int16], NDArray[np.int16], Floats]:
    """Bid, level, creative and propensity of each opportunity."""
    n, levels = len(seen.unit), len(table.multiples)
    bid, propensity = np.zeros(n, dtype=np.int64), np.ones(n)
    level, creative = np.zeros(n, dtype=np.int16), np.empty(n, dtype=np.int16)
    for i in range(n):
        channel, signal = seen.channel[i], seen.signal[i]
        options = fits.option_count[channel]
        creative[i] = _greedy_creative(table, fits, seen, i)
        if options == 0:
            continue
        level[i] = table.greedy_level[int(seen.returning[i]), signal]
        place, each = seen.luck[i] * 2.0**-32, table.epsilon / (levels * options)
        greedy_level, greedy_creative = level[i], creative[i]
        if place < table.epsilon:
            choice = int(place / table.epsilon * (levels * options))
            level[i] = choice // options
            creative[i] = fits.options[channel, choice % options]
        is_greedy = level[i] == greedy_level and creative[i] == greedy_creative
        propensity[i] = 1.0 - table.epsilon + each if is_greedy else each
        share = seen.participate_ppm[seen.unit[i], channel]
        if share < PPM:
            # Throttled by the word's low half: the choice above reads its high bits.
            share = share * 2**_THROTTLE_BITS // PPM
            taking_part = share * 2.0**-_THROTTLE_BITS
            if np.int64(seen.luck[i]) & (2**_THROTTLE_BITS - 1) < share:
                propensity[i] *= taking_part
            else:
                level[i], creative[i] = 0, greedy_creative
                propensity[i] = each * taking_part + 1.0 - taking_part
            if level[i] == 0 and creative[i] == greedy_creative:
                propensity[i] = each * taking_part + 1.0 - taking_part
        paced = table.price_micros[signal] * seen.multiplier_ppm[seen.unit[i], channel] // PPM
        bid[i] = int(table.multiples[level[i]] * paced * table.device_factor[seen.device[i]])
    return bid, level, creative, propensity


@inlined
def _greedy_creative(table: _Table, fits: Fits, seen: _Seen, i: int) -> int:
    """The creative of the hour, else the one that fits; the other family's best where the user is tired of its own."""
    returning, signal = int(seen.returning[i]), seen.signal[i]
    if seen.creative.shape[1]:
        return int(seen.creative[seen.unit[i], signal])
    best = int(fits.best[returning, signal])
    if seen.recent.shape[1]:
        own, others = seen.recent[fits.family[best], i], seen.recent[1 - fits.family[best], i]
        if own >= table.rotate_after and own > others:
            best = int(fits.other[returning, signal])
    return best

