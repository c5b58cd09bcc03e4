"""What a click or a view is worth by attribution: learned in worlds of their own, under bids that explore.

What a sale is worth is credited to the touches before it (all to the last one, or evenly to all), by signal and per click
(or per thousand views) charged for. Values are found again under the bids that they lead to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gaelp_sim.evaluate.priced import priced
from gaelp_sim.events import US, Floats, Ints, TouchKind
from gaelp_sim.market.bidder import Bidder
from gaelp_sim.market.rule_policy import RulePolicy
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import HOURS_PER_DAY, MICROS_PER_UNIT, PER_MILLE, SECONDS_PER_DAY
from gaelp_sim.world.log import Table
from gaelp_sim.world.shard import Shard, Tables, Task
from gaelp_sim.world.stack import Place

LAST, LINEAR = "last_touch", "linear_touch"
LOOKBACK_DAYS = 30
_EXPLORING = 0.3
_ROUNDS = 2


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
    touches, sales = [np.zeros((4, 0), dtype=np.int64)], [np.zeros((2, 0), dtype=np.int64)]
    for tables in lived(scenario.model_copy(update={"log": "wins"}), bidder, where):
        if "touchpoint" in tables:
            one = tables["touchpoint"]
            ours = np.flatnonzero((one["advertiser"] == US) & (one["kind"] == TouchKind.IMPRESSION))
            touches.append(np.stack([who(one, ours), one["occurred_s"][ours], one["signal"][ours], one["clicked"][ours]]))
        sales += sold(tables)
    return _per_charge(scenario, np.concatenate(touches, axis=1), np.concatenate(sales, axis=1), rule)


def lived(scenario: Scenario, bidder: Bidder, where: tuple[int, int]) -> Iterator[Tables]:
    """What a bidder's worlds log, day by day; where: (seed, worlds)."""
    seed, worlds = where
    ours = scenario.model_copy(update={"worlds": worlds})
    shard = Shard(Task(ours, seed, "rule", Place(range(worlds), range(ours.cells)), 0, None), us=bidder)
    for day in range(1, ours.days + 1):
        yield shard.advance(day * HOURS_PER_DAY)


def sold(tables: Tables) -> list[Ints]:
    """Our sales among the rows: (2, n), who and when decided; none without any."""
    if "conversion" not in tables:
        return []
    one = tables["conversion"]
    ours = np.flatnonzero(one["advertiser"] == US)
    return [np.stack([who(one, ours), one["decided_s"][ours]])]


def who(rows: Table, at: Ints) -> Ints:
    """(n,): world and person of some rows, as one key."""
    return np.asarray(rows["world_id"][at].astype(np.int64) << 32 | rows["person_id"][at])


def credits(touches: Ints, sales: Ints, rule: str) -> Floats:
    """(touches,): sales credited to each touch, all to the last one or evenly; one sale gives 1 in all, or nothing.

    touches: (2 or more, n): who, when, ascending by both; sales: (2, m); only touches within the lookback count
    """
    credit = np.zeros(touches.shape[1])
    first = np.searchsorted(touches[0], sales[0], side="left")
    last = np.searchsorted(touches[0], sales[0], side="right")
    for sale, (low, high) in enumerate(zip(first.tolist(), last.tolist(), strict=True)):
        age = sales[1, sale] - touches[1, low:high]
        at = low + np.flatnonzero((age >= 0) & (age <= LOOKBACK_DAYS * SECONDS_PER_DAY))
        if len(at):
            credit[at[-1:] if rule == LAST else at] += 1.0 if rule == LAST else 1.0 / len(at)
    return credit


def _per_charge(scenario: Scenario, touches: Ints, sales: Ints, rule: str) -> Ints:
    """Credited value over charges by signal; what has no charge is worth nothing."""
    channels = [channel for channel in scenario.channels for _ in channel.signals]
    touches = touches[:, np.lexsort([touches[1], touches[0]])]
    signals = len(channels)

    def summed(weights: Ints | Floats) -> Floats:
        return np.asarray(np.bincount(touches[2], weights=weights, minlength=signals), dtype=np.float64)

    value = summed(credits(touches, sales, rule)) * float(scenario.economics.ltv_usd)
    clicks, views = summed(touches[3]), summed(np.ones(touches.shape[1])) / PER_MILLE
    charges = np.where([channel.charge == "cpc" for channel in channels], clicks, views)
    return np.rint(value / np.maximum(charges, 1e-9) * (charges > 0) * MICROS_PER_UNIT).astype(np.int64)
