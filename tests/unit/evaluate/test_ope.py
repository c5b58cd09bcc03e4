"""Policies judged from stored logs: targets that are the policies, faults that are found, answers that replays confirm."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gaelp_sim.errors import UsageError
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.store import Store
from gaelp_sim.world.simulate import RunRequest, run

pytest.importorskip("torch")
pytest.importorskip("safetensors")

from gaelp_sim.evaluate.judged import Judge, checks_of, named  # noqa: E402 - only where torch is there
from gaelp_sim.evaluate.log_checks import markov_fault, overlap_fault, propensity_fault  # noqa: E402
from gaelp_sim.evaluate.ope import Asked, ope  # noqa: E402
from gaelp_sim.evaluate.run_log import RunLog, check_once, of_users, read_log  # noqa: E402
from gaelp_sim.evaluate.steps import Steps  # noqa: E402
from gaelp_sim.evaluate.targets import chances  # noqa: E402
from tests.checks.estimators import chain_log, judged  # noqa: E402

SETS = ["population.people=8000", "days=7", "us.policy.exploration=0.2", "us.budget.usd_day=null",
        "response.brand_base=3"]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A run of `short` that explores in a fifth of its decisions."""
    url = f"sqlite:///{tmp_path_factory.mktemp('ope')}/runs.db"
    run(RunRequest(load_scenario("short", SETS), url))
    return url


@pytest.fixture(scope="module")
def log(stored: str) -> RunLog:
    """Its log."""
    with Store.open(stored) as store:
        return read_log(store, store.find_run("@last"))


def test_the_rule_s_chances_are_its_propensities(log: RunLog) -> None:
    """Worked out again from logged rows, every logged action has the chance that was written down."""
    own = chances(log, "rule", log.scenario)
    rows = np.arange(len(own))
    assert np.allclose(own[rows, log.logged.action], log.logged.propensity, rtol=1e-12)
    assert np.allclose(own.sum(axis=1), 1.0) and (own[:, -1] == 0.0).all()
    bold = chances(log, "rule", load_scenario("short", [*SETS, "us.policy.bid_multiplier=1.45"]))
    assert not np.allclose(bold, own) and np.allclose(bold.sum(axis=1), 1.0)


def test_other_targets_are_what_they_say(log: RunLog) -> None:
    spread, silent = chances(log, "random", None), chances(log, "silent", None)
    assert np.allclose(spread.sum(axis=1), 1.0) and np.allclose(silent.sum(axis=1), 1.0)
    assert (silent[:, :-1][:, log.logged.triples[:, 0] == 1] == 0.0).all()
    for policy, told in (("ruel", "did you mean 'rule'"), ("nowhere:Nobody", "ModuleNotFoundError")):
        with pytest.raises(UsageError, match=told):
            chances(log, policy, log.scenario)
    with pytest.raises(UsageError, match="throttle"):
        chances(log, "rule", load_scenario("short", [*SETS, "us.policy.pacing=throttle", "us.budget.usd_day=50"]))


class Always:
    """Somebody's own policy: always the log's first action."""

    def chances(self, features: np.ndarray, triples: np.ndarray) -> np.ndarray:
        found = np.zeros((len(features), len(triples)))
        found[:, 0] = 1.0
        return found


class Wrong:
    """Chances that sum to a half."""

    def chances(self, features: np.ndarray, triples: np.ndarray) -> np.ndarray:
        return np.full((len(features), len(triples)), 0.5 / len(triples))


def test_your_own_policy_is_asked_and_looked_at(log: RunLog) -> None:
    told = chances(log, "tests.unit.evaluate.test_ope:Always", None)
    assert (told[:, 0] == 1.0).all()
    with pytest.raises(UsageError, match="sum to 0.5, not to 1"):
        chances(log, "tests.unit.evaluate.test_ope:Wrong", None)


def _steps(log: RunLog, policy: str = "random") -> Steps:
    return log.steps(chances(log, policy, log.scenario))


def test_sound_logs_pass_and_planted_faults_are_found(log: RunLog) -> None:
    """Propensities off by a tenth, clipped, of another policy; lost rows; copied rows."""
    steps, signal, logged = _steps(log), log.signal, log.logged
    assert propensity_fault(steps, signal) == "" == overlap_fault(steps)
    for factor in (0.9, 1.1):
        off = replace(steps, propensity=np.minimum(steps.propensity * factor, 1.0))
        assert "can't be true" in propensity_fault(off, signal)
    clipped = replace(steps, propensity=np.maximum(steps.propensity, 0.1))
    assert "can't be true" in propensity_fault(clipped, signal)
    other = chances(log, "rule", load_scenario("short", [*SETS, "us.policy.exploration=0.4"]))
    version = replace(steps, propensity=other[np.arange(len(steps)), steps.action])
    assert "can't be true" in propensity_fault(version, signal)
    won = logged.reward_usd != 0.0
    lost = np.flatnonzero(won | (np.arange(len(steps)) % 7 == 0) | (logged.triples[logged.action, 1] > 5))
    assert "can't be true" in propensity_fault(_rows(steps, lost), signal[lost])
    with pytest.raises(UsageError, match="more than once"):
        check_once(of_users(logged, np.array([0, 1, 1])))


def _rows(steps: Steps, rows: np.ndarray) -> Steps:
    """Some decisions alone, each a user of its own."""
    n = len(rows)
    return Steps(
        np.arange(n + 1), np.arange(n), steps.action[rows], steps.propensity[rows], steps.target[rows], steps.reward[rows],
        steps.features[rows], steps.state[rows],
    )


def test_a_log_that_never_explored_tells_of_itself_alone(log: RunLog) -> None:
    steps = _steps(log)
    sure = replace(steps, propensity=np.ones(len(steps)))
    assert "never explored" in overlap_fault(sure)
    missing = np.zeros_like(steps.target)
    missing[:, -1] = 1.0
    assert "never does" in overlap_fault(steps.under(missing))


def test_history_that_features_leave_out_is_found() -> None:
    """In planted journeys the features tell everything; with the state hidden, what was earned before tells of it."""
    steps, _ = chain_log(4_000, 5)
    seen = judged(steps)
    assert markov_fault(steps, seen.model, seen.worth) == ""
    rng = np.random.default_rng(2)
    hidden = replace(
        steps, features=np.zeros((len(steps), 1), dtype=np.float32), state=np.zeros(len(steps), dtype=np.int64),
        reward=steps.reward + rng.normal(0, 2, steps.users)[steps.user],
    )
    blind = judged(hidden)
    assert "history still tells" in markov_fault(hidden, blind.model, blind.worth)


def test_answers_refuse_or_hold(stored: str) -> None:
    """The logged policy is worth its mean exactly; a far one is refused by journey; what is near is ranked."""
    with Store.open(stored) as store:
        record = store.find_run("@last")
        found = ope(store, record, Asked(("logged", "random"), ("ips", "snips", "pdis", "dr")), lambda step: None)
        rows = {(one.policy, one.estimator): one for one in found.estimates}
        settled = ope(store, record, Asked(("logged",), ("ips",), (), 3.0), lambda step: None)
        with pytest.raises(UsageError, match="nobody in run"):
            ope(store, record, Asked(("logged",), ("ips",), (), 8.0), lambda step: None)
        with pytest.raises(UsageError, match="there is none of that name"):
            ope(store, record, Asked(("logged",), ("isp",)), lambda step: None)
    own = rows["logged", "ips"]
    assert own.value == pytest.approx(found.logged_usd) and own.gain == pytest.approx(0.0, abs=1e-9) and not own.refused
    assert rows["random", "pdis"].refused and "too far from the log" in rows["random", "pdis"].reason
    far = rows["random", "ips"]
    assert not far.refused and far.low is not None and far.boot_low is not None and far.low < far.boot_high  # type: ignore[operator]
    assert found.chosen_by == "dr" and [one.policy for one in found.ranking] and settled.users < found.users


def test_checks_stop_every_estimator(log: RunLog) -> None:
    """With false propensities nobody answers; without the Markov property only those that need it don't."""
    steps = _steps(log)
    judge = Judge(replace(steps, propensity=np.minimum(steps.propensity * 1.1, 1.0)), log.slopes)
    assert checks_of(judge, log.signal).propensities
    assert set(named(("all",))) >= {"ips", "fqe", "mis"}


def test_a_log_without_decisions_is_one_line(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'wins.db'}"
    run(RunRequest(load_scenario("short", ["population.people=50", "days=1", "log=wins"]), url))
    with Store.open(url) as store, pytest.raises(UsageError, match="logged wins alone"):
        ope(store, store.find_run("@last"), Asked(("random",)), lambda step: None)
