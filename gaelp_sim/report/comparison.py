"""One page about several runs: side by side, with the differences to the first one."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence

from markupsafe import Markup

from gaelp_sim.analyse.paired import Difference
from gaelp_sim.report import headline, page
from gaelp_sim.report.beside import Beside
from gaelp_sim.report.facts import Facts
from gaelp_sim.report.journeys import ENDS, ending
from gaelp_sim.report.money import Money, money_of
from gaelp_sim.report.provenance import commands, deciding
from gaelp_sim.report.spending import thinned, total_over_time
from gaelp_sim.report.svg import Axis, Bar, Line, line_chart, row_chart
from gaelp_sim.report.words import Known, Said, count, percent, round_usd, spoken, times, usd
from gaelp_sim.units import MICROS_PER_UNIT

SAID: dict[str, tuple[str, Said]] = {
    "profit_usd": ("profit", usd),
    "conversions": ("our sales", count),
    "spend_usd": ("spend", usd),
    "cac_blended_usd": ("CAC, blended", usd),
    "cac_paid_usd": ("CAC, paid", usd),
    "cac_incremental_usd": ("CAC, incremental", usd),
    "roas": ("ROAS", times),
    "impressions": ("impressions", count),
    "clicks": ("clicks", count),
    "journey_days_mean": ("days from our first touch to a sale, mean", times),
    "win_rate": ("win rate", percent),
    "conversions_linear": ("sales, linear credit", count),
}
"""What figures of a paired comparison are called, and how they are written"""


def comparison_html(first: Facts, others: Sequence[Beside]) -> str:
    """The page of a run and those beside it."""
    runs = [first, *(one.facts for one in others)]
    title = "Runs " + ", ".join(one.run.run_id for one in runs)
    body = [
        Markup("<h1>{}</h1>").format(f"{len(runs)} runs, side by side"),
        page.say(_who(first, others), "muted"),
        _answers(first, others),
        _settings(runs),
        *(_differences(first, one) for one in others),
        _over_time(runs),
        _channels(runs),
        *(_groups(first, one) for one in others if one.pairing is not None),
        _outcomes(runs),
        _again(runs),
    ]
    return page.page(title, body)


def _name(facts: Facts) -> str:
    return f"{facts.run.run_id} ({facts.run.label})" if facts.run.label else facts.run.run_id


def _who(first: Facts, others: Sequence[Beside]) -> str:
    same = [one.facts.run.run_id for one in others if one.pairing is not None]
    apart = [f"{one.facts.run.run_id} ({one.why_not})" for one in others if one.pairing is None]
    told = f"Everything is held against run {_name(first)}."
    if same:
        told += f" Lives of the same people with the same luck: {', '.join(same)}; luck that both share cancels."
    if apart:
        told += f" Not so, and therefore with wider intervals: {'; '.join(apart)}."
    return told


def gap(first: Facts, other: Beside, figure: str, of: Callable[[Money], Known]) -> Known:
    """A figure's difference to the first run: paired where the people are the same, else as two draws of people."""
    if other.pairing is not None:
        found = next(one for one in other.pairing.figures if one.figure == figure)
        return Known(found.difference, found.low, found.high)
    one, two = (of(money_of(facts.rows("report_money")[0])) for facts in (first, other.facts))
    if one.value is None or two.value is None:
        return Known(None)
    if one.high is None or two.high is None:
        return Known(two.value - one.value)
    half = math.hypot(one.high - one.value, two.high - two.value)
    return Known(two.value - one.value, two.value - one.value - half, two.value - one.value + half)


def _answers(first: Facts, others: Sequence[Beside]) -> Markup:
    runs = [first, *(one.facts for one in others)]
    moneys = [money_of(one.rows("report_money")[0]) for one in runs]
    told = (
        (
            "Which made more money?",
            [f"{first.run.run_id}: profit {page.with_interval(moneys[0].profit, usd)}."]
            + [verdict(one, gap(first, one, "profit_usd", lambda money: money.profit)) for one in others],
        ),
        (
            "What did a customer cost (CAC, blended)?",
            [
                f"{one.run.run_id}: {page.with_interval(money.cac_blended, usd)}."
                for one, money in zip(runs, moneys, strict=True)
            ],
        ),
        ("Which channel really caused sales?", [f"{one.run.run_id}: {headline.causes(one)}" for one in runs]),
        (
            "What is still due?",
            [f"{one.run.run_id}: {headline.due(one, money)}" for one, money in zip(runs, moneys, strict=True)],
        ),
    )
    listed = Markup("").join(
        Markup("<dt>{}</dt>{}").format(question, Markup("").join(Markup("<dd>{}</dd>").format(line) for line in lines))
        for question, lines in told
    )
    return Markup('<dl class="answers">{}</dl>').format(listed)


def verdict(other: Beside, profit: Known) -> str:
    """Whether a run earned more than the first, or whether luck alone could tell so."""
    name = other.facts.run.run_id
    if profit.value is None:
        return f"{name}: not known."
    more = "more" if profit.value >= 0 else "less"
    bounds = page.interval(profit, usd)
    sure = profit.low is not None and profit.high is not None and (profit.low > 0 or profit.high < 0)
    if profit.value == 0 and profit.low == profit.high:
        return f"{name} earned exactly what the first one did."
    return (
        f"{name} earned {usd(abs(profit.value))} {more} than the first one"
        + (f" (difference, {bounds})" if bounds else "")
        + (". " if sure else "; luck alone could make that. ")
    ).strip()


def _settings(runs: Sequence[Facts]) -> Markup:
    """What was set differently; what is the same in all is left out."""
    told = [deciding(one) for one in runs]
    names = [name for name in told[0] if name != "run" and len({one[name] for one in told}) > 1]
    rows = [[name, *(one[name] for one in told)] for name in names]
    return page.table("What differs between the runs", ["", *(one.run.run_id for one in runs)], rows, tail=len(runs))


def _differences(first: Facts, other: Beside) -> Markup:
    title = f"Run {_name(other.facts)} beside {_name(first)}"
    again = page.asked_of([(one.run.run_id, one.answers["report_money"]) for one in (first, other.facts)])
    if other.pairing is not None:
        saved = other.pairing.variance_saved
        told = (
            page.say(
                f"Sharing their luck, the two differ {saved:.1f} times less (as variance) than runs of other people would.",
                "muted",
            )
            if saved is not None
            else page.NOTHING
        )
        return page.section(f"beside-{other.facts.run.run_id}", title, _figures(other.pairing.figures, ()), told, again)
    rows = []
    for name, of in _UNPAIRED.items():
        one, two = (of(money_of(facts.rows("report_money")[0])) for facts in (first, other.facts))
        known, (called, said) = gap(first, other, name, of), SAID[name]
        rows.append([called, said(one.value), said(two.value), said(known.value), _bounds(known, said)])
    return page.section(f"beside-{other.facts.run.run_id}", title, page.table("Different people", _HEADS, rows), again)


_HEADS = ("figure", "first", "this one", "difference", "95 % interval")
_UNPAIRED: dict[str, Callable[[Money], Known]] = {
    "profit_usd": lambda money: money.profit,
    "conversions": lambda money: money.sales_drawn,
    "cac_blended_usd": lambda money: money.cac_blended,
    "cac_paid_usd": lambda money: money.cac_paid,
    "roas": lambda money: money.roas,
}


def _bounds(known: Known, said: Said) -> str:
    return page.interval(known, said).removeprefix("95 %: ")


def _figures(found: Sequence[Difference], group: Sequence[str]) -> Markup:
    rows = []
    for one in found:
        called, said = SAID.get(one.figure, (spoken(one.figure), times))
        known = Known(one.difference, one.low, one.high)
        rows.append(
            [
                *([spoken(one.group)] if group else []),
                called,
                said(one.stored),
                said(one.replayed),
                said(one.difference),
                _bounds(known, said),
            ]
        )
    return page.table("" if group else "Paired differences", [*group, *_HEADS], rows, words=1 + len(group))


def _over_time(runs: Sequence[Facts]) -> Markup:
    lines = [Line(_name(one), thinned(total_over_time(one)), number) for number, one in enumerate(runs)]
    ends = [point for line in lines for point in line.points]
    if not ends:
        return page.NOTHING
    x = Axis(min(one for one, _ in ends), max(one for one, _ in ends), "day of the run", lambda day: f"{day:g}")
    y = Axis(0.0, max(two for _, two in ends) * 1.05 or 1.0, "", round_usd)
    sold = [
        Bar(one.run.run_id, money.profit.value or 0.0, money.profit.low, money.profit.high, number)
        for number, one in enumerate(runs)
        for money in [money_of(one.rows("report_money")[0])]
    ]
    low, high = (
        pick([0.0, *(one.low or one.value for one in sold), *(one.high or one.value for one in sold)])
        for pick in (min, max)
    )
    return page.section(
        "spending",
        "Spend and profit",
        page.pair(
            page.panel("Spend so far, by hour of the run", line_chart("Spend so far", lines, x, y), page.key_of(lines)),
            page.panel(
                "Profit, each with its own interval", row_chart("Profit", sold, Axis(low, high or 1.0, "profit", round_usd))
            ),
        ),
        page.asked_of([(one.run.run_id, one.answers["report_spend"]) for one in runs]),
    )


def _channels(runs: Sequence[Facts]) -> Markup:
    names = list(dict.fromkeys(row["channel"] for one in runs for row in one.rows("report_channels")))
    heads, rows = ["channel"], [[spoken(name)] for name in names]
    for one in runs:
        spent = {row["channel"]: row for row in one.rows("report_channels")}
        caused = {
            row["channel"]: row["sales_delta"]
            for row in one.rows("report_caused")
            if row["effect_of"] == "channel" and row["estimand"] == "M"
        }
        heads += [f"{one.run.run_id}: spend", "wins", "sales caused"]
        for name, line in zip(names, rows, strict=True):
            row = spent.get(name)
            line += [
                usd(int(row["spend_micros"]) / MICROS_PER_UNIT) if row else "",
                f"{int(row['wins']):,}" if row else "",
                count(caused[name]) if name in caused else "not measured",
            ]
    return page.section(
        "channels",
        "Channels",
        page.table("Spend, wins and sales caused, by channel", heads, rows),
        page.asked_of(
            [(one.run.run_id, one.answers[name]) for one in runs for name in ("report_channels", "report_caused")]
        ),
    )


def _groups(first: Facts, other: Beside) -> Markup:
    """Paired differences by channel and by segment."""
    assert other.pairing is not None
    title = f"Channels and segments: {_name(other.facts)} beside {_name(first)}"
    return page.section(
        f"groups-{other.facts.run.run_id}",
        title,
        _figures(other.pairing.channels, ("channel",)),
        _figures(other.pairing.segments, ("segment",)),
    )


def _outcomes(runs: Sequence[Facts]) -> Markup:
    rows: list[list[str]] = [[node.name] for node in ENDS]
    for one in runs:
        ends: Counter[str] = Counter()
        for row in one.rows("report_stages"):
            ends[ending(row, one.us)] += int(row["journeys"])
        for line, node in zip(rows, ENDS, strict=True):
            line.append(f"{ends[node.name]:,}")
    return page.section(
        "journeys",
        "Journeys",
        page.table("How they had ended when the run did", ["outcome", *(one.run.run_id for one in runs)], rows),
        page.asked_of([(one.run.run_id, one.answers["report_stages"]) for one in runs]),
    )


def _again(runs: Sequence[Facts]) -> Markup:
    each = (Markup("<pre>{}</pre>").format(commands(one)) for one in runs)
    more = "; ".join(f"gaelp report {one.run.run_id}" for one in runs)
    return page.section("reproduce", "How to make them again", *each, page.say(f"Each run by itself: {more}", "muted"))
