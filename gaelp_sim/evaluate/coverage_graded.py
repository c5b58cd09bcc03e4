"""Grades of estimators: what they said of many logs, held against what would truly have happened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from gaelp_sim.evaluate.coverage_cells import Cell
from gaelp_sim.evaluate.judged import ESTIMATORS, Estimate
from gaelp_sim.events import Floats

REASONS = (
    ("propensities", "propensities"), ("history", "history"), ("the weights", "weights"), ("one weight", "weights"),
    ("at these weights", "sales"), ("weights beyond", "cut"),
)
"""Why an estimator refuses: how its reason begins, and the word for it; anything else is overlap"""


class Truth(NamedTuple):
    """What users are truly worth under a target, and more than under the logging policy: USD a user, with standard
    errors."""

    value: float
    se: float
    gain: float
    gain_se: float

    @staticmethod
    def of(target: Sequence[tuple[float, int]], logging: Sequence[tuple[float, int]]) -> Truth:
        """From what each world earned and how many users it had, under the target and, with the same luck, as logged."""
        there, here = np.array(target, dtype=np.float64), np.array(logging, dtype=np.float64)
        value, spread = _ratio(there)
        before, luck = _ratio(here)
        return Truth(value, _error(spread), value - before, _error(spread - luck))


def _ratio(worlds: Floats) -> tuple[float, Floats]:
    """A ratio of sums over worlds, and how far each world moves it."""
    value = float(worlds[:, 0].sum() / worlds[:, 1].sum())
    return value, np.asarray((worlds[:, 0] - value * worlds[:, 1]) / worlds[:, 1].mean())


def _error(moved: Floats) -> float:
    return float(moved.std(ddof=1)) / len(moved) ** 0.5 if len(moved) > 1 else float("inf")


class Said(NamedTuple):
    """What an estimator said of one log, in USD a user; bounds of 95 % intervals; why it refused, empty if it did not."""

    value: float
    low: float
    high: float
    boot_low: float
    boot_high: float
    gain_low: float
    gain_high: float
    refused: str

    @staticmethod
    def of(told: Estimate) -> Said:
        """An estimate as it is kept; without a value it is no number."""
        figures = (told.value, told.low, told.high, told.boot_low, told.boot_high, told.gain_low, told.gain_high)
        return Said.kept([*figures, _word(told) if told.refused else ""])

    @staticmethod
    def kept(fields: Sequence[Any]) -> Said:
        """Its fields in order, None for what is no number."""
        return Said._make(float("nan") if one is None else one for one in fields)


def _word(told: Estimate) -> str:
    return next((word for begins, word in REASONS if told.reason.startswith(begins)), "overlap")


@dataclass(frozen=True)
class Graded:
    """How an estimator did in a cell; all but the shares in USD a user, over the logs that it answered."""

    cell: str
    kind: str
    days: int
    target: str
    people: int
    seen: str
    estimator: str
    family: str
    logs: int
    refused: float
    """Share of logs that it would not answer"""
    refused_by: str
    """The commonest reason"""
    truth: float
    truth_se: float
    bias: float | None
    bias_se: float | None
    rmse: float | None
    coverage: float | None
    """Share of 95 % intervals that hold the truth"""
    coverage_se: float | None
    """Its Monte Carlo error"""
    boot_coverage: float | None
    """The same for intervals by drawing users again"""
    gain_coverage: float | None
    """The same for gains over the logged policy"""
    width: float | None
    """Mean width of the intervals"""
    coverage_refused: float | None
    """What intervals would have covered where it refused, where there are any"""

    def as_json(self) -> dict[str, Any]:
        """The fields by name."""
        return asdict(self)


def graded(cell: Cell, name: str, said: Sequence[Said], truth: Truth) -> Graded:
    """An estimator's grade in a cell from what it said of each log."""
    answered = [one for one in said if not one.refused]
    withheld = [one for one in said if one.refused and np.isfinite(one.value)]
    why = Counter(one.refused for one in said if one.refused).most_common(1)
    place = (cell.name, cell.kind.name, cell.kind.days, cell.target.name, cell.people, cell.seen)
    share = 1.0 - len(answered) / len(said)
    return Graded(
        *place, name, ESTIMATORS[name].family, len(said), share, why[0][0] if why else "", truth.value, truth.se,
        **_figures(answered, truth), coverage_refused=_covered(withheld, truth) if withheld else None,
    )


def _figures(said: Sequence[Said], truth: Truth) -> dict[str, Any]:
    names = ("bias", "bias_se", "rmse", "coverage", "coverage_se", "boot_coverage", "gain_coverage", "width")
    if not said:
        return dict.fromkeys(names)
    error = np.array([one.value for one in said]) - truth.value
    covered = _covered(said, truth)
    return dict(zip(names, (
        float(error.mean()), _error(error) if len(error) > 1 else None, float((error**2).mean() ** 0.5), covered,
        (covered * (1.0 - covered) / len(said)) ** 0.5,
        float(np.mean([one.boot_low <= truth.value <= one.boot_high for one in said])),
        float(np.mean([one.gain_low <= truth.gain <= one.gain_high for one in said])),
        float(np.mean([one.high - one.low for one in said])),
    ), strict=True))


def _covered(said: Sequence[Said], truth: Truth) -> float:
    return float(np.mean([one.low <= truth.value <= one.high for one in said]))
