"""`gaelp train`: a policy learned in simulated worlds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gaelp_sim.cli import library, schooling
from gaelp_sim.cli.command import GaelpCommand, Settings
from gaelp_sim.cli.output import print_json, say
from gaelp_sim.cli.params import RunRef, ScenarioRef, crew_options
from gaelp_sim.cli.progress import epochs_passing
from gaelp_sim.cli.run import COMPILING

SHARE = click.FloatRange(0, 1)
FACTOR = click.FloatRange(0.1, 100)


@click.command(cls=GaelpCommand)
@click.argument("scenario", type=ScenarioRef())
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), required=True, metavar="FOLDER",
    help="Where checkpoints (best, last) and epochs.jsonl go; training found there goes on.",
)
@click.option(
    "--algo", type=click.Choice(["ppo", "clone", "cql"]), default="ppo", show_default=True,
    help="Learn in worlds (ppo), or from a stored run alone: copy its policy (clone), or conservative Q-learning (cql).",
)
@click.option("--from", "source", type=RunRef(), metavar="RUN", help="The stored run that clone and cql learn from.")
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
    "--believed-share", type=SHARE, default=0.5, show_default=True, metavar="SHARE",
    help="Epochs of expected gains as an observer may believe them, as a share of all.",
)
@click.option(
    "--taught-share", type=SHARE, default=0.9, show_default=True, metavar="SHARE",
    help="Epochs by whose end true expected gains have been followed; then PPO goes on with what truly comes.",
)
@click.option(
    "--reward", type=click.Choice(["profit", "document", "document_signed"]), default="profit", show_default=True,
    help="What PPO is paid: profit, or the design document's rule.",
)
@click.option(
    "--crisis-factor", type=FACTOR, default=1.0, show_default=True, metavar="X",
    help="Learn from crisis parents so much more often, at a weight of one over it.",
)
@click.option(
    "--crisis-value", type=FACTOR, default=1.0, show_default=True, metavar="X",
    help="Let their decisions count so much more, on purpose.",
)
@click.option(
    "--randomise", type=click.FloatRange(1.0, 3.0), default=1.0, show_default=True, metavar="X",
    help="Let each epoch's click rates, prices, sales and decay be off by factors up to this.",
)
@click.option("--curriculum", is_flag=True, help="Begin with easy rivals, go on as levels are passed.")
@click.option(
    "--rehearsals", type=click.IntRange(0, 1_000), default=0, show_default=True, metavar="N",
    help="Batches of 256 past journeys an epoch for the auxiliary head, by priority.",
)
@click.option(
    "--retraces", type=click.IntRange(0, 1_000), default=0, show_default=True, metavar="N",
    help="Batches of past journeys that an epoch of PPO learns from, by V-trace.",
)
@crew_options
@click.option("--wandb-offline", is_flag=True, help="Also keep a Weights & Biases run in the folder, offline.")
@click.pass_obj
def train(settings: Settings, /, scenario: str, out: Path, sets: tuple[str, ...], **asked: Any) -> None:
    """Train a bidding policy in simulated worlds.

    A network with a memory of each user's journey learns in worlds of its own; other worlds, of which nothing is learned,
    say every ten epochs how good it is. While it is taught it follows what each action would gain on average, which only a
    simulator knows; acting, it sees what an advertiser sees. Interrupted training goes on with the same command. Use the
    result as --policy checkpoint:FOLDER/best. Needs the extra [learn]; the learning curve's picture, [track].

    With --algo clone or cql nothing is simulated: a finished run with log: all is all there is, SCENARIO only says what its
    actions mean, and of the options --epochs, --budget-minutes and --seed count. cql needs the extra [offline].

    \b
    Example:
      gaelp train parental_controls --out ppo --epochs 60 --budget-minutes 60
    """
    algo, source = asked.pop("algo"), asked.pop("source")
    if (algo == "ppo") != (source is None):
        raise click.UsageError(f"--algo {algo} {'learns in worlds: leave out --from' if source else 'needs --from RUN'}")
    if source is not None:
        told = schooling.learned_from((settings.db_url, source), (scenario, sets), (algo, out), asked, lambda one: say(
            settings, "  ".join(f"{name} {value:.5g}" for name, value in one.items())))
        print_json(told) if settings.as_json else say(
            settings, f"the policy is in {out}/best; next: gaelp evaluate checkpoint:{out}/best {scenario}")
        return
    library.when_compiling(lambda: say(settings, COMPILING))
    with epochs_passing(settings, asked["epochs"], schooling.epoch_line) as on_epoch:
        told = schooling.trained(scenario, sets, out, asked, on_epoch)
    if settings.as_json:
        print_json(told)
    else:
        say(settings, f"learning curve: {told['picture']}")
        say(settings, f"best and last policies are in {out}; next: gaelp evaluate checkpoint:{out}/best {scenario}")
