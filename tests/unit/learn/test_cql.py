"""Conservative Q-learning by d3rlpy: timeouts are kept, our network computes d3rlpy's values, the better action is found.

d3rlpy has an environment of its own (`make offline` makes it and runs this file); elsewhere its tests are skipped.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from gaelp_sim.errors import UsageError

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from gaelp_sim.draws import Draws  # noqa: E402 - only where torch is there
from gaelp_sim.learn.checkpoints import (  # noqa: E402
    MANIFEST,
    Manifest,
    learned_policy,
    load_checkpoint,
    save_checkpoint,
)
from gaelp_sim.learn.cql import Conservative, copied, dataset_of, learn_conservatively  # noqa: E402
from gaelp_sim.learn.logged import Logged, closed  # noqa: E402
from gaelp_sim.learn.nearest import nearest_actions  # noqa: E402
from gaelp_sim.learn.network import JourneyNet, Shape  # noqa: E402
from gaelp_sim.learn.policy import FLOOR  # noqa: E402
from gaelp_sim.learn.q_network import QNet, seen  # noqa: E402
from gaelp_sim.market.actions import Actions  # noqa: E402
from gaelp_sim.observe.table import COLUMN, HIGH, LOW  # noqa: E402
from gaelp_sim.store import Store  # noqa: E402
from gaelp_sim.world.request import RunRequest  # noqa: E402
from gaelp_sim.world.simulate import run  # noqa: E402
from tests.unit.learn.logs import planted, scenario, stored_log  # noqa: E402

ACTIONS = Actions.of(scenario())
SHAPE = Shape(ACTIONS.count, ACTIONS.creatives, hidden=0, encoder=16)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Logged:
    """Some 3,000 decisions of `short`."""
    return stored_log(tmp_path_factory.mktemp("log"), "population.people=1500", "identity.mode=perfect")


@pytest.fixture(scope="module")
def d3rlpy() -> Any:
    """The library, or a skip that says how to have it."""
    return pytest.importorskip("d3rlpy", reason="d3rlpy has an environment of its own: make offline")


def _net(seed: int = 1) -> QNet:
    net = QNet(SHAPE)
    like = JourneyNet.born(Shape(5, 1, 40, 40), Draws(seed))
    luck = torch.cat([weights.detach().flatten() for weights in like.parameters()])
    with torch.no_grad():
        for weights in net.parameters():
            weights.copy_(luck[: weights.numel()].reshape(weights.shape))
    return net


def test_closing_rows_follow_timeouts_alone(log: Logged) -> None:
    """Decisions in order, each once; one more row after the last decision of whoever did not buy."""
    row, closing = closed(log)
    np.testing.assert_array_equal(row[~closing], np.arange(len(log.user)))
    np.testing.assert_array_equal(row[closing], np.flatnonzero(log.timeout))
    assert (row[np.flatnonzero(closing) - 1] == row[closing]).all() and not closing[np.flatnonzero(closing) - 1].any()


def test_what_the_layers_see(log: Logged) -> None:
    """Everything lies in [0, 1] and differs by signal in one column each."""
    shown = seen(torch.from_numpy(log.observation)).numpy()
    assert shown.min() >= 0 and shown.max() <= 1 and shown.shape == (len(log.user), 170)
    np.testing.assert_array_equal(shown[:, 41:].argmax(axis=1), log.observation[:, COLUMN["signal"]].astype(int))
    assert (shown[:, 41:].sum(axis=1) == 1).all() and len(np.unique(shown[:, 41:], axis=0)) == len(np.unique(log.signal))
    edges = seen(torch.tensor(np.stack([LOW, HIGH]))).numpy()
    np.testing.assert_allclose(edges[:, :41], [[0] * 41, [1] * 41], atol=1e-6)


def test_a_q_network_bids_in_runs_by_its_best_action(tmp_path: Path) -> None:
    """Saved, loaded and run: every logged action is the best allowed one, or explored, at its exact propensity."""
    net = _net()
    save_checkpoint(tmp_path / "q", net, Manifest.of(net, scenario(), 1, {}))
    url = f"sqlite:///{tmp_path / 'a.db'}"
    done = run(RunRequest(scenario("population.people=1500", "us.policy.pacing=none"), url,
                          policy=f"checkpoint:{tmp_path / 'q'}"))
    with Store.open(url) as store:
        rows = store.read(store.find_run(done.run_id), "decision")
    observation = np.array([np.frombuffer(blob, "<f4") for blob in rows["features"]])
    allowed = ACTIONS.allowed[np.asarray(rows["channel"])]
    with torch.inference_mode():
        values = np.where(allowed, net(torch.tensor(observation)).numpy(), -np.inf)
    done_number = ACTIONS.number(np.asarray(rows["level"]), np.asarray(rows["creative"]))
    best = values.argmax(axis=1) == done_number
    assert len(best) > 1_000 and best.mean() > 0.98
    explored = FLOOR / allowed.sum(axis=1)
    np.testing.assert_allclose(rows["propensity"], np.where(best, 1 - FLOOR, 0) + explored, rtol=1e-9)


def test_manifests_tell_the_kind_and_old_ones_still_load(tmp_path: Path) -> None:
    """`q` and `journey`; a manifest without a kind is a journey network's; another kind or shape is refused."""
    journey = JourneyNet.born(Shape(ACTIONS.count, ACTIONS.creatives, 4, 4), Draws(1))
    for name, net in (("q", _net()), ("journey", journey)):
        save_checkpoint(tmp_path / name, net, Manifest.of(net, scenario(), 1, {}))
        loaded, manifest = load_checkpoint(tmp_path / name)
        assert manifest.kind == name and type(loaded) is type(net)
    assert learned_policy(scenario(), f"checkpoint:{tmp_path / 'q'}").notes == 2
    path = tmp_path / "journey" / MANIFEST
    told = json.loads(path.read_text())
    told.pop("kind")
    path.write_text(json.dumps(told))
    assert isinstance(load_checkpoint(tmp_path / "journey")[0], JourneyNet)
    for change, why in (({"kind": "policy"}, "is no network of this version"), ({"kind": "q"}, "shape"),
                        ({"kind": 3}, "is no str")):
        path.write_text(json.dumps(told | change))
        with pytest.raises(UsageError, match=why):
            load_checkpoint(tmp_path / "journey")


def test_without_d3rlpy_one_line_says_what_to_do(log: Logged, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(__import__("sys").modules, "d3rlpy", None)
    with pytest.raises(UsageError, match="next: make offline"):
        learn_conservatively(log, scenario(), tmp_path / "x", Conservative(), lambda told: None)
    assert not (tmp_path / "x").exists()


def test_other_layers_are_refused() -> None:
    """Weights of another form are never poured into ours."""
    other = torch.nn.Sequential(torch.nn.Linear(3, 2))
    algo = SimpleNamespace(impl=SimpleNamespace(modules=SimpleNamespace(q_funcs=[other])))
    with pytest.raises(UsageError, match="other layers than this version knows"):
        copied(algo, SHAPE)


def test_the_log_survives_d3rlpys_file(d3rlpy: Any, log: Logged, tmp_path: Path) -> None:
    """Written and read by d3rlpy: an episode a user, timeouts no terminals, every decision a step with its reward."""
    action, _ = nearest_actions(log, ACTIONS)
    dataset = dataset_of(log, action, ACTIONS.count, 2.0)
    with (tmp_path / "log.h5").open("w+b") as file:
        dataset.dump(file)
    with (tmp_path / "log.h5").open("rb") as file:
        again = d3rlpy.dataset.ReplayBuffer.load(file, d3rlpy.dataset.InfiniteBuffer())
    assert [episode.terminated for episode in again.episodes] == log.bought.tolist()
    assert 0 < log.bought.sum() < len(log.bought)
    assert [episode.transition_count for episode in again.episodes] == np.diff(log.begins).tolist()
    steps = [(episode, slice(0, episode.transition_count)) for episode in again.episodes]
    for name, wanted in (("actions", action[:, None]), ("rewards", log.reward_usd[:, None] / 2),
                         ("observations", seen(torch.from_numpy(log.observation)).numpy())):
        np.testing.assert_allclose(np.concatenate([getattr(one, name)[part] for one, part in steps]), wanted, rtol=1e-6)
    # What no step ends with is never a terminal one.
    picked = [again.transition_picker(episode, episode.transition_count - 1) for episode in again.episodes]
    assert [bool(one.terminal) for one in picked] == log.bought.tolist()


def test_our_network_computes_d3rlpys_values(d3rlpy: Any, log: Logged) -> None:
    """After some steps of training: equal to 1e-5; two layers exchanged are not."""
    action, _ = nearest_actions(log, ACTIONS)
    dataset = dataset_of(log, action, ACTIONS.count, 1.0)
    algo = d3rlpy.algos.DiscreteCQLConfig(
        encoder_factory=d3rlpy.models.VectorEncoderFactory([16, 16]), learning_rate=1e-2
    ).create(device=False)
    algo.fit(dataset, n_steps=50, n_steps_per_epoch=50, show_progress=False, save_interval=10,
             logger_adapter=d3rlpy.logging.NoopAdapterFactory())
    net, shown = copied(algo, SHAPE), seen(torch.from_numpy(log.observation[:500]))
    with torch.inference_mode():
        ours = net(torch.from_numpy(log.observation[:500])).numpy()
    theirs = np.stack([algo.predict_value(shown.numpy(), np.full(500, one)) for one in range(ACTIONS.count)], axis=1)
    assert np.ptp(theirs) > 0.1
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    with torch.no_grad():
        net.body[2].weight.copy_(net.body[2].weight.T.clone())
        assert np.abs(net(torch.from_numpy(log.observation[:500])).numpy() - theirs).max() > 1e-3


def test_the_better_action_is_found(d3rlpy: Any, log: Logged, tmp_path: Path) -> None:
    """A planted bandit: by signal, one level gains 5 and the others lose 1; drawn uniformly, it is then bid everywhere."""
    rng = np.random.default_rng(3)
    creative = ACTIONS.creative(ACTIONS.allowed[log.channel].argmax(axis=1) + 1)
    level = rng.integers(1, 6, len(log.user))
    good = 1 + log.signal % 5
    n = len(log.user)
    bandit = replace(
        planted(log, ACTIONS.number(level, creative), np.full(n, 0.2)), reward_usd=np.where(level == good, 5.0, -1.0),
        user=np.arange(n), begins=np.arange(n + 1), bought=np.ones(n, dtype=bool),
    )
    asked = Conservative(epochs=1, width=64, learning_rate=2e-3)
    told = learn_conservatively(bandit, scenario(), tmp_path / "cql", asked, lambda told: None)
    assert set(told) == {"epoch", "loss", "td_loss", "conservative_loss"}
    net, manifest = load_checkpoint(tmp_path / "cql" / "best")
    assert isinstance(net, QNet) and manifest.trained_on["algo"] == "cql"
    with torch.inference_mode():
        values = net(torch.from_numpy(log.observation)).numpy()
    best = np.where(ACTIONS.allowed[log.channel], values, -np.inf).argmax(axis=1)
    assert (ACTIONS.level(best) == good).mean() > 0.95
    with pytest.raises(UsageError, match="holds a checkpoint already"):
        learn_conservatively(bandit, scenario(), tmp_path / "cql", asked, lambda told: None)
