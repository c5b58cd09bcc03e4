"""What a plan is a bound for, and what a budget is."""

from __future__ import annotations

import numpy as np
import pytest

from gaelp_sim.planning.plan import budget_usd, caveats
from gaelp_sim.scenario.loading import load_scenario


@pytest.mark.parametrize(("name", "sets", "why"), [
    ("gsp_slots", [], "several slots"), ("parental_controls", [], "rivals have budgets"), ("seasons", [], "stray"),
    ("short", ["rivals_learn=true"], "rivals learn"), ("short", ["population.opportunities_per_hour_max=2"], "an hour"),
    ("short", ["us.budget.usd_day=50"], "binds by the day"), ("randomised", [], "intervals"),
    ("short", ["us.campaigns.Search.budget_usd_day=5"], "campaigns"),
])
def test_what_a_plan_does_not_know_is_named(name: str, sets: list[str], why: str) -> None:
    assert any(why in reason for reason in caveats(load_scenario(name, sets)))


def test_a_small_plain_world_has_no_caveats() -> None:
    assert caveats(load_scenario("short")) == []


def test_the_tightest_account_for_everything_is_the_budget() -> None:
    """A day's account counts for each day, a month's once; per person."""
    sets = ["us.budget.usd_month=9000", "us.budget.usd_day=400", "days=30"]
    assert budget_usd(load_scenario("parental_controls", sets)) == pytest.approx(0.9)
    assert budget_usd(load_scenario("parental_controls", ["us.budget.usd_day=100"])) == pytest.approx(0.3)
    assert np.isinf(budget_usd(load_scenario("short")))
