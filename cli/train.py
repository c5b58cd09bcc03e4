"""`gaelp train`: a policy learned in simulated worlds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gaelp_sim.cli import library, schooling
from gaelp_sim.cli.command import GaelpCommand, Settings
from gaelp_sim.cli.output import print_json, say
from gaelp_sim.cli.params import ScenarioRef
from gaelp_sim.cli.run import COMPILING


@click.command(cls=GaelpCommand)
@click.argument("scenario", type=ScenarioRef())
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), required=True, metavar="FOLDER",
    help="Where checkpoints (last, best) and epochs.jsonl go; training found there goes on.",
)
@click.option("--set", "sets", multiple=True, metavar="K=V", help="Change a key of the scenario first; may be repeated.")
@click.option("--epochs", type=click.IntRange(1, 100_000), default=1_000, show_default=True, metavar="N", help="Epochs.")
@click.option(
    "--budget-minutes", type=click.FloatRange(min=0, min_open=True), metavar="MINUTES",
    help="Begin no epoch after so long.  [default: none]",
)
@click.option(
    "--worlds", type=click.IntRange(1, 10_000), default=100, show_default=True, metavar="N", help="Worlds an epoch."
)
@click.option(
    "--people", type=click.IntRange(10, 1_000_000), default=1_000, show_default=True, metavar="N",
    help="People in each; budgets are in proportion.",
)
@click.option("--seed", type=click.IntRange(0, 9_999), default=1, show_default=True, metavar="N", help="Seed of training.")
@click.option(
    "--taught-share", type=click.FloatRange(0, 1), default=0.8, show_default=True, metavar="SHARE",
    help="Share of epochs in which expected gains are followed; then PPO goes on with what truly comes.",
)
@click.pass_obj
def train(settings: Settings, /, scenario: str, out: Path, sets: tuple[str, ...], **asked: Any) -> None:
    """Train a bidding policy in simulated worlds.

    A network with a memory of each user's journey learns in worlds of its own; other worlds, of which nothing is learned,
    say every ten epochs how good it is. While it is taught it follows what each action would gain on average, which only a
    simulator knows; acting, it sees what an advertiser sees. Interrupted training goes on with the same command. Use the
    result as --policy checkpoint:FOLDER/best. Needs the extra [learn].

    \b
    Example:
      gaelp train parental_controls --out ppo --epochs 60 --budget-minutes 60
    """
    library.when_compiling(lambda: say(settings, COMPILING))
    told = schooling.trained(scenario, sets, out, asked, lambda epoch: say(settings, schooling.epoch_line(epoch)))
    if settings.as_json:
        print_json(told)
    else:
        say(settings, f"best and last policies are in {out}; next: gaelp evaluate checkpoint:{out}/best {scenario}")
