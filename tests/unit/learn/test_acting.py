"""Acting on rows: what a run logged is decided as in the run; bad rows are refused by line and column."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from gaelp_sim.errors import UsageError
from gaelp_sim.observe.table import COLUMN, NAMES
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.store import Store
from gaelp_sim.world.request import RunRequest
from gaelp_sim.world.simulate import run

pytest.importorskip("torch")
pytest.importorskip("safetensors")

from gaelp_sim.draws import Draws  # noqa: E402 - only where torch is there
from gaelp_sim.learn.acting import act, read_rows  # noqa: E402
from gaelp_sim.learn.checkpoints import Manifest, learned_policy, save_checkpoint  # noqa: E402
from gaelp_sim.learn.network import JourneyNet, Shape  # noqa: E402
from gaelp_sim.market.actions import Actions  # noqa: E402


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return load_scenario("short", ["population.people=400", "days=10", "log=all"])


@pytest.fixture(scope="module")
def name(scenario: Scenario, tmp_path_factory: pytest.TempPathFactory) -> str:
    actions = Actions.of(scenario)
    net = JourneyNet.born(Shape(actions.count, actions.creatives, hidden=32, encoder=32), Draws(5))
    folder = tmp_path_factory.mktemp("net") / "best"
    save_checkpoint(folder, net, Manifest.of(net, scenario, 0, {}))
    return f"checkpoint:{folder}"


def _written(path: Path, users: np.ndarray, seconds: np.ndarray, seen: np.ndarray) -> Path:
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["occurred_s", *NAMES, "user", "more"])
        for user, second, row in zip(users, seconds, seen, strict=True):
            rows.writerow([second, *(repr(float(value)) for value in row), f"u{user}", "-"])
    return path


def test_logged_observations_are_decided_as_in_the_run(scenario: Scenario, name: str, tmp_path: Path) -> None:
    """Every decision of a run, fed back as a file in another order: the same bids, but where one of both explored."""
    url = f"sqlite:///{tmp_path / 'a.db'}"
    run(RunRequest(scenario, url, policy=name))
    with Store.open(url) as store:
        logged = {key: np.asarray(column) for key, column in store.read(store.find_run("@last"), "decision").items()}
    seen = np.frombuffer(b"".join(logged["features"].tolist()), dtype="<f4").reshape(-1, 41)
    order = np.argsort(logged["occurred_s"] % 97, kind="stable")
    path = _written(tmp_path / "rows.csv", logged["resolved_user_id"][order], logged["occurred_s"][order], seen[order])
    told = act(learned_policy(scenario, name), scenario, read_rows(path, scenario), 1)
    creatives = [one.name for one in scenario.creatives]
    both = 0
    for place, row in zip(order.tolist(), told, strict=True):
        if min(row["propensity"], logged["propensity"][place]) < 0.5:
            continue
        both += 1
        assert row["level"] == logged["level"][place]
        assert row["propensity"] == pytest.approx(logged["propensity"][place])
        if row["participate"]:
            assert row["creative"] == creatives[logged["creative"][place]]
            assert row["bid_usd"] * 1e6 == pytest.approx(logged["bid_micros"][place], abs=1)
    assert both > 0.97 * len(told) > 300


def test_names_stand_for_codes(scenario: Scenario, name: str, tmp_path: Path) -> None:
    channel = scenario.channels[1]
    first = sum(len(one.signals) for one in scenario.channels[:1])
    seen = np.zeros((2, 41))
    seen[:, [COLUMN["channel"], COLUMN["signal"], COLUMN["device"]]] = (2, first + 1, 1)
    path = _written(tmp_path / "codes.csv", np.zeros(2, dtype=int), np.arange(2), seen)
    text = path.read_text().splitlines()
    cells = text[2].split(",")
    for column, said in (("channel", channel.name), ("signal", f"{channel.name}/{channel.signals[0].name}"),
                         ("device", "mobile")):
        cells[1 + NAMES.index(column)] = said
    path.write_text("\n".join([*text[:2], ",".join(cells)]) + "\n")
    rows = read_rows(path, scenario)
    assert (rows.observation[0] == rows.observation[1]).all()
    assert len(act(learned_policy(scenario, name), scenario, rows, 1)) == 2


@pytest.mark.parametrize("cell, told", [
    ("x", "impressions: 'x' is no number from"), ("", "impressions: ''"), ("nan", "impressions: 'nan'"),
    ("-5", "impressions: '-5'"), ("1e9", "impressions: '1e9'"),
])
def test_a_bad_cell_is_named(cell: str, told: str, scenario: Scenario, tmp_path: Path) -> None:
    path = _written(tmp_path / "rows.csv", np.arange(2), np.arange(2), np.zeros((2, 41)))
    lines = path.read_text().splitlines()
    cells = lines[2].split(",")
    cells[1 + NAMES.index("impressions")] = cell
    path.write_text("\n".join([*lines[:2], ",".join(cells)]) + "\n")
    with pytest.raises(UsageError, match="rows.csv:3: ") as found:
        read_rows(path, scenario)
    assert told in str(found.value)


@pytest.mark.parametrize("content, told", [
    (b"", "no column user"), (b"user,occurred_s\n1,2\n", "no column last_channel_1"),
    (b"\xff\xfe\x00", "no CSV file in UTF-8"),
    (",".join(["user", "occurred_s", *NAMES]).encode() + b"\n", "no rows"),
    (",".join(["user", "occurred_s", *NAMES]).encode() + b"\n1,2\n", "too many or too few cells"),
])
def test_what_is_no_table_is_refused(content: bytes, told: str, scenario: Scenario, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    with pytest.raises(UsageError) as found:
        read_rows(path, scenario)
    assert told in str(found.value) and "\n" not in str(found.value)
    with pytest.raises(UsageError, match="name a CSV or Parquet file"):
        read_rows(tmp_path / "none.csv", scenario)


def test_a_signal_of_another_channel_is_refused(scenario: Scenario, name: str, tmp_path: Path) -> None:
    seen = np.zeros((1, 41))
    seen[:, [COLUMN["channel"], COLUMN["signal"]]] = (2, 1)
    rows = read_rows(_written(tmp_path / "rows.csv", np.zeros(1, dtype=int), np.zeros(1), seen), scenario)
    with pytest.raises(UsageError, match="signal 1 is none of channel 2"):
        act(learned_policy(scenario, name), scenario, rows, 1)


def test_parquet_rows_are_the_same(scenario: Scenario, tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = _written(tmp_path / "rows.csv", np.arange(5), np.arange(5), np.full((5, 41), 0.25))
    rows = read_rows(path, scenario)
    columns = {"user": rows.user, "occurred_s": rows.second}
    columns |= {name: rows.observation[:, place] for place, name in enumerate(NAMES)}
    parquet.write_table(pyarrow.table(columns), tmp_path / "rows.parquet")
    again = read_rows(tmp_path / "rows.parquet", scenario)
    assert again.user == rows.user and (again.observation == rows.observation).all()
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(UsageError, match="no Parquet file"):
        read_rows(tmp_path / "bad.parquet", scenario)
