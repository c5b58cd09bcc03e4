"""Parameters as intervals: every world lives its own numbers, the same however a run is spread, cut or lived again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gaelp_sim.errors import UsageError
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.store import LAYOUTS, SIMULATION_TABLES, Store, row_hash
from gaelp_sim.store.rowhash import table_hash
from gaelp_sim.world.counterfactual import worlds_of
from gaelp_sim.world.crew import Crew
from gaelp_sim.world.executors import executor_of
from gaelp_sim.world.replay import ReplayRequest, replay
from gaelp_sim.world.shard import Task
from gaelp_sim.world.simulate import RunRequest, run
from gaelp_sim.world.stack import Place

SMALL = ["population.people=200", "days=2", "worlds=3"]
OF_A_RUN = {"price_landscape", "truth_price"}
"""Estimates that each run makes of its own hours"""
INTERVALS = [
    "economics.ltv_usd={between: [150, 210]}",
    "channels.search.click_rate.intent={between: [0.05, 0.5], scale: log}",
    "us.policy.bid_multiplier={between: [0.5, 2], scale: log}",
]


def scenario(*more: str) -> Scenario:
    return load_scenario("short", [*SMALL, *INTERVALS, *more])


def hash_of(request: RunRequest) -> str:
    summary = run(request)
    with Store.open(request.db_url) as store:
        return row_hash(store, store.find_run(summary.run_id))


def test_rows_do_not_depend_on_workers(tmp_path: Path) -> None:
    one, three = (
        hash_of(RunRequest(scenario("cells=2"), f"sqlite:///{tmp_path / name}", crew=Crew(workers)))
        for name, workers in (("one.db", 1), ("three.db", 6))
    )
    assert one == three


def test_a_single_world_of_two_cells_is_spread_by_its_cells(tmp_path: Path) -> None:
    alone = scenario("worlds=1", "cells=2")
    one, two = (
        hash_of(RunRequest(alone, f"sqlite:///{tmp_path / name}", crew=Crew(workers)))
        for name, workers in (("one.db", 1), ("two.db", 2))
    )
    assert one == two


def test_a_world_is_the_one_whose_scenario_says_its_numbers(tmp_path: Path) -> None:
    """World 0 of the intervals is world 0 of a scenario with the drawn numbers written out, row for row."""
    url, varied = f"sqlite:///{tmp_path / 'runs.db'}", scenario("worlds=1")
    drawn = varied.drawn(varied.seed, 0)
    assert not drawn.intervals and drawn != varied.with_intervals(())
    runs = [run(RunRequest(one, url)).run_id for one in (varied, drawn)]
    with Store.open(url) as store:
        for table in ("touchpoint", "decision", "conversion", "auction_hour", "person", "journey", "world"):
            first, second = (store.read(store.find_run(run_id), table) for run_id in runs)
            assert len(first["world_id"]) or table == "conversion"
            for name in first:
                assert list(first[name]) == list(second[name]), f"{table}.{name}"


def test_worlds_differ_and_their_numbers_are_stored(tmp_path: Path) -> None:
    url, varied = f"sqlite:///{tmp_path / 'runs.db'}", scenario()
    run_id = run(RunRequest(varied, url)).run_id
    with Store.open(url) as store:
        rows = store.read(store.find_run(run_id), "world_parameter")
        values = np.asarray(rows["value"]).reshape(3, 3)
        sales = store.read(store.find_run(run_id), "conversion")
    ours = np.asarray(sales["advertiser"]) == 0
    wanted = [[i.drawn(varied.seed, world) for i in varied.intervals] for world in range(3)]
    assert values.tolist() == wanted
    assert (np.asarray(rows["low"]) <= rows["value"]).all() and (np.asarray(rows["value"]) <= rows["high"]).all()
    worth = values[np.asarray(sales["world_id"])[ours], 1]
    assert ours.any() and np.asarray(sales["value_micros"])[ours].tolist() == np.rint(worth * 1e6).tolist()


def test_a_run_resumed_from_its_state_goes_on_as_if_uninterrupted() -> None:
    task = Task(scenario(), 5, "rule", Place(range(0), range(0)), 0, None)
    whole = executor_of(task)
    whole.advance(24)
    state = whole.state()
    wanted = whole.advance(48)
    resumed = executor_of(replace(task, start_hour=24, state=state))
    got = resumed.advance(48)
    assert len(got) == 3
    for there, here in zip(wanted, got, strict=True):
        assert sorted(there) == sorted(here)
        for table in there:
            for name, column in there[table].items():
                assert np.array_equal(column, here[table][name]), f"{table}.{name}"


def test_a_continued_run_keeps_each_worlds_numbers(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'runs.db'}"
    first = run(RunRequest(scenario("days=1"), url))
    second = run(RunRequest(scenario("days=1"), url, continue_ref=first.run_id))
    whole = run(RunRequest(scenario(), url))
    with Store.open(url) as store:
        keys = [store.find_run(one.run_id).run_key for one in (first, second, whole)]
        with store.database.reading() as link:
            for table in set(SIMULATION_TABLES) - OF_A_RUN:
                layout = LAYOUTS[table]
                assert table_hash(link, layout, keys[:2]) == table_hash(link, layout, keys[2:]), table
    other = scenario("days=1", "economics.ltv_usd={between: [150, 250]}")
    with pytest.raises(UsageError, match="intervals are"):
        run(RunRequest(other, url, continue_ref=first.run_id))


def test_a_replay_gives_the_stored_rows_back(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'runs.db'}"
    run_id = run(RunRequest(scenario(), url)).run_id
    assert replay(ReplayRequest(url, run_id)).equal


def test_worlds_apart_cannot_be_lived_through_side_by_side() -> None:
    task = Task(scenario(), 1, "rule", Place(range(3), range(1)), 0, None)
    with pytest.raises(UsageError, match="3 worlds have parameters of their own"):
        worlds_of(task)
    assert worlds_of(replace(task, place=Place(range(1, 2), range(1)))).model.scenario.intervals == ()
