"""Behaviour cloning: planted policies are recovered on users that nothing was learned of; memory and luck count."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gaelp_sim.errors import UsageError

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from gaelp_sim.events import Floats, Ints  # noqa: E402 - only where torch is there
from gaelp_sim.learn.checkpoints import learned_policy, load_checkpoint, read_manifest  # noqa: E402
from gaelp_sim.learn.cloning import Copying, agreement, clone, journeys_of, split  # noqa: E402
from gaelp_sim.learn.logged import Logged  # noqa: E402
from gaelp_sim.learn.network import JourneyNet, Shape  # noqa: E402
from gaelp_sim.market.actions import Actions  # noqa: E402
from tests.unit.learn.logs import planted, scenario, stored_log  # noqa: E402

ACTIONS = Actions.of(scenario())
SMALL = Copying(epochs=60, hidden=32, learning_rate=6e-3, batch_steps=1_024, slower=4)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Logged:
    """Some 8,000 decisions of `short`."""
    return stored_log(tmp_path_factory.mktemp("log"), "population.people=4000", "identity.mode=perfect")


def _copied(logged: Logged, folder: Path, asked: Copying = SMALL) -> dict[str, Any]:
    return clone(logged, scenario(), folder, asked, lambda told: None)


def _remembering(logged: Logged) -> Ints:
    """Bid low at first, then by the channel of the user's decision before, which no feature tells."""
    before = np.roll(logged.channel, 1)
    before[logged.begins[:-1]] = -1
    level = np.select([before < 0, before == 0], [4, 9], 13)
    first = np.array([ACTIONS.creative(np.flatnonzero(row)[1:2])[0] for row in ACTIONS.allowed])
    return ACTIONS.number(level, first[logged.channel])


def test_a_planted_policy_that_remembers_is_recovered(log: Logged, tmp_path: Path) -> None:
    """Over 95 % of held-out users' actions; without the order of decisions, or their memory, far fewer."""
    action = _remembering(log)
    told = _copied(planted(log, action, np.ones(len(action))), tmp_path / "whole")
    assert told["agreement"] > 0.95 and told["log_likelihood"] > -0.15
    # The planted fault: every decision a journey of its own.
    alone = replace(planted(log, action, np.ones(len(action))), user=np.arange(len(action)))
    assert _copied(alone, tmp_path / "alone", replace(SMALL, epochs=15))["agreement"] < 0.9


def test_the_rule_without_exploration_is_recovered(tmp_path: Path) -> None:
    """A real run, pacing and all: what the rule does can be told from what is seen."""
    logged = stored_log(tmp_path, "population.people=4000", "us.policy.exploration=1e-6", "us.budget.usd_day=40",
                        "us.policy.pacing=even", "identity.mode=perfect")
    assert logged.propensity.min() > 0.999
    assert _copied(logged, tmp_path / "clone")["agreement"] > 0.95


def test_likelihood_comes_near_the_logging_policys(log: Logged, tmp_path: Path) -> None:
    """A planted policy that is random three times in ten: the copy's log-likelihood is that of the true propensities."""
    logged = _random_at_times(log, 0.3)
    told = _copied(logged, tmp_path / "clone", replace(SMALL, epochs=30))
    _, held = split(journeys_of(logged, ACTIONS), SMALL)
    truth = np.log(logged.propensity[np.isin(logged.user, held.columns["user"])]).mean()
    assert truth - 0.12 < told["log_likelihood"] < truth + 0.02


def _random_at_times(logged: Logged, share: float) -> Logged:
    rng = np.random.default_rng(7)
    allowed = ACTIONS.allowed[logged.channel]
    greedy = ACTIONS.number(3 + logged.signal % 8, ACTIONS.creative(allowed.argmax(axis=1) + 1))
    greedy = np.where(allowed[np.arange(len(greedy)), greedy], greedy, 0)
    drawn = np.array([rng.choice(np.flatnonzero(row)) for row in allowed])
    action = np.where(rng.random(len(greedy)) < share, drawn, greedy)
    propensity: Floats = share / allowed.sum(axis=1) + (1 - share) * (action == greedy)
    return planted(logged, action, propensity)


def test_whole_users_are_held_out_by_keyed_luck(log: Logged) -> None:
    """No user on both sides, all decisions on one, the same users for a seed, others for another."""
    journeys = journeys_of(planted(log, _remembering(log), np.ones(len(log.user))), ACTIONS)
    learned, held = split(journeys, SMALL)
    users = [set(part.columns["user"].tolist()) for part in (learned, held)]
    assert not users[0] & users[1] and len(users[0] | users[1]) == log.user.max() + 1
    assert 0.07 < len(users[1]) / (log.user.max() + 1) < 0.13
    assert len(learned.columns["user"]) + len(held.columns["user"]) == len(log.user)
    again, other = split(journeys, SMALL)[1], split(journeys, replace(SMALL, seed=2))[1]
    assert np.array_equal(again.columns["user"], held.columns["user"])
    assert not np.array_equal(other.columns["user"], held.columns["user"])
    for part in (learned, held):
        for k in range(0, len(part), 97):
            rows = slice(part.begins[k], part.begins[k + 1])
            whole = log.user == part.columns["user"][rows][0]
            np.testing.assert_array_equal(part.columns["observation"][rows], log.observation[whole][:128])


def test_what_is_kept_is_a_checkpoint_like_any_other(log: Logged, tmp_path: Path) -> None:
    """The same log and seed give the same weights; the manifest says how; a folder is not written over."""
    logged = planted(log, _remembering(log), np.ones(len(log.user)))
    short = replace(SMALL, epochs=2)
    for name in ("a", "b"):
        _copied(logged, tmp_path / name, short)
    hashes = {read_manifest(tmp_path / name / "last").weights_sha256 for name in ("a", "b")}
    assert len(hashes) == 1
    manifest = load_checkpoint(tmp_path / "a" / "best")[1]
    assert manifest.kind == "journey" and manifest.trained_on["algo"] == "clone"
    assert "nearest by ratio" in manifest.trained_on["actions"] and manifest.trained_on["run_id"] == log.run_id
    assert learned_policy(scenario(), f"checkpoint:{tmp_path / 'a' / 'best'}").greedy
    lines = [json.loads(line) for line in (tmp_path / "a" / "epochs.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [0, 1] and lines[1]["loss"] < lines[0]["loss"]
    with pytest.raises(UsageError, match="holds a checkpoint of something else"):
        _copied(logged, tmp_path / "a", replace(short, seed=2))


def test_copying_goes_on_to_the_same_weights(log: Logged, tmp_path: Path) -> None:
    """Stopped in the middle and asked for again: weights and best figures are those of one go; then it is over."""
    logged = planted(log, _remembering(log), np.ones(len(log.user)))
    asked = replace(SMALL, epochs=5, slower=1)
    whole = _copied(logged, tmp_path / "whole", asked)

    class Stop(Exception):
        pass

    def stop(told: dict[str, Any]) -> None:
        if told["epoch"] == 1:
            raise Stop

    with pytest.raises(Stop):
        clone(logged, scenario(), tmp_path / "cut", asked, stop)
    assert _copied(logged, tmp_path / "cut", asked) == whole
    for which in ("best", "last"):
        one, other = (read_manifest(tmp_path / name / which).weights_sha256 for name in ("whole", "cut"))
        assert one == other
    passes = (tmp_path / "cut" / "epochs.jsonl").read_text()
    assert _copied(logged, tmp_path / "cut", asked) == whole and (tmp_path / "cut" / "epochs.jsonl").read_text() == passes


def test_what_is_not_allowed_has_no_chance(log: Logged) -> None:
    """A network that knows nothing gives every allowed action the same chance, and the others none."""
    net = JourneyNet(Shape(ACTIONS.count, ACTIONS.creatives, 4, 4))
    with torch.no_grad():
        for weights in net.parameters():
            weights.zero_()
    journeys = journeys_of(planted(log, _remembering(log), np.ones(len(log.user))), ACTIONS)
    done = np.arange(ACTIONS.count) == journeys.columns["action"][:, None]
    journeys.columns["allowed"] = journeys.columns["allowed"] & (done | (np.arange(ACTIONS.count) % 3 > 0))
    assert not journeys.columns["allowed"].all()
    found = agreement(net, journeys, 512)["log_likelihood"]
    assert found == pytest.approx(-np.log(journeys.columns["allowed"].sum(axis=1)).mean(), abs=1e-5)


def test_too_few_users_are_refused(log: Logged, tmp_path: Path) -> None:
    few = int(log.begins[9])
    cut = {name: value[:few] for name, value in vars(log).items() if getattr(value, "shape", ())[:1] == log.user.shape}
    action = _remembering(log)[:few]
    tiny = planted(replace(log, **cut, begins=log.begins[:10], bought=log.bought[:9]), action, np.ones(few))
    with pytest.raises(UsageError, match="9 users; at least 10"):
        _copied(tiny, tmp_path / "x")
    assert not (tmp_path / "x").exists()
