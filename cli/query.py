"""`gaelp query`: read-only SQL on the named views."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from gaelp_sim.cli import library
from gaelp_sim.cli.command import GaelpCommand, Settings
from gaelp_sim.cli.output import FORMATS, print_records, print_rows, say, say_more
from gaelp_sim.cli.params import Duration, RunRef
from gaelp_sim.errors import UsageError


@dataclass(frozen=True)
class QueryOptions:
    """What `gaelp query` was asked for."""

    sql: str | None
    file: Path | None
    list_queries: bool
    list_views: bool
    run_ref: str | None
    all_runs: bool
    format: str | None
    limit: int
    timeout_s: float
    parameters: Sequence[str]
    as_of: str | None


@click.command(cls=GaelpCommand)
@click.argument("sql", required=False)
@click.option(
    "-f", "--file", type=click.Path(exists=True, dir_okay=False, path_type=Path, allow_dash=True), metavar="FILE",
    help="Read the SQL from a file; - is stdin.",
)
@click.option("--list", "list_queries", is_flag=True, help="List the worked queries; ask one by its name.")
@click.option("--views", "list_views", is_flag=True, help="List the views, with each column and its meaning.")
@click.option("--run", "run_ref", type=RunRef(), metavar="RUN", help="Run to ask.  [default: @last]")
@click.option("--all", "all_runs", is_flag=True, help="Ask all runs at once.")
@click.option("--format", type=click.Choice(FORMATS), help="How to print.  [default: table]")
@click.option(
    "--limit", type=click.IntRange(1, 10_000_000), default=1000, metavar="ROWS", show_default=True,
    help="Most rows to print.",
)
@click.option(
    "--timeout", "timeout_s", type=Duration(), default="10s", metavar="TIME", show_default=True,
    help="Longest time the query may take (10s, 500ms, 2m).",
)
@click.option(
    "-p", "parameters", multiple=True, metavar="K=V", help="Value for :k in the SQL; may be repeated."
)
@click.option(
    "--as-of", metavar="TIME", help="Let every view stand as it stood at an ISO date or time, UTC.  [default: all is known]"
)
@click.pass_obj
def query(settings: Settings, /, **given: Any) -> None:
    """Ask the stored journeys anything, read-only SQL.

    SQL is a SELECT on the views (journeys, touchpoints, conversions, decisions, ...), or the name of a worked query.

    \b
    Example:
      gaelp query "SELECT stage, COUNT(*) FROM journeys GROUP BY 1"
    """
    options = QueryOptions(**given)
    if options.list_queries:
        print_records(library.named_query_records(), settings, columns=("name", "question", "parameters"))
        return
    if options.list_views:
        print_records(library.view_records(), settings, columns=("view", "column", "meaning"))
        return
    sql = _sql(options)
    answer = library.answered(settings.db_url, sql, _asked(options, sql))
    chosen = options.format or ("json" if settings.as_json else "table")
    print_rows(answer.columns, answer.rows, format=chosen)
    if not options.all_runs and not any(value for row in answer.rows for value in row):
        _say_unfinished(settings, options.run_ref or "@last")
    say_more(settings, f"{len(answer.rows):,} rows in {answer.seconds:.3f} s")
    if answer.more:
        say(settings, f"more rows: only the first {options.limit:,} are shown; raise --limit to see them")


def _say_unfinished(settings: Settings, run_ref: str) -> None:
    """Why there may be nothing to see: a run's people come last."""
    run = library.run_record(settings.db_url, run_ref)
    if run["status"] != "FINISHED":
        way = "watch" if run["status"] == "RUNNING" else "resume"
        say(settings, f"run {run['run_id']} is {run['status']}: people, aliases and journeys are stored with its last day; "
                      f"next: gaelp {way} {run['run_id']}")


def _asked(options: QueryOptions, sql: str) -> library.Asked:
    if options.all_runs and options.run_ref is not None:
        raise UsageError("--run and --all don't go together: name one run, or ask all.")
    # A worked query with :as_of takes it as well: what it says of times then agrees with the views.
    takes = "as_of" in library.parameters_of(sql) and options.as_of is not None
    as_of = [f"as_of={options.as_of}"] if takes else []
    return library.Asked(
        run_ref=options.run_ref or "@last",
        all_runs=options.all_runs,
        parameters=(*options.parameters, *as_of),
        limit=options.limit,
        timeout_s=options.timeout_s,
        as_of=options.as_of,
    )


def _sql(options: QueryOptions) -> str:
    if (options.sql is None) == (options.file is None):
        raise UsageError("give one of: SQL, the name of a worked query (gaelp query --list), or -f FILE.")
    if options.file is not None:
        with click.open_file(str(options.file), encoding="utf-8") as file:
            return str(file.read())
    return str(options.sql)
