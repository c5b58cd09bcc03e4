"""`gaelp verify room`: what it prints, and what it refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gaelp_sim.cli import library
from gaelp_sim.cli.main import exit_code

Captured = pytest.CaptureFixture[str]
ROW: dict[str, Any] = {
    "policy": "no ads", "kind": "baseline", "worlds": 8, "profit_usd": 6330.4, "profit_low": 5857.0, "profit_high": 6802.0,
    "over_best_usd": -3790.0, "over_best_usd_low": -4587.0, "over_best_usd_high": -2994.0, "over_best_share": -0.375,
    "share_of_way": None, "profit_above_no_ads_usd": 0.0, "conversions": 35.167, "spend_usd": 0.0, "cac_blended_usd": 0.0,
    "cac_incremental_usd": None,
}
REPORT = {
    "scenario": "short", "worlds": 8, "validation_worlds": 5, "best_rule": {"bid_multiplier": 0.85},
    "caveats": ["rivals learn"],
    "policies": [ROW],
}


def test_room_prints_a_row_a_policy(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    asked: list[tuple[Any, ...]] = []

    def told(*arguments: Any) -> dict[str, Any]:
        asked.append(arguments[:3])
        arguments[3]("playing no ads")
        return REPORT

    monkeypatch.setattr(library, "room_report", told)
    assert exit_code(["verify", "room", "short", "--set", "days=3", "--validation-worlds", "5"]) == 0
    streams = capsys.readouterr()
    assert asked == [("short", ("days=3",), (8, 5))]
    (row,) = [line for line in streams.out.splitlines() if line.startswith("no ads")]
    assert row.split()[3:8] == ["6,330", "5,857", "to", "6,802", "-3,790"] and "-37.5%" in row and "35.2" in row
    assert "playing no ads" in streams.err and "not a bound: rivals learn" in streams.err
    assert exit_code(["verify", "room", "short", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == REPORT


@pytest.mark.parametrize(("words", "told"), [
    (["randomised"], "intervals"), (["short", "--set", "identity.mode=linked"], "linked user"), (["shrot"], "short"),
    (["short", "--worlds", "1"], "4<=x"),
])
def test_what_can_t_be_compared_is_refused_in_a_line(words: list[str], told: str, capsys: Captured) -> None:
    assert exit_code(["verify", "room", *words]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert told in last
