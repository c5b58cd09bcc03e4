"""`gaelp verify`: is the simulation true to what is known?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gaelp_sim.cli import library
from gaelp_sim.cli.command import GaelpGroup, Settings
from gaelp_sim.cli.output import print_json, print_records, print_rows, say, say_more
from gaelp_sim.cli.params import RunRef, ScenarioRef
from gaelp_sim.cli.progress import sharing
from gaelp_sim.cli.run import COMPILING

PACING_COLUMNS = (
    "pacing", "budget", "value_share", "value_low", "value_high", "curve_error", "quick_spend", "first_day_value",
    "first_day_error", "passed",
)
MARKET_COLUMNS = ("check", "expected", "got", "tolerance", "passed")
BESIDE_COLUMNS = ("quantity", "real", "real_low", "real_high", "simulated", "low", "high", "agrees", "source")
ROOM_COLUMNS = (
    "policy", "kind", "profit", "95 %", "over rule", "95 % ", "share", "of the way", "above no ads", "sales", "spend",
    "CAC", "CAC incr.",
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
    done = len(checks) - len(failed)
    say(settings, f"{done} of {len(checks)} neither overspend nor miss what is asked (of pid and dual, at 1/8)")
    if failed:
        ctx.exit(1)


@verify.command("market")
@click.option(
    "--auctions", type=click.IntRange(min=100_000), default=1_000_000, show_default=True, metavar="N",
    help="Auctions that averages are taken over; fewer widen the tolerances, below 100,000 they would tell nothing.",
)
@click.option(
    "--seed", type=click.IntRange(min=0, max=2**63 - 1), default=0, show_default=True, metavar="N",
    help="Seed of the luck that the auctions are tried with.",
)
@click.pass_obj
@click.pass_context
def market(ctx: click.Context, settings: Settings, /, auctions: int, seed: int) -> None:
    """Check the auctions against theory and definition.

    Tries the simulator's own auctions, budgets and luck, and holds revenues, surpluses, best bids, prices, ties, budgets
    and learners against what auction theory or their definition expects. A check passes where it lies within its tolerance:
    about four standard errors of an average, 0 where it must be exact; one seed in some three hundred misses a check by
    chance. Touches no store of yours. Ends with exit code 1 where a check fails.

    \b
    Example:
      gaelp verify market
    """
    library.when_compiling(lambda: say(settings, COMPILING))
    checks = library.market_checks(auctions=auctions, seed=seed)
    print_records(checks, settings, columns=MARKET_COLUMNS)
    failed = [str(check["check"]) for check in checks if not check["passed"]]
    say(settings, f"{len(checks) - len(failed)} of {len(checks)} checks passed, {auctions:,} auctions, seed {seed}")
    if failed:
        ctx.exit(1)


@verify.command("room")
@click.argument("scenario", type=ScenarioRef(), default="parental_controls")
@click.option("--set", "sets", multiple=True, metavar="K=V", help="Change a key of the scenario; may be repeated.")
@click.option(
    "--worlds", type=click.IntRange(4, 1_000), default=8, show_default=True, metavar="N",
    help="Test worlds that every policy is played in, with the same luck.",
)
@click.option(
    "--validation-worlds", type=click.IntRange(1, 1_000), default=8, show_default=True, metavar="N",
    help="Other worlds, that the rule's settings are chosen on.",
)
@click.pass_obj
def room(settings: Settings, /, scenario: str, *, sets: tuple[str, ...], worlds: int, validation_worlds: int) -> None:
    """Tell how much better than the best rule one could bid.

    Plays no ads, the rule as written and tuned, and three planners in the same worlds: one_step_lift and
    observable_planner know the scenario's constants but of people only what an advertiser meets; the clairvoyant sees
    people's minds. Profit is our sales at their value, decided within the scenario's days and 30 days after them, less
    spend; in USD a world, with 95 % intervals over worlds. Users are recognised as the scenario says: compare with
    --set identity.mode=perfect. Takes minutes for the flagship; touches no store.

    \b
    Example:
      gaelp verify room short --worlds 24
    """
    library.when_compiling(lambda: say(settings, COMPILING))
    report = library.room_report(scenario, tuple(sets), (worlds, validation_worlds), lambda step: say(settings, step))
    if settings.as_json:
        print_json(report)
        return
    print_rows(ROOM_COLUMNS, [_room_cells(row) for row in report["policies"]], format="table")
    say(settings, f"best rule on {validation_worlds} other worlds: {report['best_rule']}")
    for caveat in report["caveats"]:
        say(settings, f"the clairvoyant is a reference here, not a bound: {caveat}")


def _room_cells(row: dict[str, Any]) -> list[Any]:
    """A policy's figures as they are printed: whole dollars, intervals in one cell."""
    def dollars(name: str) -> str:
        return "" if row[name] is None else f"{row[name]:,.0f}"

    def share(name: str) -> str:
        return "" if row[name] is None else f"{row[name]:+.1%}" if name == "over_best_share" else f"{row[name]:.2f}"

    return [
        row["policy"], row["kind"], dollars("profit_usd"), f"{dollars('profit_low')} to {dollars('profit_high')}",
        dollars("over_best_usd"), f"{dollars('over_best_usd_low')} to {dollars('over_best_usd_high')}",
        share("over_best_share"), share("share_of_way"), dollars("profit_above_no_ads_usd"), f"{row['conversions']:.1f}",
        dollars("spend_usd"), dollars("cac_blended_usd"), dollars("cac_incremental_usd"),
    ]


@verify.command("realism")
@click.argument("run", type=RunRef(), default="@last")
@click.option(
    "--samples", type=click.Path(path_type=Path, file_okay=False), metavar="FOLDER",
    help="Put the run beside samples of real data in FOLDER instead of beside published bands.",
)
@click.pass_obj
@click.pass_context
def realism(ctx: click.Context, settings: Settings, /, run: str, *, samples: Path | None) -> None:
    """Compare a run with published figures, band by band.

    A figure passes where its 95 % interval meets its band; what a run has too few observations for is left out. The last
    rows are the scenario's economy, worked out exactly; outside of its bands the scenario is degenerate: there is little to
    learn in it. Ends with exit code 1 where a figure lies outside its band.

    With --samples: curves of the day and week, click rate of a feed, touches per sale, and sessions that sell, real ones
    with 95 % intervals beside the run's. Nothing fails there: markets differ.

    \b
    Example:
      gaelp verify realism @last
    """
    if samples is not None:
        _print_beside(settings, run, samples)
        return
    with sharing(settings, "working out the economy") as on_share:
        checks, left_out = library.realism_checks(settings.db_url, run, on_share)
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


def _print_beside(settings: Settings, run: str, samples: Path) -> None:
    rows, missing = library.beside_data(settings.db_url, run, samples)
    print_records(rows, settings, columns=BESIDE_COLUMNS)
    for name in missing:
        say(settings, f"left out: {name} is not in {samples}")
    agree = sum(bool(row["agrees"]) for row in rows)
    say(settings, f"intervals meet in {agree} of {len(rows)} figures")
