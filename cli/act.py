"""`gaelp act`: what a learned policy does with rows of real observations."""

from __future__ import annotations

from pathlib import Path

import click

from gaelp_sim.cli import library, schooling
from gaelp_sim.cli.command import GaelpCommand, Settings
from gaelp_sim.cli.output import FORMATS, print_rows, say
from gaelp_sim.cli.run import COMPILING

COLUMNS = ("user", "occurred_s", "participate", "bid_usd", "level", "creative", "propensity")


@click.command(cls=GaelpCommand)
@click.argument("policy")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--scenario", metavar="SCENARIO", help="Whose channels, prices and ads they are.  [default: the policy's]")
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=1, show_default=True, metavar="N", help="Luck of exploration."
)
@click.option("--format", type=click.Choice(FORMATS), help="How to print.  [default: csv]")
@click.pass_obj
def act(
    settings: Settings, /, policy: str, file: Path, scenario: str | None, seed: int, format: str | None
) -> None:
    """Decide for rows of real observations, with propensities.

    POLICY is ppo or checkpoint:FOLDER. FILE is CSV or Parquet: a row for each opportunity with the columns user, occurred_s
    (seconds) and the 41 features that decisions are logged with; channels, signals and devices may be told by name. Each
    user's rows are taken in the order of time, and the policy remembers what it saw of the user. Rows come back in the
    order of the file: whether to bid, how much (per click, or per thousand views), with which creative, and the probability
    of that action.

    \b
    Example:
      gaelp act ppo opportunities.csv > decisions.csv
    """
    library.when_compiling(lambda: say(settings, COMPILING))
    rows = schooling.decisions_for(policy, file, scenario, seed)
    chosen = format or ("json" if settings.as_json else "csv")
    print_rows(COLUMNS, [[row[name] for name in COLUMNS] for row in rows], format=chosen)
