"""`gaelp export` of arrays: records on stdout, a line on stderr, mistakes in one line and nothing written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from gaelp_sim.cli.main import exit_code
from gaelp_sim.learn.array_export import REWARDS
from gaelp_sim.learn.array_forms import FORMS

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> Path:
    """A folder with a small run in its store."""
    monkeypatch.setenv("GAELP_DB", f"sqlite:///{tmp_path / 'a.db'}")
    monkeypatch.chdir(tmp_path)
    assert exit_code(["run", "short", "-q"]) == 0
    capsys.readouterr()
    return tmp_path


def test_arrays_are_written(here: Path, capsys: Captured) -> None:
    """Every form, with either reward; --json tells the file, its rows and hash."""
    for to in FORMS:
        for reward in REWARDS:
            assert exit_code(["export", "--to", to, "--out", f"{to}_{reward}", "--reward", reward, "--json"]) == 0
            (record,) = json.loads(capsys.readouterr().out)
            assert {"file", "rows", "sha256"} <= set(record) and record["file"] == f"{to}.npz"
            with np.load(here / f"{to}_{reward}" / record["file"], allow_pickle=False) as arrays:
                assert all(len(arrays[name]) == record["rows"] for name in arrays.files)


@pytest.mark.parametrize("words, why", [
    (["--to", "mdp", "--view", "journeys"], "--view goes with csv, ndjson, parquet; mdp has arrays of its own"),
    (["--to", "csv", "--reward", "click"], "--reward goes with mdp, obp, scope_rl; csv has no rewards"),
    (["--to", "minari"], "'minari' is not one of"),
])
def test_mistakes_are_one_line(here: Path, capsys: Captured, words: list[str], why: str) -> None:
    """Exit 2, and no folder."""
    assert exit_code(["export", "--out", "out", *words]) == 2
    told = capsys.readouterr()
    assert told.out == "" and why in told.err and "Traceback" not in told.err and len(told.err.strip().splitlines()) == 1
    assert not (here / "out").exists()
