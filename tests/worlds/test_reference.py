"""The fast hour equals a plain one-auction-at-a-time world, to the micro; the campaign runs a thousand of these."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gaelp_sim.events import NONE
from gaelp_sim.market import budgets
from gaelp_sim.market.auction import Offers, Rules
from gaelp_sim.scenario.schema import Budget, DeviceFactors, Scenario
from gaelp_sim.world import rounds
from tests.worlds.comparison import compare
from tests.worlds.scenarios import random_scenario, whole_run

SCENARIOS = 30


@pytest.mark.parametrize("seed", range(SCENARIOS))
def test_budgets_bind_exactly_in_clearing_order(seed: int) -> None:
    """Spend by bidder and day, every touch, sale, segment shift and final stage are the plain world's."""
    scenario = random_scenario(seed)
    assert not compare(scenario).differences, f"python: compare(random_scenario({seed}))"


def test_the_scenarios_are_worth_comparing() -> None:
    """Between them budgets bind, people buy, and every count of rounds and cells occurs."""
    scenarios = [random_scenario(seed) for seed in range(SCENARIOS)]
    assert {scenario.cells for scenario in scenarios} == {1, 2, 3}
    assert {scenario.population.opportunities_per_hour_max for scenario in scenarios} == {1, 2, 3}
    assert {channel.mechanism for s in scenarios for channel in s.channels} == {
        "first_price", "second_price", "gsp", "vcg",
    }
    assert {scenario.us.budget.mode for scenario in scenarios} == {"hard", "google"}
    assert sum(scenario.us.frequency_cap is not None for scenario in scenarios) > 5
    assert sum(bool(scenario.curves.events) for scenario in scenarios) > 5
    found = [compare(scenario) for scenario in scenarios[:10]]
    assert sum(each.exhausted for each in found) > 10
    assert sum(each.sales for each in found) > 20


def _some_difference() -> bool:
    return any(compare(random_scenario(seed)).differences for seed in range(SCENARIOS))


def test_a_drop_that_ends_too_soon_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted fault: whoever was dropped may bid again in the next round."""
    exact = rounds.clear_within_budgets

    def forgetful(accounts: budgets.Budgets, *rest: Any) -> Any:
        accounts.dropped[:] = False
        return exact(accounts, *rest)

    monkeypatch.setattr(rounds, "clear_within_budgets", forgetful)
    assert _some_difference()


def test_a_drop_for_the_whole_round_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted fault: the offender loses its bids from the round's start, not from the overspend on."""
    exact = rounds.clear_within_budgets

    def too_wide(accounts: budgets.Budgets, offers: Offers, this: budgets.Round, rules: Rules) -> budgets.Spent:
        trial = budgets.Budgets(*[column.copy() for column in accounts])
        exact(trial, offers._replace(bid_micros=offers.bid_micros.copy()), this, rules)
        for unit, account in np.argwhere(trial.dropped & ~accounts.dropped):
            covered = (this.unit == unit) & accounts.covers[account][offers.channel]
            offers.bid_micros[accounts.advertiser[account], covered] = 0
        return exact(accounts, offers, this, rules)

    monkeypatch.setattr(rounds, "clear_within_budgets", too_wide)
    assert _some_difference()


def test_vcg_at_the_prices_of_gsp_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted fault: every slot costs what the next one bids."""
    exact = rounds.clear_within_budgets

    def dearer(accounts: budgets.Budgets, offers: Offers, this: budgets.Round, rules: Rules) -> budgets.Spent:
        return exact(accounts, offers, this, rules._replace(vcg=np.zeros_like(rules.vcg)))

    monkeypatch.setattr(rounds, "clear_within_budgets", dearer)
    assert _some_difference()


def test_an_account_a_micro_too_rich_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted fault: every day account of ours is overspent by up to a micro."""
    exact = rounds.clear_within_budgets

    def generous(accounts: budgets.Budgets, *rest: Any) -> Any:
        accounts.left_micros[:] += 1
        spent = exact(accounts, *rest)
        accounts.left_micros[:] -= 1
        return spent

    monkeypatch.setattr(rounds, "clear_within_budgets", generous)
    assert compare(_alone_with_399_micros()).differences


def _alone_with_399_micros() -> Scenario:
    """Nobody else bids, so each ad costs the reserve's 100 micros: three fit into the day, the fourth lacks one micro."""
    scenario = random_scenario(3)
    campaigns = [campaign.model_copy(update={"budget_usd_day": None}) for campaign in scenario.us.campaigns]
    budget = Budget(usd_day=0.000399)
    policy = scenario.us.policy.model_copy(update={"device_adjustments": DeviceFactors()})
    us = scenario.us.model_copy(update={
        "budget": budget, "campaigns": campaigns, "frequency_cap": None, "policy": policy,
    })
    channels = [channel.model_copy(update={"charge": "cpm", "reserve_usd": 0.1}) for channel in scenario.channels]
    return scenario.model_copy(update={"us": us, "channels": channels, "rivals": [], "email": None})


def test_a_budget_short_by_a_micro_buys_one_ad_less() -> None:
    """The scenario of the planted fault, without the fault: three ads a day, 300 micros."""
    scenario = _alone_with_399_micros()
    assert not compare(scenario).differences
    books = whole_run(scenario)["budget_day"]
    assert books["spent_micros"][books["campaign"] == NONE].tolist() == [300] * scenario.days
