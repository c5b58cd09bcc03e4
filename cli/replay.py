"""`gaelp replay`: the stored world again, with the same luck."""

from __future__ import annotations

import click

from gaelp_sim.cli import library
from gaelp_sim.cli.command import GaelpCommand, Settings
from gaelp_sim.cli.output import print_fields, say
from gaelp_sim.cli.params import RunRef


@click.command(cls=GaelpCommand)
@click.argument("run", type=RunRef())
@click.option(
    "--policy", type=click.Choice(["logged"]), required=True, help="How we bid: logged takes the run's own decisions."
)
@click.pass_obj
@click.pass_context
def replay(ctx: click.Context, settings: Settings, /, run: str, *, policy: str) -> None:
    """Simulate a stored run's world again, same luck.

    With --policy logged the replay must give the stored rows back: it compares the row hashes, and ends with exit code 1
    where they differ.

    \b
    Example:
      gaelp replay @last --policy logged
    """
    outcome = library.replayed(settings.db_url, run, policy=policy)
    print_fields(outcome, settings)
    if not outcome["equal"]:
        say(settings, "the replay differs from the stored run")
        ctx.exit(1)
