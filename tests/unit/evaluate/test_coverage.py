"""Estimators graded: the logs' truth is what the target earns there, and intervals that are too short are seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gaelp_sim.errors import UsageError
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.store import Store
from gaelp_sim.world.request import RunRequest
from gaelp_sim.world.simulate import run

pytest.importorskip("torch")

from gaelp_sim.evaluate.coverage import Asked, coverage  # noqa: E402 - only where torch is there
from gaelp_sim.evaluate.run_log import read_log  # noqa: E402
from gaelp_sim.planning.seeds import COVERAGE_SEED  # noqa: E402

SETS = ("population.people=1500", "days=4", "us.policy.exploration=1", "us.policy.pacing=none", "response.brand_base=3",
        "variation.market_noise_sd=0", "identity.mode=perfect")


def _asked(logs: int, **more: object) -> Asked:
    target = load_scenario("short", [*SETS, "us.policy.exploration=0.9"])
    return Asked(load_scenario("short", SETS), target, logs=logs, estimators=("ips", "pdis", "dm"), **more)  # type: ignore[arg-type]


def test_the_truth_is_what_the_target_earns_there(tmp_path: Path) -> None:
    """Worlds of the target's own run: sales less charges a logged user, averaged over worlds."""
    found = {one.estimator: one for one in coverage(_asked(12), lambda step: None)}
    url = f"sqlite:///{tmp_path / 'target.db'}"
    run(RunRequest(load_scenario("short", [*SETS, "us.policy.exploration=0.9", f"seed={COVERAGE_SEED}", "worlds=12"]), url))
    with Store.open(url) as store:
        log = read_log(store, store.find_run("@last"))
    world = log.logged.person[log.logged.begins[:-1]] >> 32
    earned = np.add.reduceat(log.logged.reward_usd, log.logged.begins[:-1])
    means = [earned[world == number].mean() for number in range(12)]
    assert found["ips"].truth == pytest.approx(np.mean(means)) and found["ips"].logs == 12
    for one in found.values():
        assert one.answered == round(12 * (1 - one.refused_share))
        if one.answered:
            assert one.coverage is not None and one.bias is not None and abs(one.bias) < one.truth


def test_what_is_hidden_is_refused_by_those_that_need_it() -> None:
    """With nothing but the signal, history tells of what follows: the model alone does not answer."""
    asked = _asked(3, hidden=True)
    found = {one.estimator: one for one in coverage(asked, lambda step: None)}
    assert found["dm"].refused_share >= found["ips"].refused_share
    with pytest.raises(UsageError, match="lived through"):
        coverage(Asked(asked.logged, asked.target, policy="ppo"), lambda step: None)
