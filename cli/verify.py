"""`gaelp verify`: is the simulation true to what is known?"""

from __future__ import annotations

import click

from gaelp_sim.cli import library
from gaelp_sim.cli.command import GaelpGroup, Settings
from gaelp_sim.cli.output import print_records, say
from gaelp_sim.cli.params import RunRef

REALISM_COLUMNS = ("quantity", "got", "low", "high", "passed", "source")


@click.group(cls=GaelpGroup)
def verify() -> None:
    """Check a run against published figures.

    \b
    Example:
      gaelp verify realism @last
    """


@verify.command("realism")
@click.argument("run", type=RunRef(), default="@last")
@click.pass_obj
@click.pass_context
def realism(ctx: click.Context, settings: Settings, /, run: str) -> None:
    """Compare a run with published figures, band by band.

    Ends with exit code 1 where a figure lies outside its band.

    \b
    Example:
      gaelp verify realism @last
    """
    checks = library.realism_checks(settings.db_url, run)
    print_records(checks, settings, columns=REALISM_COLUMNS)
    failed = [str(check["quantity"]) for check in checks if not check["passed"]]
    say(settings, f"{len(checks) - len(failed)} of {len(checks)} figures lie in their band")
    if failed:
        ctx.exit(1)
