"""Intervals in place of numbers: read, refused, written back, and drawn from."""

from __future__ import annotations

import json
import math
import pickle
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from gaelp_sim.errors import ScenarioError
from gaelp_sim.scenario.intervals import Interval
from gaelp_sim.scenario.loading import load_scenario, parse_scenario
from gaelp_sim.scenario.resolved import json_schema, resolved_text, scenario_hash
from gaelp_sim.scenario.shipped import shipped_path

LTV = "economics.ltv_usd={between: [150, 210]}"
SEARCH = "channels.search.click_rate.intent={between: [0.05, 0.1], scale: log, together: rates}"
SOCIAL = "channels.social.click_rate.intent={between: [0.01, 0.02], scale: log, together: rates}"


def test_the_number_is_the_middle_and_the_interval_is_kept() -> None:
    scenario = load_scenario("quickstart", [LTV, SEARCH])
    assert scenario.economics.ltv_usd == 180.0
    assert scenario.channels[0].click_rate.intent == pytest.approx(math.sqrt(0.005))
    assert [interval.key for interval in scenario.intervals] == ["channels.search.click_rate.intent", "economics.ltv_usd"]


def test_it_reads_back_equal_and_counts_in_the_hash() -> None:
    scenario, plain = load_scenario("quickstart", [SEARCH, LTV]), load_scenario("quickstart")
    again = parse_scenario(resolved_text(scenario), "again.yaml")
    assert again == scenario and again.intervals == scenario.intervals
    assert pickle.loads(pickle.dumps(scenario)) == scenario
    middle = load_scenario("quickstart", [LTV]).with_intervals(())
    assert len({scenario_hash(one) for one in (scenario, plain, load_scenario("quickstart", [LTV]), middle)}) == 3
    assert scenario_hash(middle) == scenario_hash(plain), "the middle of 150 and 210 is what quickstart says"


def test_editors_accept_what_is_accepted() -> None:
    schema = json_schema()
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(load_scenario("quickstart", [LTV, SEARCH]).written())
    wrong = load_scenario("quickstart").written()
    wrong["economics"]["ltv_usd"] = {"between": [1, 2], "scael": "log"}
    assert not validator.is_valid(wrong)
    assert json.dumps(schema).count("#/$defs/Interval") > 50


@pytest.mark.parametrize("option,told", [
    ("seed={between: [1, 2]}", "seed: a whole number can't be an interval"),
    ("economics.ltv_usd={between: [2, 2]}", "economics.ltv_usd.between: 2 is not below 2"),
    ("economics.ltv_usd={between: [-1, 2]}", "economics.ltv_usd: -1.0 is too small"),
    ("channels.search.click_rate.intent={between: [0.5, 1.5]}", "a click rate is a probability; at most 1"),
    ("economics.ltv_usd={low: 1, high: 2}", "an interval is written {between: [low, high]}"),
    ("economics.ltv_usd={between: [1, 2], scael: log}", "did you mean 'scale'?"),
    ("economics.ltv_usd={between: [0, 2], scale: log}", "0 has no logarithm"),
    ("economics.ltv_usd={between: [1, 2], scale: lgo}", "'lgo' is not allowed, did you mean 'log'?"),
    ("economics.ltv_usd={between: [1, .inf]}", "write the bounds as two numbers"),
    ("economics.ltv_usd={between: [1, true]}", "write the bounds as two numbers"),
    ("economics.ltv_usd={between: 3}", "write the bounds as two numbers"),
    ("economics.ltv_usd={between: [1, 2], together: 3}", "it must be a name"),
    ("population.households.one={between: [.1, .2]}", "shares that sum to 1 stay numbers"),
    ("variation.market_noise_sd={between: [.1, .2]}", "variation itself says how worlds differ"),
    ("channels.search.click_rate={between: [.1, .2]}", "unknown key 'between'"),
    ("name={between: [.1, .2]}", "a mapping is not text"),
    ("channels.search.opportunities_per_day.intent={between: [.1, 30]}", "at most 24"),
])
def test_refused(option: str, told: str) -> None:
    """One line that names the option, or the place in the file."""
    with pytest.raises(ScenarioError) as refusal:
        load_scenario("quickstart", [option])
    line = str(refusal.value)
    assert line.startswith(f"--set {option}: ") and told in line and "\n" not in line


def test_a_file_is_told_its_line_and_column() -> None:
    text = shipped_path("quickstart").read_text().replace("0.085}", "{between: [0.2, 0.1]}}", 1)
    line = next(number for number, told in enumerate(text.splitlines(), 1) if "between" in told)
    with pytest.raises(ScenarioError, match=rf"^q.yaml:{line}:\d+: channels.search.click_rate.intent.between: 0.2 is not"):
        parse_scenario(text, "q.yaml")


def test_draws_are_even_between_the_bounds_and_keyed() -> None:
    """2,000 worlds have the mean and spread of an even draw (linear or in logs); seed and key decide, nothing else."""
    linear, log = Interval((), "a", (10.0, 20.0)), Interval((), "b", (1.0, 100.0), "log")
    values = np.array([linear.drawn(7, world) for world in range(2_000)])
    logs = np.log([log.drawn(7, world) for world in range(2_000)]) / np.log(100)
    for part in ((values - 10) / 10, logs):
        assert part.min() >= 0 and part.max() <= 1
        assert abs(part.mean() - 0.5) < 4 * np.sqrt(1 / 12 / 2_000) and abs(part.std() - np.sqrt(1 / 12)) < 0.01
    assert abs(np.corrcoef(values, logs)[0, 1]) < 0.1
    assert linear.drawn(7, 3) == values[3] != linear.drawn(8, 3)


def test_intervals_together_share_their_luck() -> None:
    scenario = load_scenario("quickstart", [SEARCH, SOCIAL, LTV])
    for world in range(20):
        one = scenario.drawn(1, world)
        luck = [math.log(rate / low) / math.log(2) for rate, low in (
            (one.channels[0].click_rate.intent, 0.05), (one.channels[1].click_rate.intent, 0.01))]
        assert luck[0] == pytest.approx(luck[1], abs=1e-12)
        assert luck[0] != pytest.approx((one.economics.ltv_usd - 150) / 60, abs=1e-6)


def test_every_drawn_world_is_sound() -> None:
    """Whatever the bounds let through, the checks between parts let through as well."""
    scenario = load_scenario("quickstart", [LTV, SEARCH, "response.brand_base={between: [-4, 2]}",
                                            "curves.hour.3={between: [0.1, 3]}", "timeout.days={between: [1, 30]}"])
    for world in range(50):
        drawn = scenario.drawn(3, world)
        assert parse_scenario(resolved_text(drawn), "drawn.yaml") == drawn and not drawn.intervals


def test_without_intervals_nothing_is_drawn(tmp_path: Path) -> None:
    scenario = load_scenario("quickstart")
    assert scenario.drawn(1, 0) is scenario and scenario.written() == scenario.model_dump(mode="json")
