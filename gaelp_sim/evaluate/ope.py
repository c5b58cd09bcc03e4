"""`gaelp ope`: what policies would have earned, from the rows of a run that an advertiser has, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from gaelp_sim.analyse.clusters import resampled
from gaelp_sim.errors import UsageError
from gaelp_sim.evaluate.judged import RESAMPLES, Estimate, Judge, checks_of, estimated, named
from gaelp_sim.evaluate.overlap import Bar, overlap
from gaelp_sim.evaluate.run_log import RunLog, read_log
from gaelp_sim.evaluate.targets import chances
from gaelp_sim.events import Floats
from gaelp_sim.learn.threads import one_thread
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.store import RunRecord, Store
from gaelp_sim.world.crew import ALONE, Crew, Hands
from gaelp_sim.world.replay import LOGGED
from gaelp_sim.world.stored_scenario import stored_scenario

CHOOSES_BY = ("journey_dr", "wpdis", "pdis", "dr", "snips")
"""By whose word policies are ranked: the first that answers for all of them"""
YOUNG_DAYS = 7.0
_CONFIDENCE = 0.95
_SEED = 2
OnStep = Callable[[str], None]


@dataclass(frozen=True)
class Asked:
    """What is asked of a log."""

    policies: tuple[str, ...]
    estimators: tuple[str, ...] = ("all",)
    sets: tuple[str, ...] = ()
    """Settings of the run's scenario that the target policies are made with"""
    settled_days: float = 0.0


@dataclass(frozen=True)
class Ranked:
    """A policy among several: gains over the log, with bounds that hold for all of them at once."""

    policy: str
    gain: float
    low: float
    high: float
    best_share: float
    """In how many of the drawn samples it is the best"""


@dataclass(frozen=True)
class Answers:
    """What a log says."""

    run_id: str
    users: int
    decisions: int
    logged_usd: float
    """What a user was worth under the policy that was logged"""
    young_users: int
    """First met in the last YOUNG_DAYS: much of what they do is not known yet"""
    estimates: list[Estimate]
    chosen_by: str
    """The estimator that ranks, empty where none answers for all"""
    ranking: list[Ranked]
    overlap: list[Bar]
    """How each policy's weights are spread: data for a picture"""

    def as_json(self) -> dict[str, Any]:
        """The fields by name."""
        return asdict(self)


class _Judged(NamedTuple):
    """What a log says of one policy."""

    estimates: list[Estimate]
    moved: dict[str, Floats]
    """(users,) of each estimator that answers: each user's influence on its gain"""
    bars: list[Bar]


@dataclass(frozen=True)
class _Judging:
    """A log, ready to be asked about one policy after the other, here or elsewhere."""

    log: RunLog
    logged_policy: str
    scenario: Scenario | None
    estimators: tuple[str, ...]
    model: Floats
    """What each action earns by itself: of the log alone, fitted once"""

    @one_thread()
    def __call__(self, policy: str) -> _Judged:
        """What the log says of it."""
        target = chances(self.log, self.logged_policy if policy == LOGGED else policy, self.scenario)
        judge = Judge(self.log.steps(target), self.log.slopes, self.model)
        told = estimated(judge, policy, named(self.estimators), checks_of(judge, self.log.signal))
        moved = {one.estimator: influence for one, influence in told if not one.refused}
        return _Judged([one for one, _ in told], moved, overlap(policy, judge.steps))


@one_thread()
def ope(store: Store, run: RunRecord, asked: Asked, on_step: OnStep, crew: Crew = ALONE) -> Answers:
    """Judge policies from a finished run's log; crew: who judges, a policy each, and the answer is the same.

    Raises UsageError for a log that can't be read as decisions with propensities, and for policies whose choices it does
    not tell.
    """
    named(asked.estimators)
    log = read_log(store, run, asked.settled_days)
    scenario = None if log.scenario is None else stored_scenario(run, asked.sets)
    if scenario is None and asked.sets:
        raise UsageError("--set: an imported log has no scenario to change; leave it out")
    model = Judge(log.steps(np.zeros((len(log.logged.action), len(log.logged.triples) + 1))), log.slopes).model
    found = _all_judged(_Judging(log, run.policy, scenario, asked.estimators, model), asked.policies, crew, on_step)
    estimates = [one for judged in found for one in judged.estimates]
    moved = {policy: judged.moved for policy, judged in zip(asked.policies, found, strict=True)}
    by, ranking = _ranked(log, asked.policies, estimates, moved)
    first = log.logged.second[log.logged.begins[:-1]]
    return Answers(
        run.run_id, len(first), len(log.logged.action), float(log.logged.reward_usd.sum()) / len(first),
        int((first > log.end_s - YOUNG_DAYS * 86_400).sum()), estimates, by, ranking,
        [bar for judged in found for bar in judged.bars],
    )


def _all_judged(judging: _Judging, policies: tuple[str, ...], crew: Crew, on_step: OnStep) -> list[_Judged]:
    found = []
    with Hands(crew) as hands:
        told = iter(hands.each(judging, policies))
        for policy in policies:
            on_step(f"judging {policy}")
            found.append(next(told))
    return found


def _ranked(
    log: RunLog, policies: tuple[str, ...], estimates: list[Estimate], moved: dict[str, dict[str, Floats]]
) -> tuple[str, list[Ranked]]:
    """Policies by gain, with bounds by the greatest deviation of all: what is best is known as surely as they say.

    Source: Romano & Wolf (2005), the studentised maximum over clusters drawn again.
    """
    by = next((name for name in CHOOSES_BY if all(name in moved[policy] for policy in policies)), "")
    if not by or len(policies) < 2:
        return by, []
    cluster = log.steps(np.zeros((len(log.logged.action), 1))).cluster
    count, users = int(cluster.max()) + 1, len(cluster)
    sums = np.stack([np.bincount(cluster, moved[policy][by], count) for policy in policies], axis=1)
    drawn = resampled(_SEED, count, RESAMPLES) @ sums / users
    error = np.maximum(drawn.std(axis=0), 1e-12)
    reach = float(np.quantile(np.abs(drawn / error).max(axis=1), _CONFIDENCE))
    gain = np.array([next(e.gain for e in estimates if (e.policy, e.estimator) == (p, by)) for p in policies], dtype=float)
    best = np.bincount((gain + drawn).argmax(axis=1), minlength=len(policies)) / RESAMPLES
    order = np.argsort(-gain, kind="stable")
    return by, [
        Ranked(policies[k], float(gain[k]), float(gain[k] - reach * error[k]), float(gain[k] + reach * error[k]),
               float(best[k]))
        for k in order.tolist()
    ]
