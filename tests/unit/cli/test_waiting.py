"""What a run says while it waits for an agent from outside."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gaelp_sim.cli.command import Settings
from gaelp_sim.cli.progress import watching
from gaelp_sim.world.request import Progress, Waiting

WAITING = Waiting("sqlite:///gaelp.db", "7f3a", hour=0, answered=4, asked=6, refused=0, left_s=29.6)
FIGURES = Progress(0, 48, 100, 0, 0, 0, None, "7f3a", waiting=WAITING)


def test_how_to_reach_it_once_then_how_it_stands(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first wait says how; an hour that waits for more than five seconds says what is there."""
    now_s = 100.0
    monkeypatch.setattr("gaelp_sim.cli.waiting.time.monotonic", lambda: now_s)
    with watching(Settings("sqlite://"), watch=True) as on_progress:
        for second, hour, refused in ((0, 0, 0), (1, 0, 0), (6, 0, 2), (7, 1, 0), (11, 1, 0), (13, 1, 0)):
            now_s = 100.0 + second
            on_progress(replace(FIGURES, waiting=replace(WAITING, hour=hour, refused=refused)))
    first, *others = capsys.readouterr().err.splitlines()
    assert first == ("run 7f3a waits for an agent: it reads observed_sheet (asked = 1) and inserts into outside_bid of "
                     "sqlite:///gaelp.db (docs/outside.md)")
    assert others == ["hour 0 waits: 4 of 6 bids are there, 2 refused; it goes on in 30 s",
                      "hour 1 waits: 4 of 6 bids are there; it goes on in 30 s"]


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """-q is for scripts."""
    with watching(Settings("sqlite://", quiet=True), watch=False) as on_progress:
        on_progress(FIGURES)
    assert capsys.readouterr().err == ""
