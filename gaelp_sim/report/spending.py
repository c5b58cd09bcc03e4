"""Spend and pacing: over the run, and over the hours of the day."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from gaelp_sim.report import page
from gaelp_sim.report.facts import Facts
from gaelp_sim.report.svg import Axis, Bar, Line, Point, bar_chart, line_chart
from gaelp_sim.report.words import percent, plural, round_usd, usd
from gaelp_sim.units import MICROS_PER_UNIT

POINTS = 120
"""A line has no more points than this, however long the run"""


IDLE_HOURS = 24
"""So long without any spend at the run's end is worth a sentence"""


def spending(facts: Facts) -> Markup:
    """What was spent when, beside the budget."""
    spent, limits = facts.rows("report_spend"), facts.rows("report_budgets")
    if not spent:
        return page.section("spending", "Spend and pacing", page.say("Nothing was spent."))
    return (
        page.section(
            "spending",
            "Spend and pacing",
            page.say(_told(facts)),
            page.pair(_total(facts), _by_hour_of_day(facts), _win_rate(facts)),
            page.asked_again(
                facts.run.run_id, *(facts.answers[name] for name in ("report_spend", "report_budgets", "report_hours"))
            ),
        )
        if spent or limits
        else page.NOTHING
    )


def _limit(facts: Facts) -> float | None:
    """All daily limits of the run added up; None where a day has none."""
    days = facts.rows("report_budgets")
    limits = [row["total_limit_micros"] or row["campaign_limits_micros"] for row in days]
    return sum(map(int, limits)) / MICROS_PER_UNIT if limits and all(limits) else None


def _told(facts: Facts) -> str:
    spent = sum(int(row["spend_micros"]) for row in facts.rows("report_spend")) / MICROS_PER_UNIT
    limit, ended = _limit(facts), sum(1 for row in facts.rows("report_budgets") if row["exhausted"])
    last = max(int(row["hour"]) for row in facts.rows("report_spend")) + 1
    idle = ""
    if facts.run.hours_done - last >= IDLE_HOURS:
        idle = (
            f" Nothing was spent from hour {last % 24} of day {last // 24} on: a month's limit, or the policy, stopped it."
        )
    if limit is None:
        return f"We spent {usd(spent)}; no daily limit was set.{idle}"
    return (
        f"We spent {usd(spent)}, {percent(spent / limit)} of what the daily limits allow ({usd(limit)}). "
        f"A limit ran out on {plural(ended, 'day')} of {len(facts.rows('report_budgets')):,}.{idle}"
    )


def thinned(points: Sequence[Point]) -> list[Point]:
    """At most POINTS of them, evenly, the last one among them."""
    step = max(1, -(-len(points) // POINTS))
    kept = list(points[::step])
    return kept if not points or kept[-1] == points[-1] else [*kept, points[-1]]


def total_over_time(facts: Facts) -> list[Point]:
    """Spend so far over days of the run, a point for each hour in which something was spent."""
    total, points = 0.0, [(facts.run.start_hour / 24, 0.0)]
    for row in facts.rows("report_spend"):
        total += int(row["spend_micros"]) / MICROS_PER_UNIT
        points.append(((int(row["hour"]) + 1) / 24, total))
    return points


def _total(facts: Facts) -> Markup:
    first, last = facts.run.start_hour, max(facts.run.hours_done, facts.run.start_hour + 1)
    points = total_over_time(facts)
    total = points[-1][1]
    limit = _limit(facts)
    lines = [Line("spent", thinned(points), 0)]
    even = [(first / 24, 0.0), (last / 24, total)]
    lines.append(Line("the same, spent evenly", even, 6, dashed=True))
    if limit is not None:
        lines.append(Line("daily limits, added up", [(first / 24, 0.0), (last / 24, limit)], 4, dashed=True))
    x = Axis(first / 24, last / 24, "day of the run", lambda day: f"{day:g}")
    y = Axis(0.0, max(total, limit or 0.0) * 1.05 or 1.0, "", round_usd)
    return page.panel("Spend so far, by hour of the run", line_chart("Spend so far", lines, x, y), page.key_of(lines))


def _by_hour_of_day(facts: Facts) -> Markup:
    days = max((facts.run.hours_done - facts.run.start_hour) / 24, 1 / 24)
    spent = [0.0] * 24
    for row in facts.rows("report_spend"):
        spent[int(row["hour_of_day"])] += int(row["spend_micros"]) / MICROS_PER_UNIT / days
    bars = [Bar(str(hour), value, told=f"{hour}:00 to {hour}:59: {usd(value)} a day") for hour, value in enumerate(spent)]
    y = Axis(0.0, max(spent) * 1.08 or 1.0, "", round_usd)
    return page.panel("Mean spend a day, by hour of the day", bar_chart("Spend by hour of the day", bars, "hour (UTC)", y))


def _win_rate(facts: Facts) -> Markup:
    met, won = [0] * 24, [0] * 24
    shift = facts.run.start_s // 3600
    for row in facts.rows("report_hours"):
        at = (int(row["hour"]) + shift) % 24
        met[at], won[at] = met[at] + int(row["opportunities"]), won[at] + int(row["wins"])
    points = [(float(hour), won[hour] / met[hour]) for hour in range(24) if met[hour]]
    if not points:
        return page.NOTHING
    x = Axis(0, 23, "hour (UTC)", lambda hour: f"{hour:g}")
    y = Axis(0.0, min(max(rate for _, rate in points) * 1.15, 1.0) or 1.0, "", lambda rate: f"{100 * rate:.0f} %")
    return page.panel("Win rate, by hour of the day", line_chart("Win rate", [Line("win rate", points, 0)], x, y))
