"""`gaelp watch`: a run while it goes on, also one that another process makes."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from gaelp_sim.cli import library
from gaelp_sim.cli.command import GaelpCommand, Settings
from gaelp_sim.cli.output import say
from gaelp_sim.cli.params import Duration, RunRef
from gaelp_sim.units import HOURS_PER_DAY

if TYPE_CHECKING:
    from rich.console import RenderableType

SILENT_S = 60.0
"""After so long without news we say how an interrupted run goes on"""


@click.command(cls=GaelpCommand)
@click.argument("run", type=RunRef(), default="@last")
@click.option("--every", type=Duration(), default="1s", show_default=True, metavar="TIME", help="How often to look.")
@click.option("--once", is_flag=True, help="Tell how it stands now, and end.")
@click.pass_obj
def watch(settings: Settings, /, run: str, *, every: float, once: bool) -> None:
    """Follow a run while it goes on, from any terminal.

    Day, spend against the limits, win rate, CAC so far and the latest sales, as the run's last commit point left them (a
    simulated day each); people by stage, as the last kept state has them (every ten days, and the end). On a terminal it is
    one picture that stays up to date; elsewhere a line for each commit point, or a JSON object a line with --json. It ends
    with the run, or where the run's process is gone; Ctrl-C ends it before and leaves the run alone.

    \b
    Example:
      gaelp watch @last
    """
    news = library.standings(settings.db_url, run)
    if settings.as_json or once or not sys.stdout.isatty():
        _lines(settings, _looking(settings, news, every, once=once))
    else:
        _live(settings, _looking(settings, news, every, once=once))


def _looking(settings: Settings, news: Iterator[dict[str, Any]], every: float, *, once: bool) -> Iterator[dict[str, Any]]:
    """How the run stands, each time that it has got on, until it has ended."""
    before, heard = None, time.monotonic()
    for now in news:
        state = (now["hours_done"], now["status"])
        if state != before:
            before, heard = state, time.monotonic()
            yield now
        if now["writer_is_gone"]:
            say(settings, f"its process is gone; next: gaelp resume {now['run_id']}")
        if once or now["writer_is_gone"] or now["status"] != "RUNNING":
            return
        if time.monotonic() - heard > SILENT_S:
            heard = time.monotonic()
            say(settings, f"no news for {SILENT_S:.0f} s; if its process is gone: gaelp resume {now['run_id']}")
        time.sleep(every)


def _lines(settings: Settings, news: Iterator[dict[str, Any]]) -> None:
    for now in news:
        click.echo(json.dumps(now) if settings.as_json else standing_line(now))


def standing_line(now: dict[str, Any]) -> str:
    """How a run stands, in a line."""
    days, total = now["hours_done"] / HOURS_PER_DAY, now["hours_total"] / HOURS_PER_DAY
    pace = "" if now["pace"] is None else f" ({now['pace']:.0%} of the limits)"
    won = "-" if now["win_rate"] is None else f"{now['win_rate']:.1%}"
    status = "cut off" if now["writer_is_gone"] else now["status"].lower()
    return (f"{status:<11} day {days:g} of {total:g}  spend ${now['spend_usd']:,.2f}{pace}  won {won}  "
            f"sales {now['sales']:,} (rivals {now['rival_sales']:,})  CAC so far {_cac(now)}")


def _cac(now: dict[str, Any]) -> str:
    return "-" if now["cac_usd"] is None else f"${now['cac_usd']:,.2f}"


def _live(settings: Settings, news: Iterator[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(no_color=settings.no_color), auto_refresh=False) as live:
        for now in news:
            live.update(picture(now), refresh=True)


def picture(now: dict[str, Any]) -> RenderableType:
    """How a run stands, as a terminal shows it."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    most = max(now["stages"].values(), default=1) or 1
    stages = Table.grid(padding=(0, 2))
    for stage, people in now["stages"].items():
        stages.add_row(stage.lower(), f"{people:,}", ProgressBar(total=most, completed=people, width=40))
    sales = Table.grid(padding=(0, 2))
    for sale in now["recent"]:
        sales.add_row(*(Text(str(part)) for part in (
            sale["decided_at"], f"person {sale['person_id']}", sale["segment"], sale["last_channel"] or "no touch",
            f"{sale['touches']} touches", f"${sale['cost_usd']:,.2f}")))
    done = Table.grid()  # a bar by itself does not end its line
    done.add_row(ProgressBar(total=max(now["hours_total"], 1), completed=now["hours_done"], width=60))
    return Group(
        Text(f"run {now['run_id']}  {now['label'] or now['scenario']}, policy {now['policy']}"), done,
        Text(standing_line(now)), Text(), Text(_stages_title(now)), stages, Text(),
        Text("our latest sales" if now["recent"] else "no sale of ours yet"), sales,
    )


def _stages_title(now: dict[str, Any]) -> str:
    if now["stages_hour"] is None:
        return "people by stage: known from the first state on that the run keeps"
    return f"people by stage, day {now['stages_hour'] // HOURS_PER_DAY}"
