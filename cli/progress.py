"""Progress on stderr: a rich bar on a terminal, with --watch the picture of `gaelp watch`; elsewhere a plain line now and
then, with --watch one per day."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import click

from gaelp_sim.cli.command import Settings
from gaelp_sim.cli.waiting import telling
from gaelp_sim.units import HOURS_PER_DAY, from_micros

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

PLAIN_INTERVAL_S = 5.0
WATCH_HEADER = f"{'day':>5}  {'opportunities':>13}  {'spend':>12}  {'conversions':>11}  {'CAC so far':>10}"


class ProgressFigures(Protocol):
    """What the simulator tells while it runs; all figures are totals so far."""

    hours_done: int
    hours_total: int
    people: int
    opportunities: int
    spend_micros: int
    conversions: int
    cac_usd: float | None
    run_id: str
    lost_workers: int


OnProgress = Callable[[Any], None]


@contextmanager
def watching(settings: Settings, *, watch: bool) -> Iterator[OnProgress]:
    """A function to call with ProgressFigures; what it shows is gone or complete when the block ends."""
    if settings.quiet:
        yield lambda figures: None
        return
    with _shown(settings, watch=watch) as on_progress:
        yield _Losses(telling(on_progress)).show


@contextmanager
def _shown(settings: Settings, *, watch: bool) -> Iterator[OnProgress]:
    if sys.stderr.isatty():
        with (_picture if watch else _bar)(settings) as on_progress:
            yield on_progress
    elif watch:
        yield _DayLines().show
    else:
        yield _PlainLines().show


def cac_text(figures: ProgressFigures) -> str:
    """CAC so far, or a dash before the first sale."""
    return "-" if figures.cac_usd is None else f"${figures.cac_usd:,.2f}"


def watch_line(figures: ProgressFigures) -> str:
    """One row of the --watch table."""
    spend = f"${from_micros(figures.spend_micros):,.2f}"
    day = figures.hours_done // HOURS_PER_DAY
    return f"{day:>5}  {figures.opportunities:>13,}  {spend:>12}  {figures.conversions:>11,}  {cac_text(figures):>10}"


class _Losses:
    """Tells when a worker was lost, and hands the figures on."""

    def __init__(self, show: OnProgress) -> None:
        self._show, self._lost = show, 0

    def show(self, figures: ProgressFigures) -> None:
        if figures.lost_workers > self._lost:
            self._lost = figures.lost_workers
            day = figures.hours_done // HOURS_PER_DAY
            click.echo(f"lost a worker by day {day} ({self._lost} so far); another took its place", err=True)
        self._show(figures)


class _DayLines:
    """Prints a row when a new day is complete."""

    def __init__(self) -> None:
        self._day = 0

    def show(self, figures: ProgressFigures) -> None:
        day = figures.hours_done // HOURS_PER_DAY
        if day == self._day:
            return
        if self._day == 0:
            click.echo(WATCH_HEADER, err=True)
        self._day = day
        click.echo(watch_line(figures), err=True)


class _PlainLines:
    """Prints a line every few seconds, so that a log stays short."""

    def __init__(self) -> None:
        self._next_s = time.monotonic() + PLAIN_INTERVAL_S

    def show(self, figures: ProgressFigures) -> None:
        if time.monotonic() < self._next_s:
            return
        self._next_s = time.monotonic() + PLAIN_INTERVAL_S
        days, total = figures.hours_done // HOURS_PER_DAY, figures.hours_total // HOURS_PER_DAY
        spend = from_micros(figures.spend_micros)
        click.echo(f"day {days} of {total}, spend ${spend:,.2f}, CAC so far {cac_text(figures)}", err=True)


class _Bar:
    """The rich bar, fed with figures."""

    def __init__(self, bar: RichProgress, task: TaskID) -> None:
        self._bar, self._task = bar, task

    def show(self, figures: ProgressFigures) -> None:
        self._bar.update(
            self._task,
            total=figures.hours_total,
            completed=figures.hours_done,
            spend=f"${from_micros(figures.spend_micros):,.0f}",
            cac=cac_text(figures),
        )


@contextmanager
def _bar(settings: Settings) -> Iterator[OnProgress]:
    # Rich takes a tenth of a second to import: only a terminal pays for it.
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("simulating"), BarColumn(), MofNCompleteColumn(), TextColumn("hours, ETA"), TimeRemainingColumn(),
        TextColumn("spend {task.fields[spend]}, CAC so far {task.fields[cac]}"),
    )
    console = Console(stderr=True, no_color=settings.no_color)
    with Progress(*columns, console=console, transient=True, refresh_per_second=5) as progress:
        yield _Bar(progress, progress.add_task("hours", total=None, spend="$0", cac="-")).show


@contextmanager
def _picture(settings: Settings) -> Iterator[OnProgress]:
    """The picture of `gaelp watch`, anew after each commit point, read from the store as another process would."""
    from rich.console import Console
    from rich.live import Live

    from gaelp_sim.cli import library
    from gaelp_sim.cli.watch import picture

    news: dict[str, Iterator[dict[str, Any]]] = {}
    with Live(console=Console(stderr=True, no_color=settings.no_color), auto_refresh=False) as live:
        def show(figures: ProgressFigures) -> None:
            if figures.run_id not in news:
                news[figures.run_id] = library.standings(settings.db_url, figures.run_id)
            live.update(picture(next(news[figures.run_id])), refresh=True)

        yield show


@contextmanager
def sharing(settings: Settings, doing: str) -> Iterator[Callable[[float], None]]:
    """A function to call with the share of some long work that is done, 0 to 1."""
    if settings.quiet:
        yield lambda share: None
    elif sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        columns = (TextColumn(doing), BarColumn(), TaskProgressColumn(), TextColumn("ETA"), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True, no_color=settings.no_color), transient=True) as progress:
            task = progress.add_task(doing, total=1.0)
            yield lambda share: progress.update(task, completed=share)
    else:
        yield _ShareLines(doing).show


class _ShareLines:
    """Prints the share done every few seconds."""

    def __init__(self, doing: str) -> None:
        self._doing, self._next_s = doing, time.monotonic() + PLAIN_INTERVAL_S

    def show(self, share: float) -> None:
        if time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + PLAIN_INTERVAL_S
            click.echo(f"{self._doing}: {share:.0%}", err=True)


@contextmanager
def epochs_passing(
    settings: Settings, total: int, line: Callable[[dict[str, Any]], str]
) -> Iterator[Callable[[dict[str, Any]], None]]:
    """A function to call with each epoch's figures: a bar on a terminal above which validated epochs stay, else a line
    each."""
    if settings.quiet:
        yield lambda epoch: None
    elif sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("training"), BarColumn(), MofNCompleteColumn(), TextColumn("epochs, ETA"), TimeRemainingColumn(),
            TextColumn("profit {task.fields[profit]}, CAC {task.fields[cac]}, won {task.fields[won]}"),
        )
        with Progress(*columns, console=Console(stderr=True, no_color=settings.no_color), transient=True) as progress:
            task = progress.add_task("epochs", total=total, profit="-", cac="-", won="-")

            def show(epoch: dict[str, Any]) -> None:
                progress.update(
                    task, completed=epoch["epoch"] + 1, profit=f"${epoch['profit_usd']:,.0f}",
                    won=f"{epoch['win_rate']:.2f}",
                    cac=f"${epoch['spend_usd'] / epoch['sales']:,.0f}" if epoch["sales"] else "-",
                )
                if "validation_profit_usd" in epoch:
                    progress.console.print(line(epoch), highlight=False, markup=False)

            yield show
    else:
        yield lambda epoch: click.echo(line(epoch), err=True)
