"""Scripted people: Lisa's journey is stored as the design tells it, and nobody else notices her."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gaelp_sim.errors import UsageError
from gaelp_sim.events import NONE, US, DecisionStatus, DeviceKind, JourneyStatus, TouchKind
from gaelp_sim.observe.table import COLUMN
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.scenario.schema import Budget, Scenario
from gaelp_sim.store import Store, row_hash
from gaelp_sim.store.verify import verify_run
from gaelp_sim.units import SECONDS_PER_DAY, epoch_seconds
from gaelp_sim.world.crew import Crew
from gaelp_sim.world.executors import executor_of
from gaelp_sim.world.journeys import PATH_RECORD
from gaelp_sim.world.replay import ReplayRequest, replay
from gaelp_sim.world.shard import Shard, Task
from gaelp_sim.world.simulate import RunRequest, run
from gaelp_sim.world.stack import Place
from tests.worlds.scenarios import Tables, day_tables, shard_of, whole_run

LISA, QUSTODIO, BARK = 100, 1, 2
IMPRESSION, EMAIL = int(TouchKind.IMPRESSION), int(TouchKind.EMAIL)


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    """The shipped scenario."""
    return load_scenario("lisa")


@pytest.fixture(scope="module")
def tables(scenario: Scenario) -> Tables:
    """All rows of its run."""
    return whole_run(scenario)


def of_lisa(tables: Tables, table: str, *names: str) -> list[tuple[int, ...]]:
    here = tables[table]["person_id"] == LISA
    return list(zip(*[tables[table][name][here].tolist() for name in names], strict=True))


def test_her_touches_are_the_document_s(scenario: Scenario, tables: Tables) -> None:
    """Seven touches in order, four searches (one page shows two ads), on days 1, 2, 5 and 6; $8.70 of ours."""
    touches = of_lisa(tables, "touchpoint", "occurred_s", "kind", "advertiser", "channel", "clicked", "price_micros")
    assert [touch[1:] for touch in touches] == [
        (IMPRESSION, QUSTODIO, 0, 1, 2_900_000), (IMPRESSION, US, 0, 1, 1_580_000), (IMPRESSION, US, 0, 1, 7_100_000),
        (IMPRESSION, QUSTODIO, 0, 1, 6_600_000), (IMPRESSION, BARK, 0, 1, 6_000_000), (IMPRESSION, US, 1, 0, 18_000),
        (EMAIL, US, 2, 1, 2_000),
    ]
    start = epoch_seconds(scenario.start)
    assert [(touch[0] - start) // SECONDS_PER_DAY + 1 for touch in touches] == [1, 2, 5, 5, 5, 6, 6]
    searches = {event.query for event in scenario.script[0].events if event.channel == "search"}
    assert len(searches) == 4 and sum(touch[5] for touch in touches if touch[2] == US) == 8_700_000


def test_her_journey_ends_in_our_sale(tables: Tables) -> None:
    """Converted by us on the sixth day, having met both rivals, on two devices."""
    (journey,) = of_lisa(tables, "journey", "status", "touches", "our_touches", "cost_micros", "converted_advertiser",
                         "devices_seen", "competitors_seen")
    assert journey == (JourneyStatus.CONVERTED, 7, 4, 8_700_000, US, 0b011, 1 << QUSTODIO | 1 << BARK)
    (sale,) = of_lisa(tables, "conversion", "advertiser", "value_micros", "device", "late", "our_touches")
    assert sale == (US, 180_000_000, DeviceKind.DESKTOP, 0, 1)
    assert len(tables["journey"]["path"][tables["journey"]["person_id"].tolist().index(LISA)]) == 7 * PATH_RECORD.itemsize


def test_the_crisis_shifts_her_segment(scenario: Scenario, tables: Tables) -> None:
    ((segment, second),) = of_lisa(tables, "trigger_event", "segment_to", "occurred_s")
    assert scenario.population.segments[segment].name == "semi_crisis"
    assert (second - epoch_seconds(scenario.start)) // 3_600 == 4 * 24 + 21


def test_our_decisions_know_what_we_remember_of_her(tables: Tables) -> None:
    """We lost twice at auctions whose bids are written, and won three times; the last one remembers two clicks."""
    statuses = [status for (status,) in of_lisa(tables, "decision", "status")]
    lost, won = int(DecisionStatus.LOST), int(DecisionStatus.WON)
    assert statuses == [lost, won, won, lost, lost, won]
    rows = np.flatnonzero(tables["decision"]["person_id"] == LISA)
    clicks = tables["decision"]["features"][rows][:, COLUMN["clicks"]]
    assert clicks.tolist()[:5] == [0, 0, 1, 2, 2]


def test_nobody_else_notices(scenario: Scenario, tables: Tables) -> None:
    """Without a script all other rows are the same."""
    alone = whole_run(scenario.model_copy(update={"script": []}))
    for table in ("touchpoint", "decision", "conversion", "person", "ledger"):
        here = tables[table]["person_id"] != LISA
        for name in tables[table]:
            if name not in ("features", "order_id"):
                assert np.array_equal(tables[table][name][here], alone[table][name]), (table, name)


def test_money_balances_and_the_replay_is_equal(scenario: Scenario, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'lisa.db'}"
    run(RunRequest(scenario, url))
    with Store.open(url) as store:
        assert [check for check, passed, _ in verify_run(store, store.find_run("@last")) if not passed] == []
    assert replay(ReplayRequest(url, "@last")).equal


def test_workers_and_a_resume_change_nothing(scenario: Scenario) -> None:
    """Two cells in two processes, and a cut in the middle of day 5: the same rows of hers."""
    cut_up = scenario.model_copy(update={"cells": 2})
    whole = day_tables(shard_of(cut_up), cut_up.days)
    task = Task(cut_up, cut_up.seed, "rule", Place(range(0), range(0)), 0, None)
    pool = executor_of(task, Crew(2))
    try:
        spread = [part for day in range(cut_up.days) for part in pool.advance((day + 1) * 24)]
    finally:
        pool.close()
    shard = shard_of(cut_up)
    shard.advance(4 * 24)
    place = Place(range(1), range(2))
    resumed = Shard(Task(cut_up, cut_up.seed, "rule", place, 4 * 24, shard.state()))
    later = [resumed.advance(day * 24) for day in range(5, 8)]
    names = ("occurred_s", "advertiser", "price_micros", "alias_id")
    hers = [[row for part in parts if "touchpoint" in part for row in of_lisa(part, "touchpoint", *names)]
            for parts in (whole, spread, later)]
    assert len(hers[0]) == 7 and hers[1] == hers[0] and hers[2] == hers[0][2:]


def test_a_price_beyond_the_budget_is_told(scenario: Scenario) -> None:
    us = scenario.us.model_copy(update={"budget": Budget(usd_day=5.0)})
    with pytest.raises(UsageError, match=r"script of Lisa, day 5, 21:05: .* raise the budget"):
        whole_run(scenario.model_copy(update={"us": us}))


def test_a_scripted_person_is_left_alone(scenario: Scenario) -> None:
    """Nothing is proposed to her: without moments she stays as she was born."""
    person = scenario.script[0].model_copy(update={"events": scenario.script[0].events[:1]})
    tables = whole_run(scenario.model_copy(update={"script": [person]}))
    assert len(of_lisa(tables, "touchpoint", "kind")) == 1
    ((decided, segment),) = of_lisa(tables, "person", "decided_s", "segment")
    assert decided == NONE and scenario.population.segments[segment].name == "concerned_parent"


def test_hashes_are_equal_on_every_number_of_workers(scenario: Scenario, tmp_path: Path) -> None:
    hashes = set()
    for workers in (1, 2):
        url = f"sqlite:///{tmp_path / f'{workers}.db'}"
        run(RunRequest(scenario.model_copy(update={"cells": 2}), url, crew=Crew(workers)))
        with Store.open(url) as store:
            hashes.add(row_hash(store, store.find_run("@last")))
    assert len(hashes) == 1
