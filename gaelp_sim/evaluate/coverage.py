"""Estimators graded against the truth: many independent logs of one scenario, and the same worlds under the target.

Each log is a world of its own, with its own people and luck. What the target would have earned is what it earns in those
worlds, lived through again; averaged over all of them its error is far below that of any single answer.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gaelp_sim.analyse.estimates import share
from gaelp_sim.errors import UsageError
from gaelp_sim.evaluate.judged import Estimate, Judge, checks_of, estimated, named
from gaelp_sim.evaluate.run_log import RunLog, read_log
from gaelp_sim.evaluate.steps import Steps
from gaelp_sim.evaluate.targets import RULE, SILENT, chances
from gaelp_sim.events import Floats, Ints
from gaelp_sim.planning.seeds import COVERAGE_SEED
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.store import Store
from gaelp_sim.world.request import RunRequest
from gaelp_sim.world.simulate import run

WORLDS_AT_ONCE = 50
OnStep = Callable[[str], None]


@dataclass(frozen=True)
class Asked:
    """What is graded, and on what logs."""

    logged: Scenario
    """The scenario that is logged under its rule"""
    target: Scenario
    """The same people with the target's settings"""
    policy: str = RULE
    """RULE or SILENT: a target that can be lived through as it is judged"""
    logs: int = 400
    estimators: tuple[str, ...] = ("all",)
    hidden: bool = False
    """Estimators see of a decision its signal alone, as if nothing were known of users"""
    late_count: bool = False
    """Sales that are reported after the log's end count in the truth"""


@dataclass(frozen=True)
class Graded:
    """How an estimator did over many logs; values in USD a user."""

    estimator: str
    family: str
    logs: int
    answered: int
    refused_share: float
    truth: float
    truth_se: float
    bias: float | None
    rmse: float | None
    coverage: float | None
    """Of answers, how many of the 95 % intervals hold the truth"""
    coverage_low: float | None
    """Monte Carlo bounds of that"""
    coverage_high: float | None
    width: float | None
    """Mean of the intervals"""
    reason: str
    """The commonest of refusals"""

    def as_json(self) -> dict[str, Any]:
        """The fields by name."""
        return asdict(self)


class _Worlds(NamedTuple):
    """Some logs: decisions of several worlds beside the target's chances."""

    steps: Steps
    signal: Ints
    slopes: Ints
    world: Ints
    """(users,)"""


def coverage(asked: Asked, on_step: OnStep) -> list[Graded]:
    """Grade estimators on a scenario and a target. Raises UsageError for a target that can't be lived through."""
    if asked.policy not in (RULE, SILENT):
        raise UsageError(f"--coverage --policy {asked.policy}: the truth is lived through with {RULE} or {SILENT}, whose "
                         "choices a log tells exactly")
    answers: dict[str, list[Estimate]] = {name: [] for name in named(asked.estimators)}
    truths: list[float] = []
    for first in range(0, asked.logs, WORLDS_AT_ONCE):
        count = min(WORLDS_AT_ONCE, asked.logs - first)
        on_step(f"logs {first + 1:,} to {first + count:,} of {asked.logs:,}")
        worlds, true = _lived(asked, COVERAGE_SEED + first // WORLDS_AT_ONCE, count)
        truths += true.tolist()
        for log in _each(worlds, asked.estimators):
            for one in log:
                answers[one.estimator].append(one)
    truth = np.array(truths)
    return [_graded(found, float(truth.mean()), float(truth.std(ddof=1)) / len(truth) ** 0.5) for found in answers.values()]


def _lived(asked: Asked, seed: int, worlds: int) -> tuple[_Worlds, Floats]:
    """Logs of as many worlds, and what a user was worth in each under the target."""
    with tempfile.TemporaryDirectory(prefix="gaelp-coverage-") as folder:
        log, other = (
            _log_of(scenario.model_copy(update={"seed": seed, "worlds": worlds, "log": "all"}), *how)
            for scenario, how in (
                (asked.logged, (RULE, Path(folder) / "logged.db", True)),
                (asked.target, (asked.policy, Path(folder) / "target.db", not asked.late_count)),
            )
        )
    steps = log.steps(chances(log, asked.policy, asked.target))
    if asked.hidden:
        steps, slopes = _blinded(steps, log.signal), np.zeros(0, dtype=np.int64)
    else:
        slopes = log.slopes
    world = _world(log)
    users = np.bincount(world, minlength=worlds)
    earned = np.bincount(_world(other), other.steps(np.zeros((len(other.logged.action), 1))).by_user(
        other.logged.reward_usd), worlds)
    return _Worlds(steps, log.signal, slopes, world), earned / np.maximum(users, 1)


def _log_of(scenario: Scenario, policy: str, path: Path, reported_only: bool) -> RunLog:
    url = f"sqlite:///{path}"
    run(RunRequest(scenario, url, policy=policy))
    with Store.open(url) as store:
        return read_log(store, store.find_run("@last"), reported_only=reported_only)


def _world(log: RunLog) -> Ints:
    """(users,): the world of each, ascending."""
    return log.logged.person[log.logged.begins[:-1]] >> 32


def _blinded(steps: Steps, signal: Ints) -> Steps:
    """Decisions of which nothing but the signal is known."""
    seen = (signal[:, None] == np.arange(int(signal.max()) + 1)).astype(np.float32)
    return replace(steps, features=seen, state=signal)


def _each(worlds: _Worlds, estimators: tuple[str, ...]) -> Iterator[list[Estimate]]:
    """The estimators' words on each log."""
    chosen = named(estimators)
    for number in np.unique(worlds.world):
        users = np.flatnonzero(worlds.world == number)
        steps = replace(worlds.steps.of_users(users), cluster=np.arange(len(users)))
        rows = slice(int(worlds.steps.begins[users[0]]), int(worlds.steps.begins[users[-1] + 1]))
        judge = Judge(steps, worlds.slopes)
        yield [one for one, _ in estimated(judge, RULE, chosen, checks_of(judge, worlds.signal[rows]))]


def _graded(found: list[Estimate], truth: float, truth_se: float) -> Graded:
    answered = [one for one in found if not one.refused]
    name, family, count = found[0].estimator, found[0].family, len(found)
    about = (name, family, count, len(answered), 1.0 - len(answered) / count, truth, truth_se)
    reasons = [one.reason.partition(":")[0] for one in found if one.refused]
    reason = max(sorted(set(reasons)), key=reasons.count, default="")
    if not answered:
        return Graded(*about, None, None, None, None, None, None, reason)
    value, low, high = np.array([(one.value, one.low, one.high) for one in answered], dtype=float).T
    held = share(int(((low <= truth) & (truth <= high)).sum()), len(answered))
    return Graded(
        *about, float(value.mean()) - truth, float(np.sqrt(((value - truth) ** 2).mean())), held.value, held.low, held.high,
        float((high - low).mean()), reason,
    )
