"""`gaelp sweep`: the same luck under many settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gaelp_sim.cli import library, replaying
from gaelp_sim.cli.command import GaelpCommand, Settings
from gaelp_sim.cli.output import print_records, say
from gaelp_sim.cli.params import ScenarioRef, crew_options
from gaelp_sim.cli.progress import watching
from gaelp_sim.cli.run import COMPILING

FIGURES = (
    "run_id", "profit_usd", "profit_usd_difference", "profit_usd_low", "profit_usd_high", "conversions", "spend_usd",
    "cac_blended_usd",
)


@click.command(cls=GaelpCommand)
@click.argument("scenario", type=ScenarioRef())
@click.option(
    "--vary", "varying", multiple=True, metavar="KEY=V1,V2", help="A key of the scenario and its values; may be repeated."
)
@click.option("--policy", "policies", multiple=True, metavar="P", help="How we bid; may be repeated.  [default: rule]")
@click.option("--set", "sets", multiple=True, metavar="K=V", help="Change a key in every cell; may be repeated.")
@click.option("--worlds", type=click.IntRange(1, 10_000), metavar="N", help="Worlds of each cell.  [default: its own]")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), metavar="N", help="Seed of all luck.  [default: the scenario's]")
@crew_options
@click.option(
    "--search", type=click.Choice(["optuna"]),
    help="Search instead of trying all: --vary KEY=LOW..HIGH (or LOW..HIGH:log), in worlds of its own; extra [search].",
)
@click.option("--trials", type=click.IntRange(1, 10_000), default=30, show_default=True, metavar="N", help="Of --search.")
@click.option(
    "--maximise", default="profit_usd", show_default=True, metavar="FIGURE",
    help="Of --search: profit_usd, conversions or roas.",
)
@click.option("--picture", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Draw profit over one key (lines) or two (a heat map) into a PNG; needs the extra [track].")
@click.pass_obj
def sweep(settings: Settings, /, scenario: str, picture: Path | None, **asked: Any) -> None:
    """Run many settings with the same luck, and compare.

    Every combination of --vary values and policies is a stored run of the same people; differences are to the first one,
    with 95 % intervals over households, or over worlds where there are ten or more. Combinations that the store already
    holds are not run again, so an interrupted sweep goes on with the same command.

    With --search optuna values between bounds are tried where earlier trials promise most; the best stands first. Its
    worlds are no others' (not the scenario's own, not the hold-out), so that what it finds can be judged elsewhere.

    \b
    Example:
      gaelp sweep short --vary us.policy.bid_multiplier=0.7,1,1.4 --worlds 4
    """
    library.when_compiling(lambda: say(settings, COMPILING))

    def on_cell(number: int, cells: int, told: str) -> None:
        say(settings, f"{number} of {cells}: {told}")

    if asked["search"]:
        with watching(settings, watch=False) as on_progress:
            trials = replaying.searched(settings.db_url, scenario, asked, (on_cell, on_progress))
        print_records(trials, settings, columns=tuple(trials[0]))
        return
    with watching(settings, watch=False) as on_progress:
        rows = replaying.swept(settings.db_url, scenario, asked, (on_cell, on_progress))
    keys = [key for key in rows[0] if key not in FIGURES and not key.startswith(("conversions_", "spend_", "cac_"))]
    if picture is not None:
        replaying.drawn_sweep(rows, keys, picture)
        say(settings, f"wrote {picture}")
    print_records(rows, settings, columns=(*keys, *FIGURES))
