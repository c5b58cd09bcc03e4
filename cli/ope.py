"""`gaelp ope`: what a policy would have earned, from logged rows alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gaelp_sim.cli import library, schooling
from gaelp_sim.cli.command import GaelpCommand, Settings
from gaelp_sim.cli.output import print_json, print_records, say
from gaelp_sim.cli.params import RunRef, crew_options
from gaelp_sim.cli.run import COMPILING
from gaelp_sim.errors import UsageError

COLUMNS = ("policy", "estimator", "family", "value", "low", "high", "gain", "gain_low", "gain_high", "ess", "refused")
GRADED = (
    "estimator", "family", "refused_share", "truth", "bias", "rmse", "coverage", "coverage_low", "coverage_high", "width",
    "reason",
)
CELLS = (
    "cell", "estimator", "refused", "refused_by", "truth", "bias", "rmse", "coverage", "coverage_se", "boot_coverage",
    "gain_coverage", "width", "coverage_refused",
)
RANKING = ("policy", "gain", "low", "high", "best_share")


@click.command(cls=GaelpCommand)
@click.argument("run", type=RunRef(), default="@last")
@click.option(
    "--policy", "policies", multiple=True, metavar="P",
    help="What to judge: rule, random, silent, ppo, checkpoint:FOLDER, logged, or your module:Class. May be repeated.",
)
@click.option(
    "--estimator", "estimators", multiple=True, default=("all",), show_default="all", metavar="NAME",
    help="One way to estimate; may be repeated.",
)
@click.option("--set", "sets", multiple=True, metavar="K=V", help="Change a key of the scenario by which rule bids.")
@click.option(
    "--settled-days", type=click.FloatRange(min=0), default=0.0, show_default=True, metavar="DAYS",
    help="Only users first met so long before the run's end.",
)
@click.option(
    "--coverage", is_flag=True,
    help="Grade estimators instead: many logs of the run's scenario, held against what rule or silent truly earns; without "
         "a --policy, cell by cell of a grid that needs no run.",
)
@click.option(
    "--logs", type=click.IntRange(10, 100_000), default=400, show_default=True, metavar="N",
    help="Logs of --coverage, in each cell of the grid.",
)
@click.option(
    "--cell", "cells", multiple=True, metavar="TEXT",
    help="Of the grid only cells with this in their name; may be repeated.  [default: all]",
)
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Where the grid's answers are kept; what is there already is not made again.  [default: coverage.jsonl]",
)
@click.option(
    "--by-cell", is_flag=True,
    help="Of the grid a row a cell: coverage, bias and rmse of each estimator, in brackets the percentage of logs refused.",
)
@crew_options
@click.pass_obj
def ope(settings: Settings, /, run: str, policies: tuple[str, ...], **asked: Any) -> None:
    """Judge policies from logged rows alone, as with real logs.

    Values are USD a user: our sales' value, once reported, less what was charged, over the user's logged decisions; gains
    are over the policy that was logged. Family decision takes each decision by itself; family journey counts what it does
    to later ones. An estimator that may not answer says why, and its figures are not to be used. Several policies are
    ranked with intervals that hold for all at once. What would truly have happened, gaelp replay tells for simulated runs.

    With --coverage alone it grades the estimators, cell by cell of a grid over the log's days, its people, how far the
    policy is from the logged one, and what is seen of people: bias, error, how often 95 % intervals hold the truth, their
    width, and the share of logs refused; and how good the choice among four candidates is. All but fqe, which
    --estimator fqe asks (minutes a cell).

    \b
    Example:
      gaelp ope @last --policy rule --set us.policy.bid_multiplier=1.4
    """
    _check_together(policies, asked)
    library.when_compiling(lambda: say(settings, COMPILING))
    if asked["coverage"] and not policies:
        graded = schooling.covered_by_cell(asked["estimators"], asked, lambda step: say(settings, step))
        _print_grid(graded, asked, settings)
        return
    if asked["coverage"]:
        rows = schooling.covered(settings.db_url, run, policies, asked, lambda step: say(settings, step))
        print_records(rows, settings, columns=GRADED)
        return
    told = schooling.judged(settings.db_url, run, policies, asked, lambda step: say(settings, step))
    if settings.as_json:
        print_json(told)
        return
    print_records(told["estimates"], settings, columns=COLUMNS)
    if told["ranking"]:
        click.echo()
        print_records(told["ranking"], settings, columns=RANKING)
    for line in told["remarks"]:
        say(settings, line)


def _print_grid(told: dict[str, list[dict[str, Any]]], asked: dict[str, Any], settings: Settings) -> None:
    """Print grades by cell, then those of what was chosen."""
    if settings.as_json:
        print_json(told)
        return
    rows = schooling.by_cell(told["cells"]) if asked["by_cell"] else told["cells"]
    print_records(rows, settings, columns=tuple(rows[0]) if asked["by_cell"] else CELLS)
    if told["choices"]:
        click.echo()
        print_records(told["choices"], settings, columns=tuple(told["choices"][0]))


def _check_together(policies: tuple[str, ...], asked: dict[str, Any]) -> None:
    """Raise UsageError for options that do not go together."""
    grid = asked["coverage"] and not policies
    if not policies and not grid:
        raise UsageError("--policy: none is given; name one to judge, such as rule, or ask for --coverage")
    mine, others = (("sets", "--set"), ("settled_days", "--settled-days")), (
        ("cells", "--cell"), ("out", "--out"), ("by_cell", "--by-cell"),
        *((("workers", "--workers"), ("ray", "--ray")) if asked["coverage"] else ()),
    )
    wrong = next((option for name, option in (mine if grid else others) if asked[name]), "")
    if wrong and grid:
        raise UsageError(f"{wrong}: the grid of --coverage has policies of its own; leave it out, or name a --policy")
    if wrong:
        raise UsageError(f"{wrong}: only the grid of --coverage asks for it; leave it out, or leave out --policy")
