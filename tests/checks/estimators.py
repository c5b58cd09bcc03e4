"""What every estimator must keep to: `check_estimator` faces each registered one with planted logs whose truth is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.evaluate.judged import Judge
from gaelp_sim.evaluate.steps import Found, Steps

ACTIONS, TURNS = 3, 3
Estimate = Callable[[Judge], Found]


def bandit_log(users: int, seed: int, target: float = 0.6) -> tuple[Steps, float]:
    """One decision a user; what action a pays depends on a feature x: the log and the target's true value.

    The target takes action 1 with the given chance and the others evenly; the log prefers 0 where x > 0, else 2.
    """
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 2, users)
    logging = np.where(x[:, None] == 1, [[0.5, 0.3, 0.2]], [[0.2, 0.3, 0.5]])
    action = (rng.random(users)[:, None] > logging.cumsum(axis=1)).sum(axis=1)
    pays = np.array([[1.0, 3.0, 2.0], [6.0, 1.0, 4.0]])
    reward = pays[x, action] + rng.normal(0, 1, users)
    chances = _target(target)
    steps = _steps(np.arange(users + 1), action, logging[np.arange(users), action], (chances, reward), x)
    return steps, float((pays.mean(axis=0) * chances).sum())


def chain_log(users: int, seed: int) -> tuple[Steps, float]:
    """Journeys of up to TURNS decisions over two states: an action moves the state, a state pays, some users leave early.

    The truth is worked out by going backward.
    """
    rng, chances = np.random.default_rng(seed), _target(0.8)
    logging, up, stay = np.array([0.4, 0.4, 0.2]), np.array([0.1, 0.9, 0.4]), 0.8
    pays = np.array([0.5, 2.0])
    rows: list[tuple[int, int, int, float]] = []
    for user in range(users):
        state = int(rng.random() < 0.3)
        for turn in range(TURNS):
            action = int(rng.choice(ACTIONS, p=logging))
            rows.append((user, turn * 2 + state, action, pays[state] * (1 + action) + rng.normal(0, 0.5)))
            if rng.random() > stay:
                break
            state = int(rng.random() < up[action])
    user_of, seen, action_of, reward = (np.array(column) for column in zip(*rows, strict=True))
    begins = np.concatenate([[0], np.cumsum(np.bincount(user_of, minlength=users))])
    value = np.zeros(2)
    for _ in range(TURNS):
        follows = np.array([(1 - u) * value[0] + u * value[1] for u in up])
        value = np.array([(chances * (pays[s] * (1 + np.arange(ACTIONS)) + stay * follows)).sum() for s in (0, 1)])
    steps = _steps(begins, action_of, logging[action_of], (chances, reward), seen)
    return steps, float(0.7 * value[0] + 0.3 * value[1])


def _target(chance: float) -> NDArray[np.float64]:
    return np.array([(1 - chance) / 2, chance, (1 - chance) / 2])


def _steps(
    begins: np.ndarray, action: np.ndarray, propensity: np.ndarray, told: tuple[np.ndarray, np.ndarray], state: np.ndarray
) -> Steps:
    chances, reward = told
    features = (state[:, None] == np.arange(int(state.max()) + 1)).astype(np.float32)[:, 1:]
    target = np.concatenate([np.tile(chances, (len(action), 1)), np.zeros((len(action), 1))], axis=1)
    return Steps(begins, np.arange(len(begins) - 1), action, propensity, target, reward, features, state.astype(np.int64))


def judged(steps: Steps) -> Judge:
    """A judge whose regressions let an action's worth depend on every feature."""
    return Judge(steps, np.arange(steps.features.shape[1]))


def check_estimator(estimate: Estimate, *, journeys: bool) -> None:
    """On-policy it is the mean; order and scale behave; planted values are recovered, and intervals cover them."""
    steps, _ = bandit_log(400, 1)
    found = estimate(judged(steps))
    assert abs(found.influence.mean()) < 1e-6 and len(found.influence) == steps.users
    own = np.zeros_like(steps.target)
    own[np.arange(len(steps)), steps.action] = steps.propensity  # what was taken, at its chance: every weight is 1
    mean = estimate(judged(replace(steps, target=own))).value
    assert own.sum() < len(steps) and np.isfinite(mean)
    doubled = estimate(judged(replace(steps, reward=steps.reward * 2.0))).value
    assert np.isclose(doubled, 2.0 * found.value, rtol=0.05)
    again = estimate(judged(steps))
    assert again.value == found.value
    backwards = estimate(judged(steps.of_users(np.arange(steps.users)[::-1]))).value
    assert np.isclose(backwards, found.value, rtol=0.1)
    recovered(estimate, bandit_log, 40)
    if journeys:
        recovered(estimate, chain_log, 25)


def recovered(estimate: Estimate, log: Callable[[int, int], tuple[Steps, float]], logs: int) -> None:
    """Over many logs the mean is the truth within three standard errors (and a little), and 95 % intervals cover it."""
    values, covered = [], 0
    for seed in range(logs):
        steps, truth = log(600, 100 + seed)
        found = estimate(judged(steps))
        half = 1.96 * float(np.sqrt((found.influence**2).sum())) / steps.users
        values.append(found.value)
        covered += abs(found.value - truth) <= half
    error = float(np.std(values, ddof=1)) / logs**0.5
    assert abs(np.mean(values) - truth) < 3.0 * error + 0.03 * abs(truth), (np.mean(values), truth, error)
    assert covered >= 0.8 * logs, (covered, logs)
