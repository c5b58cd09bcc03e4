"""`gaelp experiment`: what it prints, what it hands on, and what it refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gaelp_sim.analyse.experiment import Plan, Rehearsed
from gaelp_sim.cli import schooling
from gaelp_sim.cli.main import exit_code

Captured = pytest.CaptureFixture[str]
TWO = ["--policy", "silent", "--policy", "rule"]


def _report() -> dict[str, Any]:
    plan = dict.fromkeys(Plan.__dataclass_fields__, 0.0) | {"people": 1000, "needed": 6530.5, "needed_what": "people"}
    row = dict.fromkeys(Rehearsed.__dataclass_fields__, 0.25) | {"accounts": "shared accounts", "planned": None}
    rows = [row | {"outcome": name} for name in ("profit_usd", "conversions")]
    return {"scenario": "short", "plan": plan, "rehearsals": rows, "conclusion": "Go on."}


def test_it_prints_the_plan_the_rehearsals_and_a_sentence(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    asked: list[Any] = []

    def told(*arguments: Any) -> dict[str, Any]:
        asked.extend(arguments[:4])
        arguments[4]("rehearsing")
        return _report()

    monkeypatch.setattr(schooling, "rehearsed", told)
    line = ["experiment", "short", *TWO, "--design", "switchback", "--block-hours", "6", "--effect", "0.5"]
    assert exit_code([*line, "--set", "days=8"]) == 0
    streams = capsys.readouterr()
    assert asked[:3] == ["short", ("days=8",), ("silent", "rule")]
    assert asked[3]["block_hours"] == 6 and asked[3]["effect_usd"] == 0.5 and asked[3]["worlds"] == 40
    out = streams.out.splitlines()
    assert "6,530 people" in out[2] and out[-1] == "Go on." and "rehearsing" in streams.err
    (row,) = [line for line in out if line.startswith("conversions")]
    assert row.split() == ["conversions", "shared", "accounts", *["0.2500"] * 4, "to", "0.2500", "25%", "25%", "25%"]
    assert exit_code([*line, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == _report()


@pytest.mark.parametrize(("more", "says"), [
    (["--policy", "rule"], "--policy: given 1 times; give it twice"),
    ([*TWO, "--matched"], "--matched: it is for --design geo, and this is ab"),
    ([*TWO, "--design", "geo", "--by", "device"], "--by: it is for --design ab, and this is geo"),
    ([*TWO, "--design", "switchback", "--block-hours", "2", "--washout-hours", "2"], "--washout-hours 2: it takes all"),
    (["--policy", "silent", "--policy", "ruel"], "did you mean 'rule'?"),
    (["--policy", "silent", "--policy", "my:Own"], "a bidder from outside can't be told"),
])
def test_what_it_can_t_do_is_one_line(capsys: Captured, more: list[str], says: str) -> None:
    assert exit_code(["experiment", "short", "-q", *more]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line
