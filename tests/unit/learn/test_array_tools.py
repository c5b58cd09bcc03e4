"""The loaders of docs/export.md, each in its own tool; d3rlpy, Minari, OBP and SCOPE-RL come with `make oracles`.

Elsewhere the loaders that need numpy alone still run, and what needs a tool is skipped.
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gaelp_sim.learn.array_export import ArrayRequest, export_arrays
from gaelp_sim.learn.logged import Logged, read_logged
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.store import Store
from gaelp_sim.world.request import RunRequest
from gaelp_sim.world.simulate import run
from tests.source_tree import ROOT

PAGE = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")
FOLDERS = {"mdp": "for_d3rlpy", "obp": "for_obp", "scope_rl": "for_scope_rl"}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Logged]:
    """A folder with a run in every form, under the names that the page uses."""
    folder = tmp_path_factory.mktemp("tools")
    url = f"sqlite:///{folder / 'gaelp.db'}"
    done = run(RunRequest(load_scenario("short", ["population.people=1500", "identity.mode=perfect"]), url))
    with Store.open(url) as store:
        record = store.find_run(done.run_id)
        for to, name in FOLDERS.items():
            export_arrays(store, record, ArrayRequest(to, folder / name), lambda name, rows: None)
        return folder, read_logged(store, record)


def tool(name: str) -> Any:
    """A tool's module, or a skip that says how to have it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name, reason=f"{name} has an environment of its own: make oracles")


def loaded(
    title: str, folder: Path, monkeypatch: pytest.MonkeyPatch, above: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The names that a section's code leaves behind, run after those of the section above beside the exports."""
    section = PAGE.partition(f"\n### {title}\n")[2].partition("\n### ")[0]
    blocks = re.findall(r"^```python\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert blocks and all(len(block.splitlines()) <= 16 for block in blocks)
    monkeypatch.chdir(folder)
    names: dict[str, Any] = {} if above is None else above
    for block in blocks:
        exec(compile(block, f"docs/export.md: {title}", "exec"), names)
    return names


def test_d3rlpy_learns_from_every_decision(exported: tuple[Path, Logged], monkeypatch: pytest.MonkeyPatch) -> None:
    """Episodes, ends, steps and rewards are the log's; CQL learns from them and FQE grades it."""
    d3rlpy = tool("d3rlpy")
    folder, logged = exported
    dataset = loaded("d3rlpy", folder, monkeypatch)["dataset"]
    actions = dataset.dataset_info.action_size
    assert actions > logged.action.max()
    assert [episode.terminated for episode in dataset.episodes] == logged.bought.tolist()
    assert 0 < logged.bought.sum() < len(logged.bought)
    assert [episode.transition_count for episode in dataset.episodes] == np.diff(logged.begins).tolist()
    paid = [episode.rewards.sum(dtype=np.float64) for episode in dataset.episodes]
    np.testing.assert_allclose(paid, np.add.reduceat(logged.reward_usd, logged.begins[:-1]), atol=1e-4)
    kept = {"show_progress": False, "logger_adapter": d3rlpy.logging.NoopAdapterFactory(), "save_interval": 10}
    cql = d3rlpy.algos.DiscreteCQLConfig(batch_size=32).create(device=False)
    cql.fit(dataset, n_steps=20, n_steps_per_epoch=20, **kept)
    fqe = d3rlpy.ope.DiscreteFQE(algo=cql, config=d3rlpy.ope.FQEConfig(batch_size=32))
    fqe.fit(dataset, n_steps=20, n_steps_per_epoch=20, **kept)
    first = dataset.episodes[0].observations[:1]
    assert np.isfinite(fqe.predict_value(first, cql.predict(first))).all() and cql.action_size == actions


def test_minari_keeps_the_chances(exported: tuple[Path, Logged], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Written and read again: an episode a user, ends, money and propensities as logged."""
    for name in ("d3rlpy", "minari"):
        tool(name)
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    folder, logged = exported
    loaded("Minari", folder, monkeypatch, loaded("d3rlpy", folder, monkeypatch))
    episodes = list(tool("minari").load_dataset("gaelp/log-v0").iterate_episodes())
    assert [len(one.rewards) for one in episodes] == np.diff(logged.begins).tolist()
    assert [bool(one.terminations[-1]) for one in episodes] == logged.bought.tolist()
    assert [bool(one.truncations[-1]) for one in episodes] == (~logged.bought).tolist()
    assert not any(one.truncations[:-1].any() or one.terminations[:-1].any() for one in episodes)
    np.testing.assert_array_equal(np.concatenate([one.infos["pscore"][:-1] for one in episodes]), logged.propensity)
    np.testing.assert_allclose(np.concatenate([one.rewards for one in episodes]), logged.reward_usd, rtol=1e-6)
    np.testing.assert_array_equal(np.concatenate([one.observations[:-1] for one in episodes]), logged.observation)


def test_obp_takes_the_feedback(exported: tuple[Path, Logged], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its IPS of the policy that logged is the mean reward; of another it is the plain formula."""
    folder, logged = exported
    feedback = loaded("OBP", folder, monkeypatch)["bandit_feedback"]
    assert feedback["n_rounds"] == len(logged.user)
    own = feedback["pi_b"]
    ope = tool("obp.ope")
    shape = (feedback["n_rounds"], feedback["n_actions"], 1)
    even = np.full(shape, 1 / feedback["n_actions"])
    grader = ope.OffPolicyEvaluation(
        bandit_feedback=feedback,
        ope_estimators=[ope.InverseProbabilityWeighting(), ope.SelfNormalizedInverseProbabilityWeighting()],
    )
    assert grader.estimate_policy_values(own)["ipw"] == pytest.approx(logged.reward_usd.mean(), rel=1e-12)
    weight = 1 / feedback["n_actions"] / logged.propensity
    told = grader.estimate_policy_values(even)
    assert told["ipw"] == pytest.approx((weight * logged.reward_usd).mean(), rel=1e-12)
    assert told["snipw"] == pytest.approx((weight * logged.reward_usd).sum() / weight.sum(), rel=1e-12)


def test_scope_rl_counts_every_sale(exported: tuple[Path, Logged], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the policy that logged it tells the mean journey, with either setting; padding weighs nothing."""
    folder, logged = exported
    names = loaded("SCOPE-RL", folder, monkeypatch)
    dataset, over = names["logged_dataset"], names["over"]
    assert set(dataset) == {
        "size", "n_trajectories", "step_per_trajectory", "action_type", "n_actions", "action_dim", "action_keys",
        "action_meaning", "state_dim", "state_keys", "state", "action", "reward", "done", "terminal", "info", "pscore",
        "behavior_policy", "dataset_id",
    }
    assert len(dataset["state_keys"]) == dataset["state_dim"] and len(dataset["action_meaning"]) == dataset["n_actions"]
    tool("scope_rl")
    actions = dataset["n_actions"] - 1
    own = spread(dataset["pscore"], np.minimum(dataset["action"], actions - 1), actions)
    journeys = np.add.reduceat(logged.reward_usd, logged.begins[:-1])
    for value in both_settings(dataset, over(own, dataset)).values():
        assert value == pytest.approx(journeys.mean(), rel=1e-9)
    mixed = 0.97 * own + 0.03 / actions
    ratio = 0.97 + 0.03 / actions / logged.propensity
    weight = np.exp([np.log(ratio[a:b]).sum() for a, b in zip(logged.begins, logged.begins[1:], strict=False)])
    told = both_settings(dataset, over(mixed, dataset))
    assert told["tis", True] == pytest.approx((weight * journeys).mean(), rel=1e-9)
    assert told["tis", False] == pytest.approx(told["tis", True], rel=1e-12)
    assert told["pdis", False] == pytest.approx(told["pdis", True], rel=1e-12)
    # A policy that is not told of the padding is weighed by it.
    untold = np.hstack([0.97 * mixed, np.full((len(mixed), 1), 0.03)])
    assert both_settings(dataset, untold)["tis", True] != pytest.approx(told["tis", True], rel=1e-3)


def spread(chance: np.ndarray, action: np.ndarray, actions: int) -> np.ndarray:
    """(n, actions): the logged chance of what was chosen, the rest shared evenly by the others."""
    whole = np.repeat((1 - chance)[:, None] / (actions - 1), actions, axis=1)
    whole[np.arange(len(action)), action] = chance
    return whole


def both_settings(dataset: dict[str, Any], action_dist: np.ndarray) -> dict[tuple[str, bool], float]:
    """SCOPE-RL's TIS and PDIS with `disable_reward_after_done` off and on."""
    ope, discrete = tool("scope_rl.ope"), tool("scope_rl.ope.discrete")
    given = {"logged": {
        "evaluation_policy_action_dist": action_dist, "evaluation_policy_action": None, "gamma": 1.0,
        "state_action_value_prediction": None, "initial_state_value_prediction": None, "on_policy_policy_value": None,
    }}
    found = {}
    for setting in (False, True):
        estimators = [discrete.TrajectoryWiseImportanceSampling(), discrete.PerDecisionImportanceSampling()]
        grader = ope.OffPolicyEvaluation(
            logged_dataset=dataset, ope_estimators=estimators, disable_reward_after_done=setting, n_step_pdis=0)
        values = grader.estimate_policy_value(given)["logged"]
        found |= {(name, setting): float(values[name]) for name in ("tis", "pdis")}
    return found
