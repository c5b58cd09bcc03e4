"""`gaelp attribute`: who gets the credit for a run's sales."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from gaelp_sim.cli import library, studies
from gaelp_sim.cli.command import GaelpCommand, Settings
from gaelp_sim.cli.output import print_json, print_rows, say
from gaelp_sim.cli.params import RunRef

COLUMNS = (
    "model", "advertiser", "channel", "conversions", "value_usd", "spend_usd", "cac_usd", "roas",
)
Command = Callable[..., Any]
CAMPAIGN_COLUMNS = (*COLUMNS[:3], "campaign", *COLUMNS[3:])


class Identity(click.ParamType[str]):
    """`resolved`, `true`, or the number of a resolution."""

    name = "identity"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The word or number as it is."""
        if value in ("resolved", "true") or (value.isdigit() and int(value)):
            return value
        self.fail(f"{value!r} is none of resolved, true, or a resolution's number (gaelp resolve)", param, ctx)


_WINDOW = (
    click.option(
        "--lookback-days", type=click.IntRange(min=1), default=30, show_default=True, metavar="DAYS",
        help="Touches count from so many days before the purchase; platforms use 30 or 90.",
    ),
    click.option(
        "--touches", type=click.Choice(["all", "ads", "clicks"]), default="all", show_default=True,
        help="all: impressions, e-mails, visits; ads: no visits; clicks: only what was clicked.",
    ),
    click.option("--rivals", is_flag=True, help="Rivals' touches take their part, too; no advertiser could see them."),
    click.option(
        "--identity", type=Identity(), default="resolved", show_default=True, metavar="WHOSE",
        help="Whose touches belong together: a user's as the run resolved them, a resolution's (its number), or true.",
    ),
    click.option("--open-paths", is_flag=True, help="Journeys still open at the end count as paths without a sale."),
    click.option(
        "--as-of", metavar="DATE", default="",
        help="Only what had happened, and been reported, by then; UTC.  [default: all]",
    ),
)
"""Which touches count for a sale."""
_MODEL = (
    click.option(
        "--by", type=click.Choice(["channel", "campaign"]), default="channel", show_default=True,
        help="What markov and shapley look at, and the table that is printed.",
    ),
    click.option(
        "--order", type=click.IntRange(1, 5), default=1, show_default=True, metavar="K",
        help="markov: touches that the next one depends on.",
    ),
    click.option(
        "--half-life-days", type=click.FloatRange(min=0, min_open=True), default=7.0, show_default=True, metavar="DAYS",
        help="time_decay: days in which a touch loses half of its weight.",
    ),
)
"""What single models can be told."""


def window_options(command: Command) -> Command:
    """Add the options that say which touches count for a sale."""
    for option in reversed(_WINDOW):
        command = option(command)
    return command


def model_options(command: Command) -> Command:
    """Add the options of single models."""
    for option in reversed(_MODEL):
        command = option(command)
    return command


@click.command(cls=GaelpCommand)
@click.argument("run", type=RunRef(), default="@last")
@click.option(
    "--model", "models", multiple=True, metavar="M", default=("all",), show_default=True,
    help="first, last, linear, time_decay, position, data_driven, markov, shapley, all, or your own module:function.",
)
@window_options
@model_options
@click.option(
    "--reward", type=click.Choice(["profit", "document", "document_signed"]), default=None,
    help="Also keep what each journey pays a learner by this rule (view journey_rewards).",
)
@click.pass_obj
def attribute(settings: Settings, /, run: str, models: tuple[str, ...], reward: str | None, **told: object) -> None:
    """Credit a run's sales to touches, channels and campaigns.

    Every sale is shared out in full among the touches before it; sales without any are told. What is found is kept beside
    the run, in the views credit, attribution and attribution_campaigns; asking again replaces it.

    \b
    Example:
      gaelp attribute @last --model markov --model last --lookback-days 90
    """
    found = studies.attributed(settings.db_url, run, studies.Attributing(models, reward or "", told))
    if settings.as_json:
        print_json(found)
        return
    campaigns = told["by"] == "campaign"
    columns = CAMPAIGN_COLUMNS if campaigns else COLUMNS
    rows = found["campaigns" if campaigns else "channels"]
    print_rows(columns, [[row.get(name) for name in columns] for row in rows], format="table")
    _say_what_is_missing(settings, found)


def _say_what_is_missing(settings: Settings, found: library.Record) -> None:
    for told in {(model["sales"], model["untouched"]) for model in found["models"]}:
        sales, untouched = told
        say(settings, f"{sales:,} sales of ours, {untouched:,} of them without a touch within the lookback")
    for model in found["models"]:
        if "reward_usd" in model:
            say(settings, f"{model['model']}: journeys that have ended pay {model['reward_usd']:,.2f} in all")
