"""Views of rivals and of the prices to beat: what they do, what we know of it, and how far we are off."""

from __future__ import annotations

from gaelp_sim.store.code_names import PRICE_METHODS, STRATEGIES
from gaelp_sim.store.view_parts import (
    RUN_ID,
    WORLD,
    View,
    ViewColumn,
    coded,
    columns,
    date_of_day,
    money,
    named,
    optional,
    plain,
    run_of,
)


def _share(name: str, meaning: str) -> ViewColumn:
    return plain(name, meaning, f"CAST(t.{name}_ppm AS DOUBLE PRECISION) / 1000000")


_CHANNEL = named("channel", "channel", "channel")
_SIGNAL = named("signal", "query class or audience signal", "signal")
_HOUR = optional("hour_of_day", "hour of the day since the run's clock began; NULL for the whole day")

_RIVALS = View(
    "rivals_daily", "how every rival stood at each day's end: what it has learned, as no advertiser could see it",
    columns(
        RUN_ID, WORLD,
        plain("day", "day since the run's clock began, from 0"),
        date_of_day(),
        named("advertiser", "the rival", "advertiser"),
        coded("strategy", "what it bids by", STRATEGIES),
        plain("learns", "1 if it learns in this run"),
        _share("value", "what an opportunity is worth to it in this world, as a multiple of the scenario's"),
        _share("bid_multiple", "mean multiple of its value that it bids, over channels"),
        _share("pace", "factor that its budget puts on its bids"),
        _share("aggression", "factor on its bids for people in a crisis; 1 is calm"),
        _share("usual_loss", "share of auctions for people in a crisis that it is used to losing"),
        _share("click_value", "what it has found a click to be worth, as a multiple of its first belief, over signals"),
    ),
    run_of("rival_day"),
)

_KNOWN = (
    coded("method", "how it was estimated", PRICE_METHODS),
    plain("auctions", "auctions it rests on"),
    plain("seen", "of them, those whose price to beat we learned"),
    plain("above", "of them, those we lost: the price was above our bid"),
    plain("below", "of them, those of which we know only that our bid or price was enough"),
)

LANDSCAPE = View(
    "observed_price_landscape",
    "the price to beat, as estimated from our own auctions by channel, signal and hour when the run ended",
    columns(
        RUN_ID, WORLD, _CHANNEL, _SIGNAL, _HOUR, *_KNOWN,
        money("q25", "lower quartile of the price to beat; NULL where our bids do not reach so far", none=True),
        money("q50", "median of the price to beat", none=True),
        money("q75", "upper quartile of the price to beat", none=True),
        money("q50_low", "lower end of the median's 95 % interval", none=True),
        money("q50_high", "upper end of the median's 95 % interval", none=True),
    ),
    run_of("price_landscape"),
)

_ERRORS = View(
    "truth_price_landscape", "the price to beat as it was, beside each estimate of it and the estimate's error",
    columns(
        RUN_ID, WORLD, _CHANNEL, _SIGNAL, _HOUR,
        plain("true_auctions", "auctions in which there was a price to beat", "t.auctions"),
        money("true_q25", "lower quartile of the price to beat", "t.q25_micros", none=True),
        money("true_q50", "median of the price to beat", "t.q50_micros", none=True),
        money("true_q75", "upper quartile of the price to beat", "t.q75_micros", none=True),
        coded("method", "how it was estimated; NULL where it was not", PRICE_METHODS, "p.method"),
        plain("auctions", "auctions that the estimate rests on", "p.auctions"),
        plain("seen", "of them, those whose price to beat we learned", "p.seen"),
        money("q50", "the estimated median", "p.q50_micros", none=True),
        plain("q50_error", "estimate / truth - 1, of the median",
              "CAST(NULLIF(p.q50_micros, -1) AS DOUBLE PRECISION) / NULLIF(t.q50_micros, -1) - 1"),
        plain("covered", "1 if the estimate's 95 % interval holds the true median",
              "CASE WHEN NULLIF(p.q50_low_micros, -1) IS NULL OR t.q50_micros = -1 THEN NULL"
              " WHEN t.q50_micros >= p.q50_low_micros AND (p.q50_high_micros = -1 OR t.q50_micros <= p.q50_high_micros)"
              " THEN 1 ELSE 0 END"),
    ),
    f"""{run_of('truth_price')}
    LEFT JOIN @price_landscape AS p ON p.run_key = t.run_key AND p.world_id = t.world_id AND p.signal = t.signal
      AND p.hour_of_day = t.hour_of_day""",
)

RIVAL_VIEWS = (_RIVALS, _ERRORS)
