"""What must hold in every world, whatever the scenario: money, time, levels, journeys and their books."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from gaelp_sim.draws import Draws
from gaelp_sim.events import NONE, US, DecisionStatus, JourneyStatus, Stage, TouchKind
from gaelp_sim.market.cast import cast_of
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import HOURS_PER_DAY, SECONDS_PER_DAY, epoch_seconds, micros
from gaelp_sim.world.journeys import PATH_RECORD
from tests.worlds.scenarios import Tables, random_scenario, shard_of, whole_run

SEEDS = range(100, 130)
_FACTOR = {"hard": 1, "google": 2}


@pytest.fixture(scope="module", params=SEEDS)
def world(request: pytest.FixtureRequest) -> tuple[Scenario, Tables]:
    """A scenario and every row of its run."""
    scenario = random_scenario(request.param)
    return scenario, whole_run(scenario)


def _rows(run: Tables, table: str) -> list[dict[str, int]]:
    if table not in run:
        return []
    names = [name for name in run[table] if name not in ("features", "path")]
    return [dict(zip(names, row, strict=True)) for row in zip(*[list(run[table][n]) for n in names], strict=True)]


def test_no_budget_is_exceeded_by_a_micro(world: tuple[Scenario, Tables]) -> None:
    """Days by campaign and advertiser, and months, in both modes."""
    scenario, run = world
    budget, factor = scenario.us.budget, _FACTOR[scenario.us.budget.mode]
    drawn = cast_of(scenario, Draws(scenario.seed), np.zeros(1, dtype=np.int64)).budget[0]
    spent, months = defaultdict(int), defaultdict(int)
    for row in _rows(run, "budget_day"):
        spent[row["day"], row["advertiser"], row["campaign"]] += row["spent_micros"]
        if row["campaign"] == NONE:
            date = np.datetime64(scenario.start) + row["day"]
            months[date.astype("datetime64[M]"), row["advertiser"]] += row["spent_micros"]
    for (_, advertiser, campaign), amount in spent.items():
        if advertiser != US:
            limit, times = scenario.rivals[advertiser - 1].budget_usd_day, drawn[advertiser - 1]
        elif campaign == NONE:
            limit, times = budget.usd_day, factor
        else:
            campaigns = scenario.us.campaigns
            limit, times = campaigns[campaign].budget_usd_day if campaign < len(campaigns) else None, factor
        assert limit is None or amount <= round(micros(limit) * times)
    for (_, advertiser), amount in months.items():
        limit = scenario.rivals[advertiser - 1].budget_usd_month if advertiser != US else budget.usd_month
        times = drawn[advertiser - 1] if advertiser != US else 1
        assert limit is None or amount <= round(micros(limit) * times)
        if advertiser == US and budget.usd_day is not None and budget.mode == "google":
            assert amount <= micros(budget.usd_day) * 30.4


def test_prices_lie_between_reserve_and_bid(world: tuple[Scenario, Tables]) -> None:
    """Every slot sold at or above its channel's reserve; ours at or below our bid; charges as the channel charges."""
    scenario, run = world
    reserve = np.array([micros(channel.reserve_usd) for channel in scenario.channels])
    per_click = np.array([channel.charge == "cpc" for channel in scenario.channels])
    slots = run["outcome"]
    sold = slots["advertiser"] != NONE
    assert (slots["price_micros"][sold] >= reserve[slots["channel"][sold]]).all()
    assert (slots["price_micros"][~sold] == 0).all() and (slots["charge_micros"][~sold] == 0).all()
    clicks, price = per_click[slots["channel"]], slots["price_micros"]
    due = np.where(clicks, price * slots["clicked"], -(-price // 1_000))
    assert (slots["charge_micros"][sold] == due[sold]).all()
    decisions = run["decision"]
    won = decisions["status"] == DecisionStatus.WON
    assert (decisions["price_micros"][won] <= decisions["bid_micros"][won]).all()
    assert (decisions["price_micros"][~won] == NONE).all() and (decisions["charge_micros"][~won] == 0).all()
    assert ((decisions["bid_micros"] > 0) | (decisions["status"] == DecisionStatus.NOT_ENTERED)).all()
    assert ((decisions["propensity"] > 0) & (decisions["propensity"] <= 1)).all()


def test_touches_ledger_and_drawdown_are_one_sum(world: tuple[Scenario, Tables]) -> None:
    """Our touchpoints' prices, the ledger and the day's books, by day; and the slots' charges by advertiser."""
    scenario, run = world
    start, books = epoch_seconds(scenario.start), defaultdict(int)
    for row in _rows(run, "touchpoint"):
        if row["advertiser"] == US:
            books["touch", (row["occurred_s"] - start) // SECONDS_PER_DAY] += row["price_micros"]
    for row in _rows(run, "ledger"):
        books["ledger", (row["occurred_s"] - start) // SECONDS_PER_DAY] += row["amount_micros"]
    for row in _rows(run, "budget_day"):
        if row["advertiser"] == US:
            books["total" if row["campaign"] == NONE else "campaigns", row["day"]] += row["spent_micros"]
    for day in range(scenario.days):
        assert len({books[name, day] for name in ("touch", "ledger", "total", "campaigns")}) == 1, day
    rivals = defaultdict(int)
    for row in _rows(run, "outcome"):
        rivals[row["advertiser"]] += row["charge_micros"]
    for row in _rows(run, "budget_day"):
        if row["advertiser"] != US:
            rivals[row["advertiser"]] -= row["spent_micros"]
    assert not any(amount for advertiser, amount in rivals.items() if advertiser > US)


def test_people_stay_in_range(world: tuple[Scenario, Tables]) -> None:
    """Stages, levels, segments, devices; CONVERTED exactly those who have paid."""
    scenario, run = world
    person = run["person"]
    end = epoch_seconds(scenario.start) + scenario.days * SECONDS_PER_DAY
    for name, most in (
        ("stage", 4), ("goodwill", 3), ("rival_goodwill", 2), ("fatigue_teach", 3), ("fatigue_offer", 3),
        ("segment", len(scenario.population.segments) - 1), ("device", 2),
    ):
        assert person[name].min() >= 0 and person[name].max() <= most, name
    for name in ("goodwill_s", "crisis_s", "decided_s", "converted_s"):
        assert person[name].max() < end
    paid = person["converted_s"] != NONE
    assert (paid == (person["stage"] == Stage.CONVERTED)).all()
    assert (person["decided_s"][paid] != NONE).all() and (person["converted_s"][paid] > person["decided_s"][paid]).all()
    assert (person["status"][paid & (person["journey_index"] >= 0)] == JourneyStatus.CONVERTED).all()
    owned = {(row["person_id"], row["device"]) for row in _rows(run, "decision")}
    kinds = {int(p): int(o) for p, o in enumerate(shard_of(scenario).stack.people.owned)}
    assert all(kinds[number] >> device & 1 for number, device in owned)


def test_sales_are_in_order(world: tuple[Scenario, Tables]) -> None:
    """One decision a person, then the purchase, then the report; order ids differ; clicks buy from us; values."""
    scenario, run = world
    sales = _rows(run, "conversion")
    assert len({row["person_id"] for row in sales}) == len(sales) == len({row["order_id"] for row in sales})
    longest = scenario.conversion.purchase_lag_max_days * SECONDS_PER_DAY
    for row in sales:
        assert row["decided_s"] < row["purchased_s"] <= row["reported_s"]
        assert row["purchased_s"] - row["decided_s"] <= longest
        assert row["reported_s"] - row["purchased_s"] <= scenario.conversion.report_delay_max_hours * 3_600
        assert 0 <= row["advertiser"] <= len(scenario.rivals)
        assert row["value_micros"] == (micros(scenario.economics.ltv_usd) if row["advertiser"] == US else 0)
        assert row["via"] == 0 or row["advertiser"] == US


def test_a_journey_s_counts_are_its_touchpoints(world: tuple[Scenario, Tables]) -> None:
    """Touches, impressions, clicks, ours, cost, masks and path, as the touchpoint rows of the journey say."""
    _, run = world
    touches = defaultdict(list)
    for row in _rows(run, "touchpoint"):
        touches[row["person_id"], row["journey_index"]].append(row)
    journeys = _rows(run, "journey")
    assert {(row["person_id"], row["journey_index"]) for row in journeys} == set(touches)
    for row, path in zip(journeys, run["journey"]["path"], strict=True):
        mine = sorted(touches[row["person_id"], row["journey_index"]], key=lambda t: (t["occurred_s"], t["touch_slot"]))
        ours = [touch for touch in mine if touch["advertiser"] == US]
        assert row["touches"] == len(mine) and row["our_touches"] == len(ours)
        assert row["impressions"] == sum(touch["kind"] == TouchKind.IMPRESSION for touch in mine)
        assert row["clicks"] == sum(touch["clicked"] for touch in mine)
        assert row["our_clicks"] == sum(touch["clicked"] for touch in ours)
        assert row["cost_micros"] == sum(touch["price_micros"] for touch in ours)
        assert row["devices_seen"] == _mask(touch["device"] for touch in mine)
        assert row["channels_exposed"] == _mask(touch["channel"] for touch in mine)
        assert row["competitors_seen"] == _mask(touch["advertiser"] for touch in mine if touch["advertiser"] != US)
        records = np.frombuffer(path, dtype=PATH_RECORD)
        for name in PATH_RECORD.names or ():
            assert records[name].tolist() == [touch[name] for touch in mine], name


def _mask(codes: object) -> int:
    return sum({1 << int(code) for code in codes})  # type: ignore[attr-defined]


def test_a_journey_s_status_is_consistent(world: tuple[Scenario, Tables]) -> None:
    """Journeys count from 0 without gaps; earlier ones are closed; LOST and CONVERTED have their times."""
    scenario, run = world
    journeys, end = _rows(run, "journey"), epoch_seconds(scenario.start) + scenario.days * SECONDS_PER_DAY
    indices = defaultdict(list)
    for row in journeys:
        indices[row["person_id"]].append(row["journey_index"])
        assert row["status"] in (JourneyStatus.ACTIVE, JourneyStatus.CONVERTED, JourneyStatus.LOST)
        assert (row["status"] == JourneyStatus.CONVERTED) == (row["converted_s"] != NONE)
        if row["status"] == JourneyStatus.ACTIVE:
            assert row["lost_s"] == row["ended_s"] == NONE
        if row["status"] == JourneyStatus.LOST:
            assert row["lost_s"] == row["ended_s"] < end
        if row["status"] == JourneyStatus.CONVERTED:
            assert row["ended_s"] == row["converted_s"] and row["converted_advertiser"] >= 0
    last = {number: max(found) for number, found in indices.items()}
    assert all(sorted(found) == list(range(last[number] + 1)) for number, found in indices.items())
    for row in journeys:
        assert row["status"] != JourneyStatus.ACTIVE or row["journey_index"] == last[row["person_id"]]
    for row in _rows(run, "person"):
        assert row["journey_index"] == last.get(row["person_id"], NONE)


def test_a_person_has_at_most_so_many_opportunities_an_hour(world: tuple[Scenario, Tables]) -> None:
    """As the scenario allows; rounds count up with the seconds; clearing order follows (second, person)."""
    scenario, run = world
    seen = defaultdict(list)
    for row in _rows(run, "decision"):
        seen[row["person_id"], row["occurred_s"] // 3_600].append((row["round"], row["occurred_s"]))
    most = scenario.population.opportunities_per_hour_max
    assert all(len(found) <= most and sorted(found, key=lambda each: each[1]) == sorted(found) for found in seen.values())
    if scenario.cells == 1:
        order = run["decision"]
        key = list(zip(order["occurred_s"] // 3_600, order["round"], order["clearing_order"], strict=True))
        assert key == sorted(key)


def test_time_never_goes_back() -> None:
    """No person's clocks run backwards from hour to hour, except where the hour is one of moves after auctions."""
    for seed in range(100, 108):
        scenario = random_scenario(seed).model_copy(update={"email": None})
        shard = shard_of(scenario)
        people = shard.stack.people
        before = people.level_s.copy()
        for hour in range(scenario.days * HOURS_PER_DAY):
            shard.advance(hour + 1)
            assert (people.level_s >= before).all() and people.level_s.max() < (hour + 1) * 3_600
            before = people.level_s.copy()
