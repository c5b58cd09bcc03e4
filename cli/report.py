"""`gaelp report`: one page to look at."""

from __future__ import annotations

from pathlib import Path

import click

from gaelp_sim.cli import library, reporting
from gaelp_sim.cli.command import GaelpCommand, Settings
from gaelp_sim.cli.output import print_fields, print_json, say
from gaelp_sim.cli.params import RunRef
from gaelp_sim.cli.progress import sharing
from gaelp_sim.cli.run import COMPILING


@click.command(cls=GaelpCommand)
@click.argument("runs", nargs=-1, required=True, type=RunRef(), metavar="RUN [RUN2...]")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Where to write it.  [default: report-RUN.html]")
@click.option("--economy", is_flag=True, help="Work out the scenario's economy, too: for the flagship, ten seconds more.")
@click.pass_obj
def report(settings: Settings, /, runs: tuple[str, ...], *, out: Path | None, economy: bool) -> None:
    """Write a run, or several side by side, as one HTML page.

    The page needs no network and no script: profit, costs per customer, pacing, channels, journeys, rivals, delays, realism
    and how to make the run again, each with the SQL that gives its numbers. Credit and what channels truly caused stand in
    it once `gaelp attribute RUN --model all` and `gaelp incrementality RUN --by channel` have worked them out. Several runs
    are set beside the first one; where they are lives of the same people, differences are paired, with 95 % intervals.

    \b
    Example:
      gaelp report @last --out report.html
    """
    if economy:
        library.when_compiling(lambda: say(settings, COMPILING))
        with sharing(settings, "working out the economy") as on_share:
            told = reporting.written(settings.db_url, runs, out, on_share)
    else:
        told = reporting.written(settings.db_url, runs, out)
    if settings.as_json:
        print_json(told)
    else:
        print_fields({"file": told["file"], "runs": ", ".join(told["runs"])}, settings)
        say(settings, f"open {told['file']} in a browser; it needs no network")
