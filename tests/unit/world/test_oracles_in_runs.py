"""Oracles bid in stored runs as any policy does, under their own names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gaelp_sim.errors import UsageError
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.store import Store, row_hash
from gaelp_sim.world.crew import Crew
from gaelp_sim.world.policies import PLANNERS
from gaelp_sim.world.replay import ReplayRequest, replay
from gaelp_sim.world.simulate import RunRequest, run

SMALL = ["population.people=200", "days=3", "worlds=2"]


@pytest.mark.parametrize("name", PLANNERS)
def test_an_oracle_s_run_is_stored_and_replayed(tmp_path: Path, name: str) -> None:
    """Its decisions have a level where they bid, certainty as propensity, and come back hash for hash."""
    url = f"sqlite:///{tmp_path / 'oracle.db'}"
    summary = run(RunRequest(load_scenario("quickstart", SMALL), url, policy=name))
    assert summary.spend_usd > 0
    with Store.open(url) as store:
        record = store.find_run("@last")
        decision = store.read(record, "decision")
    assert record.policy == name
    assert ((decision["level"] > 0) == (decision["bid_micros"] > 0)).all() and (decision["propensity"] == 1).all()
    assert len(np.unique(decision["creative"])) > 1
    assert replay(ReplayRequest(url, "@last")).equal


def test_a_plan_continues_no_run(tmp_path: Path) -> None:
    """It would take the second month for the first one."""
    url = f"sqlite:///{tmp_path / 'whole.db'}"
    run(RunRequest(load_scenario("quickstart", SMALL), url))
    with pytest.raises(UsageError, match="can't --continue"):
        run(RunRequest(load_scenario("quickstart", SMALL), url, policy="clairvoyant", continue_ref="@last"))


def test_workers_don_t_matter(tmp_path: Path) -> None:
    """Notes of users live in their own process, plans come out the same in each."""
    hashes = []
    for workers in (1, 2):
        url = f"sqlite:///{tmp_path / f'{workers}.db'}"
        run(RunRequest(load_scenario("quickstart", SMALL), url, policy="observable_planner", crew=Crew(workers)))
        with Store.open(url) as store:
            hashes.append(row_hash(store, store.find_run("@last")))
    assert hashes[0] == hashes[1]
