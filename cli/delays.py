"""`gaelp delays`: sales that are still to come."""

from __future__ import annotations

import click

from gaelp_sim.cli import studies
from gaelp_sim.cli.command import GaelpCommand, Settings
from gaelp_sim.cli.output import print_json, print_rows
from gaelp_sim.cli.params import RunRef

COLUMNS = (
    "group", "model", "clicks", "sales_known", "cvr", "low", "high", "spend_usd", "cac_usd", "cac_low_usd", "cac_high_usd",
    "true_cvr", "error",
)
COHORT_COLUMNS = ("day", "clicks", "sales_known", "naive", "corrected", "true_cvr")


@click.command(cls=GaelpCommand)
@click.argument("run", type=RunRef(), default="@last")
@click.option("--as-of", metavar="DATE", default="", help="What was known by then, UTC.  [default: the end of the run]")
@click.option(
    "--by", type=click.Choice(["channel", "campaign", "creative", "signal"]), default="channel", show_default=True,
    help="How clicks are grouped.",
)
@click.option(
    "--window-days", type=click.IntRange(1, 365), default=30, show_default=True, metavar="DAYS",
    help="A sale counts for the last click before it, if reported so soon after the click.",
)
@click.option(
    "--model", "models", multiple=True, default=("all",), show_default=True,
    type=click.Choice(["all", "naive", "kaplan_meier", "mixture", "delayed_feedback"]),
    help="How sales still to come are reckoned.",
)
@click.pass_obj
def delays(settings: Settings, /, run: str, as_of: str, by: str, window_days: int, models: tuple[str, ...]) -> None:
    """Correct conversion rates for sales still to come.

    Sales are reported days or weeks after the click: what is known of recent clicks is too low. Each model reckons what is
    still to come (Kaplan-Meier; a mixture of two lognormal delays; Chapelle's delayed feedback) with 95 % intervals, beside
    what truly came where the run is long enough to tell. Below: clicks by day.

    \b
    Example:
      gaelp delays @last --as-of 2025-09-20 --window-days 7
    """
    found = studies.delayed(settings.db_url, run, studies.Delaying(as_of, by, window_days, models))
    if settings.as_json:
        print_json(found)
        return
    print_rows(COLUMNS, [[row[name] for name in COLUMNS] for row in found["rates"]], format="table")
    click.echo()
    print_rows(COHORT_COLUMNS, [[row[name] for name in COHORT_COLUMNS] for row in found["cohorts"]], format="table")
    if some := [row for row in found["lags"] if row["sales"]]:
        click.echo()
        print_rows(("lag", "sales"), [[row["lag"], row["sales"]] for row in some], format="table")
