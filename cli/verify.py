"""`gaelp verify`: is the simulation true to what is known?"""

from __future__ import annotations

import click

from gaelp_sim.cli import library
from gaelp_sim.cli.command import GaelpGroup, Settings
from gaelp_sim.cli.output import print_records, say, say_more
from gaelp_sim.cli.params import RunRef

COMPILING = "compiling the simulator's loops, once on this machine"
PACING_COLUMNS = (
    "pacing", "budget", "value_share", "value_low", "value_high", "curve_error", "quick_spend", "first_day_value",
    "first_day_error", "passed",
)
REALISM_COLUMNS = ("quantity", "got", "low", "high", "passed", "source")


@click.group(cls=GaelpGroup)
def verify() -> None:
    """Check a run, the market and pacing against what is known.

    \b
    Example:
      gaelp verify realism @last
    """


@verify.command("pacing")
@click.option(
    "--seed", type=click.IntRange(0, 2**63 - 1), default=0, metavar="N", show_default=True, help="Seed of the trial.",
)
@click.pass_obj
@click.pass_context
def pacing(ctx: click.Context, settings: Settings, /, seed: int) -> None:
    """Grade every way of pacing against hindsight.

    Each buys from the same streams of opportunities under a day's budget of 1/32, 1/8 and 1/2 of what bidding one's values
    spends unpaced. Ends with exit code 1 where one overspends, or where pid or dual miss what is asked of them.

    \b
    Example:
      gaelp verify pacing
    """
    library.when_compiling(lambda: say(settings, COMPILING))
    checks = library.pacing_checks(seed)
    print_records(checks, settings, columns=PACING_COLUMNS)
    failed = [f"{check['pacing']} at {check['budget']}" for check in checks if not check["passed"]]
    say(settings, f"{len(checks) - len(failed)} of {len(checks)} are as good as is asked")
    if failed:
        ctx.exit(1)


@verify.command("realism")
@click.argument("run", type=RunRef(), default="@last")
@click.pass_obj
@click.pass_context
def realism(ctx: click.Context, settings: Settings, /, run: str) -> None:
    """Compare a run with published figures, band by band.

    A figure passes where its 95 % interval meets its band; what a run has too few observations for is left out. Ends with
    exit code 1 where a figure lies outside its band.

    \b
    Example:
      gaelp verify realism @last
    """
    checks, left_out = library.realism_checks(settings.db_url, run)
    print_records(checks, settings, columns=REALISM_COLUMNS)
    for note in dict.fromkeys(str(check["note"]) for check in checks if check.get("note")):
        about = [str(check["quantity"]) for check in checks if check.get("note") == note]
        say(settings, f"note on {', '.join(about)}: {note}")
    if left_out:
        say(settings, f"left out, for want of observations: {len(left_out)} quantities (-v names them)")
        say_more(settings, f"left out: {'; '.join(left_out)}")
    failed = [str(check["quantity"]) for check in checks if not check["passed"]]
    say(settings, f"{len(checks) - len(failed)} of {len(checks)} figures lie in their band")
    if failed:
        ctx.exit(1)
