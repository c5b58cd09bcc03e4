"""`gaelp ope`: what policies would have earned, from the rows of a run that an advertiser has, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from gaelp_sim.analyse.clusters import resampled
from gaelp_sim.errors import UsageError
from gaelp_sim.evaluate.judged import RESAMPLES, Estimate, Judge, checks_of, estimated, named
from gaelp_sim.evaluate.overlap import Bar, overlap
from gaelp_sim.evaluate.run_log import RunLog, read_log
from gaelp_sim.evaluate.targets import chances
from gaelp_sim.events import Floats
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.store import RunRecord, Store
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


def ope(store: Store, run: RunRecord, asked: Asked, on_step: OnStep) -> Answers:
    """Judge policies from a finished run's log.

    Raises UsageError for a log that can't be read as decisions with propensities, and for policies whose choices it does
    not tell.
    """
    chosen = named(asked.estimators)
    log = read_log(store, run, asked.settled_days)
    scenario = None if log.scenario is None else stored_scenario(run, asked.sets)
    if scenario is None and asked.sets:
        raise UsageError("--set: an imported log has no scenario to change; leave it out")
    estimates: list[Estimate] = []
    moved: dict[str, dict[str, Floats]] = {}
    model: Floats | None = None
    bars: list[Bar] = []
    for policy in asked.policies:
        on_step(f"judging {policy}")
        judge = Judge(log.steps(_target(log, run, policy, scenario)), log.slopes, model)
        model = judge.model
        bars += overlap(policy, judge.steps)
        told = estimated(judge, policy, chosen, checks_of(judge, log.signal))
        estimates += [one for one, _ in told]
        moved[policy] = {one.estimator: influence for one, influence in told if not one.refused}
    by, ranking = _ranked(log, asked.policies, estimates, moved)
    first = log.logged.second[log.logged.begins[:-1]]
    return Answers(
        run.run_id, len(first), len(log.logged.action), float(log.logged.reward_usd.sum()) / len(first),
        int((first > log.end_s - YOUNG_DAYS * 86_400).sum()), estimates, by, ranking, bars,
    )


def _target(log: RunLog, run: RunRecord, policy: str, scenario: Scenario | None) -> Floats:
    return chances(log, run.policy if policy == LOGGED else policy, scenario)


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
