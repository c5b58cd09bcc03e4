"""`gaelp evaluate`: policies graded in worlds that nobody trained or tuned on."""

from __future__ import annotations

import click

from gaelp_sim.cli import library, schooling
from gaelp_sim.cli.command import GaelpCommand, Settings
from gaelp_sim.cli.output import print_records, say
from gaelp_sim.cli.params import ScenarioRef
from gaelp_sim.cli.run import COMPILING

COLUMNS = (
    "policy", "kind", "profit_usd", "over_best_share", "over_best_low", "over_best_high", "share_of_way",
    "profit_above_no_ads_usd", "conversions", "spend_usd", "cac_blended_usd", "cac_incremental_usd",
)


@click.command(cls=GaelpCommand)
@click.argument("policies", nargs=-1, required=True)
@click.argument("scenario", type=ScenarioRef())
@click.option("--set", "sets", multiple=True, metavar="K=V", help="Change a key of the scenario first; may be repeated.")
@click.option(
    "--worlds", type=click.IntRange(2, 1_000), default=24, show_default=True, metavar="N",
    help="Hold-out worlds, the same for every policy.",
)
@click.option(
    "--tuning-worlds", type=click.IntRange(1, 1_000), default=8, show_default=True, metavar="N",
    help="Worlds in which each baseline's dial is tuned.",
)
@click.pass_obj
def evaluate(
    settings: Settings, /, policies: tuple[str, ...], scenario: str, sets: tuple[str, ...], worlds: int,
    tuning_worlds: int,
) -> None:
    """Grade policies beside tuned baselines and the best possible.

    POLICIES are named as in gaelp run --policy. All meet the same hold-out worlds with the same luck: profit is the sales
    decided within the days of ads and 30 days after them, at their value, less the spend. Shares are of the best baseline's
    profit, with 95 % intervals over worlds; share_of_way is how far from it to the clairvoyant, who knows people's minds.

    \b
    Example:
      gaelp evaluate checkpoint:ppo/best parental_controls --set identity.mode=perfect
    """
    library.when_compiling(lambda: say(settings, COMPILING))
    rows = schooling.graded(scenario, sets, policies, (worlds, tuning_worlds), lambda step: say(settings, step))
    print_records(rows, settings, columns=COLUMNS)
