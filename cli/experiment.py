"""`gaelp experiment`: a test of one policy against another, planned and rehearsed where the truth is known."""

from __future__ import annotations

from typing import Any

import click
from click.core import ParameterSource

from gaelp_sim.cli import library, schooling
from gaelp_sim.cli.command import GaelpCommand, Settings
from gaelp_sim.cli.output import print_json, print_rows, say
from gaelp_sim.cli.params import ScenarioRef
from gaelp_sim.cli.run import COMPILING
from gaelp_sim.errors import UsageError

ONLY_FOR = {
    "by": ("ab",), "share": ("ab",), "regions": ("geo",), "matched": ("geo",), "block_hours": ("switchback",),
    "washout_hours": ("switchback",),
}
PLAN_COLUMNS = ("people", "days", "units", "std error", "detectable", "effect", "power", "needed")
COLUMNS = ("outcome", "accounts", "told", "true", "bias", "95 %", "covered", "found", "planned", "wrong sign")


@click.command(cls=GaelpCommand)
@click.argument("scenario", type=ScenarioRef())
@click.option(
    "--design", type=click.Choice(["ab", "geo", "switchback", "budget"]), default="ab", show_default=True,
    help="Deal out users, regions, blocks of hours, or halves of the market each with half of the budget.",
)
@click.option("--policy", "policies", multiple=True, metavar="P", help="Give it twice: today's policy, then the new one.")
@click.option(
    "--effect", "effect_usd", type=click.FloatRange(min=0, min_open=True), metavar="USD",
    help="Profit per person, over the whole test, that must be found.  [default: what the pilots show]",
)
@click.option("--power", type=click.FloatRange(0.5, 0.999), default=0.8, show_default=True, metavar="P",
              help="Chance to find that effect that is wanted.")
@click.option("--alpha", type=click.FloatRange(0.001, 0.3), default=0.05, show_default=True, metavar="P",
              help="Chance to find an effect where there is none; intervals hold 1 - alpha.")
@click.option("--worlds", type=click.IntRange(2, 10_000), default=40, show_default=True, metavar="N",
              help="Worlds in which the test is rehearsed.")
@click.option("--pilots", type=click.IntRange(1, 10_000), default=20, show_default=True, metavar="N",
              help="Other worlds, on which it is planned.")
@click.option("--by", type=click.Choice(["user", "household", "device"]), default="user", show_default=True,
              help="With ab: what is dealt out; users are as the scenario's identity resolves them.")
@click.option("--share", type=click.FloatRange(0.01, 0.99), default=0.5, show_default=True, metavar="S",
              help="With ab: share that gets the new policy.")
@click.option("--regions", type=click.IntRange(4, 1_000), default=20, show_default=True, metavar="N",
              help="With geo: regions into which homes fall.")
@click.option("--matched", is_flag=True, help="With geo: pair regions of like size, and throw a coin in each pair.")
@click.option("--block-hours", type=click.Choice(["1", "2", "3", "4", "6", "8", "12", "24"]), default="24",
              show_default=True, help="With switchback: hours until the next coin.")
@click.option("--washout-hours", type=click.IntRange(0, 23), default=0, show_default=True, metavar="H",
              help="With switchback: hours at the start of each block that are not compared.")
@click.option("--wait-days", type=click.IntRange(0, 30), default=30, show_default=True, metavar="D",
              help="Days after the ads in which sales still count for the test; the truth waits for 30.")
@click.option("--set", "sets", multiple=True, metavar="K=V", help="Change a key of the scenario first; may be repeated.")
@click.pass_context
def experiment(
    ctx: click.Context, /, scenario: str, policies: tuple[str, ...], sets: tuple[str, ...], **asked: Any
) -> None:
    """Plan a test of a policy, and rehearse it beside the truth.

    Within one world a share of the traffic is bid for by one policy and the rest by another, with the same budgets and
    rivals. Pilot worlds tell how large a test must be. Rehearsals tell what a team would have concluded, beside what it
    cannot see: the same worlds wholly under either policy, with the same luck. Give the same policy twice to see how often
    the test finds an effect where there is none. Figures are per person of the market, over the whole test.

    \b
    Example:
      gaelp experiment short --policy silent --policy rule --set population.people=3000
    """
    settings: Settings = ctx.obj
    _check(ctx, policies, str(asked["design"]))
    library.when_compiling(lambda: say(settings, COMPILING))
    asked["block_hours"] = int(asked["block_hours"])
    report = schooling.rehearsed(scenario, sets, policies, asked, lambda step: say(settings, step))
    if settings.as_json:
        print_json(report)
        return
    print_rows(PLAN_COLUMNS, [_plan_cells(report["plan"])], format="table")
    click.echo()
    print_rows(COLUMNS, [_cells(row) for row in report["rehearsals"]], format="table")
    click.echo()
    click.echo(report["conclusion"])


def _check(ctx: click.Context, policies: tuple[str, ...], design: str) -> None:
    if len(policies) != 2:
        raise UsageError(f"--policy: given {len(policies)} times; give it twice: today's policy, then the new one")
    for name, designs in ONLY_FOR.items():
        if design not in designs and ctx.get_parameter_source(name) == ParameterSource.COMMANDLINE:
            raise UsageError(f"--{name.replace('_', '-')}: it is for --design {' or '.join(designs)}, and this is "
                             f"{design}; leave it out")


def _plan_cells(plan: dict[str, Any]) -> list[Any]:
    needed = "" if plan["needed"] is None else f"{plan['needed']:,.0f} {plan['needed_what']}"
    return [
        plan["people"], plan["days"], plan["units"], f"${plan['standard_error_usd']:.2f}", f"${plan['detectable_usd']:.2f}",
        f"${plan['effect_usd']:.2f}", f"{plan['power']:.0%}", needed,
    ]


def _cells(row: dict[str, Any]) -> list[Any]:
    def share(name: str) -> str:
        return "" if row[name] is None else f"{row[name]:.0%}"

    digits = 4 if row["outcome"] == "conversions" else 2
    told, true, bias, low, high = (
        f"{round(row[name], digits) + 0.0:.{digits}f}" for name in ("estimate", "truth", "bias", "bias_low", "bias_high")
    )
    return [row["outcome"], row["accounts"], told, true, bias, f"{low} to {high}", share("coverage"), share("found"),
            share("planned"), share("found_wrong")]
