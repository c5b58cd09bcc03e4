"""The Python front door says what the command line says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import gaelp_sim as gaelp
from gaelp_sim.cli.main import exit_code
from gaelp_sim.errors import RunNotFoundError, ScenarioError, UsageError
from gaelp_sim.scenario.loading import load_scenario

SETS = ["population.people=200", "days=3"]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> gaelp.Run:
    """A small run."""
    db = f"sqlite:///{tmp_path_factory.mktemp('front') / 'runs.db'}"
    return gaelp.run("quickstart", db=db, sets=SETS, seed=3, name="a")


def test_a_run_is_the_command_lines(done: gaelp.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"sqlite:///{tmp_path / 'other.db'}"
    words = [word for one in SETS for word in ("--set", one)]
    assert exit_code(["run", "quickstart", *words, "--seed", "3", "--db", url, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    mine = done.summary
    assert {key: value for key, value in mine.items() if key not in ("seconds", "run_id")} == {
        key: value for key, value in told.items() if key not in ("seconds", "run_id")
    }
    assert done.record.label == "a" and done.scenario == load_scenario("quickstart", [*SETS, "seed=3"])
    assert [one.id for one in gaelp.runs(done.db)][0] == done.id == gaelp.open_run(done.id[:6], done.db).id
    with pytest.raises(RunNotFoundError):
        gaelp.open_run("zzz", done.db)


def test_views_are_columns(done: gaelp.Run) -> None:
    touches, counted = done.view("touchpoints"), done.query("SELECT COUNT(*) AS n, SUM(clicked) AS c FROM touchpoints")
    assert (len(touches), touches["clicked"].sum()) == (counted["n"][0], counted["c"][0]) and len(touches) > 10
    assert touches["clicked"].dtype == np.int64 and touches["channel"].dtype == object
    assert next(iter(touches.rows()))[0] == done.id
    with pytest.raises(UsageError, match="no column clicks; there are"):
        touches["clicks"]
    with pytest.raises(UsageError, match="no view touches; there are"):
        done.view("touches")
    arrow = pytest.importorskip("pyarrow")
    table = touches.to_arrow()
    assert isinstance(table, arrow.Table) and table.num_rows == len(touches)


def test_frames_keep_gaps_and_kinds() -> None:
    frame = gaelp.Frame.of(("a", "b", "c", "d"), [(1, None, "x", None), (2, 2.5, None, None)])
    assert frame["a"].dtype == np.int64 and np.isnan(frame["b"][0]) and frame["c"].tolist() == ["x", None]
    assert frame["d"].tolist() == [None, None] and len(gaelp.Frame.of(("a",), [])) == 0


def test_a_replay_is_paired(done: gaelp.Run) -> None:
    same = done.replay()
    differences = same.differences["difference"]
    assert same.done.equal and (differences[~np.isnan(differences)] == 0.0).all() and len(differences) > 10
    other = done.replay("rule", sets=["us.policy.bid_multiplier=3"])
    told = {row[0]: row for row in other.differences.rows() if row[1] == "all"}
    assert told["spend_usd"][3] == pytest.approx(other.run.summary["spend_usd"])
    assert told["spend_usd"][2] == pytest.approx(done.summary["spend_usd"]) and told["spend_usd"][4] > 0


def test_mistakes_are_told_as_on_the_command_line(tmp_path: Path) -> None:
    db = f"sqlite:///{tmp_path / 'none.db'}"
    with pytest.raises(ScenarioError, match="did you mean|valid"):
        gaelp.run("quickstartt", db=db)
    with pytest.raises(UsageError, match="sets: they change a scenario that is named"):
        gaelp.run(load_scenario("quickstart"), db=db, sets=["days=2"])
    assert not (tmp_path / "none.db").exists()
    with pytest.raises(AttributeError, match="no attribute 'rum'"):
        gaelp.rum  # noqa: B018


def test_importing_costs_nothing() -> None:
    """Nothing is loaded until something is asked for."""
    code = "import sys, gaelp_sim; print(sorted(name for name in sys.modules if name in ('numpy', 'sqlalchemy', 'numba')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]" and "run" in dir(gaelp)


@pytest.fixture(scope="module")
def sold(tmp_path_factory: pytest.TempPathFactory) -> gaelp.Run:
    """A run with some sales."""
    db = f"sqlite:///{tmp_path_factory.mktemp('sold') / 'runs.db'}"
    return gaelp.run("short", db=db, sets=["population.people=600"], worlds=2)


def _printed(command: list[str], run: gaelp.Run, capsys: pytest.CaptureFixture[str]) -> dict[str, list[dict[str, object]]]:
    capsys.readouterr()
    assert exit_code([*command, "--db", run.db, "--json"]) == 0
    found: dict[str, list[dict[str, object]]] = json.loads(capsys.readouterr().out)
    return found


def test_credits_and_causes_are_the_command_lines(sold: gaelp.Run, capsys: pytest.CaptureFixture[str]) -> None:
    mine = sold.attribute("linear", "markov")
    told = _printed(["attribute", sold.id, "--model", "linear", "--model", "markov"], sold, capsys)["channels"]
    assert set(mine["model"]) == {"linear", "markov"}
    assert mine["conversions"].sum() == pytest.approx(sum(float(str(row["conversions"])) for row in told)) and len(told) > 3
    assert set(sold.attribute()["model"]) > {"first", "shapley", "linear"}
    caused = sold.incrementality()
    told = _printed(["incrementality", sold.id, "--by", "channel"], sold, capsys)["effects"]
    assert caused["sales_delta"].tolist() == [row["sales_delta"] for row in told] and caused["channel"][0] is None
    assert set(sold.view("attribution_errors")["model"]) == set(sold.view("attribution")["model"])
    with pytest.raises(UsageError, match="no attribution model is called 'lst'"):
        sold.attribute("lst")
    with pytest.raises(UsageError, match="by='day': ads are withheld by all, channel, campaign"):
        sold.incrementality("day")


def test_a_log_is_judged_as_on_the_command_line(sold: gaelp.Run, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    mine = sold.ope("random", estimators=["dr", "ips"])
    told = _printed(["ope", sold.id, "--policy", "random", "--estimator", "dr", "--estimator", "ips"], sold, capsys)
    assert mine["value"].tolist() == [row["value"] for row in told["estimates"]]
    assert mine["estimator"].tolist() == ["dr", "ips"]
