"""The table of commands: name, where it lives, one line of help."""

from __future__ import annotations

import click

from gaelp_sim import __version__
from gaelp_sim.cli.command import Lazy, LazyGroup

COMPLETION_VARIABLE = "_GAELP_COMPLETE"
COMMANDS = {
    "run": Lazy("gaelp_sim.cli.run:run", "Simulate a scenario; every touch lands in SQL."),
    "resume": Lazy("gaelp_sim.cli.run:resume", "Finish an interrupted run."),
    "query": Lazy("gaelp_sim.cli.query:query", "Ask the stored journeys anything, read-only SQL."),
    "replay": Lazy("gaelp_sim.cli.replay:replay", "Live a stored run again: same luck, another policy."),
    "report": Lazy("gaelp_sim.cli.report:report", "Write a run, or several side by side, as one HTML page."),
    "watch": Lazy("gaelp_sim.cli.watch:watch", "Follow a run while it goes on, from any terminal."),
    "journey": Lazy("gaelp_sim.cli.journey:journey", "Print one person's journey, touch by touch."),
    "attribute": Lazy("gaelp_sim.cli.attribute:attribute", "Credit a run's sales to touches, channels and campaigns."),
    "incrementality": Lazy(
        "gaelp_sim.cli.incrementality:incrementality", "Measure what our ads truly caused, by withholding them."
    ),
    "delays": Lazy("gaelp_sim.cli.delays:delays", "Correct conversion rates for sales still to come."),
    "resolve": Lazy("gaelp_sim.cli.resolve:resolve", "Link a stored run's devices into users again."),
    "export": Lazy("gaelp_sim.cli.export:export", "Write a run's views, or a form for other tools, as files."),
    "calibrate": Lazy("gaelp_sim.cli.calibrate:calibrate", "Fit parts of a scenario to a log, or an ad account."),
    "import": Lazy("gaelp_sim.cli.import_log:import_log", "Put a log of real ads into the store as a run."),
    "backtest": Lazy("gaelp_sim.cli.backtest:backtest", "Predict an account's later weeks from its early ones."),
    "sweep": Lazy("gaelp_sim.cli.sweep:sweep", "Run many settings with the same luck, and compare."),
    "train": Lazy("gaelp_sim.cli.train:train", "Train a bidding policy in simulated worlds."),
    "evaluate": Lazy("gaelp_sim.cli.evaluate:evaluate", "Grade policies beside tuned baselines and the best possible."),
    "experiment": Lazy(
        "gaelp_sim.cli.experiment:experiment", "Plan a test of a policy, and rehearse it beside the truth."
    ),
    "act": Lazy("gaelp_sim.cli.act:act", "Decide for rows of real observations, with propensities."),
    "ope": Lazy("gaelp_sim.cli.ope:ope", "Judge policies from logged rows alone, as with real logs."),
    "checkpoints": Lazy("gaelp_sim.cli.checkpoints:checkpoints", "List, show and verify learned policies."),
    "runs": Lazy("gaelp_sim.cli.runs:runs", "List, show, compare and delete stored runs."),
    "rivals": Lazy("gaelp_sim.cli.rivals:rivals", "Show and export what rivals have learned."),
    "scenarios": Lazy("gaelp_sim.cli.scenarios:scenarios", "List, show, check and start scenario files."),
    "verify": Lazy("gaelp_sim.cli.verify:verify", "Check a run, the market and pacing against what is known."),
    "db": Lazy("gaelp_sim.cli.db:db", "Upgrade, inspect and verify the store."),
    "doctor": Lazy("gaelp_sim.cli.doctor:doctor", "Check that this machine has what the program needs."),
    "completion": Lazy("gaelp_sim.cli.completion:completion", "Print the completion script of a shell."),
}


@click.command(
    cls=LazyGroup,
    lazy=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Runs answer to a short unique prefix of their id, or to @last. Example:  gaelp run quickstart",
)
@click.version_option(__version__, message="gaelp-sim %(version)s")
def gaelp() -> None:
    """A flight simulator for ad bidding."""
