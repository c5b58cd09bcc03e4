"""Channels: what they cost, what models credit them with, and what they truly caused."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from gaelp_sim.report import page
from gaelp_sim.report.facts import Facts
from gaelp_sim.report.headline import NO_WORLD
from gaelp_sim.report.svg import Axis, Bar, row_chart
from gaelp_sim.report.words import Known, count, percent, spoken, usd
from gaelp_sim.store.answers import Row
from gaelp_sim.units import MICROS_PER_UNIT
from gaelp_sim.world.stored_scenario import is_imported

MODELS_TOLD = ("last", "first", "linear", "position", "time_decay", "data_driven", "markov", "shapley")
OTHERS_MOST = 4
"""Models of the user's own, or with other settings, that the table has room for"""


def channels(facts: Facts) -> Markup:
    """A row a channel; credit and truth where they were worked out, else the command that does."""
    caused = {
        row["channel"]: row
        for row in facts.rows("report_caused")
        if row["effect_of"] == "channel" and row["estimand"] == "M"
    }
    credit = _credit(facts)
    names = [row["channel"] for row in facts.rows("report_channels")]
    names += sorted({channel for _, channel in credit if channel is not None and channel not in names})
    if any(channel is None for _, channel in credit):
        names.append(None)
    models = _models(sorted({model for model, _ in credit}))
    return page.section(
        "channels",
        "Channels: cost, credit, and what they caused",
        *_told(facts, models, caused),
        _spent(facts),
        _sales(names, models, credit, caused) if models or caused else page.NOTHING,
        page.pair(_picture(names, credit, caused, models)) if models or caused else page.NOTHING,
        page.asked_again(
            facts.run.run_id, *(facts.answers[name] for name in ("report_channels", "report_credit", "report_caused"))
        ),
    )


def _credit(facts: Facts) -> dict[tuple[str, str | None], float]:
    return {(row["model"], row["channel"]): float(row["conversions"]) for row in facts.rows("report_credit")}


def _models(known: Sequence[str]) -> list[str]:
    shipped = [name for name in MODELS_TOLD if name in known]
    return shipped + [name for name in known if name not in MODELS_TOLD][:OTHERS_MOST]


def _told(facts: Facts, models: Sequence[str], caused: dict[str | None, Row]) -> list[Markup]:
    run_id, told = facts.run.run_id, []
    if models:
        told.append(
            page.say(
                "Models share every sale out among the touches before it; what a channel caused is what would be "
                "missing without its ads, and need not add up to all sales."
            )
        )
    else:
        told.append(page.say(f"Credit was not worked out; next: gaelp attribute {run_id} --model all"))
    if not caused:
        told.append(
            page.say(
                NO_WORLD
                if is_imported(facts.run)
                else f"What the channels caused was not measured; next: gaelp incrementality {run_id} --by channel"
            )
        )
    return told


def _spent(facts: Facts) -> Markup:
    rows = []
    for row in facts.rows("report_channels"):
        spend, wins, clicks = int(row["spend_micros"]) / MICROS_PER_UNIT, int(row["wins"]), int(row["clicks"])
        met = int(row["opportunities"] or 0)
        rows.append(
            [
                spoken(row["channel"]),
                usd(spend),
                f"{wins:,}",
                percent(wins / met) if met else "",
                f"{clicks:,}",
                percent(clicks / wins) if wins else "",
                usd(spend / clicks) if clicks else "",
            ]
        )
    heads = ("channel", "spend", "wins", "win rate", "clicks", "click rate", "spend per click")
    return page.table("What each channel cost and brought", heads, rows)


def _sales(
    names: Sequence[str | None],
    models: Sequence[str],
    credit: dict[tuple[str, str | None], float],
    caused: dict[str | None, Row],
) -> Markup:
    heads = [
        "channel",
        *(["caused", "95 % interval", "spend per sale caused"] if caused else []),
        *(spoken(model) for model in models),
    ]
    rows = []
    for name in names:
        row: list[str] = [spoken(name) if name is not None else "no touch of ours"]
        if caused:
            found = caused.get(name)
            row += (
                ["", "", ""]
                if found is None
                else [
                    count(found["sales_delta"]),
                    page.interval(Known(None, found["low"], found["high"]), count).removeprefix("95 %: "),
                    "" if found["cac_incremental_usd"] is None else usd(found["cac_incremental_usd"]),
                ]
            )
        rows.append(row + [count(round(credit.get((model, name), 0.0), 1)) for model in models])
    return page.table("Our sales by channel: caused, and as each model credits them", heads, rows)


def _picture(
    names: Sequence[str | None],
    credit: dict[tuple[str, str | None], float],
    caused: dict[str | None, Row],
    models: Sequence[str],
) -> Markup:
    """Truth beside the model that most accounts show, by channel."""
    model = models[0] if models else ""
    bars = []
    for name in names:
        if name is None:
            continue
        if model:
            given = credit.get((model, name), 0.0)
            bars.append(Bar(spoken(name), given, series=1, told=f"{spoken(name)}, {spoken(model)}: {count(given)} sales"))
        if caused:
            found = caused.get(name)
            value, low, high = (0.0, None, None) if found is None else (found["sales_delta"], found["low"], found["high"])
            bars.append(
                Bar("" if model else spoken(name), value, low, high, 0, f"{spoken(name)} caused {count(value)} sales")
            )
    low = min([0.0, *(bar.low if bar.low is not None else bar.value for bar in bars)])
    high = max([1.0, *(bar.high if bar.high is not None else bar.value for bar in bars)])
    named = [(f"credited: {spoken(model)}", 1)] if model else []
    return page.panel(
        "Our sales by channel",
        row_chart("Our sales by channel", bars, Axis(low, high, "sales", count)),
        page.key(named + ([("caused, with 95 % interval", 0)] if caused else [])),
    )
