"""What happens at one moment, or in one hour, in the right order."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gaelp_sim.events import NONE, US, Proposals, Stage, TouchKind
from gaelp_sim.population.proposals import Proposer
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import HOURS_PER_DAY, SECONDS_PER_DAY, epoch_seconds
from gaelp_sim.world.shard import Shard, Task
from gaelp_sim.world.stack import Place
from tests.worlds.scenarios import Tables, day_tables, random_scenario, shard_of, whole_run


def _of_world(tables: list[Tables], world: int) -> list[tuple[Any, ...]]:
    """Touches, shifts and sales of one world, in key order."""
    rows: list[tuple[Any, ...]] = []
    for part in tables:
        for name in ("touchpoint", "trigger_event", "conversion"):
            if name in part:
                here = part[name]["world_id"] == world
                columns = [part[name][column][here].tolist() for column in sorted(part[name])]
                rows += [(name, *row) for row in zip(*columns, strict=True)]
    return sorted(rows)


def test_two_things_at_one_second_happen_in_an_order_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proposals of one person and second: whatever the company (worlds, cells, workers), the same one is first."""
    exact = Proposer.propose

    def coarse(*asked: Any, **how: Any) -> Proposals:
        found = exact(*asked, **how)
        return replace(found, second=found.second // 1_200 * 1_200)

    monkeypatch.setattr(Proposer, "propose", coarse)
    scenario = random_scenario(12).model_copy(update={"worlds": 6, "cells": 1, "days": 3})
    together = day_tables(shard_of(scenario), scenario.days)
    for world in range(scenario.worlds):
        place = Place(range(world, world + 1), range(1))
        alone = day_tables(Shard(Task(scenario, scenario.seed, "rule", place, 0, None)), scenario.days)
        assert _of_world(alone, world) == _of_world(together, world)


def test_levels_are_never_read_at_an_earlier_second_than_before() -> None:
    """An e-mail of the same hour as an auction must not wind the levels' clock back."""
    for seed in range(100, 130):
        scenario = random_scenario(seed)
        shard = shard_of(scenario)
        people = shard.stack.people
        shard.advance(scenario.days * HOURS_PER_DAY)
        last: dict[int, int] = defaultdict(lambda: -1)
        for row, kind, second in zip(*[column.tolist() for column in shard.history.seconds()], strict=True):
            if kind != TouchKind.VISIT:
                last[row] = max(last[row], second)
        assert all(people.level_s[row] >= second for row, second in last.items()), seed


def test_a_journey_begins_with_its_first_touch_and_ends_with_its_last() -> None:
    """Also where a site visit falls before an auction of the same hour."""
    for seed in range(100, 130):
        run = whole_run(random_scenario(seed))
        if not len(run["journey"]["person_id"]):
            continue
        seconds = defaultdict(list)
        touch = run["touchpoint"]
        keys = zip(touch["person_id"].tolist(), touch["journey_index"].tolist(), touch["occurred_s"].tolist(), strict=True)
        for person, index, second in keys:
            seconds[person, index].append(second)
        journey = run["journey"]
        names = ("person_id", "journey_index", "first_touch_s", "last_touch_s")
        for person, index, first, last in zip(*[journey[name].tolist() for name in names], strict=True):
            assert (first, last) == (min(seconds[person, index]), max(seconds[person, index])), seed


def test_a_sale_is_paid_for_only_by_a_touch_before_it() -> None:
    """`our_touches` of a sale, from which the paid CAC is counted: no touch that came later in the hour."""
    for seed in range(100, 160):
        scenario = random_scenario(seed)
        tables = day_tables(shard_of(scenario), scenario.days)
        first: dict[int, int] = {}
        for part in tables:
            touch = part.get("touchpoint", {})
            if touch:
                ours = touch["advertiser"] == US
                met = (touch["person_id"][ours].tolist(), touch["occurred_s"][ours].tolist())
                for person, second in zip(*met, strict=True):
                    first[person] = min(first.get(person, second), second)
        for sales in (part["conversion"] for part in tables if "conversion" in part):
            columns = [sales[name].tolist() for name in ("person_id", "decided_s", "our_touches")]
            for person, decided, touched in zip(*columns, strict=True):
                assert touched == (first.get(person, decided + 1) <= decided), (seed, person)


def _at_midnight(scenario: Scenario) -> tuple[Shard, int]:
    """A run at 22:00 of its first day in which half of all people will have paid at midnight exactly."""
    shard = shard_of(scenario)
    shard.advance(22)
    stack = shard.stack
    rows = np.flatnonzero((stack.people.decided_s < 0) & (stack.people.person % 2 == 0))
    stack.people.decided_s[rows] = 22 * 3_600 - 1
    due = np.full(len(rows), SECONDS_PER_DAY)
    fresh = {"row": rows, "purchased_s": due, "reported_s": due, "advertiser": np.full(len(rows), US), "value_micros": due,
             "clicked_signal": np.full(len(rows), NONE)}
    stack.pending = {name: np.concatenate([old, fresh[name]]) for name, old in stack.pending.items()}
    return shard, len(rows)


def test_a_purchase_due_at_midnight_is_the_same_after_a_resume() -> None:
    """Paid at the very second at which a run was cut: the people are out of the market in the next hour either way."""
    scenario = random_scenario(112).model_copy(update={"days": 2, "cells": 1, "worlds": 1})
    whole, buyers = _at_midnight(scenario)
    cut, _ = _at_midnight(scenario)
    assert buyers > 3
    whole.advance(24), cut.advance(24)
    resumed = Shard(Task(scenario, scenario.seed, "rule", Place(range(1), range(1)), 24, cut.state()))
    for hour in range(25, 49):
        expected, got = whole.advance(hour), resumed.advance(hour)
        assert _of_world([expected], 0) == _of_world([got], 0), hour
        assert (whole.stack.people.stage == resumed.stack.people.stage).all(), hour
    assert (whole.stack.people.stage == Stage.CONVERTED).sum() >= buyers


def test_a_budget_runs_out_on_its_own_day() -> None:
    """A day account's `exhausted_s` lies within the day of its row, with several cells and tiny leases too."""
    found = 0
    for seed in range(100, 160):
        scenario = random_scenario(seed)
        monthly = [rival.budget_usd_day is None for rival in scenario.rivals]
        books, start = whole_run(scenario)["budget_day"], epoch_seconds(scenario.start)
        for advertiser, day, second in zip(*[books[n].tolist() for n in ("advertiser", "day", "exhausted_s")], strict=True):
            if second != NONE and not (advertiser and monthly[advertiser - 1]):
                found += 1
                assert (second - start) // SECONDS_PER_DAY == day, (seed, advertiser, day)
    assert found > 50


def test_the_order_of_worlds_in_a_stack_changes_nothing() -> None:
    """Worlds 0-3 together and each alone: the same rows."""
    scenario = random_scenario(106).model_copy(update={"worlds": 4, "cells": 2})
    together = day_tables(shard_of(scenario), scenario.days)
    task = Task(scenario, scenario.seed, "rule", Place(range(0), range(2)), 0, None)
    for world in range(4):
        alone = day_tables(Shard(replace(task, place=Place(range(world, world + 1), range(2)))), scenario.days)
        assert _of_world(alone, world) == _of_world(together, world)
