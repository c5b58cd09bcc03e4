"""What people run today, as bidders: market prices, and values per click or view by attribution; each has one dial to tune.

The values come from worlds of their own: what a sale is worth, credited to the touches before it (all to the last one,
or evenly to all), by signal and per click (or per thousand views) charged for. They are found again under the bids that
they lead to.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gaelp_sim.events import US, Floats, Ints, TouchKind
from gaelp_sim.market.bidder import BID_MICROS_MAX, Bidder
from gaelp_sim.market.rule_policy import MARKET_LEVEL, RulePolicy
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import HOURS_PER_DAY, MICROS_PER_UNIT, PER_MILLE, SECONDS_PER_DAY
from gaelp_sim.world.shard import Shard, Task
from gaelp_sim.world.stack import Place

LAST, LINEAR = "last_touch", "linear_touch"
LOOKBACK_DAYS = 30
PRICE_MAX = BID_MICROS_MAX // 10
"""A value credited to a handful of charges can be anything; nobody bids more than this."""
_EXPLORING, _HARDLY = 0.3, 1e-6
_ROUNDS = 2


def priced(scenario: Scenario, price_micros: Ints, exploration: float = _HARDLY) -> RulePolicy:
    """Bids so much for each signal, whoever it is about; creatives are the rule's."""
    rule = RulePolicy.of(scenario)
    level = np.full_like(rule.greedy_level, MARKET_LEVEL)
    return replace(rule, price_micros=np.clip(price_micros, 1, PRICE_MAX), greedy_level=level, epsilon=exploration,
                   device_factor=np.ones_like(rule.device_factor))


def fixed(scenario: Scenario, multiple: float) -> Bidder:
    """A multiple of the market's price for every signal."""
    return priced(scenario, np.rint(RulePolicy.of(scenario).price_micros * multiple).astype(np.int64))


@dataclass(frozen=True)
class TouchValues:
    """What a charge is worth by signal: (signals,) micros, as the channel charges (per click, or per thousand views)."""

    micros: Ints

    def bidder(self, scenario: Scenario, multiple: float) -> Bidder:
        """Bids a multiple of the value."""
        return priced(scenario, np.rint(self.micros * multiple).astype(np.int64))


def touch_values(scenario: Scenario, rule: str, seed: int, worlds: int) -> TouchValues:
    """Values by attribution, learned in worlds of this seed: first under exploring market prices, then under their own."""
    bidder: Bidder = priced(scenario, RulePolicy.of(scenario).price_micros, _EXPLORING)
    values = RulePolicy.of(scenario).price_micros
    for turn in range(_ROUNDS):
        values = _credited(scenario, bidder, rule, (seed + turn, worlds))
        bidder = priced(scenario, values, _EXPLORING)
    return TouchValues(values)


def _credited(scenario: Scenario, bidder: Bidder, rule: str, where: tuple[int, int]) -> Ints:
    seed, worlds = where
    quiet = scenario.model_copy(update={"log": "wins", "worlds": worlds})
    shard = Shard(Task(quiet, seed, "rule", Place(range(worlds), range(scenario.cells)), 0, None), us=bidder)
    touches: list[Ints] = []
    sales: list[Ints] = []
    for day in range(1, scenario.days + 1):
        tables = shard.advance(day * HOURS_PER_DAY)
        if "touchpoint" in tables:
            one = tables["touchpoint"]
            ours = np.flatnonzero((one["advertiser"] == US) & (one["kind"] == TouchKind.IMPRESSION))
            who = one["world_id"][ours].astype(np.int64) << 32 | one["person_id"][ours]
            touches.append(np.stack([who, one["occurred_s"][ours], one["signal"][ours], one["clicked"][ours]]))
        if "conversion" in tables:
            one = tables["conversion"]
            ours = np.flatnonzero(one["advertiser"] == US)
            who = one["world_id"][ours].astype(np.int64) << 32 | one["person_id"][ours]
            sales.append(np.stack([who, one["decided_s"][ours]]))
    return _per_charge(scenario, np.concatenate(touches, axis=1), np.concatenate(sales, axis=1), rule)


def _per_charge(scenario: Scenario, touches: Ints, sales: Ints, rule: str) -> Ints:
    """Credited value over charges by signal; what has no charge is worth nothing."""
    channels = [channel for channel in scenario.channels for _ in channel.signals]
    touches = touches[:, np.lexsort([touches[1], touches[0]])]
    credit = np.zeros(touches.shape[1])
    first = np.searchsorted(touches[0], sales[0], side="left")
    last = np.searchsorted(touches[0], sales[0], side="right")
    for sale, (low, high) in enumerate(zip(first.tolist(), last.tolist(), strict=True)):
        age = sales[1, sale] - touches[1, low:high]
        at = low + np.flatnonzero((age >= 0) & (age <= LOOKBACK_DAYS * SECONDS_PER_DAY))
        if len(at):
            credit[at[-1:] if rule == LAST else at] += 1.0 if rule == LAST else 1.0 / len(at)
    signals = len(channels)

    def summed(weights: Ints | Floats) -> Floats:
        return np.asarray(np.bincount(touches[2], weights=weights, minlength=signals), dtype=np.float64)

    value = summed(credit) * float(scenario.economics.ltv_usd)
    clicks, views = summed(touches[3]), summed(np.ones(touches.shape[1])) / PER_MILLE
    charges = np.where([channel.charge == "cpc" for channel in channels], clicks, views)
    return np.rint(value / np.maximum(charges, 1e-9) * (charges > 0) * MICROS_PER_UNIT).astype(np.int64)
