"""`gaelp verify room`: how much better than the best rule one could bid, by what is known of people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from gaelp_sim.planning.compared import BASELINE, ORACLE, REFERENCE, Compared, Yardsticks, compared
from gaelp_sim.planning.played import Played, played, with_rule
from gaelp_sim.scenario.schema import Scenario

MULTIPLIERS = (0.55, 0.7, 0.85, 1.0, 1.2, 1.45)
VALIDATION_FROM = 10_000
"""Worlds from this number on are for tuning alone"""
NO_ADS, RULE, BEST_RULE, CLAIRVOYANT = "no ads", "rule as written", "best rule", "clairvoyant"
KINDS = {
    NO_ADS: BASELINE, RULE: BASELINE, BEST_RULE: BASELINE, "one_step_lift": REFERENCE, "observable_planner": REFERENCE,
    CLAIRVOYANT: ORACLE,
}
OnStep = Callable[[str], None]


@dataclass(frozen=True)
class Tuned:
    """The rule's settings that earn most on the validation worlds."""

    bid_multiplier: float
    repeat_visitor_factor: float
    creatives: str


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


def room(scenario: Scenario, worlds: int, validation_worlds: int, on_step: OnStep) -> tuple[list[Compared], Tuned]:
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
    by = Yardsticks(BEST_RULE, NO_ADS, CLAIRVOYANT)
    return [compared(name, kind, found, by) for name, kind in KINDS.items()], setting
