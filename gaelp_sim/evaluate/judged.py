"""Estimates with intervals, or a refusal with its reason: every estimator that is registered, on one log and one target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from gaelp_sim.analyse.clusters import percentiles, resampled
from gaelp_sim.analyse.estimates import Z_95
from gaelp_sim.errors import UsageError
from gaelp_sim.evaluate import bandit, marginal, sequences
from gaelp_sim.evaluate.log_checks import Checks, markov_fault, overlap_fault, propensity_fault
from gaelp_sim.evaluate.reward_models import Inputs, rewards, worths
from gaelp_sim.evaluate.steps import Found, Steps
from gaelp_sim.events import Floats, Ints

DECISION, JOURNEY = "decision", "journey"
ESS_LEAST, ESS_SHARE_LEAST, ESS_SHARE_JOURNEYS = 200.0, 0.02, 0.3
"""Effective sample size that an answer needs, also as a share of decisions; where whole journeys are weighed, of users:
with less, which logs pass is luck that their answers share"""
PAID_LEAST = 60.0
"""Decisions (users) that earned something, thinned as much as the weights thin the sample"""
CUT_MOST = 0.01
"""Share of what the target does that an estimator may leave to a bound or a model"""
SHARE_MOST = 0.1
"""Greatest part of all weight that one decision, or one journey, may have"""
RESAMPLES = 400
_SEED = 1


class Judge:
    """A log under a target policy, with the models that several estimators share."""

    def __init__(self, steps: Steps, slopes: Ints, model: Floats | None = None) -> None:
        """slopes: which features an action's worth may depend on; model: that of another target on the same log."""
        self.steps, self._slopes, self._model = steps, slopes, model

    @cached_property
    def inputs(self) -> Inputs:
        """What the regressions see."""
        return Inputs.of(self.steps, self._slopes)

    @cached_property
    def model(self) -> Floats:
        """(n, actions): what each action earns by itself, whatever the target."""
        return self._model if self._model is not None else rewards(self.steps, self.inputs, _SEED)

    @cached_property
    def worth(self) -> Floats:
        """(n, actions): what each action and following the target afterwards is worth."""
        return worths(self.steps, self.inputs, _SEED)

    @cached_property
    def clusters(self) -> int:
        """How many groups of users share no luck."""
        return int(self.steps.cluster.max()) + 1

    @cached_property
    def drawn(self) -> Floats:
        """(RESAMPLES, clusters): how often each is drawn again, the same for all estimators."""
        return resampled(_SEED, self.clusters, RESAMPLES)


def _fitted(judge: Judge) -> Found:
    """Fitted Q evaluation by a network; its spread is that of its influence function."""
    from gaelp_sim.learn.fqe import worths_by_network

    worth = worths_by_network(judge.steps, _SEED)
    steps, ratio = judge.steps, marginal.state_ratio(judge.steps)
    first = (steps.target * worth).sum(axis=1)[steps.begins[:-1]]
    moved = steps.by_user(marginal.corrected(steps, worth, ratio))
    return Found(float(first.mean()), moved - float(moved.mean()), ratio)


@dataclass(frozen=True)
class Estimator:
    """One way to answer."""

    family: str
    """DECISION: each decision by itself; JOURNEY: with what it does to later ones"""
    told: Callable[[Judge], Found]
    needs_markov: bool = False
    """Right only where features tell all that matters"""
    cut: float = float("inf")
    """Weights beyond this it does not trust"""


ESTIMATORS = {
    "ips": Estimator(DECISION, lambda judge: bandit.ips(judge.steps)),
    "snips": Estimator(DECISION, lambda judge: bandit.snips(judge.steps)),
    "clipped_ips": Estimator(DECISION, lambda judge: bandit.clipped(judge.steps), cut=bandit.CLIP),
    "dm": Estimator(DECISION, lambda judge: bandit.direct(judge.steps, judge.model), needs_markov=True),
    "dr": Estimator(DECISION, lambda judge: bandit.doubly_robust(judge.steps, judge.model)),
    "switch_dr": Estimator(DECISION, lambda judge: bandit.switch_dr(judge.steps, judge.model), cut=bandit.SWITCH),
    "pdis": Estimator(JOURNEY, lambda judge: sequences.per_decision(judge.steps)),
    "wpdis": Estimator(JOURNEY, lambda judge: sequences.weighted(judge.steps)),
    "journey_dr": Estimator(JOURNEY, lambda judge: sequences.doubly_robust(judge.steps, judge.worth)),
    "mis": Estimator(JOURNEY, lambda judge: marginal.counted(judge.steps), needs_markov=True),
    "marginal_dr": Estimator(JOURNEY, lambda judge: marginal.doubly_robust(judge.steps, judge.worth), needs_markov=True),
    "fqe": Estimator(JOURNEY, _fitted, needs_markov=True),
}


@dataclass(frozen=True)
class Estimate:
    """What an estimator says a user is worth under a policy, in USD; low and high bound the 95 % interval."""

    policy: str
    estimator: str
    family: str
    value: float | None
    low: float | None
    high: float | None
    boot_low: float | None
    """Bounds by drawing clusters again"""
    boot_high: float | None
    se: float | None
    gain: float | None
    """Over what was logged; the same users, so luck that both share cancels"""
    gain_low: float | None
    gain_high: float | None
    ess: float | None
    """Effective sample size of the weights"""
    largest_weight: float | None
    users: int
    refused: bool
    reason: str

    def as_json(self) -> dict[str, Any]:
        """The fields by name."""
        return asdict(self)


def named(names: tuple[str, ...]) -> dict[str, Estimator]:
    """Estimators by name; `all` for all of them. Raises UsageError for another name."""
    wanted = tuple(ESTIMATORS) if "all" in names else names
    for name in wanted:
        if name not in ESTIMATORS:
            raise UsageError(f"--estimator {name}: there is none of that name; known: {', '.join(ESTIMATORS)}, all")
    return {name: ESTIMATORS[name] for name in wanted}


def checks_of(judge: Judge, group: Ints) -> Checks:
    """What is wrong with the log for this target; group as in `propensity_fault`."""
    steps = judge.steps
    faults = propensity_fault(steps, group), overlap_fault(steps)
    return Checks(*faults, markov_fault(steps, judge.model, judge.worth) if not any(faults) else "")


def estimated(judge: Judge, policy: str, chosen: dict[str, Estimator], checks: Checks) -> list[tuple[Estimate, Floats]]:
    """Every estimator's word on a policy, with the influence of each user on its gain over what was logged."""
    return [_one(judge, (policy, name), estimator, checks) for name, estimator in chosen.items()]


def _one(judge: Judge, names: tuple[str, str], estimator: Estimator, checks: Checks) -> tuple[Estimate, Floats]:
    steps, (policy, name) = judge.steps, names
    reason = checks.propensities or checks.overlap or (checks.markov if estimator.needs_markov else "")
    logged = steps.by_user(steps.reward)
    if checks.propensities or checks.overlap:
        return _nothing((policy, name, estimator.family), len(logged), reason), np.zeros(steps.users)
    found = estimator.told(judge)
    total = float(found.weights.sum())
    ess = total**2 / max(float((found.weights**2).sum()), 1e-300)
    largest = float(found.weights.max(initial=0.0))
    if not reason:
        least = ESS_SHARE_LEAST if len(found.weights) == len(steps) else ESS_SHARE_JOURNEYS
        reason = _thin(ess, len(found.weights), least, largest / max(total, 1e-300)) or _few(steps, ess, len(found.weights))
        reason = reason or _left_out(steps, estimator.cut)
    gain = found.influence - (logged - logged.mean())
    value, se = found.value, _standard_error(judge, found.influence)
    moved = judge.drawn @ _by_cluster(judge, found.influence) / steps.users
    boot = percentiles(value + moved, value)
    gained, spread = value - float(logged.mean()), _standard_error(judge, gain)
    return Estimate(
        policy, name, estimator.family, value, value - Z_95 * se, value + Z_95 * se, boot.low, boot.high, se, gained,
        gained - Z_95 * spread, gained + Z_95 * spread, ess, largest, len(logged), bool(reason), reason,
    ), gain


def _nothing(names: tuple[str, str, str], users: int, reason: str) -> Estimate:
    return Estimate(*names, None, None, None, None, None, None, None, None, None, None, None, users, True, reason)


def _thin(ess: float, count: int, least: float, share: float) -> str:
    needed = max(ESS_LEAST, least * count)
    if ess < needed:
        return f"the weights are worth {ess:,.0f} observations, not {needed:,.0f}: the target is too far from the log"
    if share > SHARE_MOST:
        return f"one weight is {share:.0%} of all: the answer would hang on it"
    return ""


def _few(steps: Steps, ess: float, count: int) -> str:
    """Whether sales are too rare for the weights. What the log happened to weigh must not decide: a log that has met none
    of the great weights yet would look sound, and answer too low.
    """
    paid = int((steps.reward > 0).sum()) if count == len(steps) else int((steps.by_user(steps.reward) > 0).sum())
    worth = paid * min(ess / max(count, 1), 1.0)
    if worth < PAID_LEAST:
        return f"at these weights {paid:,} sales are worth {worth:.0f}, not {PAID_LEAST:.0f}: intervals would be too short"
    return ""


def _left_out(steps: Steps, cut: float) -> str:
    # Weights average to the target's chance of what they stand for, so those beyond the bound tell how much lies there.
    beyond = float(np.where(steps.weight > cut, steps.weight, 0.0).mean()) if len(steps) else 0.0
    if beyond > CUT_MOST:
        return f"weights beyond {cut:g} stand for {beyond:.0%} of what the target does"
    return ""


def _by_cluster(judge: Judge, influence: Floats) -> Floats:
    return np.bincount(judge.steps.cluster, influence, judge.clusters).astype(np.float64)


def _standard_error(judge: Judge, influence: Floats) -> float:
    """Of a mean over users, who are drawn by cluster."""
    sums, n = _by_cluster(judge, influence), judge.clusters
    return float(np.sqrt(n / max(n - 1, 1) * (sums**2).sum())) / judge.steps.users
