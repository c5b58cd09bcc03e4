"""The run's summary in plain words, progress lines, and the types of options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import click
import pytest

from gaelp_sim.cli.command import Settings
from gaelp_sim.cli.params import Duration
from gaelp_sim.cli.progress import watching
from gaelp_sim.cli.summary import summary_lines

SUMMARY: dict[str, Any] = {
    "run_id": "7f3a00112233", "seed": 1, "worlds": 1, "people": 10_000, "days": 30, "bidders": 6, "opportunities": 612_345,
    "touchpoints": 43_210, "decisions": 612_345, "conversions": 321, "spend_usd": 12_345.678, "cac_usd": 38.46,
    "cac_paid_usd": 91.2, "cac_incremental_usd": None, "win_rate": 0.4213, "reports_due": 7,
    "rival_conversions": 1_204, "seconds": 1.84,
}


@dataclass(frozen=True)
class Figures:
    """Stands in for the simulator's progress."""

    hours_done: int
    hours_total: int = 48
    people: int = 100
    opportunities: int = 1_500
    spend_micros: int = 12_500_000
    conversions: int = 1
    cac_usd: float | None = None
    lost_workers: int = 0


def test_summary_in_plain_words() -> None:
    """People, opportunities, win rate, spend, conversions, three CACs with "so far" while reports are due, seconds."""
    assert summary_lines(SUMMARY) == [
        "run 7f3a00112233: 10,000 people, 30 days, 1 world, 6 bidders, seed 1",
        "  opportunities    612,345, of which we won 42.1 %",
        "  touchpoints      43,210",
        "  spend            $12,345.68",
        "  conversions      321 ours (7 not yet reported), 1,204 of rivals",
        "  CAC blended      $38.46 so far",
        "  CAC paid         $91.20 so far",
        "  CAC incremental  not measured (--incremental also simulates the world without our ads)",
        "  took             1.8 s",
    ]


def test_summary_once_all_is_reported() -> None:
    """Nothing is "so far" when no report is due, and a CAC without a sale is not known."""
    lines = summary_lines({**SUMMARY, "reports_due": 0, "cac_usd": None, "cac_incremental_usd": 120.0,
                           "conversions_without_ads": 35, "worlds": 4})
    assert lines[0].endswith("4 worlds, 6 bidders, seed 1")
    assert lines[4:8] == [
        "  conversions      321 ours, 1,204 of rivals",
        "  CAC blended      not known (no such sale yet)",
        "  CAC paid         $91.20",
        "  CAC incremental  $120.00 (35 of our sales would have come without ads)",
    ]


def test_watch_prints_a_line_per_day(capsys: pytest.CaptureFixture[str]) -> None:
    """With --watch each complete day is told once, on stderr."""
    with watching(Settings("sqlite://"), watch=True) as on_progress:
        for hour in range(49):
            on_progress(Figures(hour, cac_usd=12.5 if hour > 30 else None))
    streams = capsys.readouterr()
    assert streams.out == ""
    assert streams.err.splitlines() == [
        "  day  opportunities         spend  conversions  CAC so far",
        "    1          1,500        $12.50            1           -",
        "    2          1,500        $12.50            1      $12.50",
    ]


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """-q silences progress, also with --watch."""
    with watching(Settings("sqlite://", quiet=True), watch=True) as on_progress:
        on_progress(Figures(24))
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("text", "seconds"), [("10s", 10.0), ("500ms", 0.5), ("2m", 120.0), ("3", 3.0), ("1.5s", 1.5)])
def test_durations(text: str, seconds: float) -> None:
    """Durations are read with their unit; a plain number is seconds."""
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "0", "0s", "-1s", "10 h", "soon"])
def test_what_is_no_duration(text: str) -> None:
    """Nothing, zero, negative times and other units are refused with the rule."""
    with pytest.raises(click.BadParameter, match="write 10s, 500ms or 2m"):
        Duration().convert(text, None, None)
