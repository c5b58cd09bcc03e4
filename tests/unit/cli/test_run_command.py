"""`gaelp run` and `resume`: what they ask of the simulator, and what they print."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from gaelp_sim.cli import library
from gaelp_sim.cli.main import exit_code
from gaelp_sim.world.crew import Crew
from tests.unit.cli.test_words import SUMMARY, Figures

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A simulator that only remembers what it was asked."""
    requests: list[dict[str, Any]] = []

    def remembered(**fields: Any) -> SimpleNamespace:
        requests.append(fields)
        return SimpleNamespace(**fields)

    def simulated(request: SimpleNamespace, *, on_progress: Callable[[Any], None]) -> SimpleNamespace:
        on_progress(Figures(24))
        return SimpleNamespace(as_json=lambda: SUMMARY)

    monkeypatch.setattr(library, "run_request", remembered)
    monkeypatch.setattr(library, "simulated", simulated)
    monkeypatch.setattr(library, "estimated", lambda request: SimpleNamespace(rows=120_000, disk_bytes=9e6, seconds=0.8))
    return requests


def test_options_reach_the_request(asked: list[dict[str, Any]], capsys: Captured) -> None:
    """Each option lands in the request; --set changes the scenario itself."""
    arguments = "--seed 7 --days 3 --worlds 2 --workers 4 --name trial --policy logged --db sqlite:///x.db".split()
    assert exit_code(["run", "quickstart", "--set", "population.people=50", *arguments]) == 0
    (request,) = asked
    assert request.pop("scenario").population.people == 50
    assert request == {
        "db_url": "sqlite:///x.db", "seed": 7, "days": 3, "worlds": 2, "crew": Crew(4), "policy": "logged",
        "continue_ref": None, "label": "trial", "incremental": False,
        "rivals_from": None, "bidders": (), "lake": None,
    }


def test_summary_on_stdout_and_the_next_command_on_stderr(asked: list[dict[str, Any]], capsys: Captured) -> None:
    """The figures are the result; what to try next is talk."""
    assert exit_code(["run", "quickstart"]) == 0
    streams = capsys.readouterr()
    assert streams.out.startswith("run 7f3a00112233: 10,000 people")
    assert streams.err == 'next: gaelp query "SELECT stage, COUNT(*) FROM journeys GROUP BY 1"\n'


def test_json_is_the_summary_and_nothing_else(asked: list[dict[str, Any]], capsys: Captured) -> None:
    """--json prints the summary with its stable keys on stdout, and stays silent otherwise."""
    assert exit_code(["run", "quickstart", "--json"]) == 0
    streams = capsys.readouterr()
    assert json.loads(streams.out) == SUMMARY
    assert streams.err == ""


def test_watch_tells_each_day_on_stderr(asked: list[dict[str, Any]], capsys: Captured) -> None:
    """--watch adds a line per simulated day on stderr."""
    assert exit_code(["run", "quickstart", "--watch", "--json"]) == 0
    streams = capsys.readouterr()
    assert json.loads(streams.out) == SUMMARY
    assert streams.err.splitlines()[0].split()[0] == "day"


def test_dry_run_tells_rows_disk_and_time(asked: list[dict[str, Any]], capsys: Captured) -> None:
    """--dry-run prints the estimate and simulates nothing."""
    assert exit_code(["run", "quickstart", "--dry-run"]) == 0
    assert capsys.readouterr().out == "rows  about 120,000\ndisk  about 9 MB\ntime  about 0.8 s\n"
    assert exit_code(["run", "quickstart", "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"rows": 120_000, "disk_bytes": 9e6, "seconds": 0.8}


def test_a_continued_run_keeps_its_luck(asked: list[dict[str, Any]], capsys: Captured) -> None:
    """--seed is refused beside --continue, before anything is read."""
    assert exit_code(["run", "--continue", "@last", "--seed", "3"]) == 2
    assert "--seed and --continue don't go together" in capsys.readouterr().err
    assert asked == []


def test_scenario_is_needed_unless_a_run_goes_on(
    asked: list[dict[str, Any]], capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a scenario the run must continue another, whose scenario it then takes."""
    assert exit_code(["run"]) == 2
    assert "SCENARIO is missing" in capsys.readouterr().err
    stored = library.loaded_scenario("short")
    monkeypatch.setattr(library, "stored_scenario", lambda url, ref, sets: stored if sets == ("days=3",) else None)
    assert exit_code(["run", "--continue", "7f3a", "--set", "days=3"]) == 0
    assert asked[0]["scenario"] is stored
    assert asked[0]["continue_ref"] == "7f3a"


def test_a_misspelt_set_is_one_line(asked: list[dict[str, Any]], capsys: Captured) -> None:
    """A wrong key ends with 2 and names the nearest."""
    assert exit_code(["run", "quickstart", "--set", "population.peple=5"]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "people" in told


def test_resume_takes_the_last_run_by_default(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    """`gaelp resume` alone means @last."""
    calls: list[tuple[str, str, Crew]] = []

    def resumed(url: str, ref: str, *, crew: Crew, on_progress: Callable[[Any], None]) -> SimpleNamespace:
        calls.append((url, ref, crew))
        return SimpleNamespace(as_json=lambda: SUMMARY)

    monkeypatch.setattr(library, "resumed", resumed)
    monkeypatch.setattr(library, "run_record", lambda url, ref: {"status": "FINISHED", "policy": "rule"})
    assert exit_code(["resume", "--workers", "2", "--db", "sqlite:///x.db"]) == 0
    assert calls == [("sqlite:///x.db", "@last", Crew(2))]
    assert capsys.readouterr().err.startswith("the run is finished already: nothing to do\n")


def test_verbose_tells_what_is_about_to_run(asked: list[dict[str, Any]], capsys: Captured) -> None:
    """-v says on stderr what the scenario holds."""
    assert exit_code(["run", "quickstart", "-v"]) == 0
    assert capsys.readouterr().err.startswith("scenario quickstart: 1,000 people, 2 channels, 5 rivals, log: all\n")


def test_a_lost_worker_is_told(monkeypatch: pytest.MonkeyPatch, asked: list[dict[str, Any]], capsys: Captured) -> None:
    """On stderr, once a loss; not with --quiet."""
    def simulated(request: SimpleNamespace, *, on_progress: Callable[[Any], None]) -> SimpleNamespace:
        for hours, lost in ((24, 0), (48, 1), (72, 1)):
            on_progress(Figures(hours, lost_workers=lost))
        return SimpleNamespace(as_json=lambda: SUMMARY)

    monkeypatch.setattr(library, "simulated", simulated)
    assert exit_code(["run", "quickstart"]) == 0
    assert capsys.readouterr().err.count("lost a worker by day 2 (1 so far); another took its place") == 1
    assert exit_code(["run", "quickstart", "--quiet"]) == 0
    assert "lost" not in capsys.readouterr().err
