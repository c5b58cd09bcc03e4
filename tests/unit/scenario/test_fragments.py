"""Fragments: parts in a file of their own, written over a scenario, with errors that name the fragment's line."""

from __future__ import annotations

from pathlib import Path

import pytest

from gaelp_sim.errors import ScenarioError
from gaelp_sim.scenario.loading import load_scenario

PART = """\
curves: {weekday: [1, 1, 1, 1, 1, 2, 2]}
channels:
  - name: search
    click_rate: {intent: 0.2}
    signals:
      - {name: urgent, price_median_usd: {between: [20, 30]}}
us: {budget: {usd_day: null}}
"""


@pytest.fixture
def part(tmp_path: Path) -> Path:
    path = tmp_path / "part.yaml"
    path.write_text(PART)
    return path


def test_parts_are_merged_by_key_and_by_name(part: Path) -> None:
    base, merged = load_scenario("quickstart"), load_scenario("quickstart", [], [str(part)])
    search, old = merged.channels[0], base.channels[0]
    assert merged.curves.weekday == [1, 1, 1, 1, 1, 2, 2] and merged.curves.hour == base.curves.hour
    assert search.click_rate == old.click_rate.model_copy(update={"intent": 0.2})
    assert [signal.price_median_usd for signal in search.signals] == [2.5, 5.5, 11, 25]
    assert merged.intervals[0].key == "channels.search.signals.urgent.price_median_usd"
    assert merged.channels[1] == base.channels[1] and merged.us.budget.usd_day is None


def test_later_parts_and_options_win(part: Path, tmp_path: Path) -> None:
    later = tmp_path / "later.yaml"
    later.write_text("channels: [{name: search, signals: [{name: urgent, price_median_usd: 9}]}]\n")
    merged = load_scenario("quickstart", ["us.budget.usd_day=7"], [str(part), str(later)])
    assert merged.channels[0].signals[3].price_median_usd == 9 and not merged.intervals
    assert merged.us.budget.usd_day == 7 and merged.channels[0].click_rate.intent == 0.2


def test_an_interval_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "part.yaml"
    path.write_text("economics: {ltv_usd: {between: [100, 120], scale: log}}\n")
    options = ["economics.ltv_usd={between: [150, 210], together: x}"]
    assert load_scenario("quickstart", [], [str(path)]).intervals[0].between == (100.0, 120.0)
    assert load_scenario("quickstart", options, [str(path)]).intervals[0].together == "x"


@pytest.mark.parametrize("change,told", [
    (("name: search", "name: serch"), ":3:11: channels.name: the scenario has no item 'serch' here, did you mean"),
    (("intent: 0.2", "intent: 7"), ":4:26: channels.search.click_rate.intent: a click rate is a probability; at most 1"),
    (("curves", "curvs"), ":1:8: curvs: unknown key 'curvs', did you mean 'curves'?"),
    (("[20, 30]", "[30, 20]"), ":6:52: channels.search.signals.urgent.price_median_usd.between: 30 is not below 20"),
    (("us: {", "us: &a {"), ":7:5: us: anchors (&a) are not allowed"),
    (("us: {budget", "population: {user_model: 'a:B'}\nus: {budget"), "a file may not name code to run"),
])
def test_errors_name_the_fragment(part: Path, change: tuple[str, str], told: str) -> None:
    part.write_text(PART.replace(*change))
    with pytest.raises(ScenarioError) as refused:
        load_scenario("quickstart", [], [str(part)])
    assert told in str(refused.value) and str(part) in str(refused.value) and "\n" not in str(refused.value)


def test_a_fragment_is_a_mapping_and_there(tmp_path: Path) -> None:
    path = tmp_path / "part.yaml"
    path.write_text("[1, 2]")
    with pytest.raises(ScenarioError, match="a fragment is a mapping of keys"):
        load_scenario("quickstart", [], [str(path)])
    with pytest.raises(ScenarioError, match="cannot be read"):
        load_scenario("quickstart", [], [str(tmp_path / "none.yaml")])
