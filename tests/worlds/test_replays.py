"""Replays: logged rows come back whatever the scenario, database or fate; rivals react or don't; other people are not
replayed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gaelp_sim.errors import InterruptedRunError, UsageError
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.store import RunRecord, Store, row_hash
from gaelp_sim.world.crew import Crew
from gaelp_sim.world.replay import ReplayRequest, replay
from gaelp_sim.world.request import Progress
from gaelp_sim.world.simulate import RunRequest, resume, run
from tests.postgres import NoPostgresError, empty_database, postgres_server

SCENARIOS = {
    "quickstart": ("population.people=300", "days=3", "rivals_learn=true", "worlds=2"),
    "cells": ("population.people=400", "days=2"),
    "randomised": ("population.people=120", "days=2", "worlds=3"),
    "email_retarget": ("population.people=300", "days=3", "identity.mode=linked"),
    "vcg_slots": ("population.people=200", "days=2"),
}
LEARNING = ("population.people=300", "days=3", "rivals_learn=true")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty store of either kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'runs.db'}"
        return
    try:
        with postgres_server() as server, empty_database(server) as there:
            yield there
    except NoPostgresError as error:
        pytest.skip(str(error))


def _hash(url: str, ref: str) -> str:
    with Store.open(url) as store:
        return row_hash(store, store.find_run(ref))


def _stopping_after(day: int) -> object:
    """Progress that is interrupted once a day is committed."""
    def stop(progress: Progress) -> None:
        if progress.hours_done == day * 24:
            raise KeyboardInterrupt
    return stop


@pytest.mark.parametrize("name", SCENARIOS)
def test_logged_rows_come_back(name: str, tmp_path: Path) -> None:
    """Linked users, several cells, worlds with parameters of their own, learning rivals, several slots."""
    url = f"sqlite:///{tmp_path / 'runs.db'}"
    stored = run(RunRequest(load_scenario(name, SCENARIOS[name]), url)).run_id
    again = replay(ReplayRequest(url, stored))
    assert again.equal and again.origin.run_id == stored != again.run.run_id and not again.machine
    assert replay(ReplayRequest(url, stored, crew=Crew(2))).equal


def test_fates_and_databases_change_nothing(url: str) -> None:
    """A resumed run's replay, a continued run's, a replay that was itself interrupted, and a replay's replay."""
    scenario = load_scenario("quickstart", LEARNING)
    with pytest.raises(InterruptedRunError):
        run(RunRequest(scenario, url), on_progress=_stopping_after(1))  # type: ignore[arg-type]
    stored = resume(url, "@last").run_id
    assert replay(ReplayRequest(url, stored)).equal
    later = run(RunRequest(scenario, url, continue_ref=stored)).run_id
    assert replay(ReplayRequest(url, later)).equal
    assert replay(ReplayRequest(url, later, rivals_react=False)).equal
    for react in (True, False):
        whole = replay(ReplayRequest(url, later, policy="silent", rivals_react=react))
        with pytest.raises(InterruptedRunError):
            replay(ReplayRequest(url, later, policy="silent", rivals_react=react), _stopping_after(1))  # type: ignore[arg-type]
        assert _hash(url, resume(url, "@last").run_id) == _hash(url, whole.run.run_id)
    assert replay(ReplayRequest(url, whole.run.run_id)).equal, "rivals that did not react don't in the replay's replay"


def _bids(url: str, record: RunRecord) -> np.ndarray:
    with Store.open(url) as store:
        return np.asarray(store.read(record, "rival_day", columns=("bid_multiple_ppm",))["bid_multiple_ppm"])


def test_rivals_react_unless_told_not_to(tmp_path: Path) -> None:
    """Where we bid nothing rivals learn other bids; frozen, they bid as they did."""
    url = f"sqlite:///{tmp_path / 'runs.db'}"
    stored = run(RunRequest(load_scenario("quickstart", LEARNING), url)).run_id
    reacting, frozen = (
        replay(ReplayRequest(url, stored, policy="silent", rivals_react=react)) for react in (True, False)
    )
    assert reacting.equal is None and reacting.summary.spend_usd == frozen.summary.spend_usd == 0.0
    bids = [_bids(url, record) for record in (frozen.origin, frozen.run, reacting.run)]
    assert (bids[0] == bids[1]).all() and (bids[0] != bids[2]).any()


def test_some_of_the_worlds_are_those_worlds(tmp_path: Path) -> None:
    """The first world of two, replayed alone, has the rows that it has beside the second."""
    url = f"sqlite:///{tmp_path / 'runs.db'}"
    stored = run(RunRequest(load_scenario("quickstart", [*LEARNING, "worlds=2"]), url)).run_id
    alone = replay(ReplayRequest(url, stored, worlds=1))
    with Store.open(url) as store:
        both = store.read(alone.origin, "decision", where={"world_id": 0})
        one = store.read(alone.run, "decision")
    assert alone.equal is None and len(one["level"]) > 100
    assert all(np.array_equal(both[name], one[name]) for name in ("occurred_s", "level", "charge_micros", "propensity"))


def test_what_cannot_be_replayed_is_refused_in_a_line(tmp_path: Path) -> None:
    """Other people, other worlds, other days, unfinished runs; and nothing is stored by it."""
    url = f"sqlite:///{tmp_path / 'runs.db'}"
    stored = run(RunRequest(load_scenario("quickstart", ["population.people=100", "days=2"]), url)).run_id
    for request, told in (
        (ReplayRequest(url, stored, sets=("population.people=90",)), "population.people is 90, it was 100"),
        (ReplayRequest(url, stored, sets=("seed=9",)), "seed is 9, it was 1"),
        (ReplayRequest(url, stored, sets=("days=1",)), "days is 1, it was 2"),
        (ReplayRequest(url, stored, sets=("worlds=2",)), "use --worlds"),
        (ReplayRequest(url, stored, worlds=2), "has 1; replay at most those"),
        (ReplayRequest(url, stored, policy="ruel"), "did you mean 'rule'"),
    ):
        with pytest.raises(UsageError, match=told):
            replay(request)
    with Store.open(url) as store:
        assert len(store.runs()) == 1
    child = replay(ReplayRequest(url, stored, policy="silent")).run
    with Store.open(url) as store:
        with pytest.raises(UsageError, match=f"continued or replayed by {child.run_id}"):
            store.delete_run(store.find_run(stored))
    going_on = RunRequest(load_scenario("quickstart", ["population.people=100", "days=1"]), url, continue_ref=stored)
    later = run(going_on).run_id
    with pytest.raises(UsageError, match="frequency_cap is"):
        replay(ReplayRequest(url, later, sets=("us.frequency_cap={impressions: 3, days: 7}",)))
    with pytest.raises(UsageError, match="continues another run"):
        replay(ReplayRequest(url, later, policy="one_step_lift"))
