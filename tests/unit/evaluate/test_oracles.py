"""The kept estimates of OBP and SCOPE-RL are the plain formulas, and, where the libraries are, what they say today."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from gaelp_sim.evaluate import bandit, sequences
from gaelp_sim.evaluate.steps import Steps
from tests.unit.evaluate.oracles import (
    BANDIT_FORMULAS,
    GAMMAS,
    JOURNEY_FORMULAS,
    LAMBDA,
    Inputs,
    bandit_inputs,
    journey_inputs,
    kept,
    obp_estimates,
    scope_rl_estimates,
)

KEPT = kept()


def plain_bandit(given: Inputs) -> dict[str, float]:
    """The formulas of `BANDIT_FORMULAS`, written out."""
    row = np.arange(len(given["action"]))
    w, q = given["action_dist"][row, given["action"]] / given["pscore"], given["q_hat"][row, given["action"]]
    v, r = (given["action_dist"] * given["q_hat"]).sum(axis=1), given["reward"]
    most = LAMBDA["switch-dr"]
    shrunk = LAMBDA["dr-os"] * w / (w**2 + LAMBDA["dr-os"])
    rounds = {
        "ipw": w * r, "snipw": w * r / w.mean(), "dm": v, "dr": v + w * (r - q), "sndr": v + w * (r - q) / w.mean(),
        "switch-dr": v + w * (r - q), "dr-os": v, f"ipw@{most}": np.minimum(w, most) * r,
        f"dr@{most}": v + np.minimum(w, most) * (r - q), f"switch-dr@{most}": v + (w <= most) * w * (r - q),
        f"dr-os@{LAMBDA['dr-os']}": v + shrunk * (r - q),
    }
    return {name: float(each.mean()) for name, each in rounds.items()}


def plain_journeys(given: Inputs, gamma: float) -> dict[str, float]:
    """The formulas of `JOURNEY_FORMULAS`, written out."""
    row, steps = np.arange(len(given["action"])), given["step_per_trajectory"]

    def table(flat: np.ndarray) -> np.ndarray:
        return flat.reshape(-1, steps)

    def before(weight: np.ndarray) -> np.ndarray:
        return np.hstack([np.ones((len(weight), 1)), weight[:, :-1]])

    w = np.cumprod(table(given["action_dist"][row, given["action"]] / given["pscore"]), axis=1)
    r, q = table(given["reward"]), table(given["q_hat"][row, given["action"]])
    v, d = table((given["action_dist"] * given["q_hat"]).sum(axis=1)), gamma ** np.arange(steps)
    own, last, m = w / (w.mean(axis=0) + 1e-10), w[:, -1:], table(given["marginal_weight"])
    each = {
        "dm": v[:, :1], "tis": d * last * r, "pdis": d * w * r, "dr": d * (w * (r - q) + before(w) * v),
        "sntis": d * last / (last.mean() + 1e-10) * r, "snpdis": d * own * r,
        "sndr": d * (own * (r - q) + before(own) * v), "drl": m * (r - q) + before(m) * v,
    }
    return {f"{name}@gamma={gamma}": float(value.sum(axis=1).mean()) for name, value in each.items()}


def test_inputs_are_those_of_the_seeds() -> None:
    """To the last bit."""
    for name, drawn in (("bandit", bandit_inputs()), ("journeys", journey_inputs())):
        assert set(KEPT[name]["inputs"]) == set(drawn)
        for key, value in drawn.items():
            np.testing.assert_array_equal(KEPT[name]["inputs"][key], value)


def test_estimates_are_the_plain_formulas() -> None:
    """To 1e-12, every one; the inputs tell the formulas apart."""
    bandit, journeys = KEPT["bandit"], KEPT["journeys"]
    agree(bandit["estimates"], plain_bandit(bandit["inputs"]))
    agree(journeys["estimates"], {
        name: value for gamma in GAMMAS for name, value in plain_journeys(journeys["inputs"], gamma).items()})
    assert bandit["formulas"] == BANDIT_FORMULAS and journeys["formulas"] == JOURNEY_FORMULAS
    same = {"switch-dr": "dr", "dr-os": "dm"}  # at the library's own lambda
    told = [value for name, value in bandit["estimates"].items() if name not in same]
    told += [value for name, value in journeys["estimates"].items() if name.endswith("0.9")]
    assert np.diff(np.sort(told)).min() > 1e-3


def test_the_libraries_say_so() -> None:
    """In the environment of `make oracles`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in ("obp", "scope_rl"):
            pytest.importorskip(name, reason=f"{name} has an environment of its own: make oracles")
    agree(KEPT["bandit"]["estimates"], obp_estimates(KEPT["bandit"]["inputs"]))
    agree(KEPT["journeys"]["estimates"], scope_rl_estimates(KEPT["journeys"]["inputs"]))


def agree(told: dict[str, Any], found: dict[str, float]) -> None:
    """The same names, and values to 1e-12."""
    assert set(told) == set(found)
    for name, value in told.items():
        assert found[name] == pytest.approx(value, rel=1e-12, abs=1e-12), name


def _bandit_steps(given: Inputs) -> Steps:
    """Each round a user of its own."""
    n = len(given["action"])
    return Steps(
        np.arange(n + 1), np.arange(n), given["action"], given["pscore"], given["action_dist"], given["reward"],
        np.zeros((n, 1), dtype=np.float32), np.zeros(n, dtype=np.int64),
    )


def test_our_estimators_are_obp_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """IPS, SNIPS, clipped IPS, DM, DR and Switch-DR, to the ninth digit."""
    given, told = bandit_inputs(), KEPT["bandit"]["estimates"]
    steps, model = _bandit_steps(given), given["q_hat"]
    monkeypatch.setattr(bandit, "CLIP", LAMBDA["ipw"])
    ours = {
        "ipw": bandit.ips(steps), "snipw": bandit.snips(steps), f"ipw@{LAMBDA['ipw']}": bandit.clipped(steps),
        "dm": bandit.direct(steps, model), "dr": bandit.doubly_robust(steps, model),
    }
    monkeypatch.setattr(bandit, "SWITCH", LAMBDA["switch-dr"])
    ours[f"switch-dr@{LAMBDA['switch-dr']}"] = bandit.switch_dr(steps, model)
    for name, found in ours.items():
        assert found.value == pytest.approx(told[name], rel=1e-9), name


def test_our_estimators_are_scope_rl_s() -> None:
    """PDIS, self-normalised PDIS and DR of journeys, undiscounted."""
    given = journey_inputs()
    length, n = given["step_per_trajectory"], len(given["action"])
    steps = Steps(
        np.arange(0, n + 1, length), np.arange(n // length), given["action"], given["pscore"], given["action_dist"],
        given["reward"], np.zeros((n, 1), dtype=np.float32), np.zeros(n, dtype=np.int64),
    )
    told = KEPT["journeys"]["estimates"]
    assert sequences.per_decision(steps).value == pytest.approx(told["pdis@gamma=1.0"], rel=1e-9)
    assert sequences.weighted(steps).value == pytest.approx(told["snpdis@gamma=1.0"], rel=1e-9)
    assert sequences.doubly_robust(steps, given["q_hat"]).value == pytest.approx(told["dr@gamma=1.0"], rel=1e-9)
