"""Estimates of OBP and SCOPE-RL on drawn logs: inputs, what the libraries say, and the formula that each one uses.

`oracles.json` keeps all of it, so that estimators can be held against the libraries without them. In the environment of
`make oracles`, `.venv-oracles/bin/python -m tests.unit.evaluate.oracles` writes the file anew.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

FILE = Path(__file__).with_name("oracles.json")
LAMBDA = {"ipw": 2.0, "dr": 2.0, "switch-dr": 2.0, "dr-os": 5.0}
"""The second setting of those that take one; the first is the library's own"""
GAMMAS = (1.0, 0.9)
Inputs = dict[str, Any]

BANDIT_FORMULAS = {
    "weights": "w = action_dist[i, action[i]] / pscore[i]; q = q_hat[i, action[i]]; v = sum over a of action_dist[i, a] "
               "q_hat[i, a] (OBP divides by the row's sum, which is 1)",
    "ipw": "mean of min(w, lambda) reward: no normalisation; the clip is at lambda, not from below",
    "snipw": "sum of w reward / sum of w; without a clip, whatever lambda",
    "dm": "mean of v",
    "dr": "mean of v + min(w, lambda) (reward - q)",
    "sndr": "mean of v + w (reward - q) / mean of w: the correction alone is normalised",
    "switch-dr": "mean of v + [w <= lambda] w (reward - q): the bound itself still takes the correction",
    "dr-os": "mean of v + lambda w / (w^2 + lambda) (reward - q): not the pessimistic min(w, lambda); "
             "without a lambda it is 0, so that only v is left (the others' is infinity)",
}
JOURNEY_FORMULAS = {
    "weights": "rho[t] = action_dist[t, action[t]] / pscore[t] of a trajectory; W[t] = product of rho up to t, W[-1] = 1; "
               "d[t] = gamma^t from t = 0; q[t] = q_hat[t, action[t]]; v[t] = sum over a of action_dist[t, a] q_hat[t, a]; "
               "a trajectory's value is the sum over its steps, the estimate the mean over trajectories",
    "dm": "v[0]: the first step's value alone, so q_hat must be of what is still to come; gamma is not used",
    "tis": "d[t] W[T - 1] reward[t]",
    "pdis": "d[t] W[t] reward[t]",
    "dr": "d[t] (W[t] (reward[t] - q[t]) + W[t - 1] v[t]): the sum form of the recursive one",
    "sntis": "as tis, W divided by (its mean over trajectories + 1e-10)",
    "snpdis": "as pdis, W[t] divided by (its mean over trajectories at that step + 1e-10)",
    "sndr": "as dr with both W[t] and W[t - 1] divided so, each by its own step's mean; W[-1] stays 1",
    "drl": "m[t] (reward[t] - q[t]) + m[t - 1] v[t] with marginal weights m, m[-1] = 1: NOT discounted, whatever gamma; "
           "the paper discounts each step",
}


def bandit_inputs() -> Inputs:
    """A log of 60 rounds and 5 actions, another policy, and a guess of rewards; RandomState's stream never changes."""
    luck, n, actions = np.random.RandomState(20231), 60, 5
    pi_b, pi_e = luck.dirichlet(np.full(actions, 1.5), n), luck.dirichlet(np.full(actions, 1.5), n)
    action = _chosen(pi_b, luck.uniform(size=n))
    truth = luck.normal(1.0, 2.0, (n, actions))
    rows = np.arange(n)
    return {
        "action": action, "reward": truth[rows, action] + luck.normal(0.0, 0.5, n), "pscore": pi_b[rows, action],
        "action_dist": pi_e, "q_hat": truth + luck.normal(0.3, 1.0, (n, actions)),
    }


def journey_inputs() -> Inputs:
    """24 trajectories of 6 steps and 4 actions, flat; the last two steps of every third one are padding (weight 1)."""
    luck, users, steps, actions = np.random.RandomState(20232), 24, 6, 4
    n = users * steps
    pi_b, pi_e = luck.dirichlet(np.full(actions, 4.0), n), luck.dirichlet(np.full(actions, 4.0), n)
    action = _chosen(pi_b, luck.uniform(size=n))
    rows = np.arange(n)
    padded = (rows % steps >= steps - 2) & (rows // steps % 3 == 0)
    pscore, reward = pi_b[rows, action], luck.normal(0.5, 1.0, n)
    q_hat, marginal = luck.normal(1.0, 1.0, (n, actions)), luck.gamma(4.0, 0.25, n)
    action, pscore = np.where(padded, actions - 1, action), np.where(padded, 1.0, pscore)
    return {
        "step_per_trajectory": steps, "action": action, "reward": np.where(padded, 0.0, reward), "pscore": pscore,
        "action_dist": np.where(padded[:, None], np.eye(actions)[-1], pi_e), "q_hat": np.where(padded[:, None], 0.0, q_hat),
        "marginal_weight": np.where(padded, 1.0, marginal), "padded": padded.astype(int),
    }


def _chosen(chances: np.ndarray, place: np.ndarray) -> np.ndarray:
    """(n,): the action under whose part of [0, 1) each place lies."""
    return np.minimum((np.cumsum(chances, axis=1) <= place[:, None]).sum(axis=1), chances.shape[1] - 1)


def obp_estimates(given: Inputs) -> dict[str, float]:
    """What OBP says, by its estimators' names; `name@lambda` where one is set."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from obp import ope

    kinds = {
        "ipw": ope.InverseProbabilityWeighting, "snipw": ope.SelfNormalizedInverseProbabilityWeighting,
        "dm": ope.DirectMethod, "dr": ope.DoublyRobust, "sndr": ope.SelfNormalizedDoublyRobust,
        "switch-dr": ope.SwitchDoublyRobust, "dr-os": ope.DoublyRobustWithShrinkage,
    }
    told = {
        "reward": given["reward"], "action": given["action"], "pscore": given["pscore"],
        "position": np.zeros(len(given["action"]), dtype=int), "action_dist": given["action_dist"][:, :, None],
        "estimated_rewards_by_reg_model": given["q_hat"][:, :, None],
    }
    found = {name: float(kind().estimate_policy_value(**told)) for name, kind in kinds.items()}
    return found | {
        f"{name}@{most}": float(kinds[name](lambda_=most).estimate_policy_value(**told)) for name, most in LAMBDA.items()
    }


def scope_rl_estimates(given: Inputs) -> dict[str, float]:
    """What SCOPE-RL says, by its estimators' names and gamma."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from scope_rl.ope import discrete

    kinds = {
        "dm": discrete.DirectMethod, "tis": discrete.TrajectoryWiseImportanceSampling,
        "pdis": discrete.PerDecisionImportanceSampling, "dr": discrete.DoublyRobust, "sntis": discrete.SelfNormalizedTIS,
        "snpdis": discrete.SelfNormalizedPDIS, "sndr": discrete.SelfNormalizedDR,
        "drl": discrete.DoubleReinforcementLearning,
    }
    told = {
        "step_per_trajectory": given["step_per_trajectory"], "action": given["action"], "reward": given["reward"],
        "pscore": given["pscore"], "evaluation_policy_action_dist": given["action_dist"],
        "state_action_value_prediction": given["q_hat"],
        "state_action_marginal_importance_weight": given["marginal_weight"],
    }
    return {
        f"{name}@gamma={gamma}": float(kind().estimate_policy_value(**told, gamma=gamma))
        for name, kind in kinds.items() for gamma in GAMMAS
    }


def kept() -> dict[str, Any]:
    """The file, its inputs as arrays."""
    told = json.loads(FILE.read_text(encoding="utf-8"))
    for part in told.values():
        part["inputs"] = {
            name: np.array(value) if isinstance(value, list) else value for name, value in part["inputs"].items()
        }
    return told


def main() -> None:
    """Write the file from the libraries."""
    from importlib.metadata import version

    bandit, journeys = bandit_inputs(), journey_inputs()
    parts = {
        "bandit": {"library": f"obp {version('obp')}", "formulas": BANDIT_FORMULAS, "estimates": obp_estimates(bandit),
                   "inputs": bandit},
        "journeys": {"library": f"scope-rl {version('scope-rl')}", "formulas": JOURNEY_FORMULAS,
                     "estimates": scope_rl_estimates(journeys), "inputs": journeys},
    }
    FILE.write_text(_text(parts) + "\n", encoding="utf-8")


def _text(parts: dict[str, Any]) -> str:
    """JSON with a line an entry, arrays on one line each."""
    def lines(told: dict[str, Any], write: Callable[[Any], str], indent: str) -> str:
        rows = [f"{indent}{json.dumps(name)}: {write(value)}" for name, value in told.items()]
        return "{\n" + ",\n".join(rows) + "\n" + indent[:-1] + "}"

    def flat(value: Any) -> str:
        return json.dumps(value, default=lambda array: array.tolist())

    def part(told: dict[str, Any]) -> str:
        return lines(told, lambda value: lines(value, flat, "   ") if isinstance(value, dict) else flat(value), "  ")

    return lines(parts, part, " ")


if __name__ == "__main__":
    main()
