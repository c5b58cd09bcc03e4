"""Real logs end to end: Open Bandit's two policies imported, exported, and each one estimated from the other one's log.

Their rows are not shipped: without the samples these tests are skipped.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from gaelp_sim.analyse.import_log import import_log
from gaelp_sim.calibrate.mapping import load_mapping
from gaelp_sim.learn.array_export import ArrayRequest, export_arrays
from gaelp_sim.store import Store

SHARED = Path(os.environ.get("GAELP_SHARED_DATA", Path(__file__).parents[4] / "shared" / "data"))
ITEMS = {"all": 80, "men": 34}
PLACES = 3
Log = dict[str, np.ndarray]


@pytest.fixture(scope="module", params=ITEMS)
def logs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Log, Log]:
    """The random policy's log and Thompson's of a campaign, as OBP would get them, items by their own numbers."""
    if not (SHARED / "obd").is_dir():
        pytest.skip(f"no samples in {SHARED}")
    folder = tmp_path_factory.mktemp("obd")
    return _log(folder, "random", request.param), _log(folder, "bts", request.param)


def _log(folder: Path, policy: str, campaign: str) -> Log:
    path = SHARED / "obd" / policy / campaign / f"{campaign}.csv"
    with Store.open(f"sqlite:///{folder / policy}.db") as store:
        done = import_log(store, path, load_mapping("open_bandit"), "", lambda rows: None)
        export_arrays(store, done.run, ArrayRequest("obp", folder / policy, "click"), lambda name, rows: None)
    with np.load(folder / policy / "obp.npz", allow_pickle=False) as arrays:
        kept = dict(arrays)
    words = json.loads((folder / policy / "manifest.json").read_text(encoding="utf-8"))["actions"]
    return kept | {"item": np.array([int(word["creative"]) for word in words])[kept["action"]]}


def _mean(values: np.ndarray) -> tuple[float, float]:
    """Mean and its squared standard error."""
    return float(values.mean()), float(values.var(ddof=1) / len(values))


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    """How many standard errors two independent means are apart."""
    (a, a_square), (b, b_square) = _mean(one), _mean(other)
    return abs(a - b) / (a_square + b_square) ** 0.5


def test_what_was_logged_is_exported(logs: tuple[Log, Log]) -> None:
    """All rounds with their clicks and chances; the even policy's chances whole, Thompson's not."""
    even, thompson = logs
    items = len(np.unique(even["item"]))
    assert items in ITEMS.values() and len(even["reward"]) == len(thompson["reward"]) == 10_000
    np.testing.assert_allclose(even["pscore"], 1 / items)
    assert even["pi_b"].shape == (10_000, items, PLACES) and "pi_b" not in thompson
    assert np.ptp(thompson["pscore"]) > 0.5 and set(np.unique(even["position"])) == set(range(PLACES))
    clicks = {80: (38, 42), 34: (46, 69)}[items]
    assert (even["reward"].sum(), thompson["reward"].sum()) == clicks


def test_the_even_policy_from_thompsons_log(logs: tuple[Log, Log]) -> None:
    """Its IPS estimate and its own mean differ by luck; in the men's campaign Thompson's own mean does not."""
    even, thompson = logs
    weight = 1 / len(np.unique(even["item"])) / thompson["pscore"]
    assert _apart(weight, np.ones(len(weight))) < 1.96  # weights of true chances are 1 on average
    assert _apart(weight * thompson["reward"], even["reward"]) < 1.96
    if len(np.unique(even["item"])) == ITEMS["men"]:
        assert _apart(thompson["reward"], even["reward"]) > 1.96


def test_thompson_from_the_even_policys_log(logs: tuple[Log, Log]) -> None:
    """Its chances by item and place, as often as it chose them; the estimate lies within the interval of its own mean."""
    even, thompson = logs
    share = np.zeros((max(ITEMS.values()), PLACES))
    np.add.at(share, (thompson["item"], thompson["position"]), 1)
    share /= share.sum(axis=0)
    estimate = share[even["item"], even["position"]] / even["pscore"] * even["reward"]
    mean, square = _mean(thompson["reward"])
    assert abs(estimate.mean() - mean) < 1.96 * square**0.5
    assert _apart(estimate, thompson["reward"]) < 1.96
