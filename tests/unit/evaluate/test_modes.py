"""Modes, shifts and conditions of a grade."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gaelp_sim.errors import UsageError
from gaelp_sim.evaluate import grade as module
from gaelp_sim.evaluate.conditions import Condition
from gaelp_sim.evaluate.grade import Asked, evaluate
from gaelp_sim.planning.compared import GRADED
from gaelp_sim.planning.played import Played
from gaelp_sim.planning.seeds import HOLDOUT_SEED
from gaelp_sim.planning.shifted import SHIFTS, shifted
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.world.crew import ALONE, Crew


@pytest.fixture
def scenario() -> Scenario:
    return load_scenario("short", ["identity.mode=perfect"])


def _world(bids: float, worlds: int, budget: float) -> Played:
    """A market of diminishing returns: 10 sales for nothing, 20 sqrt(bids) more for 1,000 bids dollars."""
    spend = min(1_000.0 * bids, budget)
    sales = 10.0 + 20.0 * (spend / 1_000.0) ** 0.5 + np.arange(worlds)
    none = np.zeros(worlds)
    return Played(sales, np.full(worlds, spend), 180.0, none, none, none, np.zeros(0))


@pytest.fixture
def market(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, float]]:
    """`played` replaced by that market; (seed, bids) of each game."""
    games: list[tuple[int, float]] = []

    def told(scenario: Scenario, bidder: Any, worlds: range, crew: Crew = ALONE) -> Played:
        price = getattr(bidder, "price_micros", None)
        bids = 0.0 if bidder == "silent" else float(price[0]) / 1e6 if price is not None else float(bidder.multiple)
        games.append((scenario.seed, bids))
        return _world(bids, len(worlds), float(scenario.us.budget.usd_day or 1e9) * scenario.days)

    monkeypatch.setattr(module, "played", told)
    return games


def test_growth_buys_the_most_within_the_target(scenario: Scenario, market: list[tuple[int, float]]) -> None:
    """Extra sales cost 50 sqrt(bids) each: four times the bids is the most that a target of 100 allows."""
    asked = Asked(("rule",), worlds=3, tuning_worlds=2, mode="growth", baselines=("fixed",), references=())
    rows = {row.policy: row for row in evaluate(scenario, asked, lambda step: None)}
    assert rows["rule"].kind == GRADED
    assert rows["rule"].cac_incremental_usd == pytest.approx(100.0) and rows["rule"].spend_usd == pytest.approx(4_000.0)
    assert {seed for seed, bids in market if seed != HOLDOUT_SEED} == {55_001}
    assert rows["rule"].over_best_share == pytest.approx(
        (rows["rule"].conversions - rows["fixed"].conversions) / rows["fixed"].conversions
    )


def test_tight_halves_the_money(scenario: Scenario, market: list[tuple[int, float]]) -> None:
    """Profit is greatest where a dollar brings a dollar back; half of that spend is left, and nobody spends more."""
    free = Asked((), worlds=2, tuning_worlds=2, baselines=("fixed",), references=())
    tight = Asked(("rule",), worlds=2, tuning_worlds=2, mode="tight", baselines=("fixed",), references=())
    most = next(row.spend_usd for row in evaluate(scenario, free, lambda step: None) if row.policy == "fixed")
    rows = evaluate(scenario, tight, lambda step: None)
    assert max(row.spend_usd for row in rows) <= most / 2 + 1


@pytest.mark.parametrize("name", SHIFTS)
def test_shifts_scale_what_they_name(name: str, scenario: Scenario) -> None:
    """A factor and its inverse give the scenario back, but for shares that end at 1."""
    there = shifted(scenario, {name: 0.5})
    assert there != scenario
    back = shifted(there, {name: 2.0})
    mine, theirs = (str(one.model_dump()) for one in (scenario, back))
    assert mine == theirs
    assert shifted(scenario, {name: 1.0}).model_dump() == scenario.model_dump()


@pytest.mark.parametrize("name, factor", [("click", 0.5), ("clicks", 0.0), ("clicks", float("nan")), ("prices", 1e9)])
def test_shifts_that_are_none_are_refused(name: str, factor: float, scenario: Scenario) -> None:
    with pytest.raises(UsageError, match=f"--shift {name}"):
        shifted(scenario, {name: factor})


@pytest.mark.parametrize("text", [
    "cac>1", "cac_paid_usd=1", "profit_usd > x", "profit_usd > nan", "profit_usd", "", "profit_usd > 1; 2", "worlds() > 1",
])
def test_conditions_are_metric_op_number_and_nothing_else(text: str) -> None:
    with pytest.raises(UsageError, match="--fail-if"):
        Condition.of(text)


def test_conditions_fail_by_their_side() -> None:
    row = {"policy": "p", "cac_paid_usd": 90.0, "roas": None}
    assert Condition.of("cac_paid_usd > 90").failed(row) is None
    assert "is 90, which is >= 90" in str(Condition.of("cac_paid_usd>=90").failed(row))
    assert Condition.of("cac_paid>1") == Condition.of("cac_paid_usd>1")
    assert "does not exist" in str(Condition.of("roas<1").failed(row))
