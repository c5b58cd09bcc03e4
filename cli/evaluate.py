"""`gaelp evaluate`: policies graded in worlds that nobody trained or tuned on."""

from __future__ import annotations

from typing import Any

import click

from gaelp_sim.cli import library, schooling
from gaelp_sim.cli.command import GaelpCommand, Settings
from gaelp_sim.cli.output import print_records, say
from gaelp_sim.cli.params import ScenarioRef, crew_options
from gaelp_sim.cli.run import COMPILING
from gaelp_sim.errors import UsageError

COLUMNS = (
    "policy", "kind", "profit_usd", "over_best_share", "over_best_low", "over_best_high", "share_of_way",
    "profit_above_no_ads_usd", "conversions", "spend_usd", "cac_blended_usd", "cac_paid_usd", "cac_incremental_usd",
    "roas", "win_rate", "journey_days_median",
)


@click.command(cls=GaelpCommand)
@click.argument("policies", nargs=-1, metavar="POLICIES...")
@click.argument("scenario", type=ScenarioRef())
@click.option("--set", "sets", multiple=True, metavar="K=V", help="Change a key of the scenario first; may be repeated.")
@click.option(
    "--worlds", type=click.IntRange(2, 1_000), default=24, show_default=True, metavar="N",
    help="Hold-out worlds, the same for every policy.",
)
@click.option(
    "--tuning-worlds", type=click.IntRange(1, 1_000), default=8, show_default=True, metavar="N",
    help="Worlds in which dials are turned.",
)
@click.option(
    "--mode", type=click.Choice(["profit", "growth", "tight"]), default="profit", show_default=True,
    help="Grade by profit, by sales within the CAC target, or by profit with half the money.",
)
@click.option(
    "--rivals", type=click.Choice(["frozen", "learning"]),
    help="Whether rivals learn while policies are tuned and graded.  [default: as the scenario says]",
)
@click.option(
    "--shift", multiple=True, metavar="WHAT=FACTOR",
    help="Scale clicks, prices, sales or decay in the hold-out worlds alone; may be repeated.",
)
@click.option(
    "--baselines", default="all", show_default=True, metavar="NAMES",
    help="Which baselines to tune and play, with commas between.",
)
@crew_options
@click.option(
    "--fail-if", multiple=True, metavar="CONDITION",
    help="End with exit code 1 if it holds for a graded policy: METRIC OP NUMBER; may be repeated.",
)
@click.pass_context
def evaluate(
    ctx: click.Context, /, policies: tuple[str, ...], scenario: str, sets: tuple[str, ...], **asked: Any
) -> None:
    """Grade policies beside tuned baselines and the best possible.

    POLICIES are named as in gaelp run --policy. All meet the same hold-out worlds with the same luck: profit is the sales
    decided within the days of ads and 30 days after them, at their value, less the spend. Shares are of the best baseline's
    profit, with 95 % intervals over worlds; share_of_way is how far from it to the clairvoyant, who knows people's minds.

    \b
    Example:
      gaelp evaluate ppo parental_controls --set identity.mode=perfect
    """
    settings: Settings = ctx.obj
    if not policies:
        raise UsageError(f"only {scenario} is named: give policies, then the scenario, as in `gaelp evaluate ppo short`")
    library.when_compiling(lambda: say(settings, COMPILING))
    rows, failed = schooling.graded(scenario, sets, policies, asked, lambda step: say(settings, step))
    print_records(rows, settings, columns=COLUMNS)
    for line in failed:
        say(settings, f"failed: {line}")
    if failed:
        ctx.exit(1)
