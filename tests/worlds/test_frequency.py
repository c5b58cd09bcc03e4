"""Frequency caps hold in whole worlds: whoever bids, across rounds, log-ins, cells and a stop in between."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from gaelp_sim.events import DecisionStatus
from gaelp_sim.market.frequency import Frequency
from gaelp_sim.scenario.schema import FrequencyCap, Scenario
from gaelp_sim.units import HOURS_PER_DAY
from gaelp_sim.world.log import joined_columns
from gaelp_sim.world.shard import Shard, Task
from gaelp_sim.world.stack import Place
from gaelp_sim.world.state import merged
from tests.worlds.comparison import compare
from tests.worlds.policies import RANDOM
from tests.worlds.scenarios import Tables, random_scenario, whole_run
from tests.worlds.test_same_luck import lively

CAPS = [FrequencyCap(impressions=1, days=0.1), FrequencyCap(impressions=2, days=1.0), FrequencyCap(impressions=3, days=3.0)]


def _capped(scenario: Scenario, cap: FrequencyCap | None, cells: int = 1) -> Scenario:
    us = scenario.us.model_copy(update={"frequency_cap": cap})
    return scenario.model_copy(update={"us": us, "cells": cells})


def worst_excess(run: Tables, cap: FrequencyCap) -> int:
    """The most impressions of ours that any resolved user had within a window, less the cap; users as at the decision."""
    decisions, shown = run["decision"], defaultdict(list)
    for at in np.flatnonzero(decisions["status"] == DecisionStatus.WON).tolist():
        shown[int(decisions["resolved_user_id"][at])].append(int(decisions["occurred_s"][at]))
    window, worst = round(cap.days * 86_400), -cap.impressions
    for seconds in shown.values():
        within = [sum(last - window < second <= last for second in seconds) for last in seconds]
        worst = max(worst, max(within) - cap.impressions)
    return worst


@pytest.mark.parametrize("policy", ["rule", RANDOM])
@pytest.mark.parametrize("cap", CAPS, ids=lambda cap: f"{cap.impressions} in {cap.days:g} days")
def test_the_cap_is_kept_and_binds(cap: FrequencyCap, policy: str) -> None:
    """In one cell and in three, under the rule and an outsider's bidder: reached, never passed."""
    free = whole_run(_capped(lively(), None), policy)
    assert worst_excess(free, cap) > 0, "or the cap would have nothing to do"
    for cells in (1, 3):
        assert worst_excess(whole_run(_capped(lively(), cap, cells), policy), cap) == 0


@pytest.mark.parametrize("seed", range(200, 220))
def test_no_random_world_passes_its_cap(seed: int) -> None:
    scenario = random_scenario(seed)
    cap = scenario.us.frequency_cap or FrequencyCap(impressions=1, days=1.0)
    assert worst_excess(whole_run(_capped(scenario, cap, scenario.cells)), cap) <= 0


def _often_logged_in() -> Scenario:
    """Two impressions in three days, on devices that soon join their person's account."""
    scenario = _capped(lively(), FrequencyCap(impressions=2, days=3.0))
    devices = scenario.population.devices.model_copy(update={"login_on_click": 0.6})
    return scenario.model_copy(update={"population": scenario.population.model_copy(update={"devices": devices})})


def test_what_a_device_has_seen_counts_for_the_account() -> None:
    """Touch by touch the plain world, where log-ins join users."""
    assert not compare(_often_logged_in()).differences


def test_a_cap_that_forgets_log_ins_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted fault: a device's impressions are lost when it joins the account."""
    monkeypatch.setattr(Frequency, "merge", lambda self, users, others: None)
    assert compare(_often_logged_in()).differences


def test_a_stopped_decision_keeps_its_action_and_propensity() -> None:
    """It was chosen (participate, level, creative, bid) with its propensity, and did not enter; only the cap does that."""
    cap = CAPS[1]
    decisions = whole_run(_capped(lively(), cap))["decision"]
    stopped = (decisions["status"] == DecisionStatus.NOT_ENTERED) & (decisions["participate"] == 1)
    assert stopped.sum() > 50 and (decisions["bid_micros"][stopped] > 0).all()
    assert (decisions["level"][stopped] > 0).all() and (decisions["charge_micros"][stopped] == 0).all()
    free = whole_run(_capped(lively(), None))["decision"]
    entered = (free["status"] == DecisionStatus.NOT_ENTERED) & (free["participate"] == 1)
    assert not entered.any()
    # The cap chooses nothing: the same share of actions is the greedy one, as exploration has it.
    assert (decisions["propensity"][stopped] > 0.5).mean() == pytest.approx(0.9, abs=0.06)


def _rest(scenario: Scenario, places: list[Place], stop_day: int) -> Tables:
    """Rows after a stop: the state taken at `stop_day` by one shard, gone on with by a shard for each place."""
    whole = Place(range(scenario.worlds), range(scenario.cells))
    first = Shard(Task(scenario, scenario.seed, "rule", whole, 0, None))
    first.advance(stop_day * HOURS_PER_DAY)
    state = merged([first.state()])
    parts = []
    for place in places:
        shard = Shard(Task(scenario, scenario.seed, "rule", place, stop_day * HOURS_PER_DAY, state))
        parts.append(shard.advance(scenario.days * HOURS_PER_DAY)["decision"])
    return {"decision": joined_columns(parts)}


def test_a_stop_in_between_changes_nothing() -> None:
    """The rows after day 3 are those of the uninterrupted run, in one process and in one for each world."""
    scenario = _capped(lively(), CAPS[2]).model_copy(update={"worlds": 2})
    whole = whole_run(scenario)["decision"]
    after = whole["occurred_s"] >= whole["occurred_s"].min() // 86_400 * 86_400 + 3 * 86_400
    names = [name for name in whole if name != "features"]
    wanted = sorted(zip(*[whole[name][after].tolist() for name in names], strict=True))
    cells = range(scenario.cells)
    for places in ([Place(range(2), cells)], [Place(range(1), cells), Place(range(1, 2), cells)]):
        rest = _rest(scenario, places, 3)["decision"]
        assert sorted(zip(*[rest[name].tolist() for name in names], strict=True)) == wanted
