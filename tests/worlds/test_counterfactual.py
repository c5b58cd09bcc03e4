"""Ads withheld: copies live the same lives, and lose what the world itself would lose."""

from __future__ import annotations

import numpy as np
import pytest

from gaelp_sim.errors import GaelpError, UsageError
from gaelp_sim.events import NONE, US
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import HOURS_PER_DAY
from gaelp_sim.world.counterfactual import Copies, Lives, Span, lived_through, worlds_of
from gaelp_sim.world.shard import Shard, Task
from gaelp_sim.world.stack import Place
from gaelp_sim.world.trial import Trial, Withheld
from tests.worlds.scenarios import random_scenario

SLACK = ["us.budget.usd_day=1000000", "us.budget.usd_month=null"]


def worlds(scenario: Scenario) -> Shard:
    """The worlds of a scenario as they are born."""
    place = Place(range(scenario.worlds), range(scenario.cells))
    return worlds_of(Task(scenario, scenario.seed, "rule", place, 0, None))


def live(scenario: Scenario, copies: Copies, withheld: Withheld | None = None) -> Lives:
    """Live through all of it."""
    hours = scenario.days * HOURS_PER_DAY
    return lived_through(worlds(scenario), Span(hours, hours), copies, lambda hour, rows: None, withheld)


def nothing(row: np.ndarray, channels: int) -> Copies:
    """Copies of whom nothing is withheld."""
    return Copies(row, Withheld.nothing(len(row), channels))


@pytest.mark.parametrize("seed", range(24))
def test_copies_live_the_same_life(seed: int) -> None:
    """Whatever the scenario: a copy of whom nothing is withheld is the person in every column (checked inside)."""
    scenario = random_scenario(seed)
    shard = worlds(scenario)
    row = np.repeat(np.arange(shard.stack.people.size), 2)
    lives = live(scenario, nothing(row, shard.model.channels))
    assert lives.copies.tolist() == lives.sales[row].tolist()


def test_copies_stop_where_budgets_end() -> None:
    """With budgets that end in the middle of days, in three cells, against rivals that learn; and if the ends are not kept,
    it is found out."""
    sets = ["population.people=1500", "days=6", "rivals_learn=true", "us.budget.usd_day=15", "cells=3", "worlds=2"]
    scenario = load_scenario("parental_controls", sets)
    row = np.arange(3000)
    lives = live(scenario, nothing(row, 5))
    assert lives.copies.tolist() == lives.sales.tolist()
    with pytest.MonkeyPatch.context() as patch, pytest.raises(GaelpError, match="copy of whom nothing was withheld"):
        patch.setattr(Trial, "_note_cuts", lambda *arguments: None)
        live(scenario, nothing(row, 5))


def test_market_and_world_agree_where_nobody_reacts() -> None:
    """Slack budgets and frozen rivals: withholding a channel from copies or in the world loses the same sales."""
    scenario = load_scenario("parental_controls", [*SLACK, "population.people=3000"])
    people, total = np.arange(3000), 0
    for channel in range(6):
        mask = np.zeros((3000, 6), dtype=np.bool_)
        mask[:, channel] = True
        withheld = Withheld(mask, np.full(3000, NONE, dtype=np.int64))
        beside = live(scenario, Copies(people, withheld))
        again = live(scenario, nothing(people[:0], 5), withheld)
        assert beside.copies.tolist() == again.sales.tolist()
        total += int((beside.sales - again.sales).sum())
    assert total > 5


def test_one_touch_withheld() -> None:
    """A single touch, in copies as in the world: the same loss, for touches that decide and touches that don't."""
    scenario = load_scenario("parental_controls", [*SLACK, "population.people=2000", "days=15"])
    rows, seconds = _clicks(scenario)
    copies = Copies(rows, Withheld(np.zeros((len(rows), 6), dtype=np.bool_), seconds))
    beside = live(scenario, copies)
    lost = beside.sales[rows] - beside.copies
    chosen = np.concatenate([np.flatnonzero(lost != 0)[:4], np.flatnonzero(lost == 0)[:2]])
    assert len(chosen) >= 4
    for touch in chosen.tolist():
        withheld = Withheld.nothing(2000, 5)
        withheld.second[rows[touch]] = seconds[touch]
        again = live(scenario, nothing(rows[:0], 5), withheld)
        assert (beside.sales - again.sales).sum() == lost[touch]


def _clicks(scenario: Scenario) -> tuple[np.ndarray, np.ndarray]:
    """Row and second of our clicked ads, by row."""
    shard = worlds(scenario)
    tables = shard.advance(scenario.days * HOURS_PER_DAY)["touchpoint"]
    ours = (tables["advertiser"] == US) & (tables["clicked"] > 0) & (tables["kind"] == 0)
    row, second = tables["person_id"][ours], tables["occurred_s"][ours] - shard.model.start_s
    order = np.argsort(row, kind="stable")
    return row[order], second[order]


def test_ads_without_effect_cause_nothing() -> None:
    """Where no touch moves, warms or sells, withholding all ads loses no sale."""
    sets = ["population.people=2000", "response.click_adds_goodwill=0", "email=null"]
    scenario = load_scenario("parental_controls", sets)
    still = {"unaware": 0.0, "aware": 0.0, "considering": 0.0}
    channels = [
        channel.model_copy(update={
            "click_moves_up": channel.click_moves_up.model_copy(update=still),
            "view_moves_up": channel.view_moves_up.model_copy(update=still), "view_adds_goodwill": 0.0,
        })
        for channel in scenario.channels
    ]
    segments = [part.model_copy(update={"purchase_per_click": 0.0}) for part in scenario.population.segments]
    population = scenario.population.model_copy(update={"segments": segments})
    response = scenario.response.model_copy(update={"overexposure_harm": 0.0, "brand_base": -0.5})
    scenario = scenario.model_copy(update={"channels": channels, "population": population, "response": response})
    row = np.arange(2000)
    lives = live(scenario, Copies(row, Withheld(np.ones((2000, 6), dtype=np.bool_), np.full(2000, NONE, dtype=np.int64))))
    assert lives.sales.sum() > 10
    assert lives.copies.tolist() == lives.sales.tolist()


def test_silence_after_the_run() -> None:
    """In the run-out we show nothing; what had been shown still sells, and no less is sold in all."""
    scenario = load_scenario("parental_controls", ["population.people=2000", "days=10"])
    nobody = nothing(np.arange(0), 5)
    short = live(scenario, nobody)
    shard = worlds(scenario)
    lives = lived_through(shard, Span(720, 240), nobody, lambda hour, rows: None)
    assert (lives.sales >= short.sales).all() and lives.sales.sum() > short.sales.sum()
    assert shard.stack.people.last_touch_s.max() >= 240 * 3600
    ours = shard.stack.last_seen_s.max(axis=1)
    visits = shard.stack.people.our_touches
    assert visits.sum() > 0 and shard.stack.people.cost_micros.sum() <= _cost(scenario)
    assert ours.max() < 720 * 3600


def _cost(scenario: Scenario) -> int:
    shard = worlds(scenario)
    tables = shard.advance(scenario.days * HOURS_PER_DAY)
    return int(tables["ledger"]["amount_micros"].sum())


def test_what_can_not_be_tried_is_told() -> None:
    """A continued run, whose people's lives begin elsewhere."""
    scenario = load_scenario("short", [])
    with pytest.raises(UsageError, match="root run"):
        worlds_of(Task(scenario, 1, "rule", Place(range(1), range(1)), 24, None))
