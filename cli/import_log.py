"""`gaelp import`: a log of real ads as a stored run."""

from __future__ import annotations

from pathlib import Path

import click

from gaelp_sim.cli import studies
from gaelp_sim.cli.command import GaelpCommand, Settings
from gaelp_sim.cli.output import print_json, print_records, say
from gaelp_sim.cli.progress import sharing

FIGURES = ("rows", "users", "days", "clicks", "conversions", "spend_usd", "revenue_usd", "decisions", "rows_skipped")


@click.command(cls=GaelpCommand, name="import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--mapping", required=True, metavar="M",
    help="What its columns mean: criteo_attribution, open_bandit, paths, or a YAML file.",
)
@click.option("--label", default="", metavar="TEXT", help="A name for the run, shown in runs list.  [default: none]")
@click.pass_obj
def import_log(settings: Settings, /, file: Path, mapping: str, label: str) -> None:
    """Put a log of real ads into the store as a run.

    Each row of the log is an ad shown, or a click; rows of one user become journeys, sales and paths as a simulated run
    has them, so that query, journey, attribute, delays and export work on it. What the log does not tell (rivals, stages,
    people's truth) is none, and what needs a world (resume, replay, incrementality) is refused. Bad rows are skipped and
    counted; a bad file is refused, and the store stays as it was. Needs the extra [logs].

    \b
    Example:
      gaelp import criteo_attribution_dataset.tsv.gz --mapping criteo_attribution
    """
    with sharing(settings, f"reading {file.name}"):
        found = studies.imported(settings.db_url, file, mapping, label)
    if settings.as_json:
        print_json(found)
        return
    print_records([{name: found[name] for name in ("run_id", *FIGURES)}], settings, columns=("run_id", *FIGURES))
    for reason, told in found["skipped"].items():
        say(settings, f"skipped {told['rows']:,} rows: {reason} (first in line {told['line']:,})")
