"""The analyst's views of auctions, bids and money."""

from __future__ import annotations

from gaelp_sim.store.code_names import DECISION_STATUSES, DEVICE_KINDS, EMAIL, IMPRESSION, US
from gaelp_sim.store.view_parts import (
    GROUPED_RUN_ID,
    PERSON,
    RUN_ID,
    WORLD,
    View,
    ViewColumn,
    coded,
    columns,
    date_of_day,
    day_of,
    hour_of_day,
    moment,
    money,
    named,
    optional,
    plain,
    run_of,
)

_CHANNEL = named("channel", "channel", "channel")
_CAMPAIGN = named("campaign", "campaign", "campaign")
_SIGNAL = named("signal", "query class or audience signal", "signal")
_ADVERTISER = (named("advertiser", "advertiser; NULL for what went unsold", "advertiser"),
               plain("ours", "1 if that is us", f"CASE WHEN t.advertiser = {US} THEN 1 ELSE 0 END"))
_DAY = plain("day", "day since the run's clock began, from 0")
_HOUR = plain("hour", "hour since the run's clock began, from 0")
_HOUR_START = moment("hour_start", "when that hour begins", "(r.start_s + CAST(t.hour AS BIGINT) * 3600)")


def _rate(name: str, meaning: str, of: str, among: str) -> ViewColumn:
    return plain(name, f"{meaning}; NULL if there were none",
                 f"CAST({of} AS DOUBLE PRECISION) / NULLIF({among}, 0)")


_DECISIONS = View(
    "decisions", "our bid decisions, with the person behind each",
    columns(
        RUN_ID, WORLD, PERSON,
        moment("decided", "when the opportunity came up", "t.occurred_s"),
        day_of("t.occurred_s"), hour_of_day("t.occurred_s"),
        optional("resolved_user_id", "resolved user at the time"),
        optional("alias_id", "observed identifier of the device"),
        _CHANNEL, _SIGNAL, _CAMPAIGN,
        coded("device", "kind of device", DEVICE_KINDS),
        plain("round", "the person's k-th opportunity of the hour"),
        plain("clearing_order", "place in the order in which the hour cleared"),
        plain("participate", "1 if the policy chose to bid"),
        optional("level", "bid level chosen"),
        named("creative", "creative offered", "creative"),
        plain("propensity", "probability of (participate, level, creative) under the policy that decided"),
        money("bid", "bid, per click or per thousand impressions", none=True),
        coded("status", "what became of it", DECISION_STATUSES),
        money("price", "clearing price, per click or per thousand impressions", none=True),
        money("charge", "what we were charged", none=True),
        money("min_bid_to_win", "lowest bid that would have won, where the mechanism tells it", "t.min_to_win_micros",
              none=True),
        plain("policy_version", "version of the policy that decided"),
        plain("features", "what the policy saw: 41 float32, little-endian; empty where not logged"),
    ),
    run_of("decision"),
)

# The simulator writes a row for whoever won something in an hour. Ours must stand there also when we won nothing, or
# the hours that went worst would be missing from every win rate.
_AUCTION_HOURS = f"""
      SELECT r.run_id, r.run_key, r.start_s, h.world_id, h.hour, h.channel, h.advertiser, h.opportunities, h.wins,
        h.clicks, h.spend_micros, h.price_q25_micros, h.price_q50_micros, h.price_q75_micros
      FROM @run AS r JOIN @auction_hour AS h ON h.run_key = r.run_key
      UNION ALL
      SELECT r.run_id, r.run_key, r.start_s, h.world_id, h.hour, h.channel, {US}, MAX(h.opportunities), 0,
        0, 0, -1, -1, -1
      FROM @run AS r JOIN @auction_hour AS h ON h.run_key = r.run_key
      GROUP BY r.run_id, r.run_key, r.start_s, h.world_id, h.hour, h.channel
      HAVING SUM(CASE WHEN h.advertiser = {US} THEN 1 ELSE 0 END) = 0
"""

_AUCTIONS = View(
    "auctions_hourly", "auctions by hour and channel: ours always, rivals where they won, NULL for what went unsold",
    columns(
        GROUPED_RUN_ID, WORLD, _HOUR,
        moment("hour_start", "when that hour begins", "(t.start_s + CAST(t.hour AS BIGINT) * 3600)"),
        plain("day", _DAY.meaning, "t.hour / 24"),
        hour_of_day("(t.start_s + CAST(t.hour AS BIGINT) * 3600)"),
        _CHANNEL, _ADVERTISER,
        plain("opportunities", "auctions held in that hour and channel"),
        plain("wins", "auctions that the advertiser won"),
        _rate("win_rate", "wins per opportunity", "t.wins", "t.opportunities"),
        plain("clicks", "clicks on the wins"),
        money("spend", "what the wins cost the advertiser"),
        money("price_q25", "lower quartile of the clearing prices of its wins", none=True),
        money("price_q50", "median of the clearing prices of its wins", none=True),
        money("price_q75", "upper quartile of the clearing prices of its wins", none=True),
    ),
    f"FROM ({_AUCTION_HOURS}) AS t",
)

_BID_SHEETS = View(
    "bid_sheets", "the bid levels our agent wrote for each hour, channel and signal",
    columns(
        RUN_ID, WORLD, _HOUR, _HOUR_START, _CHANNEL, _SIGNAL,
        optional("level", "bid level"),
        money("bid", "bid, per click or per thousand impressions", none=True),
        money("budget", "budget set aside", none=True),
        plain("policy_version", "version of the policy that wrote it"),
    ),
    run_of("bid_sheet"),
)

_BUDGETS = View(
    "budgets_daily", "budgets by day: limit, spent, when exhausted",
    columns(
        RUN_ID, WORLD, _DAY, date_of_day(), _ADVERTISER,
        named("campaign", "campaign; NULL for the advertiser's total", "campaign"),
        money("limit", "limit of the day; NULL without one", none=True),
        money("spent", "spent that day"),
        _rate("spent_share", "spent / limit", "t.spent_micros", "NULLIF(t.limit_micros, -1)"),
        moment("exhausted", "when the budget ran out"),
    ),
    run_of("budget_day"),
)

_CHARGES = View(
    "charges", "the ledger: every charge to us",
    columns(
        RUN_ID, WORLD, PERSON,
        moment("charged", "when the charge arose", "t.occurred_s"),
        plain("touch_slot", "order among touches of the same second"),
        day_of("t.occurred_s"), _CAMPAIGN, _CHANNEL,
        money("amount", "the charge"),
    ),
    run_of("ledger"),
)

_LEDGER_DAILY = View(
    "ledger_daily", "our charges by day, campaign and channel",
    columns(
        GROUPED_RUN_ID, WORLD, _DAY, date_of_day("t.start_s"), _CAMPAIGN, _CHANNEL,
        plain("charges", "how many charges"),
        money("amount", "their sum"),
    ),
    """
    FROM (
      SELECT r.run_id, r.run_key, r.start_s, l.world_id, (l.occurred_s - r.start_s) / 86400 AS day, l.campaign, l.channel,
        COUNT(*) AS charges, CAST(SUM(l.amount_micros) AS BIGINT) AS amount_micros
      FROM @run AS r JOIN @ledger AS l ON l.run_key = r.run_key
      GROUP BY r.run_id, r.run_key, r.start_s, l.world_id, (l.occurred_s - r.start_s) / 86400, l.campaign, l.channel
    ) AS t
    """,
)

# Our spend comes from the ledger, which owned channels (e-mail) fill too; rivals' from the hourly auctions.
_CHANNEL_DAILY = View(
    "channel_daily", "channels by day and advertiser: opportunities, wins, clicks, spend",
    columns(
        GROUPED_RUN_ID, WORLD, _DAY, date_of_day("t.start_s"), _CHANNEL, _ADVERTISER,
        plain("opportunities", "auctions held that day in that channel"),
        plain("wins", "auctions that the advertiser won"),
        _rate("win_rate", "wins per opportunity", "t.wins", "t.opportunities"),
        plain("clicks", "clicks on the wins"),
        plain("charges", "charges in our ledger; 0 for rivals"),
        money("spend", "what the channel cost the advertiser that day"),
    ),
    f"""
    FROM (
      SELECT u.run_id, u.run_key, u.start_s, u.world_id, u.day, u.channel, u.advertiser,
        CAST(SUM(SUM(u.our_opportunities)) OVER (PARTITION BY u.run_key, u.world_id, u.day, u.channel) AS BIGINT)
          AS opportunities,
        CAST(SUM(u.wins) AS BIGINT) AS wins,
        CAST(SUM(u.clicks) AS BIGINT) AS clicks, CAST(SUM(u.charges) AS BIGINT) AS charges,
        CAST(SUM(u.spend_micros) AS BIGINT) AS spend_micros
      FROM (
        SELECT a.run_id, a.run_key, a.start_s, a.world_id, a.hour / 24 AS day, a.channel, a.advertiser,
          CASE WHEN a.advertiser = {US} THEN a.opportunities ELSE 0 END AS our_opportunities, a.wins, a.clicks,
          0 AS charges, CASE WHEN a.advertiser = {US} THEN 0 ELSE a.spend_micros END AS spend_micros
        FROM ({_AUCTION_HOURS}) AS a
        UNION ALL
        SELECT r.run_id, r.run_key, r.start_s, l.world_id, (l.occurred_s - r.start_s) / 86400, l.channel, {US},
          0, 0, 0, 1, l.amount_micros
        FROM @run AS r JOIN @ledger AS l ON l.run_key = r.run_key
      ) AS u
      GROUP BY u.run_id, u.run_key, u.start_s, u.world_id, u.day, u.channel, u.advertiser
    ) AS t
    """,
)

_CAMPAIGN_DAILY = View(
    "campaign_daily", "our campaigns by day: impressions, e-mails, clicks, spend against budget",
    columns(
        GROUPED_RUN_ID, WORLD, _DAY, date_of_day("t.start_s"), _CAMPAIGN, _CHANNEL,
        plain("impressions", "impressions"),
        plain("emails", "e-mails"),
        plain("clicks", "clicks on either"),
        money("spend", "what they cost us"),
        money("limit", "the campaign's limit of that day; NULL without one",
              "(SELECT b.limit_micros FROM @budget_day AS b WHERE b.run_key = t.run_key AND b.world_id = t.world_id"
              f" AND b.day = t.day AND b.advertiser = {US} AND b.campaign = t.campaign)", none=True),
    ),
    f"""
    FROM (
      SELECT r.run_id, r.run_key, r.start_s, p.world_id, (p.occurred_s - r.start_s) / 86400 AS day, p.campaign, p.channel,
        SUM(CASE WHEN p.kind = {IMPRESSION} THEN 1 ELSE 0 END) AS impressions,
        SUM(CASE WHEN p.kind = {EMAIL} THEN 1 ELSE 0 END) AS emails, SUM(p.clicked) AS clicks,
        CAST(SUM(CASE WHEN p.price_micros > 0 THEN p.price_micros ELSE 0 END) AS BIGINT) AS spend_micros
      FROM @run AS r JOIN @touchpoint AS p ON p.run_key = r.run_key
      WHERE p.advertiser = {US} AND p.campaign <> -1
      GROUP BY r.run_id, r.run_key, r.start_s, p.world_id, (p.occurred_s - r.start_s) / 86400, p.campaign, p.channel
    ) AS t
    """,
)

_SALE_WINDOW_S = 7 * 86_400
_CREATIVE_DAY = "(p.occurred_s - r.start_s) / 86400"

_CREATIVE_DAILY = View(
    "creative_daily", "our creatives by day and channel: impressions, clicks, spend, and the sales that followed a click",
    columns(
        GROUPED_RUN_ID, WORLD, _DAY, date_of_day("t.start_s"),
        named("creative", "creative shown", "creative"), _CHANNEL,
        plain("impressions", "impressions"),
        plain("clicks", "clicks on them"),
        _rate("click_rate", "clicks per impression", "t.clicks", "t.impressions"),
        money("spend", "what they cost us"),
        plain("sales", "our sales decided within 7 days of such a click; one that followed several counts in each row"),
    ),
    f"""
    FROM (
      SELECT u.run_id, u.run_key, u.start_s, u.world_id, u.day, u.creative, u.channel,
        CAST(SUM(u.impressions) AS BIGINT) AS impressions, CAST(SUM(u.clicks) AS BIGINT) AS clicks,
        CAST(SUM(u.spend_micros) AS BIGINT) AS spend_micros, CAST(SUM(u.sales) AS BIGINT) AS sales
      FROM (
        SELECT r.run_id, r.run_key, r.start_s, p.world_id, {_CREATIVE_DAY} AS day, p.creative, p.channel,
          1 AS impressions, p.clicked AS clicks, CASE WHEN p.price_micros > 0 THEN p.price_micros ELSE 0 END
            AS spend_micros, 0 AS sales
        FROM @run AS r JOIN @touchpoint AS p ON p.run_key = r.run_key
        WHERE p.advertiser = {US} AND p.kind = {IMPRESSION}
        UNION ALL
        SELECT s.run_id, s.run_key, s.start_s, s.world_id, s.day, s.creative, s.channel, 0, 0, 0, 1
        FROM (
          SELECT DISTINCT r.run_id, r.run_key, r.start_s, p.world_id, {_CREATIVE_DAY} AS day, p.creative, p.channel,
            c.person_id, c.decided_s
          FROM @run AS r JOIN @conversion AS c ON c.run_key = r.run_key JOIN @touchpoint AS p
            ON p.run_key = c.run_key AND p.world_id = c.world_id AND p.person_id = c.person_id
            AND p.occurred_s BETWEEN c.decided_s - {_SALE_WINDOW_S} AND c.decided_s
          WHERE c.advertiser = {US} AND p.advertiser = {US} AND p.kind = {IMPRESSION} AND p.clicked = 1
        ) AS s
      ) AS u
      GROUP BY u.run_id, u.run_key, u.start_s, u.world_id, u.day, u.creative, u.channel
    ) AS t
    """,
)

MARKET_VIEWS = (_CHANNEL_DAILY, _CAMPAIGN_DAILY, _CREATIVE_DAILY, _DECISIONS, _AUCTIONS, _BID_SHEETS, _BUDGETS, _CHARGES,
                _LEDGER_DAILY)
