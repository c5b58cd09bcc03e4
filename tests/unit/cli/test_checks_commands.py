"""`gaelp replay`, `verify market`, `verify realism` and `journey`: what they print, and the exit code of a missed goal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gaelp_sim.cli import library, replaying
from gaelp_sim.cli.journey import ALWAYS, WHERE_TOLD
from gaelp_sim.cli.main import exit_code

Captured = pytest.CaptureFixture[str]
CHECKS: list[dict[str, Any]] = [
    {"quantity": "click rate, search", "got": 0.051, "low": 0.03, "high": 0.07, "source": "published", "passed": True},
    {"quantity": "days to buy, median", "got": 2.0, "low": 3.0, "high": 14.0, "source": "chosen", "passed": False},
]


def test_replay_says_whether_the_rows_came_back(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    """An equal replay ends with 0, a different one with 1; several policies are a list."""
    outcome: dict[str, Any] = {
        "run_id": "7f3a00112233", "replay_id": "8f3a00112233", "policy": "rule", "equal": True, "figures": [],
        "channels": [], "segments": [], "remarks": ["every row came back"],
    }
    monkeypatch.setattr(replaying, "replayed", lambda url, ref, policy, asked, on_progress: outcome)
    assert exit_code(["replay", "@last", "--policy", "logged", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == outcome
    assert exit_code(["replay", "@last", "--policy", "rule", "--policy", "silent", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [outcome, outcome]
    outcome["equal"] = False
    assert exit_code(["replay", "@last", "--policy", "logged"]) == 1
    assert capsys.readouterr().err == "every row came back\nthe replay differs from the stored run\n"


def test_realism_ends_with_1_where_a_band_is_missed(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    """All rows are printed; the exit code tells whether all passed."""
    monkeypatch.setattr(library, "realism_checks", lambda url, ref, on_share: (CHECKS, []))
    assert exit_code(["verify", "realism"]) == 1
    streams = capsys.readouterr()
    assert streams.out.splitlines()[2].split("  ")[0] == "click rate, search"
    assert streams.err == "1 of 2 figures lie in their band\n"
    monkeypatch.setattr(library, "realism_checks", lambda url, ref, on_share: (CHECKS[:1], []))
    assert exit_code(["verify", "realism", "@last", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == CHECKS[:1]


def test_market_ends_with_1_where_a_check_fails(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    """All rows are printed, in the order of the columns; the exit code tells whether all passed."""
    checks = [
        {"check": "revenue", "expected": 1 / 3, "got": 0.3331, "tolerance": 0.001, "passed": True},
        {"check": "ties of 2", "expected": 1.0, "got": 90.0, "tolerance": 9.8, "passed": False},
    ]
    asked: list[tuple[int, int]] = []

    def told(auctions: int, seed: int) -> list[dict[str, Any]]:
        asked.append((auctions, seed))
        return checks

    monkeypatch.setattr(library, "market_checks", told)
    assert exit_code(["verify", "market", "--seed", "7"]) == 1
    streams = capsys.readouterr()
    assert streams.out.splitlines()[0].split() == ["check", "expected", "got", "tolerance", "passed"]
    assert streams.err == "1 of 2 checks passed, 1,000,000 auctions, seed 7\n"
    checks.pop()
    assert exit_code(["verify", "market", "--auctions", "100000", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == checks
    assert asked == [(1_000_000, 7), (100_000, 0)]
    assert exit_code(["verify", "market", "--auctions", "99"]) == 2


def test_market_checks_our_auctions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    """The real thing, in an empty folder, which stays empty: every check has the same keys, and passes."""
    monkeypatch.chdir(tmp_path)
    assert exit_code(["verify", "market", "--auctions", "100000", "--json"]) == 0
    checks = json.loads(capsys.readouterr().out)
    assert {tuple(check) for check in checks} == {("check", "expected", "got", "tolerance", "passed")}
    assert len(checks) > 40 and all(check["passed"] for check in checks)
    assert not list(tmp_path.iterdir())


def test_journey_prints_who_and_what(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    """Who the person is, then a row a moment; empty columns are left out, each model that gave credit has one."""
    moment: dict[str, Any] = dict.fromkeys((*ALWAYS, *WHERE_TOLD, "believed_stage"))
    moment |= {"happened_at": "2025-09-01T08:00:00Z", "what": "VISIT", "clicked": 1}
    state = {
        "segment": "calm", "segment_at_start": "crisis", "household_id": 3, "stage": "INTENT", "status": "ACTIVE",
        "goodwill": 2, "rival_goodwill": 0, "fatigue_teach": 1, "fatigue_offer": 0, "on_list": 1, "attention": 0.5,
        "price_sensitivity": 0.25, "urgency": 1.0,
    }
    story = {"run_id": "abc", "world": 0, "person": 42, "state": state, "journeys": [],
             "moments": [moment | {"credit": {"last": 1.0}}]}
    monkeypatch.setattr(library, "person_story", lambda url, ref, person, world: story)
    assert exit_code(["journey", "@last", "42", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == story
    assert exit_code(["journey", "@last", "42"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "person 42 of world 0, run abc: segment calm (at first crisis), household 3"
    assert "on our e-mail list" in lines[1] and "price sensitivity 0.25" in lines[2]
    assert lines[4].split() == [*ALWAYS, "clicked", "last"] and lines[6].split()[-2:] == ["1", "1"]
    story["moments"] = []
    assert exit_code(["journey", "@last", "42"]) == 0
    assert "nothing happened" in capsys.readouterr().err
