"""`gaelp watch`: news once each, to the run's end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from rich.console import Console

from gaelp_sim.cli import library
from gaelp_sim.cli import watch as watching
from gaelp_sim.cli.main import exit_code
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.world.simulate import RunRequest, run

SALE = {
    "decided_at": "2025-09-02T08:00:00Z",
    "person_id": 3,
    "segment": "[bold]calm",
    "last_channel": None,
    "touches": 2,
    "cost_usd": 1.5,
}
NOW: dict[str, Any] = {
    "run_id": "abc",
    "label": "",
    "scenario": "short",
    "policy": "rule",
    "status": "RUNNING",
    "hours_done": 24,
    "hours_total": 48,
    "opportunities": 100,
    "wins": 40,
    "spend_usd": 50.0,
    "limit_usd": 100.0,
    "sales": 1,
    "rival_sales": 7,
    "value_usd": 180.0,
    "stages": {"AWARE": 3},
    "stages_hour": 24,
    "recent": [SALE],
    "win_rate": 0.4,
    "cac_usd": 50.0,
    "pace": 0.5,
    "writer_is_gone": False,
}


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the store tells, look by look."""
    looks = [NOW, NOW, NOW | {"hours_done": 48}, NOW | {"hours_done": 48, "status": "FINISHED"}]

    def standings(url: str, ref: str) -> Iterator[dict[str, Any]]:
        yield from looks

    monkeypatch.setattr(library, "standings", standings)
    monkeypatch.setattr(watching.time, "sleep", lambda _: None)
    return looks


def test_a_line_for_each_piece_of_news(told: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    """A look without news says nothing; the end is news and ends it."""
    assert exit_code(["watch", "@last"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and lines[0].startswith("running") and lines[2].startswith("finished")
    assert "day 1 of 2" in lines[0] and "$50.00 (50% of the limits)" in lines[0] and "won 40.0%" in lines[0]
    assert exit_code(["watch", "@last", "--once", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == NOW


def test_silence_is_explained(
    told: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A process that is gone leaves a run that never gets on: how it goes on is said."""
    monkeypatch.setattr(watching, "SILENT_S", -1.0)
    assert exit_code(["watch", "@last"]) == 0
    assert "gaelp resume abc" in capsys.readouterr().err


def test_a_run_whose_process_is_gone_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is waited for; the way on is said."""
    monkeypatch.setattr(library, "standings", lambda url, ref: iter([NOW | {"writer_is_gone": True}] * 9))
    for words in ([], ["--once"]):
        assert exit_code(["watch", "@last", *words]) == 0
        told = capsys.readouterr()
        assert told.out.startswith("cut off     day 1 of 2") and len(told.out.splitlines()) == 1
        assert told.err == "its process is gone; next: gaelp resume abc\n"


def test_the_picture_shows_all_of_it() -> None:
    """As a terminal shows it; names are never taken for markup, nothing known yet is no error."""
    console = Console(width=120, record=True, file=None, force_terminal=False)
    with console.capture() as shown:
        console.print(watching.picture(NOW))
        console.print(
            watching.picture(
                NOW | {"stages": {}, "stages_hour": None, "recent": [], "cac_usd": None, "win_rate": None, "pace": None}
            )
        )
    text = shown.get()
    assert "[bold]calm" in text and "person 3" in text and "no touch" in text and "aware" in text
    assert "no sale of ours yet" in text and "CAC so far -" in text


def test_a_finished_run_is_told_at_once(
    tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    """The real thing, and no such run is one line and 66."""
    url = f"sqlite:///{tmp_path_factory.mktemp('watch')}/gaelp.db"
    summary = run(RunRequest(load_scenario("short", ["population.people=50", "days=2"]), url))
    assert exit_code(["watch", "@last", "--db", url, "--json"]) == 0
    now = json.loads(capsys.readouterr().out)
    assert (now["run_id"], now["status"], now["hours_done"]) == (summary.run_id, "FINISHED", 48)
    assert exit_code(["watch", "nobody", "--db", url]) == 66


def test_a_run_shows_the_same_picture_while_it_goes_on(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`run --watch` on a terminal; elsewhere it stays a line a day."""
    url = f"sqlite:///{tmp_path_factory.mktemp('watch')}/gaelp.db"
    asked = ["run", "short", "--days", "3", "--set", "population.people=50", "--watch", "--db", url]
    assert exit_code(asked) == 0
    assert len([line for line in capsys.readouterr().err.splitlines() if line.strip()[:1] in "123"]) == 3
    monkeypatch.setattr("gaelp_sim.cli.progress.sys.stderr.isatty", lambda: True)
    assert exit_code(asked) == 0
    told = capsys.readouterr().err
    assert "people by stage" in told and "day 3 of 3" in told
