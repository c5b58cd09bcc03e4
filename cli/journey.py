"""`gaelp journey`: one person's way to a purchase, touch by touch."""

from __future__ import annotations

from typing import Any

import click

from gaelp_sim.cli import library
from gaelp_sim.cli.command import GaelpCommand, Settings
from gaelp_sim.cli.output import print_json, print_rows, say
from gaelp_sim.cli.params import RunRef

ALWAYS = ("happened_at", "what", "advertiser", "channel")
WHERE_TOLD = (
    "signal", "creative", "device", "clicked", "bid_usd", "price_usd", "value_usd", "chance", "believed",
    "believed_fatigue",
)
"""Columns that are left out where nothing stands in them"""


@click.command(cls=GaelpCommand)
@click.argument("run", type=RunRef())
@click.argument("person", type=click.IntRange(0), metavar="PERSON")
@click.option("--world", type=click.IntRange(0), default=0, metavar="N", show_default=True, help="World of the person.")
@click.pass_obj
def journey(settings: Settings, /, run: str, person: int, *, world: int) -> None:
    """Print one person's journey, touch by touch.

    First who the person is, traits included that nobody can observe, and how each journey went. Then every moment: ads
    seen, ours and rivals'; auctions that we lost or stayed out of, with our bid, its chance under the policy, and what the
    policy believed of stage and wear-out; crises; the decision to buy, the payment, and when we heard of it. Touches have a
    column for each attribution model that `gaelp attribute` has kept, and for what they truly caused, as
    `gaelp incrementality RUN --by touch` finds out.

    \b
    Example:
      gaelp journey @last 42
    """
    story = library.person_story(settings.db_url, run, person=person, world=world)
    if settings.as_json:
        print_json(story)
        return
    for line in story_lines(story):
        click.echo(line)
    if not story["moments"]:
        say(settings, "nothing happened that would be stored: no ad, no visit, no crisis, no sale")
        return
    click.echo()
    columns, rows = story_table(story["moments"])
    print_rows(columns, rows, format="table")


def story_lines(story: dict[str, Any]) -> list[str]:
    """Who the person is, and a line for each journey."""
    state = story["state"]
    now = "" if state["segment_at_start"] in (None, state["segment"]) else f" (at first {state['segment_at_start']})"
    lines = [
        f"person {story['person']} of world {story['world']}, run {story['run_id']}: segment {state['segment']}{now}, "
        f"household {state['household_id']}",
        f"  at the end: stage {state['stage']}, status {state['status']}; goodwill for us {state['goodwill']}, for rivals "
        f"{state['rival_goodwill']}; fatigue with teaching {state['fatigue_teach']}, with offers {state['fatigue_offer']}"
        + ("; on our e-mail list" if state["on_list"] else ""),
    ]
    if state["attention"] is not None:
        lines.append(f"  hidden from us: attention {state['attention']:.2f}, price sensitivity "
                     f"{state['price_sensitivity']:.2f}, urgency {state['urgency']:.2f}")
    return lines + [_journey_line(one) for one in story["journeys"]]


def _journey_line(one: dict[str, Any]) -> str:
    end = f"{one['status']} {one['ended_at']}" if one["ended_at"] else str(one["status"])
    bought = f", bought from {one['converted_advertiser']}" if one["converted_advertiser"] else ""
    return (f"  journey {one['journey_index']}: from {one['started_at']}, {end}{bought}; {one['touches']} touches, "
            f"{one['our_touches']} of them ours, {one['our_clicks']} clicks on us, cost ${one['cost_usd']:,.2f}")


def story_table(moments: list[dict[str, Any]]) -> tuple[list[str], list[list[Any]]]:
    """Columns and rows of the moments: those in which something stands, and one for each model that gave credit."""
    moments = [one | {"believed": _believed(one)} for one in moments]
    told = [name for name in WHERE_TOLD if any(moment[name] is not None for moment in moments)]
    models = sorted({model for moment in moments for model in moment["credit"]})
    rows = [
        [*(moment[name] for name in (*ALWAYS, *told)), *(moment["credit"].get(model) for model in models)]
        for moment in moments
    ]
    return [*ALWAYS, *told, *models], rows


def _believed(moment: dict[str, Any]) -> str | None:
    """The stage that the policy thought most likely, and how likely."""
    stage = moment["believed_stage"]
    return None if stage is None else f"{stage} {moment['believed_stage_chance']:.2f}"
