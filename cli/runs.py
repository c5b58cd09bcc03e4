"""`gaelp runs`: what is in the store."""

from __future__ import annotations

import click

from gaelp_sim.cli import library
from gaelp_sim.cli.command import GaelpGroup, Settings
from gaelp_sim.cli.output import print_fields, print_json, print_records, print_rows, say
from gaelp_sim.cli.params import RunRef
from gaelp_sim.errors import UsageError

LIST_COLUMNS = (
    "run_id", "label", "scenario", "status", "seed", "worlds", "people", "days", "spend_usd", "cac_usd", "created_at",
)
PROVENANCE = (
    "overrides", "scenario_hash", "engine_version", "python_version", "numpy_version", "numba_version", "cpu_features",
)
"""Told by `compare` only where the runs differ in it."""


@click.group(cls=GaelpGroup)
def runs() -> None:
    """List, show, compare and delete stored runs.

    \b
    Example:
      gaelp runs list
    """


@runs.command("list")
@click.pass_obj
def list_runs(settings: Settings, /) -> None:
    """List the stored runs, the newest last.

    \b
    Example:
      gaelp runs list --json
    """
    records = library.run_records(settings.db_url)
    print_records(records, settings, columns=LIST_COLUMNS)
    if not records:
        say(settings, "no run is stored here yet; start with: gaelp run quickstart")


@runs.command("show")
@click.argument("run", type=RunRef(), default="@last")
@click.option("--scenario", "with_scenario", is_flag=True, help="Print the full scenario that the run used instead.")
@click.pass_obj
def show_run(settings: Settings, /, run: str, *, with_scenario: bool) -> None:
    """Show one run: settings, state, figures, versions.

    \b
    Example:
      gaelp runs show @last
    """
    if with_scenario:
        click.echo(library.stored_scenario_text(settings.db_url, run))
    else:
        print_fields(library.run_record(settings.db_url, run), settings)


@runs.command("compare")
@click.argument("runs", nargs=-1, required=True, type=RunRef())
@click.pass_obj
def compare_runs(settings: Settings, /, runs: tuple[str, ...]) -> None:
    """Put the figures of several runs side by side.

    \b
    Example:
      gaelp runs compare 7f3a @last
    """
    records = [library.run_record(settings.db_url, ref) for ref in runs]
    if settings.as_json:
        print_json(records)
        return
    names = dict.fromkeys(name for record in records for name in record if name != "run_id")
    rows = [[name, *(record.get(name) for record in records)] for name in names]
    told = [row for row in rows if row[0] not in PROVENANCE or any(value != row[1] for value in row[2:])]
    print_rows(["figure", *(str(record["run_id"]) for record in records)], told, format="table")


@runs.command("delete")
@click.argument("run", type=RunRef())
@click.option("--yes", is_flag=True, help="Don't ask first.")
@click.pass_obj
def delete_run(settings: Settings, /, run: str, *, yes: bool) -> None:
    """Delete a run and all its rows.

    A run that others continue can't be deleted before them.

    \b
    Example:
      gaelp runs delete 7f3a --yes
    """
    record = library.run_record(settings.db_url, run)
    run_id = str(record["run_id"])
    if not yes and not _confirmed(run_id, f"Delete run {run_id} ({record['scenario']}) and all its rows?"):
        raise UsageError("nothing was deleted")
    library.deleted(settings.db_url, run_id)
    print_fields({"deleted": run_id}, settings)


def _confirmed(run_id: str, question: str) -> bool:
    """What the user answers; raises UsageError where nobody is there to answer."""
    try:
        return click.confirm(question, err=True)
    except click.Abort as abort:
        if not isinstance(abort.__context__, EOFError):
            raise
        click.echo("", err=True)  # the question has no end of line
        raise UsageError(f"nothing was deleted; next: gaelp runs delete {run_id} --yes, which does not ask") from None
