"""`--set key.path=value`: lists by name, the same scalars, errors that name the option."""

# ruff: noqa: E501 - a case is a row: what is changed, and the whole message

from __future__ import annotations

import pytest

from gaelp_sim.errors import ScenarioError
from gaelp_sim.scenario.loading import load_scenario, parse_scenario
from gaelp_sim.scenario.resolved import new_scenario_text
from gaelp_sim.scenario.schema import Scenario


def changed(*sets: str) -> Scenario:
    """The flagship with options applied."""
    return load_scenario("parental_controls", sets)


def test_paths_lead_anywhere() -> None:
    """Keys, items by name or position, parts that the file leaves out, and null parts can all be set."""
    scenario = changed(
        "population.people=500", "channels.search.reserve_usd=1", "channels.search.signals.urgent.price_median_usd=30",
        "rivals.Net Nanny.level=2", "curves.hour.3=0.2", "identity.mode=perfect", "us.policy.exploration=0.2", "email=null",
        "us.campaigns.Search.creatives=[teach, offer]", 'description="no"',
    )
    channel = scenario.channels[0]
    assert (scenario.population.people, channel.reserve_usd, channel.signals[3].price_median_usd) == (500, 1.0, 30.0)
    assert (scenario.rivals[4].level, scenario.curves.hour[3], scenario.identity.mode) == (2.0, 0.2, "perfect")
    assert (scenario.us.policy.exploration, scenario.email, scenario.description) == (0.2, None, "no")
    assert scenario.us.campaigns[0].creatives == ["teach", "offer"]


def test_parts_left_out_begin_with_their_defaults() -> None:
    """Setting one value of a part that the file leaves out keeps the part's other defaults."""
    scenario = load_scenario("quickstart", ["population.visits_per_day.aware=0.5", "population.devices.desktop_weight.intent=2"])
    assert scenario.population.visits_per_day.model_dump() == {"unaware": 0.0, "aware": 0.5, "considering": 0.06, "intent": 0.12}
    assert scenario.population.devices.desktop_weight.aware == 0.6
    assert parse_scenario(new_scenario_text("mine"), "mine.yaml", ["curves.weekday.6=2"]).curves.weekday == [1.0] * 6 + [2.0]


def test_later_options_win_and_null_parts_return() -> None:
    """Options apply in order; a part set to null comes back with its defaults."""
    assert changed("days=3", "days=5").days == 5
    again = changed("email=~", "email.per_day=1")
    assert again.email is not None and (again.email.per_day, again.email.cost_usd) == (1.0, 0.002)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("population.peple=5", "population: unknown key 'peple', did you mean 'people'?"),
        ("population.people=many", "population.people: 'many' is not a whole number"),
        ("channels.serch.slots=2", "channels: no item 'serch', did you mean 'search'?"),
        ("channels.search.slots=2", "channels.search.slots: 2 slots need `mechanism: gsp or vcg`; second_price sells one"),
        ("curves.hour.24=1", "curves.hour: no item '24'; it has 24 items, counted from 0"),
        ("days.x=1", "days: 30 has no key 'x'"),
        ("days", "option: write it as key.path=value, for example population.people=500"),
        ("=5", "option: write it as key.path=value, for example population.people=500"),
        ("us.=5", "option: write it as key.path=value, for example population.people=500"),
        ("us..name=5", "us: unknown key ''; valid: budget, campaigns, frequency_cap, name, policy"),
        ("us.name=", "us.name: null is not text; put it in quotes"),
        ("population.segments.casual.share=0.5", "population.segments: the segments' shares sum to 1.15; they must sum to 1"),
        ("worlds=1e3", "worlds: 1000.0 is not a whole number"),
    ],
)
def test_errors_name_the_option(option: str, message: str) -> None:
    """A mistake that an option makes is told with the option in place of file, line and column."""
    with pytest.raises(ScenarioError) as refusal:
        changed(option)
    assert str(refusal.value) == f"--set {option}: {message}"


def test_broken_brackets() -> None:
    """A bracketed value is read as strictly as a file."""
    with pytest.raises(ScenarioError, match=r"^--set us.campaigns.Search.creatives=\[teach:2:1: yaml: ") as refusal:
        changed("us.campaigns.Search.creatives=[teach")
    assert len(str(refusal.value).splitlines()) == 1


def test_names_with_points() -> None:
    """The longest name that fits is meant."""
    text = new_scenario_text("mine").replace("name: Bark,", "name: Bark.com,")
    assert parse_scenario(text, "mine.yaml", ["rivals.Bark.com.level=2"]).rivals[1].level == 2.0
