"""A run that waits for an agent from outside: how to reach it, once, and now and then how it stands."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

import click

TELL_EVERY_S = 5.0


class WaitingFigures(Protocol):
    """What the simulator tells while it waits."""

    db_url: str
    run_id: str
    hour: int
    answered: int
    asked: int
    refused: int
    left_s: float


def telling(on_progress: Callable[[Any], None]) -> Callable[[Any], None]:
    """A function to call with figures of a run: those of a wait are told in lines on stderr, all others go on."""
    lines = _Lines()

    def tell(figures: Any) -> None:
        if getattr(figures, "waiting", None) is None:
            on_progress(figures)
        else:
            lines.show(figures.waiting)

    return tell


class _Lines:
    """Says where the agent finds the run; then, of an hour that waits long, every few seconds what is there."""

    def __init__(self) -> None:
        self._hour: int | None = None
        self._next_s = 0.0

    def show(self, waiting: WaitingFigures) -> None:
        now_s = time.monotonic()
        if self._hour is None:
            click.echo(connect_line(waiting), err=True)
        if self._hour != waiting.hour:
            self._hour, self._next_s = waiting.hour, now_s + TELL_EVERY_S
        elif now_s >= self._next_s:
            click.echo(waiting_line(waiting), err=True)
            self._next_s = now_s + TELL_EVERY_S


def connect_line(waiting: WaitingFigures) -> str:
    """Where and how an agent finds the run."""
    return (
        f"run {waiting.run_id} waits for an agent: it reads observed_sheet (asked = 1) and inserts into outside_bid of "
        f"{waiting.db_url} (docs/outside.md)"
    )


def waiting_line(waiting: WaitingFigures) -> str:
    """What has come for the hour, and how long it still waits."""
    refused = f", {waiting.refused} refused" if waiting.refused else ""
    return (
        f"hour {waiting.hour} waits: {waiting.answered} of {waiting.asked} bids are there{refused}; it goes on in "
        f"{waiting.left_s:.0f} s"
    )
