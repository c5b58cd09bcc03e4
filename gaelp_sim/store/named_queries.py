"""Worked queries: a name to give `gaelp query` in place of SQL, the question each answers, and its parameters.

They are written in SQL that SQLite and Postgres read alike; tests run each on both and compare with answers worked
out by hand. `:as_of` takes a date or an ISO time in UTC and asks for the answer as it stood then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from gaelp_sim.errors import UsageError
from gaelp_sim.store.report_market_queries import MARKET_QUERIES
from gaelp_sim.store.report_queries import MONEY_QUERIES
from gaelp_sim.store.story_queries import STORY_QUERIES
from gaelp_sim.store.watch_queries import WATCH_QUERIES
from gaelp_sim.store.worked_query import END_OF_TIME_S, NamedQuery, Value

_AS_OF: Mapping[str, Value] = {"as_of": END_OF_TIME_S}

_QUERIES = (
    NamedQuery(
        "stages", "How far have journeys come, and how do they stand?",
        """
        SELECT stage, status, COUNT(*) AS journeys, AVG(cost_usd) AS cost_usd_mean
        FROM journeys GROUP BY stage, status ORDER BY journeys DESC, stage, status
        """,
    ),
    NamedQuery(
        "funnel", "Of our touches, how many were looked at, clicked, and followed by a sale?",
        """
        SELECT t.channel, COUNT(*) AS touches, SUM(t.examined) AS examined, SUM(t.clicked) AS clicks,
          COALESCE(MAX(s.sales), 0) AS sales_last_touch
        FROM touchpoints AS t
        LEFT JOIN (
          SELECT run_id, last_channel, COUNT(*) AS sales FROM paths_to_conversion GROUP BY run_id, last_channel
        ) AS s ON s.run_id = t.run_id AND s.last_channel = t.channel
        WHERE t.ours = 1 GROUP BY t.channel ORDER BY touches DESC, t.channel
        """,
    ),
    NamedQuery(
        "cac_by_channel", "What did a new customer cost us, by channel of the last touch, as known on a date?",
        """
        SELECT c.channel, c.spend_usd, COALESCE(s.sales, 0) AS sales, c.spend_usd / s.sales AS cac_usd
        FROM (
          SELECT run_id, channel, SUM(amount_usd) AS spend_usd FROM charges
          WHERE charged_s <= :as_of GROUP BY run_id, channel
        ) AS c
        LEFT JOIN (
          SELECT run_id, last_channel, COUNT(*) AS sales FROM paths_to_conversion
          WHERE reported_s <= :as_of GROUP BY run_id, last_channel
        ) AS s ON s.run_id = c.run_id AND s.last_channel = c.channel
        ORDER BY c.spend_usd DESC, c.channel
        """,
        _AS_OF,
    ),
    NamedQuery(
        "cac_by_week", "What did a new customer cost us week by week, by purchases reported until a date?",
        """
        SELECT week, SUM(spend_usd) AS spend_usd, SUM(sales) AS sales,
          SUM(spend_usd) / NULLIF(SUM(sales), 0) AS cac_usd
        FROM (
          SELECT day / 7 AS week, amount_usd AS spend_usd, 0 AS sales FROM charges WHERE charged_s <= :as_of
          UNION ALL
          SELECT day / 7, 0.0, 1 FROM conversions WHERE ours = 1 AND reported_s <= :as_of
        ) AS u
        GROUP BY week ORDER BY week
        """,
        _AS_OF,
    ),
    NamedQuery(
        "top_paths", "Which sequences of our channels lead to sales most often?",
        """
        SELECT path, COUNT(*) AS sales, AVG(cost_usd) AS cost_usd_mean, AVG(touches) AS touches_mean
        FROM paths_to_conversion WHERE touches > 0 GROUP BY path ORDER BY sales DESC, path LIMIT 20
        """,
    ),
    NamedQuery(
        "first_touch_to_sale", "How many days pass from our first touch to the decision, by segment?",
        """
        SELECT segment, (decided_s - first_touch_s) / 86400 AS days, COUNT(*) AS sales
        FROM paths_to_conversion WHERE touches > 0
        GROUP BY segment, (decided_s - first_touch_s) / 86400 ORDER BY segment, days
        """,
    ),
    NamedQuery(
        "conversion_lag", "On a date, which of our sales were known, which made but unreported, and which to come?",
        """
        SELECT CASE WHEN reported_s <= :as_of THEN '1 reported' WHEN purchased_s <= :as_of THEN '2 purchased'
            ELSE '3 decided' END AS known, COUNT(*) AS sales, AVG(purchase_delay_days) AS purchase_delay_days_mean,
          AVG(report_delay_days) AS report_delay_days_mean
        FROM conversions WHERE ours = 1 AND decided_s <= :as_of GROUP BY 1 ORDER BY 1
        """,
        _AS_OF,
    ),
    NamedQuery(
        "win_rate_by_hour", "At which hours of the day (UTC) do we win, and at what cost?",
        """
        SELECT hour_of_day, SUM(opportunities) AS opportunities, SUM(wins) AS wins,
          CAST(SUM(wins) AS DOUBLE PRECISION) / NULLIF(SUM(opportunities), 0) AS win_rate, SUM(spend_usd) AS spend_usd
        FROM auctions_hourly WHERE ours = 1 GROUP BY hour_of_day ORDER BY hour_of_day
        """,
    ),
    NamedQuery(
        "creative_wear_out", "Does a creative's click rate fall with each further showing to the same person?",
        """
        SELECT creative, showing, COUNT(*) AS impressions, SUM(clicked) AS clicks,
          CAST(SUM(clicked) AS DOUBLE PRECISION) / COUNT(*) AS click_rate
        FROM (
          SELECT creative, clicked, ROW_NUMBER() OVER (
            PARTITION BY run_id, world_id, person_id, creative ORDER BY touched_s, touch_slot) AS showing
          FROM touchpoints WHERE ours = 1 AND kind = 'IMPRESSION'
        ) AS t
        WHERE showing <= 10 GROUP BY creative, showing ORDER BY creative, showing
        """,
    ),
    NamedQuery(
        "creatives_by_week", "Which creatives are clicked, and followed by sales, week by week?",
        """
        SELECT day / 7 AS week, creative, SUM(impressions) AS impressions, SUM(clicks) AS clicks,
          CAST(SUM(clicks) AS DOUBLE PRECISION) / NULLIF(SUM(impressions), 0) AS click_rate, SUM(spend_usd) AS spend_usd,
          SUM(sales) AS sales
        FROM creative_daily GROUP BY day / 7, creative ORDER BY week, creative
        """,
    ),
    NamedQuery(
        "budget_pacing", "How much of each campaign's daily budget was spent, and when did it run out?",
        """
        SELECT world_id, date, campaign, limit_usd, spent_usd, spent_share, exhausted_at
        FROM budgets_daily WHERE ours = 1 AND campaign IS NOT NULL AND limit_usd IS NOT NULL
        ORDER BY run_id, world_id, day, campaign
        """,
    ),
    NamedQuery(
        "late_conversions", "Which of our sales came after their journey had been given up as LOST?",
        """
        SELECT c.world_id, c.person_id, c.order_id, j.lost_at, c.decided_at, c.reported_at, c.value_usd,
          (c.decided_s - j.lost_s) / 86400.0 AS days_after_lost
        FROM conversions AS c LEFT JOIN journeys AS j ON j.run_id = c.run_id AND j.world_id = c.world_id
          AND j.person_id = c.person_id AND j.journey_index = c.journey_index
        WHERE c.ours = 1 AND c.late = 1 ORDER BY c.decided_s, c.world_id, c.person_id
        """,
    ),
    NamedQuery(
        "ledger_reconciliation", "Do touches, ledger and budgets agree, day by day, to the micro? (no rows: they do)",
        """
        SELECT world_id, day, SUM(touches) AS touch_micros, SUM(ledger) AS ledger_micros, SUM(budget) AS budget_micros
        FROM (
          SELECT run_id, world_id, day, price_micros AS touches, 0 AS ledger, 0 AS budget
          FROM touchpoints WHERE ours = 1 AND price_micros > 0
          UNION ALL SELECT run_id, world_id, day, 0, amount_micros, 0 FROM charges
          UNION ALL SELECT run_id, world_id, day, 0, 0, spent_micros FROM budgets_daily
          WHERE ours = 1 AND campaign IS NOT NULL
        ) AS u
        GROUP BY run_id, world_id, day
        HAVING SUM(touches) <> SUM(ledger) OR SUM(ledger) <> SUM(budget) ORDER BY world_id, day
        """,
    ),
    NamedQuery(
        "one_journey", "What happened to one person, touch by touch and sale by sale? (-p person=0 -p world=0)",
        """
        SELECT happened_at, what, advertiser, channel, device, clicked, price_usd, value_usd FROM (
          SELECT touched_s AS happened_s, 0 AS step, touch_slot, touched_at AS happened_at, kind AS what, advertiser,
            channel, device, clicked, price_usd, CAST(NULL AS DOUBLE PRECISION) AS value_usd
          FROM touchpoints WHERE world_id = :world AND person_id = :person
          UNION ALL
          SELECT decided_s, 1, 0, decided_at, 'SALE', advertiser, NULL, device, NULL, NULL, value_usd
          FROM conversions WHERE world_id = :world AND person_id = :person
        ) AS u
        ORDER BY happened_s, step, touch_slot
        """,
        {"person": 0, "world": 0},
    ),
    NamedQuery(
        "propensity_check", "Do the logged propensities make sense?",
        """
        SELECT participate, level, creative, COUNT(*) AS decisions, MIN(propensity) AS propensity_min,
          AVG(propensity) AS propensity_mean, MAX(propensity) AS propensity_max,
          MAX(1.0 / NULLIF(propensity, 0)) AS weight_max,
          SUM(CASE WHEN propensity > 0 AND propensity <= 1 THEN 0 ELSE 1 END) AS out_of_range
        FROM decisions GROUP BY participate, level, creative ORDER BY decisions DESC, participate, level, creative
        """,
    ),
    NamedQuery(
        "devices_per_journey", "On how many kinds of device do journeys run, and how do they end?",
        """
        SELECT devices, devices_seen, COUNT(*) AS journeys,
          SUM(CASE WHEN status = 'CONVERTED' THEN 1 ELSE 0 END) AS converted
        FROM journeys GROUP BY devices, devices_seen ORDER BY devices, devices_seen
        """,
    ),
    NamedQuery(
        "credit_by_model", "How do the attribution models share our sales between channels?",
        """
        SELECT channel, model, conversions, value_usd, spend_usd, cac_usd, roas
        FROM attribution ORDER BY channel, model
        """,
    ),
    NamedQuery(
        "price_to_beat", "What must be bid to win, as far as our own auctions tell, and how far off is that?",
        """
        SELECT channel, signal, method, auctions, seen, q50_usd, true_q50_usd, q50_error, covered
        FROM truth_price_landscape WHERE hour_of_day IS NULL AND method IS NOT NULL
        ORDER BY world_id, channel, signal, method
        """,
    ),
    NamedQuery(
        "rivals_at_end", "What have the rivals learned by the last day?",
        """
        SELECT world_id, advertiser, strategy, learns, value, bid_multiple, pace, aggression, usual_loss, click_value
        FROM rivals_daily WHERE day = (SELECT MAX(day) FROM rivals_daily) ORDER BY world_id, advertiser
        """,
    ),
    NamedQuery(
        "rivals_over_time", "How have the rivals' bids changed from the first day to the last?",
        """
        SELECT advertiser, strategy, world_id,
          SUM(CASE WHEN day = first_day THEN bid_multiple END) AS bid_multiple_first,
          SUM(CASE WHEN day = last_day THEN bid_multiple END) AS bid_multiple_last,
          AVG(pace) AS pace_mean, AVG(aggression) AS aggression_mean, MAX(aggression) AS aggression_max
        FROM (
          SELECT r.*, MIN(day) OVER (PARTITION BY run_id) AS first_day, MAX(day) OVER (PARTITION BY run_id) AS last_day
          FROM rivals_daily AS r
        ) AS d
        GROUP BY advertiser, strategy, world_id ORDER BY world_id, advertiser
        """,
    ),
)

NAMED_QUERIES: dict[str, NamedQuery] = {query.name: query for query in _QUERIES}
"""Every worked query by name, in the order in which `gaelp query --list` shows them."""

REPORT_QUERIES: dict[str, NamedQuery] = {
    query.name: query for query in (*MONEY_QUERIES, *STORY_QUERIES, *MARKET_QUERIES, *WATCH_QUERIES)
}
"""The queries behind `gaelp report`, `journey` and `watch`: `gaelp query` answers to their names, too."""


def resolve(text: str, parameters: Mapping[str, Value] | None = None) -> tuple[str, dict[str, Value]]:
    """SQL and parameters for what a user gave `gaelp query`: a worked query's name, a report's, or SQL as it is.

    Raises UsageError for a single word that is no query's name.
    """
    given = dict(parameters or {})
    word = text.strip()
    if query := NAMED_QUERIES.get(word) or REPORT_QUERIES.get(word):
        return query.sql.strip(), dict(query.defaults) | given
    if word.replace("-", "_").isidentifier():
        import difflib

        near = difflib.get_close_matches(word.replace("-", "_").lower(), [*NAMED_QUERIES, *REPORT_QUERIES], n=1, cutoff=0.5)
        hint = f", nearest: {near[0]}" if near else ""
        raise UsageError(f"{word}: no such query{hint}; next: gaelp query --list, or give SQL")
    return text, given


def parse_parameters(pairs: Iterable[str]) -> dict[str, Value]:
    """Values of `-p name=value` options: numbers as numbers, `as_of` as a time, the rest as text.

    Raises UsageError for a pair without `=` and for an `as_of` that is no time.
    """
    values: dict[str, Value] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name.isidentifier():
            raise UsageError(f"-p {pair}: must be name=value; next: -p as_of=2025-09-15")
        values[name] = moment(text, "-p as_of") if name == "as_of" else _number_or_text(text)
    return values


def whole_view(view: str, order: str) -> str:
    """The SELECT of all columns of a named view in an order, for programs that take what people ask for by hand."""
    from gaelp_sim.store.views import VIEW_COLUMNS

    assert view in VIEW_COLUMNS, view
    return f"SELECT * FROM {view} ORDER BY {order}"


def moment(text: str, said: str) -> int:
    """Epoch seconds of a date or time in ISO form, UTC unless it says otherwise; raises UsageError naming `said`."""
    if text.lstrip("-").isdigit():
        return int(text)
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"{said}={text}: must be a date or time in ISO form; next: {said}=2025-09-15, or 2025-09-15T12:00:00Z"
        ) from error
    return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())


def _number_or_text(text: str) -> Value:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
