"""A handful of real journeys, told touch by touch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from markupsafe import Markup

from gaelp_sim.report import page
from gaelp_sim.report.facts import Facts
from gaelp_sim.report.words import moment, plural, spoken, usd
from gaelp_sim.store.answers import Answer, Row

TITLES = {
    "1 long": "A long way to a sale",
    "2 quick": "A quick sale",
    "3 rival": "One that a rival won",
    "4 lost": "One that came to nothing",
}
STEPS_MOST = 16
"""Steps told of one journey"""


class Step(NamedTuple):
    """One moment in words, and whether the story needs it."""

    text: str
    matters: bool


LOST = ("LOST", "NOT_ENTERED", "DROPPED_BUDGET")


def stories(facts: Facts) -> Markup:
    """Some people's journeys."""
    if not facts.stories:
        return page.section(
            "stories", "Journeys, touch by touch", page.say("Nobody met us often enough to tell a story of.")
        )
    told = (_story(facts, row, moments) for row, moments in facts.stories)
    return page.section(
        "stories",
        "Journeys, touch by touch",
        page.say(
            "Real people of this run. Where a touch is a rival's, or an auction was lost, we saw less than is told here."
        ),
        page.pair(*told),
        page.asked_again(facts.run.run_id, facts.answers["report_stories"], *(moments for _, moments in facts.stories)),
    )


def _story(facts: Facts, row: Row, moments: Answer) -> Markup:
    items = Markup("").join(Markup("<li>{}</li>").format(step) for step in kept(list(told(moments.rows))))
    world = f" --world {row['world_id']}" if row["world_id"] else ""
    return Markup('<div class="card"><h3>{}: person {}</h3><ol class="story">{}</ol><p class="muted">{}</p></div>').format(
        TITLES.get(row["story"], spoken(row["story"])),
        row["person_id"],
        items,
        f"In full: gaelp journey {facts.run.run_id} {row['person_id']}{world}",
    )


def kept(steps: Sequence[Step]) -> list[str]:
    """At most STEPS_MOST of them, what matters first, in their order; how many were left out stands in their place."""
    ranked = sorted(range(len(steps)), key=lambda at: (not steps[at].matters, at))
    chosen, lines, left = set(ranked[:STEPS_MOST]), [], 0
    for at, step in enumerate(steps):
        if at in chosen:
            if left:
                lines.append(f"({plural(left, 'moment')} left out)")
            lines.append(step.text)
        left = 0 if at in chosen else left + 1
    return [*lines, f"({plural(left, 'moment')} left out)"] if left else lines


def told(rows: Sequence[Row]) -> Iterator[Step]:
    """The moments in words; a lost auction and the ad of whoever won it are one moment."""
    lost: Row | None = None
    for row in rows:
        if row["what"] in LOST:
            if lost is not None:
                yield _step(lost, _auction(lost, None))
            lost = row
            continue
        beaten = lost is not None and row["happened_s"] == lost["happened_s"] and row["ours"] == 0
        if lost is not None:
            yield _step(lost, _auction(lost, row["advertiser"] if beaten else None))
        if not beaten:
            yield _step(row, sentence(row))
        lost = None
    if lost is not None:
        yield _step(lost, _auction(lost, None))


def _step(row: Row, text: str) -> Step:
    matters = row["what"] not in LOST and (row["what"] not in ("IMPRESSION", "VISIT") or bool(row["clicked"]))
    return Step(f"{moment(row['happened_s'])}: {text}", matters)


def _where(row: Row) -> str:
    signal = f" ({spoken(row['signal'])})" if row["signal"] else ""
    return f"{spoken(row['channel'])}{signal}"


def _auction(row: Row, winner: str | None) -> str:
    """An auction that we did not win."""
    beaten = f"; {winner}'s ad was shown" if winner else ""
    if row["what"] == "NOT_ENTERED":
        return f"we did not bid in {_where(row)}{beaten}"
    if row["what"] == "DROPPED_BUDGET":
        return f"our budget was used up, {_where(row)}{beaten}"
    return f"we bid {usd(row['bid_usd'])} in {_where(row)} and lost{beaten}"


def sentence(row: Row) -> str:
    """One touch, crisis or step of a sale."""
    whose = "our" if row["ours"] else f"{row['advertiser']}'s"
    device = f" on {spoken(row['device'])}" if row["device"] else ""
    did = "clicked" if row["clicked"] else "did not click"
    cost = f", {usd(row['price_usd'])}" if row["ours"] and row["price_usd"] else ""
    creative = f" '{row['creative']}'" if row["creative"] else ""
    match row["what"]:
        case "IMPRESSION":
            return f"saw {whose} ad{creative} in {_where(row)}{device}, {did}{cost}"
        case "EMAIL":
            return f"got {whose} e-mail{creative}{device}, {did}{cost}"
        case "VISIT":
            return f"visited {whose} site{device}"
        case "DECIDED":
            return f"decided to buy from {'us' if row['ours'] else row['advertiser']}"
        case "PURCHASED":
            return f"paid {'us' if row['ours'] else row['advertiser']}" + (
                f" {usd(row['value_usd'])}" if row["ours"] else ""
            )
        case "REPORTED":
            return "we heard of the sale"
        case "SEGMENT_DRIFT":
            return f"became {spoken(row['signal'])}"
    return spoken(row["what"])
