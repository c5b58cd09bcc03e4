"""`gaelp incrementality`: what our ads truly brought about."""

from __future__ import annotations

from typing import Any

import click

from gaelp_sim.cli import library, studies
from gaelp_sim.cli.command import GaelpCommand, Settings
from gaelp_sim.cli.output import print_json, print_rows, say
from gaelp_sim.cli.params import RunRef, crew_options
from gaelp_sim.cli.progress import sharing
from gaelp_sim.cli.run import COMPILING

COLUMNS = (
    "effect_of", "channel", "campaign", "estimand", "touches", "spend_usd", "sales_delta", "low", "high",
    "cac_incremental_usd",
)
CHANNEL_COLUMNS = ("model", "channel", "credited", "caused", "caused_low", "caused_high", "error")
ERROR_COLUMNS = (
    "model", "mae", "mae_low", "mae_high", "rank_correlation", "rank_low", "rank_high", "misallocated_usd",
    "misallocated_low_usd", "misallocated_high_usd",
)


@click.command(cls=GaelpCommand)
@click.argument("run", type=RunRef(), default="@last")
@click.option(
    "--by", type=click.Choice(["channel", "campaign", "touch"]), default="channel", show_default=True,
    help="Ads withheld together; touch: each by itself. All ads together are withheld in any case.",
)
@click.option(
    "--estimand", type=click.Choice(["M", "W", "both"]), default="M", show_default=True,
    help="M: the market frozen as it was; W: the whole world again, with budgets and rivals that react.",
)
@click.option(
    "--touches", type=click.IntRange(min=0), default=0, metavar="N", help="By touch: how many are tried.  [default: all]",
)
@click.option(
    "--run-out-days", type=click.IntRange(0, 365), default=0, show_default=True, metavar="DAYS",
    help="Sales count for so many days after the run, in which we advertise no more.",
)
@crew_options
@click.pass_obj
def incrementality(settings: Settings, /, run: str, by: str, estimand: str, **told: Any) -> None:
    """Measure what our ads truly caused, by withholding them.

    The same people live again with the same luck and one thing changed: ads of ours are withheld, their places stay blank,
    nothing is charged. By channel, every attribution kept beside the run is held against the truth: how far off its credit
    is, and what it would cost to let budgets follow it. The answers stand in the views incrementality, attribution_truth,
    attribution_errors and truth_credit.

    \b
    Example:
      gaelp incrementality @last --by touch --touches 1000
    """
    library.when_compiling(lambda: say(settings, COMPILING))
    estimands = ("M", "W") if estimand == "both" else (estimand,)
    crew = library.crew_of(told["workers"], told["ray"])
    asked = studies.Withholding(by, estimands, told["touches"], told["run_out_days"], crew)
    with sharing(settings, "withholding ads") as on_step:
        found = studies.incremental(settings.db_url, run, asked, on_step)
    if settings.as_json:
        print_json(found)
        return
    _print(settings, found)


def _print(settings: Settings, found: library.Record) -> None:
    _table(COLUMNS, found["effects"])
    for columns, rows in ((CHANNEL_COLUMNS, found["channels"]), (ERROR_COLUMNS, found["models"])):
        if rows:
            click.echo()
            _table(columns, rows)
    for line in found["remarks"]:
        say(settings, line)


def _table(columns: tuple[str, ...], rows: list[library.Record]) -> None:
    print_rows(columns, [[row.get(name) for name in columns] for row in rows], format="table")
