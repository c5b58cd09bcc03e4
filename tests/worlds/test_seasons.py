"""What a season does to a market, end to end: opportunities and prices move by the event's factors, on its days alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gaelp_sim.events import NONE
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.scenario.schema import Scenario, SeasonEvent
from tests.worlds.scenarios import Tables, whole_run

DAYS = range(3, 7)


def _scenario(**factors: float) -> Scenario:
    """Six rivals' market without us; the event falls on days 3 to 6."""
    scenario = load_scenario("quickstart", ["days=10", "population.people=4000"])
    rivals = [rival.model_copy(update={"budget_usd_month": None}) for rival in scenario.rivals]
    event = SeasonEvent(name="sale", first_day="09-04", last_day="09-07", **factors)
    curves = scenario.curves.model_copy(update={"events": [event]})
    return scenario.model_copy(update={"curves": curves, "rivals": rivals})


def _sold(run: Tables) -> dict[str, Any]:
    slots = run["outcome"]
    return {"day": slots["hour"] // 24, "price": slots["price_micros"], "sold": slots["advertiser"] != NONE}


def test_opportunities_follow_the_traffic() -> None:
    """1.6 times as many on each day of the event, within four standard errors; none more on the others."""
    usual, busy = (_sold(whole_run(_scenario(traffic=factor), "silent")) for factor in (1.0, 1.6))
    counts = [np.bincount(slots["day"], minlength=10) for slots in (usual, busy)]
    # Before the event both worlds are one; after it, people who saw more rivals' ads look for more themselves.
    assert (counts[0][:3] == counts[1][:3]).all()
    ratio = counts[1] / counts[0]
    error = ratio * np.sqrt(1 / counts[0] + 1 / counts[1])
    assert (np.abs(ratio[3:7] - 1.6) < 4 * error[3:7] + 0.1).all()
    assert (np.abs(ratio[7:] - 1.0) < 4 * error[7:] + 0.1).all()


def test_prices_are_multiplied() -> None:
    """The same auctions at 1.5 times the price (rounding of bids aside) on the event's days; to the micro on the others."""
    usual, dear = (_sold(whole_run(_scenario(prices=factor), "silent")) for factor in (1.0, 1.5))
    on = np.isin(usual["day"], DAYS) & usual["sold"]
    assert on.sum() > 1_000 and np.array_equal(usual["sold"], dear["sold"])
    assert np.array_equal(usual["price"][~on], dear["price"][~on])
    assert np.abs(dear["price"][on] - 1.5 * usual["price"][on]).max() <= 2


@pytest.mark.parametrize(("start", "events"), [
    ("2025-08-04", {"back to school"}), ("2025-11-03", {"Black Friday", "Christmas", "new devices"}),
])
def test_the_shipped_seasons_are_seen_in_the_market(start: str, events: set[str]) -> None:
    """From August and from November: opportunities against those of a calendar without events, event by event."""
    scenario = load_scenario("seasons", [
        f"start={start}", "worlds=1", "population.people=3000", "variation.season_shift_days_max=0",
    ])
    calm = scenario.model_copy(update={"curves": scenario.curves.model_copy(update={"events": []})})
    counts = [np.bincount(_sold(whole_run(each, "silent"))["day"], minlength=60) for each in (calm, scenario)]
    year_day = [str(np.datetime64(start) + day)[5:] for day in range(60)]
    met = set()
    for event in scenario.curves.events:
        ends = event.first_day, event.last_day
        on = [ends[0] <= day <= ends[1] if ends[0] <= ends[1] else day >= ends[0] or day <= ends[1] for day in year_day]
        if any(on):
            met.add(event.name)
            assert counts[1][on].sum() / counts[0][on].sum() == pytest.approx(event.traffic, rel=0.1), event.name
    assert met == events
