"""`gaelp ope`: what a policy would have earned, from logged rows alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gaelp_sim.cli import library, schooling
from gaelp_sim.cli.command import GaelpCommand, Settings
from gaelp_sim.cli.output import print_json, print_records, say
from gaelp_sim.cli.params import RunRef
from gaelp_sim.cli.run import COMPILING
from gaelp_sim.errors import UsageError

COLUMNS = ("policy", "estimator", "family", "value", "low", "high", "gain", "gain_low", "gain_high", "ess", "refused")
COVERAGE = ("cell", "estimator", "refused", "truth", "bias", "rmse", "coverage", "coverage_se", "boot_coverage", "width")
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
    help="Grade the estimators instead: on many small simulated logs whose truth is known. No run is read.",
)
@click.option(
    "--logs", type=click.IntRange(2, 10_000), metavar="N", help="Of --coverage: logs in each cell.  [default: 200]"
)
@click.option(
    "--cell", "cells", multiple=True, metavar="TEXT",
    help="Of --coverage: only cells with this in their name; may be repeated.  [default: all]",
)
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Of --coverage: where answers are kept; what is there already is not made again.  [default: coverage.jsonl]",
)
@click.pass_obj
def ope(settings: Settings, /, run: str, policies: tuple[str, ...], **asked: Any) -> None:
    """Judge policies from logged rows alone, as with real logs.

    Values are USD a user: our sales' value, once reported, less what was charged, over the user's logged decisions; gains
    are over the policy that was logged. Family decision takes each decision by itself; family journey counts what it does
    to later ones. An estimator that may not answer says why, and its figures are not to be used. Several policies are
    ranked with intervals that hold for all at once. What would truly have happened, gaelp replay tells for simulated runs.

    With --coverage it grades the estimators themselves, cell by cell of a grid over the log's days, its people, how far the
    policy is from the logged one, and what is seen of people: bias, error, how often 95 % intervals hold the truth, their
    width, and the share of logs refused. All but fqe, which --estimator fqe asks (minutes a cell).

    \b
    Example:
      gaelp ope @last --policy rule --set us.policy.bid_multiplier=1.4
    """
    graded = {name: asked.pop(name) for name in ("logs", "cells", "out")}
    _check_together(asked.pop("coverage"), policies, asked, graded)
    library.when_compiling(lambda: say(settings, COMPILING))
    if not policies:
        rows = schooling.covered(asked["estimators"], graded, lambda step: say(settings, step))
        print_records(rows, settings, columns=COVERAGE)
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


def _check_together(coverage: bool, policies: tuple[str, ...], asked: dict[str, Any], graded: dict[str, Any]) -> None:
    """Raise UsageError for options that do not go together."""
    if not coverage:
        alone = next((name for name, value in graded.items() if value), "").replace("cells", "cell")
        if alone:
            raise UsageError(f"--{alone}: only --coverage asks for it; add --coverage, or leave it out")
        if not policies:
            raise UsageError("--policy: none is given; name one to judge, such as rule, or ask for --coverage")
        return
    wrong = "--policy" if policies else "--set" if asked["sets"] else "--settled-days" if asked["settled_days"] else ""
    if wrong:
        raise UsageError(f"{wrong}: --coverage grades estimators on policies of its own; leave it out, or drop --coverage")
