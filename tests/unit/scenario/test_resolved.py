"""Resolved scenarios: they read back equal, hash by content, and agree with the schema that editors use."""

# ruff: noqa: E501 - a case is a row: what is changed, and the whole message

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaelp_sim.errors import ScenarioError
from gaelp_sim.scenario.loading import load_scenario, parse_scenario
from gaelp_sim.scenario.resolved import (
    json_schema,
    list_scenarios,
    new_scenario_text,
    resolved_text,
    scenario_hash,
    shipped_names,
)
from gaelp_sim.scenario.schema import Scenario

FLAGSHIP = load_scenario("parental_controls")
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_ .-]{0,39}", fullmatch=True)


def rebuilt(**changes: Any) -> Scenario:
    """The flagship with some top-level values changed, checked again by the schema."""
    return Scenario.model_validate({**FLAGSHIP.model_dump(), **changes})


@settings(max_examples=60, deadline=None)
@given(
    description=TEXTS, name=NAMES, rival=NAMES, start=st.dates(), seed=st.integers(0, 2**63 - 1),
    ltv=st.floats(0, 1e6), lifes=st.floats(0.03, 36_500), note=TEXTS,
)
def test_round_trip(**drawn: Any) -> None:
    """Whatever a valid scenario holds - any text, any number - its resolved text reads back to an equal scenario."""
    start = drawn["start"].replace(year=1971 + drawn["start"].year % 230, day=min(28, drawn["start"].day))
    rivals = [{"name": drawn["rival"] if drawn["rival"] != "Aura" else "A"}]
    scenario = rebuilt(
        description=drawn["description"], name=drawn["name"], start=start, seed=drawn["seed"], rivals=rivals,
        economics={"ltv_usd": drawn["ltv"]}, timeout={"days": min(drawn["lifes"], 3650.0)},
        script=[{"name": "P", "segment": "casual", "events": [{"day": 1, "hour": 0, "kind": "crisis", "note": drawn["note"]}]}],
    )
    again = parse_scenario(resolved_text(scenario), "resolved.yaml")
    assert again == scenario
    assert resolved_text(again) == resolved_text(scenario)
    assert scenario_hash(again) == scenario_hash(scenario)


@pytest.mark.parametrize("text", ["no", "12", "1e3", "~", "a: b", "a #b", "- a", "", " a ", "2025-09-01", "\ufeff", "'", '"', "\x85"])
def test_awkward_texts(text: str) -> None:
    """Texts that YAML would read as something else come back as they were."""
    assert parse_scenario(resolved_text(rebuilt(description=text)), "resolved.yaml").description == text


@pytest.mark.parametrize("name", shipped_names())
def test_shipped(name: str) -> None:
    """Every shipped scenario loads, says what it is, reads back equal and is valid for editors."""
    scenario = load_scenario(name)
    assert scenario.name == name
    assert 20 <= len(scenario.description) <= 140
    assert parse_scenario(resolved_text(scenario), "resolved.yaml") == scenario
    jsonschema.Draft202012Validator(json_schema()).validate(scenario.model_dump(mode="json"))


def test_hash_is_of_the_content() -> None:
    """The seed is no part of the hash; every other value is; the form of the file is not."""
    plain = scenario_hash(FLAGSHIP)
    assert len(plain) == 64 and scenario_hash(rebuilt(seed=2)) == plain
    assert scenario_hash(rebuilt(days=31)) != plain
    assert scenario_hash(load_scenario("parental_controls", ["days=30", "seed=9"])) == plain


def test_schema_is_valid_and_described() -> None:
    """The editors' schema is a valid one, refuses unknown keys everywhere, and carries the docstrings."""
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    parts = [schema, *schema["$defs"].values()]
    assert all(part["additionalProperties"] is False and part["description"] for part in parts)
    assert schema["$defs"]["Segment"]["properties"]["purchase_per_day"]["description"].startswith("Hazard of deciding")
    assert '"title"' not in json.dumps(schema)


def test_new_scenario() -> None:
    """The template is valid as it stands, tells editors its schema, and takes the name."""
    text = new_scenario_text("my_market")
    assert text.startswith("# yaml-language-server: $schema=")
    assert parse_scenario(text, "my_market.yaml").name == "my_market"


@pytest.mark.parametrize("name", ["", "7up", "a: b", "x" * 41, "a\nb", "true", "a #b", "NAME\u2028"])
def test_new_scenario_refuses_odd_names(name: str) -> None:
    """A name that no scenario can have is refused in one line."""
    with pytest.raises(ScenarioError, match="is no name for a scenario") as refusal:
        new_scenario_text(name)
    assert len(str(refusal.value).splitlines()) == 1


def test_list() -> None:
    """The list holds each shipped scenario with its one line."""
    listed = dict(list_scenarios())
    assert list(listed) == list(shipped_names()) and {"parental_controls", "quickstart", "short", "lisa"} <= set(listed)
    assert all("\n" not in line and line for line in listed.values())
