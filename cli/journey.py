"""`gaelp journey`: one person's way to a purchase, touch by touch."""

from __future__ import annotations

import click

from gaelp_sim.cli import library
from gaelp_sim.cli.command import GaelpCommand, Settings
from gaelp_sim.cli.output import print_json, print_rows
from gaelp_sim.cli.params import RunRef
from gaelp_sim.errors import RunNotFoundError


@click.command(cls=GaelpCommand)
@click.argument("run", type=RunRef())
@click.argument("person", type=click.IntRange(0), metavar="PERSON")
@click.option("--world", type=click.IntRange(0), default=0, metavar="N", show_default=True, help="World of the person.")
@click.pass_obj
def journey(settings: Settings, /, run: str, person: int, *, world: int) -> None:
    """Print one person's journey, touch by touch.

    \b
    Example:
      gaelp journey @last 42
    """
    answer = library.touches_of(settings.db_url, run, person=person, world=world)
    if not answer.rows:
        raise RunNotFoundError(
            f"person {person} of world {world} has no touch in run {run}. "
            "Find people who have: gaelp query \"SELECT person_id, touches FROM journeys ORDER BY 2 DESC LIMIT 10\""
        )
    if settings.as_json:
        print_json([dict(zip(answer.columns, row, strict=True)) for row in answer.rows])
    else:
        print_rows(answer.columns, answer.rows, format="table")
