"""Linked users as of a date: a long run shows the users that a run which ended then had."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.store import Store
from gaelp_sim.store.console import run_query
from gaelp_sim.units import SECONDS_PER_DAY
from gaelp_sim.world.request import RunRequest
from gaelp_sim.world.simulate import run

DAYS = 4
SETS = (
    "identity.mode=linked", "population.people=1500", "identity.linking.join_at=0.4",
    "population.devices.login_on_click=0.9",
    *(f"identity.observed.sightings_per_day.{kind}=5" for kind in ("mobile", "desktop", "tablet")),
)
ASKED = "SELECT alias_id, resolved_user_id, account_id, login_s FROM aliases ORDER BY alias_id"


def test_a_long_run_shows_the_users_of_the_shorter_one(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'gaelp.db'}"
    runs = [
        run(RunRequest(load_scenario("quickstart", [*SETS, f"days={days}"]), url)).run_id for days in (2 * DAYS, DAYS)
    ]
    with Store.open(url, must_exist=True) as store:
        start_s = store.find_run(runs[1]).start_s
        changed = np.asarray(store.read(store.find_run(runs[0]), "identity_change")["changed_s"])
    end_s = start_s + DAYS * SECONDS_PER_DAY - 1
    assert (changed <= end_s).sum() > 10 and (changed > end_s).sum() > 10, "or nothing would have to be undone"
    then = run_query(url, ASKED, run=runs[0], as_of_s=end_s, limit=100_000).rows
    ended = run_query(url, ASKED, run=runs[1], limit=100_000).rows
    assert then == ended and any(row[0] != row[1] for row in then)
    changes = "SELECT COUNT(*) FROM identity_changes"
    assert run_query(url, changes, run=runs[0], as_of_s=end_s).rows == run_query(url, changes, run=runs[1]).rows
