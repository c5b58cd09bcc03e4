"""`gaelp rivals`: what a run's rivals have learned, to look at and to take along."""

from __future__ import annotations

from pathlib import Path

import click

from gaelp_sim.cli import library
from gaelp_sim.cli.command import GaelpGroup, Settings
from gaelp_sim.cli.output import print_json, print_records, say
from gaelp_sim.cli.params import RunRef
from gaelp_sim.errors import UsageError

SHOWN = (
    "world_id", "advertiser", "strategy", "learns", "value", "bid_multiple", "pace", "aggression", "usual_loss",
    "click_value",
)


@click.group(cls=GaelpGroup)
def rivals() -> None:
    """Show and export what rivals have learned.

    \b
    Example:
      gaelp rivals show @last
    """


@rivals.command("show")
@click.argument("run", type=RunRef(), default="@last")
@click.pass_obj
def show(settings: Settings, /, run: str) -> None:
    """Show how each rival stood at a run's last day.

    The whole course is in the view rivals_daily.

    \b
    Example:
      gaelp rivals show @last
    """
    print_records(library.rivals_at_end(settings.db_url, run), settings, columns=SHOWN)


@rivals.command("export")
@click.argument("run", type=RunRef(), default="@last")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.pass_obj
def export(settings: Settings, /, run: str, file: Path | None) -> None:
    """Write a finished run's rivals as JSON.

    To FILE, or to stdout without one. Other runs meet them with --rivals-from FILE, or straight with --rivals-from RUN.

    \b
    Example:
      gaelp rivals export @last rivals.json
    """
    told = library.exported_rivals(settings.db_url, run)
    if file is None:
        print_json(told)
        return
    if file.exists():
        raise UsageError(f"{file}: it exists already; name another file, or remove it first")
    try:
        file.write_text(library.as_json_text(told))
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror or error}; name a file in a folder that exists") from error
    say(settings, f"wrote {file}; next: gaelp run SCENARIO --rivals-from {file}")
