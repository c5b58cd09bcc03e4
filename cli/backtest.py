"""`gaelp backtest`: how well a scenario fitted to an account's early weeks tells its later ones."""

from __future__ import annotations

from pathlib import Path

import click

from gaelp_sim.cli import accounts, library
from gaelp_sim.cli.command import GaelpCommand, Settings
from gaelp_sim.cli.output import print_json, print_rows, say
from gaelp_sim.cli.params import ScenarioRef
from gaelp_sim.cli.progress import sharing
from gaelp_sim.cli.run import COMPILING

CELL_COLUMNS = ("first_day", "channel", "metric", "actual", "predicted", "low", "high", "inside", "naive")
SCORE_COLUMNS = ("metric", "cells", "coverage_80", "coverage_95", "naive_coverage_95", "error", "naive_error")


@click.command(cls=GaelpCommand)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--format", "form", required=True, type=click.Choice(accounts.FORMATS), help="Whose export the file is.")
@click.option(
    "--scenario", type=ScenarioRef(), default="parental_controls", show_default=True,
    help="The scenario whose levers are fitted.",
)
@click.option("--set", "sets", multiple=True, metavar="K=V", help="Change a key of the scenario first; may be repeated.")
@click.option(
    "--channel", "channels", multiple=True, metavar="NAME=CHANNEL",
    help="Take an export's channel or campaign for one of the scenario's; may be repeated.",
)
@click.option(
    "--train-weeks", type=click.IntRange(1, 520), metavar="N", help="Weeks that are fitted.  [default: three quarters]",
)
@click.option(
    "--worlds", type=click.IntRange(8, 10_000), default=40, show_default=True, metavar="N", help="Worlds that predict.",
)
@click.option(
    "--people-max", type=click.IntRange(100, 10_000_000), default=10_000, show_default=True, metavar="N",
    help="People in a world at most; larger accounts are scaled.",
)
@click.option(
    "--workers", type=click.IntRange(1, 1024), default=1, metavar="N", show_default=True,
    help="Processes that simulate; results don't depend on it.",
)
@click.pass_obj
def backtest(settings: Settings, /, file: Path, *, train_weeks: int | None, worlds: int, **asked: object) -> None:
    """Predict an account's later weeks from its early ones.

    The scenario's levers (volume, click rate and price by channel, sales together) are moved until simulated worlds sum to
    the early weeks. Then worlds that draw their levers from what the fit leaves open live through the whole time: their
    spread is the prediction. Shown are predicted and actual weeks, how often the 80 and 95 % intervals held (coverage), the
    mean absolute error as a share of the mean, and the same for the last week repeated.

    \b
    Example:
      gaelp backtest account.csv --format google_ads --scenario quickstart --train-weeks 6
    """
    library.when_compiling(lambda: say(settings, COMPILING))
    matching = accounts.Matching(pilots=8, **asked)  # type: ignore[arg-type]
    with sharing(settings, "simulating") as on_step:
        found = accounts.backtested(file, matching, (train_weeks, worlds), on_step)
    if settings.as_json:
        print_json(found)
        return
    for columns, rows in ((CELL_COLUMNS, found["cells"]), (SCORE_COLUMNS, found["scores"])):
        print_rows(columns, [[_told(row[name]) for name in columns] for row in rows], format="table")
        click.echo()
    for line in (*found["matched"], *found["unmatched"]):
        click.echo(f"lever {line}")
    for line in found["not_identified"]:
        click.echo(f"not identified: {line}")
    say(settings, f"{found['people']:,} people a world, each for {found['weight']:.4g} real ones")


def _told(value: object) -> object:
    return float(f"{value:.4g}") if isinstance(value, float) else value
