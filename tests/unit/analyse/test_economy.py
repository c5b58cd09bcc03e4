"""The economy of scenarios: sound ones pass, degenerate ones are told what ails them."""

from __future__ import annotations

import pytest

from gaelp_sim.analyse.economy import BANDS, EVERYTHING_OVER, OVER_RULE, OVER_SILENCE, UNPAID, economy_of, judged_economy
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.scenario.schema import Scenario


def _priced(factor: float, *settings: str) -> Scenario:
    """The quickstart with all prices times a factor."""
    scenario = load_scenario("quickstart")
    sets = [
        f"channels.{channel.name}.signals.{signal.name}.price_median_usd={factor * signal.price_median_usd}"
        for channel in scenario.channels for signal in channel.signals
    ]
    return load_scenario("quickstart", [*sets, *settings])


@pytest.mark.parametrize("name", ["parental_controls", "quickstart"])
def test_sound_scenarios_lie_in_the_bands(name: str) -> None:
    found = judged_economy(load_scenario(name, ["days=14"]))
    assert [check.quantity for check in found.checks] == [band.quantity for band in BANDS]
    assert all(check.passed and not check.note for check in found.checks)


@pytest.mark.parametrize(("scenario", "quantity", "why"), [
    (_priced(60.0), OVER_SILENCE, "silence is nearly as good"),
    (_priced(0.05, "response.overexposure_harm=0", "response.fatigue_per_exposure=0"), EVERYTHING_OVER, "bidding the most"),
    (_priced(0.05, "response.overexposure_harm=0", "response.fatigue_per_exposure=0"), OVER_RULE, "a plain rule"),
    (load_scenario("quickstart", ["response.brand_base=0"]), UNPAID, "half of all sales come unpaid"),
], ids=["dear", "cheap", "cheap, room", "well known"])
def test_degenerate_scenarios_are_told(scenario: Scenario, quantity: str, why: str) -> None:
    (check,) = [check for check in judged_economy(scenario).checks if check.quantity == quantity]
    assert not check.passed and check.note.startswith("degenerate scenario: ") and why in check.note


def test_money_is_consistent() -> None:
    """Silence costs nothing; the best is above every rule; sales are worth at least the profit."""
    economy = economy_of(load_scenario("short"))
    assert 0 < economy.silent_usd < economy.rule_usd < economy.best_usd
    assert economy.everything_usd < economy.best_usd and economy.rule_sales_usd > economy.rule_usd


def test_an_outside_user_model_can_t_be_judged() -> None:
    found = judged_economy(load_scenario("quickstart", ["population.user_model=somewhere:Users"]))
    assert not found.checks and found.left_out == ["the economy (an outside user model decides clicks)"]
