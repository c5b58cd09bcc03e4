"""What analyses that are dealt out say of a run, and what they keep beside it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gaelp_sim.analyse import lives
from gaelp_sim.analyse import resolve as resolving
from gaelp_sim.cli.schooling import judged
from gaelp_sim.cli.studies import Resolving, Withholding, incremental, resolved
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.store import Store
from gaelp_sim.world.crew import Crew
from gaelp_sim.world.simulate import RunRequest, run

KEPT = ("incremental", "truth_credit", "resolution", "resolved_alias", "alias_link")
CUTS = {"worlds": ("worlds=3", "population.people=250"), "cells": ("cells=3", "population.people=750")}
POLICIES, ESTIMATORS = ("rule", "random"), ("ips", "journey_dr", "mis", "fqe")


def simulated(folder: Path, cut: str) -> Path:
    """A store with a run cut into worlds or cells."""
    file = folder / f"{cut}.db"
    sets = ["days=4", "response.brand_base=-0.5", *CUTS[cut]]
    run(RunRequest(load_scenario("parental_controls", sets), f"sqlite:///{file}"))
    return file


def small_pieces(patch: pytest.MonkeyPatch) -> None:
    """Deal out what would be too little to be worth it."""
    patch.setattr(lives, "PIECE", 300)
    patch.setattr(resolving, "PIECE", 200)


def said(stored: Path, folder: Path, crew: Crew) -> dict[str, str]:
    """What is printed and what is kept, analysis by analysis, of a fresh copy of the store."""
    folder.mkdir()
    url = f"sqlite:///{shutil.copy(stored, folder)}"
    by_touch = Withholding("touch", ("M", "W"), 150, 0, crew)
    asked = {"estimators": ESTIMATORS, "sets": (), "settled_days": 0.0, "workers": crew.workers, "ray": crew.ray}
    told: dict[str, Any] = {
        "incrementality": incremental(url, "@last", by_touch, lambda share: None),
        "resolve": resolved(url, "@last", Resolving((), "em", (0.3, 0.7), crew)),
        "ope": judged(url, "@last", POLICIES, asked, lambda step: None),
    }
    with Store.open(url) as store:
        record = store.find_run("@last")
        rows = {table: {name: np.asarray(column).tolist() for name, column in store.read(record, table).items()}
                for table in KEPT}
    assert all(len(next(iter(columns.values()))) for columns in rows.values())
    return {name: json.dumps(part) for name, part in (told | rows).items()}
