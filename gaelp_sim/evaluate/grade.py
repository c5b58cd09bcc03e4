"""`gaelp evaluate`: policies beside what people run today, references and the best possible, in worlds that nobody knows.

All policies meet the
same people with the same luck, so differences are taken world by world.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from gaelp_sim.analyse.room import interval
from gaelp_sim.evaluate.baselines import LAST, LINEAR, fixed, touch_values
from gaelp_sim.market.bidder import Bidder
from gaelp_sim.planning.played import Played, played, with_rule
from gaelp_sim.planning.seeds import HOLDOUT_SEED, TUNING_SEED
from gaelp_sim.scenario.schema import Scenario

MULTIPLES = (0.4, 0.55, 0.7, 0.85, 1.0, 1.2, 1.45)
BASELINE, REFERENCE, ORACLE, GRADED = "baseline", "reference", "oracle", "graded"
REFERENCES = {"one_step_lift": REFERENCE, "observable_planner": REFERENCE, "clairvoyant": ORACLE}
OnStep = Callable[[str], None]


@dataclass(frozen=True)
class Graded:
    """How a policy did in the hold-out worlds: means a world, 95 % intervals over worlds."""

    policy: str
    kind: str
    worlds: int
    profit_usd: float
    profit_low: float
    profit_high: float
    over_best_share: float | None
    """Paired difference to the best baseline, as a share of that one's profit"""
    over_best_low: float | None
    over_best_high: float | None
    share_of_way: float | None
    """Of the way from the best baseline to the clairvoyant"""
    profit_above_no_ads_usd: float
    conversions: float
    spend_usd: float
    cac_blended_usd: float | None
    cac_incremental_usd: float | None

    def as_json(self) -> dict[str, Any]:
        """The fields by name."""
        return asdict(self)


@dataclass(frozen=True)
class Asked:
    """What is to be graded."""

    policies: tuple[str, ...]
    """Names, as of `--policy`"""
    worlds: int = 24
    tuning_worlds: int = 8
    baselines: tuple[str, ...] = ("fixed", "rule", LAST, LINEAR)
    references: tuple[str, ...] = tuple(REFERENCES)


def evaluate(scenario: Scenario, asked: Asked, on_step: OnStep) -> list[Graded]:
    """Grade policies on the hold-out; baselines are tuned first, in other worlds. Raises UsageError as `played` does."""
    held = scenario.model_copy(update={"seed": HOLDOUT_SEED})
    tuned = {name: _tuned(scenario, name, asked, on_step) for name in asked.baselines}
    found: dict[str, Played] = {"no ads": played(held, "silent", range(asked.worlds))}
    kinds = {"no ads": BASELINE} | dict.fromkeys(tuned, BASELINE)
    for name, (ours, bidder, told) in tuned.items():
        on_step(f"playing {name} ({told})")
        found[name] = played(ours.model_copy(update={"seed": HOLDOUT_SEED}), bidder, range(asked.worlds))
    for name in (*asked.references, *asked.policies):
        on_step(f"playing {name}")
        found[name] = played(held, name, range(asked.worlds))
        kinds[name] = REFERENCES.get(name, GRADED)
    best = max(kinds, key=lambda name: found[name].profit_usd.mean() if kinds[name] == BASELINE else -np.inf)
    return [_row(name, kind, found, best) for name, kind in kinds.items()]


Candidate = tuple[Scenario, Bidder | str, str]


def _tuned(scenario: Scenario, name: str, asked: Asked, on_step: OnStep) -> Candidate:
    """A baseline with the dial that earns most in the tuning worlds."""
    there = scenario.model_copy(update={"seed": TUNING_SEED})
    candidates = _candidates(there, name, asked)
    best, most = candidates[0], -np.inf
    for ours, bidder, told in candidates:
        on_step(f"tuning {name}: {told}")
        profit = float(played(ours, bidder, range(asked.tuning_worlds)).profit_usd.mean())
        if profit > most:
            best, most = (ours, bidder, told), profit
    return best


def _candidates(scenario: Scenario, name: str, asked: Asked) -> list[Candidate]:
    if name == "fixed":
        return [(scenario, fixed(scenario, multiple), f"{multiple} x market price") for multiple in MULTIPLES]
    if name == "rule":
        return [
            (with_rule(scenario, multiple, factor, "fit"), "rule", f"{multiple} x market price, returning x {factor}")
            for multiple in MULTIPLES for factor in (1.0, 1.4)
        ]
    values = touch_values(scenario, name, TUNING_SEED + 1, asked.tuning_worlds)
    return [(scenario, values.bidder(scenario, multiple), f"{multiple} x value") for multiple in MULTIPLES]


def _row(name: str, kind: str, found: dict[str, Played], best: str) -> Graded:
    this, rule, nothing = found[name], found[best], found["no ads"]
    profit, over = interval(this.profit_usd), interval(this.profit_usd - rule.profit_usd)
    base = float(rule.profit_usd.mean())
    way = float((found["clairvoyant"].profit_usd - rule.profit_usd).mean()) if "clairvoyant" in found else 0.0
    share, low, high = (part / base if base > 0 else None for part in over)
    sales, spend = float(this.sales.mean()), float(this.spend_usd.mean())
    extra = sales - float(nothing.sales.mean())
    return Graded(
        name, kind, len(this.sales), *profit, share, low, high, over[0] / way if way > 0 else None,
        float((this.profit_usd - nothing.profit_usd).mean()), sales, spend, spend / sales if sales else None,
        spend / extra if extra > 0 else None,
    )
