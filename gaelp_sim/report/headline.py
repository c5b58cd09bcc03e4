"""The top of the page: four questions answered in plain words, and the figures behind them."""

from __future__ import annotations

import json

from markupsafe import Markup

from gaelp_sim.analyse.estimates import share
from gaelp_sim.report import page
from gaelp_sim.report.facts import Facts
from gaelp_sim.report.money import Money, money_of
from gaelp_sim.report.words import Known, Said, count, moment, percent, plural, spoken, times, usd
from gaelp_sim.store.answers import Row
from gaelp_sim.units import MICROS_PER_UNIT
from gaelp_sim.world.stored_scenario import is_imported

NO_WORLD = (
    "A log can't tell: there is no world behind it in which ads could be withheld. Credit shares sales out, it does not "
    "show what caused them; an experiment does (gaelp experiment rehearses one)."
)


def headline(facts: Facts) -> Markup:
    """Title, answers and figures."""
    money = money_of(facts.rows("report_money")[0])
    run = facts.run
    we = "" if facts.us == "us" else f"; we are {facts.us}"
    worlds = "" if run.worlds == 1 else f" in each of {run.worlds:,} worlds"
    told = Markup("<h1>{}: run {}</h1>").format(run.label or run.scenario_name, run.run_id)
    lived = (
        f"{plural(run.people, 'person') if run.people == 1 else f'{run.people:,} people'}{worlds}, "
        f"{moment(run.start_s)} to {moment(facts.end_s)} UTC; policy {run.policy}{we}. "
        f"Amounts are in {run.currency}, written as $."
    )
    return Markup("\n").join(
        [
            told,
            page.say(lived, "muted"),
            _answers(facts, money),
            page.cards(*_cards(facts, money)),
            page.say(
                "Intervals say how far the figure would move with the luck of whose homes these are"
                f" ({money.clusters:,} {'worlds' if 'by_world' in facts.answers['report_money'].parameters else 'homes'}).",
                "muted",
            ),
            page.asked_again(
                run.run_id,
                *(facts.answers[name] for name in ("report_money", "report_hours", "report_caused", "report_due")),
            ),
        ]
    )


def _answers(facts: Facts, money: Money) -> Markup:
    told = (
        ("Did we make money?", earned(money) + caused_earned(facts, money)),
        ("What did a customer cost (CAC)?", _cost(facts, money)),
        ("Which channel really caused sales?", causes(facts)),
        ("What is still due?", due(facts, money)),
    )
    listed = Markup("").join(Markup("<dt>{}</dt><dd>{}</dd>").format(*one) for one in told)
    return Markup('<dl class="answers">{}</dl>').format(listed)


def earned(money: Money) -> str:
    """Whether the run made money, and whether luck alone could say so."""
    low, high = money.profit.low, money.profit.high
    sure = low is not None and high is not None and (low > 0 or high < 0)
    verdict = "Yes" if money.profit.value is not None and money.profit.value > 0 else "No"
    doubt = "" if sure else ", but so few sales leave it open: other homes, other luck, and it could be the other way round"
    return (
        f"{verdict}{doubt}. {plural(money.sales, 'sale')} of ours, worth {usd(money.value)}, for {usd(money.spend)} "
        "of ads: "
        f"profit {page.with_interval(money.profit, usd)}."
    )


def caused_earned(facts: Facts, money: Money) -> str:
    """What is left when only sales that our ads caused are counted; empty where that was not measured."""
    caused = all_caused(facts)
    if caused is None or caused.value is None or not money.sales:
        return ""
    each = money.value / money.sales
    left = Known(*(None if one is None else one * each - money.spend for one in caused))
    return (
        f" Some would have bought anyway: counting only the {count(caused.value)} sales that our ads caused, "
        f"profit is {page.with_interval(left, usd)}."
    )


def all_caused(facts: Facts) -> Known | None:
    """Sales that all our ads together caused, the market frozen; from the run's own twin without ads if need be."""
    for row in facts.rows("report_caused"):
        if row["effect_of"] == "all" and row["estimand"] == "M":
            return Known(row["sales_delta"], row["low"], row["high"])
    summary = json.loads(facts.run.summary)
    organic = summary.get("conversions_without_ads")
    return None if organic is None else Known(float(summary["conversions"] - organic))


def cac_caused(facts: Facts, money: Money) -> Known | None:
    """Spend per sale that our ads caused; the interval is open above where they may have caused none."""
    caused = all_caused(facts)
    if caused is None:
        return None
    if not caused.value or caused.value <= 0:
        return Known(None)
    bounded = caused.low is not None and caused.high is not None and caused.low > 0
    return Known(
        money.spend / caused.value,
        *(
            (money.spend / caused.high, money.spend / caused.low)
            if bounded and caused.low and caused.high
            else (None, None)
        ),
    )


def _cost(facts: Facts, money: Money) -> str:
    caused = cac_caused(facts, money)
    last = (
        f"{page.with_interval(caused, usd)} for each sale that our ads caused"
        if caused is not None
        else "what a sale cost that our ads caused, a log can't tell"
        if is_imported(facts.run)
        else f"what a sale cost that our ads caused is not measured yet: gaelp incrementality {facts.run.run_id} --by all"
    )
    return (
        f"{page.with_interval(money.cac_blended, usd)} for each sale of ours; {usd(money.cac_paid.value)} for each "
        "sale that "
        f"a touch of ours came before; {last}."
    )


def causes(facts: Facts) -> str:
    """The channels that surely caused sales, those that may have, or the command that finds out."""
    rows = [row for row in facts.rows("report_caused") if row["effect_of"] == "channel" and row["estimand"] == "M"]
    if not rows and is_imported(facts.run):
        return NO_WORLD
    if not rows:
        return (
            "Not measured yet: credit shares sales out, it does not show what caused them. To find out: "
            f"gaelp incrementality {facts.run.run_id} --by channel, then make this report again."
        )
    rows.sort(key=lambda row: -row["sales_delta"])
    sure = [_caused(row) for row in rows if row["low"] > 0]
    open_ = [f"{spoken(row['channel'])} ({count(row['sales_delta'])})" for row in rows if row["low"] <= 0]
    first = f"Surely {', '.join(sure)}" if sure else "None surely"
    rest = f"; too few to tell from none: {', '.join(open_)}" if open_ else ""
    return f"{first}{rest}. Measured by withholding a channel's ads from the same people and counting the sales lost."


def _caused(row: Row) -> str:
    return (
        f"{spoken(row['channel'])}: {count(row['sales_delta'])} sales (95 %: {count(row['low'])} to {count(row['high'])})"
    )


def due(facts: Facts, money: Money) -> str:
    """Sales decided and not yet heard of, and what one would expect who knows reports alone."""
    rows = [row for row in facts.rows("report_due") if row["known"] != "1 reported"]
    sales, value = (sum(int(row[name]) for row in rows) for name in ("sales", "value_micros"))
    if sales:
        last = max(int(row["days_after_end"]) for row in rows) + 1
        told = (
            f"{count(sales)} of our {money.sales:,} sales, worth {usd(value / MICROS_PER_UNIT)}: decided, but not yet "
            f"reported when the run ended. The last is heard of within {plural(last, 'day')} after it."
        )
    else:
        told = "Nothing that has been decided: every sale of ours was reported by the run's end."
    if facts.expected is None:
        return told
    found, reported = facts.expected, money.reported_sales
    return (
        f"{told} Somebody who sees reports alone would expect {page.with_interval(found.in_the_end(reported), count)} "
        f"sales in the end: the {reported:,} reported, and {count(found.coming().value)} that the {found.clicks:,} clicks "
        "so far still bring."
    )


def _cards(facts: Facts, money: Money) -> list[Markup]:
    caused = cac_caused(facts, money)
    due = f"{money.sales - money.reported_sales:,} still to be heard of"
    return [
        page.card("Profit", usd(money.profit.value), page.interval(money.profit, usd)),
        page.card("Spend", usd(money.spend)),
        page.card("Sales", count(money.sales), page.interval(money.sales_drawn, count)),
        page.card("of them reported", count(money.reported_sales), due),
        *_expected(facts, money),
        _bounded("CAC, blended", money.cac_blended, usd, "spend / all our sales"),
        _bounded("CAC, paid", money.cac_paid, usd, "spend / sales after a touch of ours"),
        page.card("CAC, incremental", "not measured", "spend / sales that our ads caused")
        if caused is None
        else _bounded("CAC, incremental", caused, usd, "spend / sales that our ads caused"),
        _bounded("ROAS", money.roas, times, "value of sales / spend"),
        _won(facts),
    ]


def _bounded(name: str, known: Known, said: Said, told: str) -> Markup:
    return page.card(name, said(known.value), page.interval(known, said), told)


def _expected(facts: Facts, money: Money) -> list[Markup]:
    """What a reader of reports alone would expect; nothing where nobody clicked."""
    if facts.expected is None:
        return []
    told = "by reports alone: those known, and those that clicks so far still bring"
    return [_bounded("Sales expected", facts.expected.in_the_end(money.reported_sales), count, told)]


def _won(facts: Facts) -> Markup:
    """The win rate, with Wilson's interval; a log of ads that were shown tells of no auction lost."""
    if is_imported(facts.run):
        return page.card("Win rate", percent(None), "a log of ads shown tells of no lost auction")
    met, won = (sum(int(row[name]) for row in facts.rows("report_hours")) for name in ("opportunities", "wins"))
    rate = share(won, met)
    known = Known(rate.value, rate.low, rate.high) if met else Known(None)
    return _bounded("Win rate", known, percent, f"{won:,} of {met:,} auctions, as if apart from each other")
