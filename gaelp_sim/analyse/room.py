"""`gaelp verify room`: how much better than the best rule one could bid, by what is known of people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from gaelp_sim.draws import normal_quantile
from gaelp_sim.events import Floats
from gaelp_sim.planning.played import Played, played, with_rule
from gaelp_sim.scenario.schema import Scenario

MULTIPLIERS = (0.55, 0.7, 0.85, 1.0, 1.2, 1.45)
VALIDATION_FROM = 10_000
"""Worlds from this number on are for tuning alone"""
NO_ADS, RULE, BEST_RULE, CLAIRVOYANT = "no ads", "rule as written", "best rule", "clairvoyant"
KINDS = {
    NO_ADS: "baseline", RULE: "baseline", BEST_RULE: "baseline", "one_step_lift": "reference",
    "observable_planner": "reference", CLAIRVOYANT: "oracle",
}
OnStep = Callable[[str], None]


@dataclass(frozen=True)
class Tuned:
    """The rule's settings that earn most on the validation worlds."""

    bid_multiplier: float
    repeat_visitor_factor: float
    creatives: str


@dataclass(frozen=True)
class Row:
    """How a policy did in the test worlds: means a world, 95 % intervals over worlds, differences by world."""

    policy: str
    kind: str
    worlds: int
    profit_usd: float
    profit_low: float
    profit_high: float
    over_rule_usd: float
    """Profit less the best rule's, in the same worlds"""
    over_rule_low: float
    over_rule_high: float
    over_rule_share: float | None
    """The same as a share of the best rule's profit; null where that is not positive"""
    share_of_way: float | None
    """Of the way from the best rule to the clairvoyant"""
    above_no_ads_usd: float
    sales: float
    spend_usd: float
    cac_blended_usd: float | None
    cac_incremental_usd: float | None

    def as_json(self) -> dict[str, Any]:
        """The fields by name."""
        return asdict(self)


def tuned(scenario: Scenario, worlds: int, on_step: OnStep) -> Tuned:
    """The best rule on validation worlds: its bids first, then what it pays for returning users, then its creatives."""
    best, most = Tuned(1.0, 1.0, "fit"), -np.inf
    for stage in range(3):
        for setting in _candidates(stage, best):
            on_step(f"tuning the rule: {setting}")
            profit = float(_of_rule(scenario, setting, range(VALIDATION_FROM, VALIDATION_FROM + worlds)).profit_usd.mean())
            if profit > most:
                best, most = setting, profit
    return best


def _candidates(stage: int, best: Tuned) -> list[Tuned]:
    if stage == 0:
        return [Tuned(multiplier, 1.0, "fit") for multiplier in MULTIPLIERS]
    if stage == 1:
        return [Tuned(best.bid_multiplier, 1.4, "fit")]
    return [Tuned(best.bid_multiplier, best.repeat_visitor_factor, "rotate")]


def _of_rule(scenario: Scenario, setting: Tuned, worlds: range) -> Played:
    return played(with_rule(scenario, **asdict(setting)), "rule", worlds)


def room(scenario: Scenario, worlds: int, validation_worlds: int, on_step: OnStep) -> tuple[list[Row], Tuned]:
    """Play every policy in the same test worlds; the rule is tuned on others.

    Raises UsageError for linked users and for intervals (see `played`).
    """
    setting, test = tuned(scenario, validation_worlds, on_step), range(worlds)
    found: dict[str, Played] = {}
    for name in KINDS:
        on_step(f"playing {name}")
        if name == BEST_RULE:
            found[name] = _of_rule(scenario, setting, test)
        else:
            found[name] = played(scenario, {NO_ADS: "silent", RULE: "rule"}.get(name, name), test)
    return [_row(name, found) for name in KINDS], setting


def _row(name: str, found: dict[str, Played]) -> Row:
    this, rule, nothing = found[name], found[BEST_RULE], found[NO_ADS]
    profit, over = interval(this.profit_usd), interval(this.profit_usd - rule.profit_usd)
    way = interval(found[CLAIRVOYANT].profit_usd - rule.profit_usd)[0]
    base = float(rule.profit_usd.mean())
    sales, spend = float(this.sales.mean()), float(this.spend_usd.mean())
    extra = sales - float(nothing.sales.mean())
    return Row(
        name, KINDS[name], len(this.sales), *profit, *over, over[0] / base if base > 0 else None,
        over[0] / way if way > 0 else None, float((this.profit_usd - nothing.profit_usd).mean()), sales, spend,
        spend / sales if sales else None, spend / extra if extra > 0 else None,
    )


def interval(values: Floats) -> tuple[float, float, float]:
    """Mean, and its 95 % bounds by Student's t with the quantile's expansion in 1 / (n - 1).

    Source: Abramowitz & Stegun 26.7.5.
    >>> [round(part, 3) for part in interval(np.arange(24.0))]
    [11.5, 8.514, 14.486]
    """
    n, mean = len(values), float(values.mean())
    z, free = float(normal_quantile(0.975)), n - 1
    t = z + (z**3 + z) / (4 * free) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * free**2)
    t += (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * free**3)
    half = t * float(values.std(ddof=1)) / n**0.5
    return mean, mean - half, mean + half
