"""Every registered estimator faces the suite; planted faults in estimators fail it."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

from gaelp_sim.evaluate import sequences  # noqa: E402 - only where torch is there
from gaelp_sim.evaluate.judged import ESTIMATORS, JOURNEY, Judge  # noqa: E402
from gaelp_sim.evaluate.steps import Found, summed  # noqa: E402
from tests.checks.estimators import bandit_log, chain_log, check_estimator, recovered  # noqa: E402


@pytest.mark.parametrize("name", [name for name in ESTIMATORS if name != "fqe"])
def test_a_registered_estimator(name: str) -> None:
    check_estimator(ESTIMATORS[name].told, journeys=ESTIMATORS[name].family == JOURNEY)


def test_fitted_q_evaluation_recovers_planted_values() -> None:
    """Fewer logs: each trains a network."""
    recovered(ESTIMATORS["fqe"].told, bandit_log, 6)
    recovered(ESTIMATORS["fqe"].told, chain_log, 6)


def _forgets_weights(judge: Judge) -> Found:
    return summed(judge.steps, judge.steps.reward, np.ones(len(judge.steps)))


def _one_step_only(judge: Judge) -> Found:
    return summed(judge.steps, judge.steps.weight * judge.steps.reward, judge.steps.weight)


def _too_sure(judge: Judge) -> Found:
    found = sequences.per_decision(judge.steps)
    return found._replace(influence=found.influence / 3.0)


@pytest.mark.parametrize(("fault", "log"), [
    (_forgets_weights, bandit_log), (_one_step_only, chain_log), (_too_sure, bandit_log),
])
def test_a_faulty_estimator_fails(fault: object, log: object) -> None:
    with pytest.raises(AssertionError):
        recovered(fault, log, 25)  # type: ignore[arg-type]


def test_steps_of_users_and_paths_are_the_plain_ones() -> None:
    """Products and sums, user by user, in a loop."""
    steps, _ = chain_log(30, 3)
    for user in range(steps.users):
        rows = range(steps.begins[user], steps.begins[user + 1])
        product = 1.0
        for row in rows:
            product *= steps.target[row, steps.action[row]] / steps.propensity[row]
            assert steps.path_weight[row] == pytest.approx(product)
    picked = steps.of_users(np.array([4, 4, 2]))
    fifth = steps.reward[steps.begins[4] : steps.begins[5]]
    assert picked.users == 3 and (picked.reward[: picked.begins[1]] == fifth).all()
    assert (steps.under(steps.target * 0.0).path_weight == 0.0).all()
