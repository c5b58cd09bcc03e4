"""`gaelp backtest`: fit the early weeks of an account, simulate the later ones, and hold predictions against what came."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gaelp_sim.analyse.account_match import Effort, Match, OnStep, match_account
from gaelp_sim.analyse.account_worlds import Days, simulated_days
from gaelp_sim.calibrate.account import Account
from gaelp_sim.calibrate.account_formats import METRICS
from gaelp_sim.calibrate.daily_rates import WEEK, student_95
from gaelp_sim.errors import UsageError
from gaelp_sim.events import Floats
from gaelp_sim.scenario.schema import Scenario

TRAIN_SHARE = 0.75
_QUANTILES = (0.5, 0.025, 0.975, 0.1, 0.9)
"""At plotting positions i / (n + 1), at which an interval between draws holds as often as it says; 39 worlds reach 95 %."""
_SEED_OF_PREDICTIONS = 1_000_003
"""Added to the seed, so that predicted worlds are not the pilots that the levers were fitted with."""


@dataclass(frozen=True)
class Plan:
    """What is asked: how many weeks are fitted, and how many worlds predict the rest."""

    train_weeks: int | None = None
    """None: three quarters of the whole weeks"""
    worlds: int = 40
    effort: Effort = Effort()


@dataclass(frozen=True)
class Cell:
    """One later week of one channel and metric."""

    week: int
    first_day: str
    channel: str
    metric: str
    actual: float
    predicted: float
    """Median of the worlds"""
    low: float
    high: float
    """95 % prediction interval"""
    low_80: float
    high_80: float
    naive: float
    """The last fitted week once more"""
    naive_low: float
    naive_high: float
    """NaN where too few weeks were fitted to tell"""

    @property
    def inside(self) -> bool:
        """Whether the 95 % interval holds what came."""
        return self.low <= self.actual <= self.high

    @property
    def inside_80(self) -> bool:
        """Whether the 80 % interval holds what came."""
        return self.low_80 <= self.actual <= self.high_80

    @property
    def naive_inside(self) -> bool | None:
        """The same for the naive interval; None where there is none."""
        return None if np.isnan(self.naive_low) else self.naive_low <= self.actual <= self.naive_high


@dataclass(frozen=True)
class Score:
    """How predictions of one metric did, over weeks and channels."""

    metric: str
    cells: int
    coverage_80: float
    coverage_95: float
    naive_coverage_95: float
    """NaN where the naive intervals are unknown"""
    error: float
    """Mean absolute error as a share of the mean actual"""
    naive_error: float


@dataclass(frozen=True)
class Backtest:
    """The whole of it."""

    match: Match
    train_days: int
    test_weeks: int
    cells: list[Cell]
    scores: list[Score]


def backtest(base: Scenario, account: Account, plan: Plan, on_step: OnStep) -> Backtest:
    """Fit the levers of `base` to the account's early weeks and predict the later ones.

    Every predicted world draws its levers from their intervals and lives the whole time, from the account's first day.
    Raises UsageError where the export has less than two whole weeks, or no week is left to predict.
    """
    train, test = _weeks(account, plan)
    match = match_account(base, account.cut(train * WEEK), plan.effort, lambda done: on_step(done / 2))
    days = (train + test) * WEEK
    scenario = match.scenario(match.with_intervals(predictive=True), days, plan.worlds)
    scenario = scenario.model_copy(update={"seed": (scenario.seed + _SEED_OF_PREDICTIONS) % 2**63})
    worlds = simulated_days(
        scenario, match.counting, lambda day: on_step(0.5 + day / days / 2), plan.effort.workers
    )
    cells = list(_cells(account, match, worlds, (train, test)))
    scores = [score for metric in METRICS if (score := _score(metric, cells)) is not None]
    return Backtest(match, train * WEEK, test, cells, scores)


def _weeks(account: Account, plan: Plan) -> tuple[int, int]:
    """Whole weeks that are fitted, and whole weeks after them; days over are left out."""
    whole = account.days // WEEK
    train = plan.train_weeks if plan.train_weeks is not None else max(int(whole * TRAIN_SHARE), 1)
    if whole < 2:
        raise UsageError(f"{account.name}: {account.days} days are less than two whole weeks; export more days")
    if not 1 <= train < whole:
        raise UsageError(f"--train-weeks {train}: the export has {whole} whole weeks; at most {whole - 1}")
    return train, whole - train


def _cells(account: Account, match: Match, worlds: Days, weeks: tuple[int, int]) -> Iterator[Cell]:
    train, test = weeks
    names = [channel.name for channel in match.base.channels]
    for metric in METRICS:
        if metric not in account.metrics:
            continue
        actual = _by_week(account.by_day(metric), train + test)
        for code, channel in enumerate(account.channels):
            drawn = _by_week(worlds.metrics[metric][:, names.index(channel)], train + test) * match.weight
            for week in range(train, train + test):
                median, low, high, low_80, high_80 = np.quantile(drawn[:, week], _QUANTILES, method="weibull").tolist()
                first = account.first_day.fromordinal(account.first_day.toordinal() + week * WEEK)
                naive = _naive(actual[code, :train], week - train + 1)
                told = week, first.isoformat(), channel, metric, float(actual[code, week])
                yield Cell(*told, median, low, high, low_80, high_80, *naive)


def _by_week(days: Floats, weeks: int) -> Floats:
    """(rows, weeks) sums of (rows, days)."""
    table = np.asarray(days[..., : weeks * WEEK])
    return table.reshape(*table.shape[:-1], weeks, WEEK).sum(axis=-1)


def _naive(weeks: Floats, ahead: int) -> tuple[float, float, float]:
    """The last week again, with the interval of a random walk of as wide steps as the fitted weeks took."""
    last = float(weeks[-1])
    steps = np.diff(weeks)
    if len(steps) < 2:
        return last, np.nan, np.nan
    half = student_95(len(steps)) * float(np.sqrt((steps**2).mean() * ahead))
    return last, max(last - half, 0.0), last + half


def _score(metric: str, cells: list[Cell]) -> Score | None:
    ours = [cell for cell in cells if cell.metric == metric]
    if not ours:
        return None
    actual = np.array([cell.actual for cell in ours])
    scale = float(actual.mean()) or 1.0
    known = [inside for cell in ours if (inside := cell.naive_inside) is not None]
    return Score(
        metric, len(ours),
        float(np.mean([cell.inside_80 for cell in ours])), float(np.mean([cell.inside for cell in ours])),
        float(np.mean(known)) if known else np.nan,
        float(np.abs(np.array([cell.predicted for cell in ours]) - actual).mean() / scale),
        float(np.abs(np.array([cell.naive for cell in ours]) - actual).mean() / scale),
    )
