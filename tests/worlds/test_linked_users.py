"""Users linked by evidence while a world runs: what is remembered, capped and logged is theirs, exactly."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest

from gaelp_sim.events import NONE, US, Column, DecisionStatus
from gaelp_sim.identity.joins import Method
from gaelp_sim.identity.quality import quality
from gaelp_sim.observe.table import FEATURES
from gaelp_sim.scenario.observed import Linking
from gaelp_sim.scenario.schema import FrequencyCap, Scenario
from gaelp_sim.units import HOURS_PER_DAY, SECONDS_PER_HOUR
from gaelp_sim.world import slots, users
from gaelp_sim.world.log import joined_columns
from gaelp_sim.world.policies import SILENT
from gaelp_sim.world.shard import Shard, Task
from gaelp_sim.world.stack import Place
from gaelp_sim.world.state import merged
from tests.worlds.scenarios import Tables, shard_of, whole_run
from tests.worlds.test_frequency import worst_excess
from tests.worlds.test_same_luck import lively

CAP = FrequencyCap(impressions=2, days=2.0)
NAMES = [feature.name for feature in FEATURES]


@cache
def linked(*, cap: FrequencyCap | None = None, cells: int = 1, worlds: int = 1, days: int = 6) -> Scenario:
    """Devices seen often and joined on little evidence, so that people are often taken for one another and parted again."""
    scenario = lively()
    often = scenario.identity.observed.sightings_per_day.model_copy(update={"mobile": 4.0, "desktop": 4.0, "tablet": 4.0})
    observed = scenario.identity.observed.model_copy(update={"sightings_per_day": often, "lease_days": 3})
    identity = scenario.identity.model_copy(update={
        "mode": "linked", "observed": observed, "linking": Linking(join_at=0.35, part_below=0.3),
    })
    devices = scenario.population.devices.model_copy(update={"login_on_click": 0.9})
    budget = scenario.us.budget.model_copy(update={"usd_day": 800})
    us = scenario.us.model_copy(update={"frequency_cap": cap, "budget": budget})
    population = scenario.population.model_copy(update={"devices": devices, "people": 1000})
    return scenario.model_copy(update={
        "identity": identity, "us": us, "population": population, "cells": cells, "worlds": worlds, "days": days,
    })


@cache
def _run(*, cap: FrequencyCap | None = None) -> Tables:
    return whole_run(linked(cap=cap))


def _tuples(*columns: Column) -> Iterator[tuple[int, ...]]:
    return zip(*(column.tolist() for column in columns), strict=True)


def _start_s(tables: Tables) -> int:
    return int(tables["decision"]["occurred_s"].min()) // 86_400 * 86_400


def test_much_happens_here() -> None:
    """Or the tests below would test nothing: log-ins, links, splits, and several people of one user in one hour."""
    tables = _run()
    changes, decisions = tables["identity_change"], tables["decision"]
    assert (np.bincount(changes["method"], minlength=len(Method)) > [2, 100, 30]).all()
    hour = decisions["occurred_s"] // SECONDS_PER_HOUR
    people = defaultdict(set)
    for user, when, person in _tuples(decisions["resolved_user_id"], hour, decisions["person_id"]):
        people[user, when].add(person)
    assert sum(len(one) > 1 for one in people.values()) > 3


def test_a_user_has_one_opportunity_a_round() -> None:
    """However many people it is; and each person still has no more of them an hour than the scenario allows."""
    rounds, decisions = _rounds(_run()), _run()["decision"]
    assert len(set(rounds)) == len(rounds)
    hour = decisions["occurred_s"] // SECONDS_PER_HOUR
    _, times = np.unique(np.stack([hour, decisions["person_id"]]), axis=1, return_counts=True)
    assert times.max() == linked().population.opportunities_per_hour_max


def test_without_turns_two_people_of_a_user_would_share_a_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted fault: whoever has an opportunity plays at once."""
    monkeypatch.setattr(slots, "_first_of_users", lambda stack, row, luck, chosen: chosen)
    rounds = _rounds(whole_run(linked()))
    assert len(set(rounds)) < len(rounds)


def _rounds(tables: Tables) -> list[tuple[int, ...]]:
    decisions = tables["decision"]
    hour = decisions["occurred_s"] // SECONDS_PER_HOUR
    return list(_tuples(hour, decisions["round"], decisions["resolved_user_id"]))


def _users_by_hand(tables: Tables) -> dict[int, list[tuple[int, int, int]]]:
    """Changes by hour: alias, previous user, user."""
    changes = defaultdict(list)
    names = ("changed_s", "alias_id", "previous_user_id", "resolved_user_id")
    for second, alias, before, after in _tuples(*(tables["identity_change"][name] for name in names)):
        changes[second // SECONDS_PER_HOUR].append((alias, before, after))
    return changes


def test_changes_lead_from_every_device_for_itself_to_the_users_at_the_end() -> None:
    """Each change begins where the one before it ended; decisions name the user of their hour."""
    tables = _run()
    user: dict[int, int] = {}
    changes, decisions = _users_by_hand(tables), tables["decision"]
    hours = decisions["occurred_s"] // SECONDS_PER_HOUR
    for hour in sorted({*changes, *hours.tolist()}):
        for alias, before, after in changes[hour]:
            assert user.get(alias, alias) == before != after
            user[alias] = after
        here = hours == hour
        for alias, named in _tuples(decisions["alias_id"][here], decisions["resolved_user_id"][here]):
            assert user.get(alias, alias) == named
    aliases = tables["alias"]
    for alias, named in _tuples(aliases["alias_id"], aliases["resolved_user_id"]):
        assert user.get(alias, alias) == named
    assert set(aliases["resolved_user_id"].tolist()) <= set(user) | set(aliases["alias_id"].tolist())


def _differences(tables: Tables) -> int:
    """Decisions whose count of impressions is not what one by one adds up to: merged users' add up, who leaves has none."""
    decisions, changes = tables["decision"], _users_by_hand(tables)
    shown: dict[int, int] = defaultdict(int)
    order = np.lexsort([decisions["clearing_order"], decisions["round"], decisions["occurred_s"] // SECONDS_PER_HOUR])
    hours, rounds = decisions["occurred_s"] // SECONDS_PER_HOUR, decisions["round"]
    counted, wrong, last = decisions["features"][:, NAMES.index("impressions")], 0, (NONE, NONE)
    pending: list[int] = []
    for at in order.tolist():
        now = int(hours[at]), int(rounds[at])
        if now != last:
            for user in pending:
                shown[user] += 1
            pending = []
            for hour in sorted(h for h in changes if last[0] < h <= now[0]):
                for alias, before, after in changes[hour]:
                    if alias == before:  # the founder moves, and with it what is remembered
                        shown[after] += shown.pop(before, 0)
            last = now
        user = int(decisions["resolved_user_id"][at])
        wrong += counted[at] != min(shown[user], 1000)
        if decisions["status"][at] == DecisionStatus.WON:
            pending.append(user)
    return wrong


def test_what_is_remembered_is_what_one_by_one_adds_up_to() -> None:
    assert _differences(_run()) == 0


def test_a_memory_that_stays_behind_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted fault: memories of users that become one are not added up."""
    monkeypatch.setattr(users, "_merge", lambda stack, into, others: None)
    assert _differences(whole_run(linked())) > 10


def test_no_user_passes_its_cap() -> None:
    """Nor where two of its people come in the same hour: they take turns."""
    assert worst_excess(_run(), CAP) > 0, "or the cap would have nothing to do"
    tables = _run(cap=CAP)
    changed = set(tables["identity_change"]["resolved_user_id"].tolist())
    decisions = tables["decision"]
    still = {name: column[~np.isin(decisions["resolved_user_id"], list(changed))] for name, column in decisions.items()}
    assert worst_excess({"decision": still}, CAP) == 0
    assert worst_excess_with_merges(tables) <= 0


def worst_excess_with_merges(tables: Tables) -> int:
    """The most impressions that we showed to a user who had seen CAP of them already, what merged users saw counted too."""
    decisions, changes = tables["decision"], _users_by_hand(tables)
    seen: dict[int, list[int]] = defaultdict(list)
    order = np.lexsort([decisions["clearing_order"], decisions["round"], decisions["occurred_s"] // SECONDS_PER_HOUR])
    window, worst, last = round(CAP.days * 86_400), -CAP.impressions, NONE
    for at in order.tolist():
        second = int(decisions["occurred_s"][at])
        for hour in sorted(h for h in changes if last < h <= second // SECONDS_PER_HOUR):
            for alias, before, after in changes[hour]:
                if alias == before:
                    seen[after] += seen.pop(before, [])
        last = second // SECONDS_PER_HOUR
        if decisions["status"][at] == DecisionStatus.WON:
            mine = seen[int(decisions["resolved_user_id"][at])]
            worst = max(worst, sum(second - window < one <= second for one in mine) + 1 - CAP.impressions)
            mine.append(second)
    return worst


def _rows(tables: Tables, name: str, after_s: int = 0) -> list[tuple[float, ...]]:
    table = tables[name]
    time = next((column for column in ("occurred_s", "changed_s", "decided_s") if column in table), None)
    keep = table[time] >= after_s if time else np.ones(len(table["world_id"]), dtype=bool)
    names = sorted(column for column in table if column not in ("features", "path"))
    return sorted(zip(*[np.asarray(table[column])[keep].tolist() for column in names], strict=True))


ROWS = ("decision", "touchpoint", "alias", "alias_pair", "identity_change", "conversion")


def _gone_on(scenario: Scenario, places: list[Place], day: int) -> Tables:
    """A state taken on a day by one process, gone on with by one for each place."""
    whole = Place(range(scenario.worlds), range(scenario.cells))
    first = Shard(Task(scenario, scenario.seed, "rule", whole, 0, None))
    first.advance(day * HOURS_PER_DAY)
    state, parts = merged([first.state()]), []
    for place in places:
        shard = Shard(Task(scenario, scenario.seed, "rule", place, day * HOURS_PER_DAY, state))
        tables = shard.advance(scenario.days * HOURS_PER_DAY)
        parts.append({**tables, **shard.finish(scenario.days * 86_400)})
    return {name: joined_columns([part[name] for part in parts]) for name in ROWS}


@pytest.mark.parametrize("day", [1, 4])
def test_a_stop_in_between_changes_nothing(day: int) -> None:
    """In one process and in one for each world: the linker takes up where it had been, whoever runs beside."""
    scenario = linked(cap=CAP, cells=2, worlds=2)
    whole, cells = whole_run(scenario), range(2)
    after_s = _start_s(whole) + day * 86_400
    for places in ([Place(range(2), cells)], [Place(range(1), cells), Place(range(1, 2), cells)]):
        rest = _gone_on(scenario, places, day)
        for name in ROWS:
            assert _rows(rest, name, after_s) == _rows(whole, name, after_s), (name, places)


def test_worlds_and_cells_know_nothing_of_each_other() -> None:
    """A world's users are the same alone as beside others; no user spans cells."""
    scenario = linked(worlds=2, cells=2)
    both = whole_run(scenario)
    alone = whole_run(scenario.model_copy(update={"worlds": 1}))
    for name in ("identity_change", "alias", "alias_pair"):
        first = {column: np.asarray(values)[both[name]["world_id"] == 0] for column, values in both[name].items()}
        assert _rows({name: first}, name) == _rows(alone, name)


def test_evidence_changes_nothing_that_people_do() -> None:
    """Where we stay silent the world is the same, whoever is linked with whom: no luck, no session, no sale is touched."""
    scenario = linked()
    devices = scenario.model_copy(update={"identity": scenario.identity.model_copy(update={"mode": "devices"})})
    one, other = whole_run(scenario, SILENT), whole_run(devices, SILENT)
    for name in ("touchpoint", "conversion", "auction_hour", "trigger_event"):
        if name in other:
            assert _rows(one, name) == _rows(other, name)
    assert (one["touchpoint"]["advertiser"] != US).any()


def test_users_come_nearer_to_people_than_devices_are() -> None:
    """Of what is joined most is right, and much of what is right is joined, though told of in a few days."""
    identity = linked().identity.model_copy(update={"linking": Linking()})
    tables = whole_run(linked().model_copy(update={"identity": identity}))
    device = shard_of(linked()).births()["device"]
    owner = dict(_tuples(device["alias_id"], device["person_id"]))
    alias = tables["alias"]
    person = np.array([owner[one] for one in alias["alias_id"].tolist()])
    found = quality(alias["resolved_user_id"], person)
    assert found.precision > 0.6 and found.recall > 0.3
