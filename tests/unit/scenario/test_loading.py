"""Loading: sources, one-line errors with place and nearest name, numbers as people write them."""

# ruff: noqa: E501 - a case is a row: what is changed, and the whole message

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from gaelp_sim.errors import ScenarioError
from gaelp_sim.scenario.loading import load_scenario, parse_scenario
from gaelp_sim.scenario.resolved import new_scenario_text, shipped_path

TEXT = new_scenario_text("mine")


def refusal_of(old: str, new: str) -> str:
    """The error of the template with one text replaced."""
    assert old in TEXT
    with pytest.raises(ScenarioError) as refusal:
        parse_scenario(TEXT.replace(old, new, 1), "mine.yaml")
    return str(refusal.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("days: 14", "dyas: 14", "9:1: dyas: unknown key 'dyas', did you mean 'days'?"),
        ("  people: 1000", "  peple: 1000", "15:3: population.peple: unknown key 'peple', did you mean 'people'? (and 1 more)"),
        ("days: 14", "people: 14", "9:1: people: unknown key 'people', did you mean 'population.people'?"),
        ("days: 14", "days: 14.5", "9:7: days: 14.5 is not a whole number"),
        ("days: 14", "days: 0", "9:7: days: 0 is too small; at least 1"),
        ("days: 14", "days: true", "9:7: days: true is not a whole number"),
        ("share: 0.3\n", "share: .nan\n", "18:14: population.segments.eager.share: nan is not a finite number"),
        ("share: 0.3\n", "share: 1e400\n", "18:14: population.segments.eager.share: inf is not a finite number"),
        ("share: 0.3\n", "share: 1.3\n", "18:14: population.segments.eager.share: 1.3 is too large; at most 1"),
        ("share: 0.3\n", "share: 0.4\n", "16:3: population.segments: the segments' shares sum to 1.1; they must sum to 1"),
        ("charge: cpc", "charge: cpcs", "37:13: channels.search.charge: 'cpcs' is not allowed, did you mean 'cpc'?"),
        ("charge: cpc", "charge: 7", "37:13: channels.search.charge: 7 is not allowed; valid: cpc, cpm"),
        ("start: 2025-09-01", "start: 2025-9-1", "8:8: start: it must be a day written as YYYY-MM-DD"),
        ("start: 2025-09-01", "start: 2025-02-30", "8:8: start: '2025-02-30' is not a day of the calendar"),
        ("start: 2025-09-01", "start: 1969-12-31", "8:8: start: year 1969 is outside 1971 to 2200"),
        ("start: 2025-09-01", "start: 20250901", "8:8: start: it must be a day written as YYYY-MM-DD"),
        ("name: mine", "name: 7", "6:7: name: 7 is not text; put it in quotes"),
        ("hour: [0.30, ", "hour: [", "31:3: curves.hour: the list has too few items; at least 24"),
        ("intent: 0.05}", "intent: 0.06}", "19:7: population.segments.eager.start: shares sum to 1.01; they must sum to 1"),
        ("      channel: search\n", "      channel: serch\n", "64:16: us.campaigns.Search.channel: no channel is named 'serch', did you mean 'search'?"),
    ],
)
def test_one_line_with_place(old: str, new: str, message: str) -> None:
    """Each mistake is told in one line: file, line, column, key, what is wrong, and the nearest valid name."""
    assert refusal_of(old, new) == f"mine.yaml:{message}"


def test_unknown_keys_come_first() -> None:
    """A typo far down is told before the mistakes above it, which it often causes."""
    text = TEXT.replace("days: 14", "days: none").replace("    charge: cpc", "    chrge: cpc")
    with pytest.raises(ScenarioError, match=re.escape("mine.yaml:37:5: channels.search.chrge: unknown key 'chrge', did you mean")):
        parse_scenario(text, "mine.yaml")


def test_a_list_is_no_scenario() -> None:
    """The top of a scenario is a mapping."""
    with pytest.raises(ScenarioError) as refusal:
        parse_scenario("- 1\n", "x.yaml")
    assert str(refusal.value) == "x.yaml:1:1: scenario: a scenario is a mapping of keys, such as `name: mine`"


def test_numbers_as_people_write_them() -> None:
    """Whole numbers stand for floats, leading zeros are decimal, dates stay dates."""
    scenario = parse_scenario(TEXT.replace("days: 14", "days: 014").replace("usd_day: 50.0", "usd_day: 50"), "mine.yaml")
    assert (scenario.days, scenario.us.budget.usd_day, scenario.start) == (14, 50.0, date(2025, 9, 1))
    assert isinstance(scenario.us.budget.usd_day, float)


def test_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that exists wins; a bare name finds the shipped scenario from any folder, with or without .yaml."""
    monkeypatch.chdir(tmp_path)
    assert load_scenario("quickstart").name == load_scenario("quickstart.yaml").name == "quickstart"
    (tmp_path / "quickstart.yaml").write_text(TEXT, encoding="utf-8")
    assert load_scenario("quickstart.yaml").name == load_scenario(str(tmp_path / "quickstart.yaml")).name == "mine"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("quickstrat", "quickstrat: no such file, and no shipped scenario of that name, did you mean 'quickstart'?"),
        ("gone/quickstart.yaml", "gone/quickstart.yaml: no such file; the shipped scenario is called by its bare name: quickstart"),
        ("/", "/: this is a folder; name a scenario file inside it"),
    ],
)
def test_no_such_source(source: str, message: str) -> None:
    """What cannot be found is told with the nearest name that can."""
    with pytest.raises(ScenarioError) as refusal:
        load_scenario(source)
    assert str(refusal.value) == message


@pytest.mark.parametrize("source", ["a\0b", "x" * 5000, "", "\n"])
def test_hostile_sources(source: str) -> None:
    """No source, however odd, gives more than one line."""
    with pytest.raises(ScenarioError) as refusal:
        load_scenario(source)
    assert len(str(refusal.value).splitlines()) == 1


def test_files_that_are_no_text(tmp_path: Path) -> None:
    """Bytes that are not UTF-8 are told with their place; a byte order mark is no error."""
    path = tmp_path / "x.yaml"
    path.write_bytes(b"name: x\nab: \xff")
    with pytest.raises(ScenarioError) as refusal:
        load_scenario(str(path))
    assert str(refusal.value) == f"{path}:2:5: yaml: a byte is not valid UTF-8; save the file as UTF-8"
    path.write_bytes(b"\xef\xbb\xbf" + TEXT.encode())
    assert load_scenario(str(path)).name == "mine"


def test_a_file_may_not_name_code_to_run(tmp_path: Path) -> None:
    """Whoever runs it may; a scenario from a stranger must not be able to import anything."""
    path = tmp_path / "strange.yaml"
    text = shipped_path("quickstart").read_text()
    path.write_text(text.replace("population:\n", "population:\n  user_model: antigravity:Users\n", 1))
    with pytest.raises(ScenarioError, match=r"population.user_model: a file may not name code to run; .* --set"):
        load_scenario(str(path))
    assert load_scenario("quickstart", ["population.user_model=mine:Users"]).population.user_model == "mine:Users"
