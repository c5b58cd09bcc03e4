"""`gaelp replay`: the stored world again, with the same luck."""

from __future__ import annotations

from typing import Any

import click

from gaelp_sim.cli import library, replaying
from gaelp_sim.cli.command import GaelpCommand, Settings
from gaelp_sim.cli.output import print_json, print_records, say
from gaelp_sim.cli.params import RunRef, crew_options
from gaelp_sim.cli.progress import watching
from gaelp_sim.cli.run import COMPILING

COLUMNS = ("figure", "stored", "replayed", "difference", "low", "high")
BY_COLUMNS = ("group", *COLUMNS)


@click.command(cls=GaelpCommand)
@click.argument("run", type=RunRef())
@click.option(
    "--policy", "policies", multiple=True, required=True, metavar="P",
    help="How we bid, as in gaelp run; logged: the run's own policy. May be repeated.",
)
@click.option("--set", "sets", multiple=True, metavar="K=V", help="Change a key of the run's scenario; may be repeated.")
@click.option(
    "--without-rival-reaction", is_flag=True,
    help="Rivals bid, hour by hour, by what they had learned in the stored run; their budgets still run out as they come.",
)
@click.option("--worlds", type=click.IntRange(1, 10_000), metavar="N", help="Only the first N worlds.  [default: all]")
@crew_options
@click.option("--incremental", is_flag=True, help="Also simulate the world without our ads: the third CAC.")
@click.pass_obj
@click.pass_context
def replay(
    ctx: click.Context, settings: Settings, /, run: str, policies: tuple[str, ...], **asked: Any
) -> None:
    """Live a stored run again: same luck, another policy.

    The same people meet the same moments, so what differs is what the policy, or the setting, brought about. Each replay is
    stored as a child of the run; people for whom things came out otherwise stand in the view replay_diff. Differences have
    95 % intervals over households, or over worlds where there are ten or more. With --policy logged and nothing changed the
    replay must give the stored rows back: it compares the row hashes, and ends with exit code 1 where they differ.

    \b
    Example:
      gaelp replay @last --policy one_step_lift
    """
    library.when_compiling(lambda: say(settings, COMPILING))
    told = []
    for policy in policies:
        with watching(settings, watch=False) as on_progress:
            told.append(replaying.replayed(settings.db_url, run, policy, asked, on_progress))
        run = told[-1]["run_id"]  # @last is the replay by now
        if not settings.as_json:
            _print(settings, told[-1])
    if settings.as_json:
        print_json(told if len(told) > 1 else told[0])
    if any(one["equal"] is False for one in told):
        say(settings, "the replay differs from the stored run")
        ctx.exit(1)


def _print(settings: Settings, told: library.Record) -> None:
    click.echo(f"{told['run_id']} replayed as {told['replay_id']}, policy {told['policy']}")
    print_records(told["figures"], settings, columns=COLUMNS)
    for part in ("channels", "segments"):
        click.echo()
        print_records(told[part], settings, columns=BY_COLUMNS)
    for line in told["remarks"]:
        say(settings, line)
