"""`gaelp verify pacing`: every way of pacing against the best that hindsight could have bought."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any, get_args

import numpy as np

from gaelp_sim.analyse.pacing_trial import (
    Grades,
    graded,
    hindsight,
    stream_of,
    trial,
    unconstrained_micros,
)
from gaelp_sim.events import Floats
from gaelp_sim.market.pacing import Mode
from gaelp_sim.scenario.loading import load_scenario

WORLDS, DAYS, PER_DAY = 4, 14, 60_000
BUDGETS = (Fraction(1, 32), Fraction(1, 8), Fraction(1, 2))
"""Of what bidding one's values spends without a budget."""
VALUE_LEAST, CURVE_MOST = 0.97, 0.02
"""What is asked of pacing on bids at an eighth of the unconstrained spend (notes on auctions, section 7)."""
ASKED = frozenset({("pid", Fraction(1, 8)), ("dual", Fraction(1, 8))})
QUICK = 0.9
"""A day counts as spent too quickly where its first half took this share of the budget."""


@dataclass(frozen=True)
class PacingCheck:
    """One way of pacing at one budget, over all days but the first; intervals of 95 % over worlds and days."""

    pacing: str
    budget: str
    value_share: float
    """Of the greatest click value that the budget could have bought"""
    value_low: float
    value_high: float
    curve_error: float
    """max |spend(t) - hindsight-optimal spend(t)| / budget, mean over days"""
    quick_spend: float
    """Share of days that were spent too quickly"""
    first_day_value: float
    first_day_error: float
    """On the first day nothing is known of traffic or prices"""
    asked: str
    passed: bool
    """Never overspent, and as good as is asked where something is"""

    def as_json(self) -> dict[str, Any]:
        """The fields by name."""
        return asdict(self)


def pacing_checks(per_day: int = PER_DAY, seed: int = 0) -> list[PacingCheck]:
    """Grade every way of pacing at every budget; per_day: opportunities a world and day."""
    curve = np.array(load_scenario("parental_controls").curves.hour)
    stream = stream_of(seed, (WORLDS, DAYS, per_day), curve / curve.sum())
    free = unconstrained_micros(stream, WORLDS)
    checks = []
    for part in BUDGETS:
        limit = (free * float(part)).astype(np.int64)
        best = hindsight(stream, limit)
        checks += [_check(mode, part, graded(trial(stream, mode, limit), best, limit)) for mode in get_args(Mode)]
    return checks


def _check(mode: str, part: Fraction, grades: Grades) -> PacingCheck:
    later = grades.value_share[:, 1:]
    value, low, high = _interval(later)
    error = float(grades.curve_error[:, 1:].mean())
    asked = (mode, part) in ASKED
    good = not asked or (value >= VALUE_LEAST and error <= CURVE_MOST)
    return PacingCheck(
        mode, str(part), value, low, high, error, float((grades.half_spent[:, 1:] >= QUICK).mean()),
        float(grades.value_share[:, 0].mean()), float(grades.curve_error[:, 0].mean()),
        f"value >= {VALUE_LEAST}, curve <= {CURVE_MOST}" if asked else "", bool(good and not grades.overspent.any()),
    )


def _interval(shares: Floats) -> tuple[float, float, float]:
    """Mean over all days with its 95 % bounds by the spread of the worlds' days."""
    mean, error = float(shares.mean()), float(shares.std(ddof=1) / np.sqrt(shares.size))
    return mean, mean - 1.96 * error, mean + 1.96 * error
