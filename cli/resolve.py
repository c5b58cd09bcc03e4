"""`gaelp resolve`: which devices are one user?"""

from __future__ import annotations

from typing import Any

import click

from gaelp_sim.cli import library, studies
from gaelp_sim.cli.command import GaelpCommand, Settings
from gaelp_sim.cli.output import print_json, print_rows, say
from gaelp_sim.cli.params import RunRef, crew_options

COLUMNS = (
    "resolution_id", "threshold", "world_id", "resolved_users", "people", "precision_pairs", "recall_pairs", "f1_pairs",
    "f05_pairs", "b_cubed_precision", "b_cubed_recall", "largest", "over_merges", "under_merges",
)
EFFECT_COLUMNS = (
    "identity", "users_reached", "impressions_per_user", "sales_without_touch", "cac_touched_usd", "path_length",
    "last_error", "linear_error",
)
CALIBRATION_COLUMNS = ("probability_from", "pairs", "said", "true_share")


@click.command(cls=GaelpCommand)
@click.argument("run", type=RunRef(), default="@last")
@click.option(
    "--set", "sets", multiple=True, metavar="KEY=VALUE",
    help="What can be observed: identity.observed.KEY=VALUE, such as identity.observed.addresses=0; may be repeated.",
)
@click.option(
    "--parameters", type=click.Choice(["em", "logins", "default"]), default="em", show_default=True,
    help="How comparisons are weighed: fitted without labels, with devices that log-ins joined, or the shipped ones.",
)
@click.option(
    "--threshold", "thresholds", multiple=True, type=click.FloatRange(0, 1), default=(0.3, 0.5, 0.7, 0.9),
    show_default=True, metavar="P",
    help="Least probability at which two devices are joined; each is a resolution of its own.",
)
@crew_options
@click.pass_obj
def resolve(settings: Settings, /, run: str, sets: tuple[str, ...], parameters: str, **told: Any) -> None:
    """Link a stored run's devices into users again.

    By what an advertiser could have observed since it met them: addresses, places, hours, log-ins. The run stays as it is;
    each threshold is a new resolution, graded against the truth beside the run's own (resolution 0: devices, joined on
    log-in), with what its errors do to users, CAC and credit.
    Views: resolutions, resolved_aliases, possible_aliases, identity_quality, identity_calibration.

    \b
    Example:
      gaelp resolve @last --set identity.observed.addresses=0
    """
    asked = studies.Resolving(sets, parameters, told["thresholds"], library.crew_of(told["workers"], told["ray"]))
    found = studies.resolved(settings.db_url, run, asked)
    if settings.as_json:
        print_json(found)
        return
    tables = ((COLUMNS, "quality"), (CALIBRATION_COLUMNS, "calibration"), (EFFECT_COLUMNS, "effects"))
    for place, (columns, part) in enumerate(tables):
        if place:
            click.echo()
        print_rows(columns, [[row[name] for name in columns] for row in found[part]], format="table")
    say(settings, f"comparisons weighed by {found['parameters']}")
