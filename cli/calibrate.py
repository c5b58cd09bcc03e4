"""`gaelp calibrate`: scenario parts from a log."""

from __future__ import annotations

from pathlib import Path

import click

from gaelp_sim.cli import studies
from gaelp_sim.cli.command import GaelpCommand, Settings
from gaelp_sim.cli.output import print_json, say
from gaelp_sim.cli.progress import sharing
from gaelp_sim.errors import UsageError


@click.command(cls=GaelpCommand)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--format", "form", required=True, type=click.Choice(["criteo_attribution", "criteo_search", "open_bandit"]),
    help="How the log is written: the published schema.",
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write the YAML there.")
@click.pass_obj
def calibrate(settings: Settings, /, file: Path, form: str, out: Path | None) -> None:
    """Fit parts of a scenario to a public log.

    Curves of the day and week, delays from click to sale, and, in comments, click rates, prices and rates of sale, each
    with its 95 % interval. Bad rows are skipped and counted. Plain or gzipped; reading needs the extra [logs].

    \b
    Example:
      gaelp calibrate criteo_attribution_dataset.tsv.gz --format criteo_attribution
    """
    if out is not None and out.exists():
        raise UsageError(f"{out}: it exists already; name another file, or remove it first")
    with sharing(settings, f"reading {file.name}"):
        found = studies.calibrated(file, form)
    if settings.as_json:
        print_json(found)
        return
    if out is None:
        click.echo(found["fragment"], nl=False)
    else:
        try:
            out.write_text(found["fragment"], encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{out}: {error.strerror or error}; name a file in a folder that exists") from None
        say(settings, f"wrote {out}")
    for reason, told in found["skipped"].items():
        say(settings, f"skipped {told['rows']:,} rows: {reason} (first in line {told['line']:,})")
