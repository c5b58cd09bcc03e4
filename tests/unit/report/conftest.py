"""Stored runs to report on."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from gaelp_sim.analyse.attribute import Request as Attributing
from gaelp_sim.analyse.attribute import attribute
from gaelp_sim.analyse.incrementality import Request as Withholding
from gaelp_sim.analyse.incrementality import incrementality
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.store import Store
from gaelp_sim.world.simulate import RunRequest, run


@dataclass(frozen=True)
class Stored:
    """A store and its runs."""

    url: str
    busy: str
    """Many buy; credit and causes are worked out"""
    small: str
    """Nobody buys from us"""


@pytest.fixture(scope="session")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    """Two runs, one of them with all analyses."""
    url = f"sqlite:///{tmp_path_factory.mktemp('report')}/gaelp.db"
    sets = ["population.people=1500", "days=12", "response.brand_base=-0.5"]
    busy = run(RunRequest(load_scenario("parental_controls", sets), url)).run_id
    small = run(RunRequest(load_scenario("short", ["population.people=40", "days=3"]), url)).run_id
    with Store.open(url) as store:
        record = store.find_run(busy)
        attribute(store, record, [Attributing(model) for model in ("last", "linear", "markov")])
        incrementality(store, record, Withholding("channel"), lambda _: None)
    return Stored(url, busy, small)
