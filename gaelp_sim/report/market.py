"""The market: who won, what winning cost, what rivals learned."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from markupsafe import Markup

from gaelp_sim.report import page
from gaelp_sim.report.facts import Facts
from gaelp_sim.report.spending import thinned
from gaelp_sim.report.svg import Axis, Line, Point, line_chart, spark
from gaelp_sim.report.words import count, percent, plural, spoken, usd
from gaelp_sim.store.answers import Row
from gaelp_sim.units import MICROS_PER_UNIT

RIVALS_MOST = 7
SPARK_POINTS = 40


def market(facts: Facts) -> Markup:
    """Shares, prices to beat, rivals over time."""
    if not facts.rows("report_advertisers"):
        return page.section(
            "market", "Market and rivals", page.say("The run has no auctions, as an imported log has none.")
        )
    return page.section(
        "market",
        "Market and rivals",
        _shares(facts),
        _prices(facts),
        _rivals(facts),
        page.asked_again(
            facts.run.run_id,
            *(
                facts.answers[name]
                for name in (
                    "report_advertisers",
                    "report_sellers",
                    "report_price_to_beat",
                    "report_prices",
                    "report_rivals",
                )
            ),
        ),
    )


def _shares(facts: Facts) -> Markup:
    sales = {row["advertiser"]: int(row["sales"]) for row in facts.rows("report_sellers")}
    known = facts.rows("report_advertisers")
    total = sum(int(row["wins"]) for row in known) or 1
    rows = []
    for row in known:
        spend, sold = int(row["spend_micros"]) / MICROS_PER_UNIT, sales.get(row["advertiser"], 0)
        rows.append(
            [
                f"{row['advertiser']} (us)" if row["ours"] else row["advertiser"],
                f"{int(row['wins']):,}",
                percent(int(row["wins"]) / total),
                f"{int(row['clicks']):,}",
                usd(spend),
                f"{sold:,}",
                usd(spend / sold) if sold else "",
            ]
        )
    heads = ("advertiser", "wins", "share of wins", "clicks", "spend", "sales", "spend per sale")
    return page.table("Who won the auctions, and who made the sales", heads, rows)


def _prices(facts: Facts) -> Markup:
    """What had to be bid, as it was and as our auctions tell, with the price of winning over time."""
    over = {
        channel: [(float(row["day"]), float(row["price_usd"])) for row in rows]
        for channel, rows in groupby(facts.rows("report_prices"), key=lambda row: row["channel"])
    }
    true: dict[str, float] = {}
    told: dict[str, Row] = {}
    for row in facts.rows("report_price_to_beat"):
        true[row["channel"]] = row["true_q50_usd"]
        if row["method"] is not None:
            told.setdefault(row["channel"], row)
    rows = []
    for channel in sorted(set(over) | set(true)):
        estimate = told.get(channel)
        rows.append(
            [
                spoken(channel),
                spark(f"Median price of a win in {spoken(channel)}, day by day", _few(over.get(channel, ()))),
                usd(true[channel]) if channel in true else "",
                usd(estimate["q50_usd"]) if estimate else "",
                f"{count(estimate['seen'])} of {count(estimate['auctions'])}" if estimate else "",
            ]
        )
    heads = ("channel", "price of a win, by day", "price to beat", "as we estimate it", "prices that we saw")
    return page.table(
        "Prices, per click or per thousand impressions as the channel charges: median of the price to beat",
        heads,
        rows,
        words=2,
    )


def _few(points: Sequence[Point]) -> list[Point]:
    step = max(1, -(-len(points) // SPARK_POINTS))
    return list(points[::step])


def _rivals(facts: Facts) -> Markup:
    rows = facts.rows("report_rivals")
    if not rows:
        return page.NOTHING
    found = {name: list(days) for name, days in groupby(rows, key=lambda row: (row["advertiser"], row["strategy"]))}
    if len({_standing(row) for row in rows}) == 1 and _standing(rows[0]) == (1.0, 1.0):
        return page.say(
            f"{plural(len(found), 'rival')} bid what an opportunity was worth to them, all the time: they did not learn."
        )
    lines = [
        Line(
            f"{advertiser} ({spoken(strategy)})",
            thinned([(float(row["day"]), float(row["bid_multiple"]) * float(row["pace"])) for row in days]),
            number,
        )
        for number, ((advertiser, strategy), days) in enumerate(list(found.items())[:RIVALS_MOST])
    ]
    last = max(point[0] for line in lines for point in line.points)
    high = max(point[1] for line in lines for point in line.points) * 1.1
    x, y = (
        Axis(0.0, max(last, 1.0), "day of the run", lambda day: f"{day:g}"),
        Axis(0.0, high or 1.0, "", lambda v: f"{v:g}"),
    )
    return page.pair(
        page.panel(
            "What rivals bid, as a multiple of the value to them",
            line_chart("Rivals' bids over time", lines, x, y),
            page.key_of(lines),
        )
    )


def _standing(row: Row) -> tuple[float, float]:
    return float(row["bid_multiple"]), float(row["pace"])
