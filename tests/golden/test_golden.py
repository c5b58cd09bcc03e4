"""Each shipped scenario under its own seed gives the figures written down beside this file, to the last micro.

A changed figure is a changed world: say in the changelog what moved. `UPDATE_GOLDEN=1` rewrites the files; the difference
is the review.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.scenario.shipped import shipped_names
from gaelp_sim.world.simulate import RunRequest, run

HERE = Path(__file__).parent
SMALLER = {
    "parental_controls": ["population.people=1000", "days=10"], "published_prices": ["population.people=1000", "days=10"],
    "many_worlds": ["worlds=3", "population.people=200", "days=7"], "cells": ["days=5"],
}
"""What makes a scenario small enough for a test; the others run as shipped."""
UNTOLD = ("run_id", "seconds")


def figures(name: str, folder: Path) -> str:
    scenario = load_scenario(name, SMALLER.get(name, []))
    policy = None if scenario.agent is None else "rule"  # nobody answers here
    summary = run(RunRequest(scenario, f"sqlite:///{folder / 'golden.db'}", policy=policy, incremental=True)).as_json()
    return json.dumps({key: value for key, value in summary.items() if key not in UNTOLD}, indent=1) + "\n"


@pytest.mark.parametrize("name", shipped_names())
def test_figures_are_those_written_down(name: str, tmp_path: Path) -> None:
    path, got = HERE / f"{name}.json", figures(name, tmp_path)
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(got, encoding="utf-8")
    assert got == path.read_text(encoding="utf-8")


def test_no_file_speaks_of_a_scenario_that_is_gone() -> None:
    assert {path.stem for path in HERE.glob("*.json")} == set(shipped_names())
