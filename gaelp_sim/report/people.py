"""Creatives and their wear-out, identity, segments, crises."""

from __future__ import annotations

from collections import Counter
from itertools import groupby

from markupsafe import Markup

from gaelp_sim.analyse.estimates import share
from gaelp_sim.report import page
from gaelp_sim.report.facts import Facts
from gaelp_sim.report.svg import Axis, Bar, Line, bar_chart, line_chart
from gaelp_sim.report.words import count, percent, plural, spoken, usd
from gaelp_sim.store.answers import Row
from gaelp_sim.units import MICROS_PER_UNIT

CREATIVES_MOST = 8
SHOWINGS_LEAST = 200
"""A point of the wear-out picture rests on so many impressions at least"""
DAYS_MOST = 60
"""A picture has no more bars than this, however long the run"""


def creatives(facts: Facts) -> Markup:
    """What came of each creative, and whether it wears out."""
    rows = []
    for row in facts.rows("report_creatives"):
        shown, clicks = int(row["impressions"]), int(row["clicks"])
        rate = share(clicks, shown)
        rows.append(
            [
                str(row["creative"]),
                f"{shown:,}",
                f"{clicks:,}",
                percent(rate.value) if shown else "",
                f"{percent(rate.low)} to {percent(rate.high)}" if shown else "",
                usd(int(row["spend_micros"]) / MICROS_PER_UNIT),
                f"{int(row['sales'] or 0):,}",
            ]
        )
    if not rows:
        return page.NOTHING
    heads = ("creative", "impressions", "clicks", "click rate", "95 % interval", "spend", "sales within 7 days of a click")
    return page.section(
        "creatives",
        "Creatives and fatigue",
        page.table("Our creatives; click rates differ by channel and moment, too", heads, rows),
        page.pair(_wear_out(facts)),
        page.asked_again(facts.run.run_id, facts.answers["report_creatives"], facts.answers["creative_wear_out"]),
    )


def _wear_out(facts: Facts) -> Markup:
    lines: list[Line] = []
    for creative, rows in groupby(facts.rows("creative_wear_out"), key=lambda row: row["creative"]):
        points = [
            (float(row["showing"]), float(row["click_rate"])) for row in rows if int(row["impressions"]) >= SHOWINGS_LEAST
        ]
        if len(points) > 1 and len(lines) < CREATIVES_MOST:
            lines.append(Line(str(creative), points, len(lines)))
    if not lines:
        return page.NOTHING
    most = max(point[0] for line in lines for point in line.points)
    high = max(point[1] for line in lines for point in line.points) * 1.1
    x = Axis(1.0, most, "showing to the same person", lambda one: f"{one:g}")
    y = Axis(0.0, high or 1.0, "", lambda rate: f"{100 * rate:g} %")
    return page.panel(
        "Click rate by how often a person has been shown it", line_chart("Wear-out", lines, x, y), page.key_of(lines)
    )


def identity(facts: Facts) -> Markup:
    """How well devices were joined into users."""
    rows = []
    for row in facts.rows("report_identity"):
        true, linked, right = (int(row[f"{name}_pairs"]) for name in ("true", "linked", "right"))
        rows.append(
            [
                "the run's own" if row["resolution_id"] == 0 else f"later, {row['resolution_id']}",
                count(row["people"]),
                count(row["aliases"]),
                count(row["resolved_users"]),
                percent(right / linked) if linked else "",
                percent(right / true) if true else "",
                percent(2 * right / (true + linked)) if true + linked else "",
                count(row["over_merges"]),
                count(row["under_merges"]),
            ]
        )
    if not rows:
        return page.NOTHING
    heads = (
        "resolution",
        "people",
        "devices",
        "users made of them",
        "precision",
        "recall",
        "F1",
        "users of several people",
        "people in several users",
    )
    return page.section(
        "identity",
        "Identity: which devices are one person",
        page.say(
            "We see devices, not people. Of pairs of devices that were joined, precision is the share that is one "
            "person's; "
            "of pairs that are one person's, recall is the share that was joined. What was not joined makes one "
            "journey look "
            "like two."
        ),
        page.table("Against the truth that only the simulator knows", heads, rows),
        page.say(f"To join devices with other settings: gaelp resolve {facts.run.run_id}", "muted"),
        page.asked_again(facts.run.run_id, facts.answers["report_identity"]),
    )


def segments(facts: Facts) -> Markup:
    """Who they are, what they cost us, what they bought."""
    rows = []
    for row in facts.rows("report_segments"):
        people, sales, spend = int(row["people"]), int(row["sales"]), int(row["spend_micros"]) / MICROS_PER_UNIT
        rows.append(
            [
                spoken(row["segment"]),
                f"{people:,}",
                usd(spend),
                f"{sales:,}",
                f"{int(row['rival_sales']):,}",
                usd(spend / sales) if sales else "",
                f"{1000 * sales / people:.1f}" if people else "",
            ]
        )
    if not rows:
        return page.NOTHING
    heads = (
        "segment",
        "people",
        "spend",
        "our sales",
        "rivals' sales",
        "spend per sale of ours",
        "our sales per 1,000 people",
    )
    return page.section(
        "segments",
        "Segments",
        page.table("By the segment that people were in at the end", heads, rows),
        page.asked_again(facts.run.run_id, facts.answers["report_segments"]),
    )


def crises(facts: Facts) -> Markup:
    """How many struck when, and what they led to."""
    rows = facts.rows("report_crises")
    if not rows:
        return page.section(
            "crises",
            "Crises",
            page.say("No crisis struck anybody in this run."),
            page.asked_again(facts.run.run_id, facts.answers["report_crises"]),
        )
    totals: Counter[str] = Counter()
    for row in rows:
        totals[spoken(row["kind"])] += int(row["events"])
    told = "; ".join(f"{kind}: {many:,}" for kind, many in sorted(totals.items()))
    return page.section(
        "crises",
        "Crises",
        page.say(f"Events by kind: {told}. {_sales_after(facts.rows('report_crisis_sales'))}"),
        page.pair(_by_day(rows)),
        page.asked_again(facts.run.run_id, facts.answers["report_crises"], facts.answers["report_crisis_sales"]),
    )


def _sales_after(rows: list[Row]) -> str:
    return " ".join(
        f"Of {plural(int(row['sales']), 'sale')} of {'ours' if row['ours'] else 'rivals'}, "
        f"{int(row['after_crisis'] or 0):,} were "
        "decided by people whom a crisis of their own had struck before."
        for row in rows
    )


def _by_day(rows: list[Row]) -> Markup:
    last = max(int(row["day"]) for row in rows)
    width = last // DAYS_MOST + 1
    struck: Counter[int] = Counter()
    for row in rows:
        struck[int(row["day"]) // width] += int(row["events"])
    bars = [
        Bar(str(number * width), struck[number], told=f"day {number * width}: {plural(struck[number], 'event')}")
        for number in range(last // width + 1)
    ]
    name = "day of the run" if width == 1 else f"day of the run, {width} days a bar"
    y = Axis(0.0, max(max(struck.values()) * 1.08, 2.05), "", count)
    return page.panel("Crises and life events by day", bar_chart("Crises by day", bars, name, y))
