"""`gaelp export`: a run as files."""

from __future__ import annotations

from pathlib import Path

import click

from gaelp_sim.cli import studies
from gaelp_sim.cli.command import GaelpCommand, Settings
from gaelp_sim.cli.output import print_records, say, say_more
from gaelp_sim.cli.params import RunRef


@click.command(cls=GaelpCommand)
@click.argument("run", type=RunRef(), default="@last")
@click.option(
    "--to", required=True,
    type=click.Choice(["csv", "ndjson", "parquet", "auctionnet", "paths", "mmm", "mdp", "obp", "scope_rl"]),
    help="csv, ndjson, parquet: views; auctionnet: bid log; paths: for ChannelAttribution; mmm: geo by week; "
         "mdp, obp, scope_rl: arrays for d3rlpy, OBP, SCOPE-RL.",
)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), metavar="FOLDER", required=True,
              help="Folder to write; it appears when all is written.")
@click.option("--view", "views", multiple=True, metavar="VIEW", help="View to write; may be repeated.  [default: all]")
@click.option("--reward", type=click.Choice(["profit", "click"]),
              help="What mdp, obp and scope_rl pay: sales less charges, in the run's currency, or 1 a click.  "
                   "[default: profit]")
@click.option("--force", is_flag=True, help="Let an existing folder give way.")
@click.pass_obj
def export(
    settings: Settings, /, run: str, to: str, out: Path, views: tuple[str, ...], reward: str | None, force: bool
) -> None:
    """Write a run's views, or a form for other tools, as files.

    Beside the files stands manifest.json: the run, and for each file its columns with their meanings, its rows and SHA-256.
    Parquet needs the extra [logs]. Arrays are an .npz without pickle; docs/export.md shows how each tool loads them.

    \b
    Example:
      gaelp export @last --to csv --view journeys --view touchpoints --out exported
    """
    asked = studies.Exporting(to, out, views, force, reward or "")
    files = studies.exported(settings.db_url, run, asked, lambda name, rows: say_more(settings, f"{name}: {rows:,} rows"))
    print_records(files, settings, columns=("file", "rows", "sha256"))
    say(settings, f"wrote {out}, described in {out / 'manifest.json'}")
