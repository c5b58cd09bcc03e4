"""`gaelp train`, `evaluate`, `checkpoints`, and a run under what was learned, as typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gaelp_sim.cli.main import exit_code

pytest.importorskip("torch")
pytest.importorskip("safetensors")
Captured = pytest.CaptureFixture[str]
SMALL = ["--set", "population.people=120", "--set", "identity.mode=perfect"]


def test_learn_check_grade_and_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    """A policy of two tiny epochs is listed as sound, graded beside baselines, and bids in a run that replays equal."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GAELP_DB", f"sqlite:///{tmp_path / 'a.db'}")
    train = ["train", "short", "--out", "ppo", "--epochs", "2", "--worlds", "2", "--people", "100", *SMALL]
    assert exit_code(["--json", *train]) == 0
    assert json.loads(capsys.readouterr().out)["epoch"] == 1
    assert exit_code(["--json", "checkpoints", "list", "ppo"]) == 0
    listed = {(row["checkpoint"], row["sound"]) for row in json.loads(capsys.readouterr().out)}
    assert listed == {("best", True), ("last", True), ("last_1", True)}
    assert exit_code(["checkpoints", "verify", "ppo/best"]) == exit_code(["checkpoints", "show", "ppo/best"]) == 0
    capsys.readouterr()
    grade = ["evaluate", "checkpoint:ppo/best", "short", "--worlds", "2", "--tuning-worlds", "1", *SMALL]
    assert exit_code(["--json", *grade]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["kind"] for row in rows} == {"baseline", "reference", "oracle", "graded"}
    run = ["run", "short", "--policy", "checkpoint:ppo/best", "--set", "population.people=120", "--days", "3"]
    assert exit_code(run) == 0 and exit_code(["replay", "@last", "--policy", "logged"]) == 0


def test_learn_from_a_stored_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    """A copy of the rule bids in a run of its own; what is missing, foreign or out of place is told in one line."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GAELP_DB", f"sqlite:///{tmp_path / 'a.db'}")
    assert exit_code(["run", "short", *SMALL]) == 0
    clone = ["train", "short", "--algo", "clone", "--out", "copy", "--epochs", "2"]
    capsys.readouterr()
    assert exit_code(["--json", *clone, "--from", "@last"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["folder"] == "copy" and told["log_likelihood"] < 0 < told["agreement"]
    assert exit_code(["run", "short", "--policy", "checkpoint:copy/best", "--days", "2", *SMALL]) == 0
    for words, why in (
        ([*clone], "needs --from RUN"), ([*clone, "--from", "@last"], "holds a checkpoint of something else"),
        (["train", "short", "--out", "x", "--from", "@last"], "leave out --from"),
        (["train", "parental_controls", "--algo", "clone", "--out", "x", "--from", "@last"], "name the scenario"),
        ([*clone, "--from", "nowhere"], "no run 'nowhere'"),
    ):
        assert exit_code(words) in (2, 66)
        assert why in capsys.readouterr().err.strip().splitlines()[-1]
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("words, told", [
    (["train", "shrt", "--out", "x"], "short"), (["evaluate", "checkpoint:nowhere", "short"], "name a checkpoint's folder"),
    (["checkpoints", "list", "nowhere"], "no checkpoint lies there"), (["evaluate", "rul", "short"], "did you mean 'rule'"),
    (["evaluate", "ppo"], "only ppo is named: give policies, then the scenario, as in `gaelp evaluate ppo short`"),
])
def test_mistakes_are_one_line(
    words: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.chdir(tmp_path)
    assert exit_code(words) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert told in said[-1]
    assert not (tmp_path / "x").exists()
