"""What an advertiser could see: the only views that policies, estimators and agents from outside read.

Nobody's true identity, household, segment, stage, trait or journey stands here; people are known by alias and by the
resolved user that identity resolution made of aliases. Sales appear once they have been reported. Tables that also
hold hidden columns are read column by column; `OBSERVED_READS` says which, and a test compares the SQL with it.
"""

from __future__ import annotations

from gaelp_sim.store.code_names import (
    DECISION_STATUSES,
    DEVICE_KINDS,
    EMAIL,
    IMPRESSION,
    TOUCH_KINDS,
    US,
    VISIT,
    WON,
)
from gaelp_sim.store.outside_views import ANSWERS, RUNS, SHEET
from gaelp_sim.store.rival_views import LANDSCAPE
from gaelp_sim.store.view_parts import (
    GROUPED_RUN_ID,
    RUN_ID,
    WORLD,
    View,
    coded,
    columns,
    day_of,
    hour_of_day,
    moment,
    money,
    named,
    optional,
    plain,
    run_of,
)

OBSERVED_READS: dict[str, frozenset[str]] = {
    "run": frozenset({"run_key", "run_id", "start_s", "hours_done", "status", "start_hour", "end_hour"}),
    "name": frozenset({"run_key", "kind", "code", "name"}),
    "alias": frozenset({"run_key", "world_id", "alias_id", "kind", "resolved_user_id", "match_confidence",
                        "first_seen_s", "last_seen_s", "login_s"}),
    "touchpoint": frozenset({"run_key", "world_id", "occurred_s", "touch_slot", "kind", "advertiser", "channel",
                             "campaign", "creative", "signal", "position", "device", "alias_id", "price_micros",
                             "clicked"}),
    "decision": frozenset({"run_key", "world_id", "occurred_s", "resolved_user_id", "alias_id", "channel", "signal",
                           "campaign", "device", "participate", "level", "creative", "propensity", "bid_micros",
                           "status", "price_micros", "charge_micros", "min_to_win_micros", "policy_version",
                           "features"}),
    "price_landscape": frozenset({"run_key", "world_id", "signal", "hour_of_day", "method", "channel", "auctions", "seen",
                                  "above", "below", "q25_micros", "q50_micros", "q75_micros", "q50_low_micros",
                                  "q50_high_micros"}),
    "ledger": frozenset({"run_key", "world_id", "occurred_s", "touch_slot", "campaign", "channel", "amount_micros"}),
    # Our shop sees which browser bought. The person only leads from the sale to that browser's alias.
    "conversion": frozenset({"run_key", "world_id", "person_id", "order_id", "advertiser", "purchased_s",
                             "reported_s", "value_micros", "device"}),
    "device": frozenset({"run_key", "world_id", "person_id", "device", "alias_id"}),
    # What we bid ourselves, and what an agent from outside is asked and has answered.
    "bid_sheet": frozenset({"run_key", "world_id", "hour", "channel", "signal", "bid_micros", "budget_micros"}),
    "outside_ask": frozenset({"run_key", "world_id", "hour", "channel", "signal", "default_micros", "budget_micros"}),
    "outside_answer": frozenset({"run_key", "hour", "number", "to_run", "to_world", "to_hour", "channel", "signal",
                                 "bid_micros", "verdict"}),
    "outside_bid": frozenset({"run_id", "world_id", "hour", "channel", "signal"}),
}
"""Columns that observed views may read, by table."""

_ALIAS = plain("alias_id", "observed identifier of the browser or device")
_USER = optional("resolved_user_id", "resolved user of that alias, as resolution now stands",
                 "(SELECT a.resolved_user_id FROM @alias AS a WHERE a.run_key = t.run_key"
                 " AND a.world_id = t.world_id AND a.alias_id = t.alias_id)")
_DEVICE = coded("device", "kind of device", DEVICE_KINDS)
# A sale is known once reported within the hours the run has reached.
_REPORTED = (f"t.advertiser = {US} AND t.reported_s <> -1"
             " AND t.reported_s <= r.start_s + CAST(r.hours_done AS BIGINT) * 3600")
_BUYER = ("FROM @device AS d JOIN @alias AS a ON a.run_key = d.run_key AND a.world_id = d.world_id"
          " AND a.alias_id = d.alias_id WHERE d.run_key = t.run_key AND d.world_id = t.world_id"
          " AND d.person_id = t.person_id AND d.device = t.device")

_USERS = View(
    "observed_users", "resolved users: who identity resolution believes there is",
    columns(
        GROUPED_RUN_ID, WORLD,
        plain("resolved_user_id", "resolved user"),
        plain("aliases", "aliases joined into this user"),
        plain("mobile_aliases", "of them on mobile devices"),
        plain("desktop_aliases", "of them on desktops"),
        plain("tablet_aliases", "of them on tablets"),
        plain("match_confidence", "lowest match confidence among the aliases, 0-1"),
        moment("first_seen", "when any alias was first seen"),
        moment("last_seen", "when any alias was last seen"),
        moment("login", "last log-in on any alias"),
    ),
    """
    FROM (
      SELECT r.run_id, a.world_id, a.resolved_user_id, COUNT(*) AS aliases,
        SUM(CASE WHEN a.kind = 0 THEN 1 ELSE 0 END) AS mobile_aliases,
        SUM(CASE WHEN a.kind = 1 THEN 1 ELSE 0 END) AS desktop_aliases,
        SUM(CASE WHEN a.kind = 2 THEN 1 ELSE 0 END) AS tablet_aliases,
        MIN(a.match_confidence) AS match_confidence, MIN(a.first_seen_s) AS first_seen_s,
        MAX(a.last_seen_s) AS last_seen_s, MAX(a.login_s) AS login_s
      FROM @run AS r JOIN @alias AS a ON a.run_key = r.run_key
      WHERE a.first_seen_s <> -1
      GROUP BY r.run_id, a.world_id, a.resolved_user_id
    ) AS t
    """,
)

_TOUCHES = View(
    "observed_touches", "our own impressions, e-mails and visits, by alias",
    columns(
        RUN_ID, WORLD, _ALIAS, _USER,
        moment("touched", "when it happened", "t.occurred_s"),
        plain("touch_slot", "order among touches of the same second"),
        day_of("t.occurred_s"), hour_of_day("t.occurred_s"),
        coded("kind", "what happened", TOUCH_KINDS),
        named("channel", "channel", "channel"),
        named("campaign", "campaign", "campaign"),
        named("creative", "creative shown", "creative"),
        named("signal", "query class or audience signal", "signal"),
        optional("position", "slot on the page, from 0"),
        _DEVICE,
        money("price", "what we were charged", none=True),
        plain("clicked", "1 if it was clicked"),
    ),
    f"{run_of('touchpoint')} WHERE t.advertiser = {US}",
)

_DECISIONS = View(
    "observed_decisions", "our bid decisions with their propensities; prices only where we were told",
    columns(
        RUN_ID, WORLD, _ALIAS,
        optional("resolved_user_id", "resolved user at the time of the decision"),
        moment("decided", "when the opportunity came up", "t.occurred_s"),
        day_of("t.occurred_s"), hour_of_day("t.occurred_s"),
        named("channel", "channel", "channel"),
        named("signal", "query class or audience signal", "signal"),
        named("campaign", "campaign that bid", "campaign"),
        _DEVICE,
        plain("participate", "1 if the policy chose to bid"),
        optional("level", "bid level chosen"),
        named("creative", "creative offered", "creative"),
        plain("propensity", "probability of (participate, level, creative) under the policy that decided"),
        money("bid", "bid, per click or per thousand impressions", none=True),
        coded("status", "what became of it", DECISION_STATUSES),
        money("price", "clearing price of a win, per click or per thousand impressions",
              f"CASE WHEN t.status = {WON} THEN t.price_micros ELSE -1 END", none=True),
        money("charge", "what we were charged for a win", f"CASE WHEN t.status = {WON} THEN t.charge_micros ELSE -1 END",
              none=True),
        money("min_bid_to_win", "lowest bid that would have won, where the mechanism tells it", "t.min_to_win_micros",
              none=True),
        plain("policy_version", "version of the policy that decided"),
        plain("features", "what the policy saw: 41 float32, little-endian; empty where not logged"),
    ),
    run_of("decision"),
)

_CONVERSIONS = View(
    "observed_conversions", "our sales once reported, by the alias of the browser that bought",
    columns(
        RUN_ID, WORLD,
        plain("order_id", "order, unique within the world"),
        plain("alias_id", "alias of the browser that bought", f"(SELECT a.alias_id {_BUYER})"),
        plain("resolved_user_id", "resolved user of that alias, as resolution now stands",
              f"(SELECT NULLIF(a.resolved_user_id, -1) {_BUYER})"),
        moment("purchased", "when the purchase was made"),
        moment("reported", "when we learned of it"),
        day_of("t.purchased_s"),
        money("value", "value of the sale"),
        _DEVICE,
    ),
    f"{run_of('conversion')} WHERE {_REPORTED}",
)

_LEDGER = View(
    "observed_ledger", "our charges, as an invoice lists them",
    columns(
        RUN_ID, WORLD,
        moment("charged", "when the charge arose", "t.occurred_s"),
        day_of("t.occurred_s"),
        named("campaign", "campaign charged", "campaign"),
        named("channel", "channel that charged", "channel"),
        money("amount", "the charge"),
    ),
    run_of("ledger"),
)

_PRICES = View(
    "observed_prices", "what the mechanism told of prices: our wins' prices, and min-bid-to-win where told",
    columns(
        RUN_ID, WORLD,
        moment("cleared", "when the auction cleared", "t.occurred_s"),
        day_of("t.occurred_s"), hour_of_day("t.occurred_s"),
        named("channel", "channel", "channel"),
        named("signal", "query class or audience signal", "signal"),
        _DEVICE,
        plain("won", "1 if we won", f"CASE WHEN t.status = {WON} THEN 1 ELSE 0 END"),
        money("bid", "our bid, per click or per thousand impressions", none=True),
        money("price", "clearing price of a win, per click or per thousand impressions",
              f"CASE WHEN t.status = {WON} THEN t.price_micros ELSE -1 END", none=True),
        money("min_bid_to_win", "lowest bid that would have won, where told", "t.min_to_win_micros", none=True),
    ),
    f"{run_of('decision')} WHERE t.status = {WON} OR t.min_to_win_micros <> -1",
)

_JOURNEYS = View(
    "observed_journeys", "what we know of each resolved user's way: our touches and the sales reported so far",
    columns(
        GROUPED_RUN_ID, WORLD,
        plain("resolved_user_id", "resolved user"),
        moment("first_touch", "our first touch of the user"),
        moment("last_touch", "our last touch of the user"),
        plain("touches", "our touches, all kinds"),
        plain("impressions", "our impressions"),
        plain("emails", "our e-mails"),
        plain("visits", "visits to us"),
        plain("clicks", "clicks on our touches"),
        money("cost", "what the touches cost us"),
        plain("sales", "our sales reported so far"),
        money("value", "value of those sales"),
        moment("first_reported", "when the first sale was reported"),
        plain("status", "CONVERTED once a sale has been reported, else OPEN",
              "CASE WHEN t.sales > 0 THEN 'CONVERTED' ELSE 'OPEN' END"),
    ),
    # Where Postgres knows nothing yet of the tables (before its first ANALYZE) it would walk all touches once for each
    # alias, and all sales once for each user: the LEFT JOIN and the one sum over both leave it no such order.
    f"""
    FROM (
      SELECT u.run_id, u.world_id, u.resolved_user_id, COALESCE(MIN(u.touched_s), -1) AS first_touch_s,
        COALESCE(MAX(u.touched_s), -1) AS last_touch_s, COUNT(u.kind) AS touches,
        COUNT(CASE WHEN u.kind = {IMPRESSION} THEN 1 END) AS impressions,
        COUNT(CASE WHEN u.kind = {EMAIL} THEN 1 END) AS emails, COUNT(CASE WHEN u.kind = {VISIT} THEN 1 END) AS visits,
        SUM(u.clicked) AS clicks, CAST(SUM(u.cost_micros) AS BIGINT) AS cost_micros,
        COUNT(u.reported_s) AS sales, CAST(SUM(u.value_micros) AS BIGINT) AS value_micros,
        COALESCE(MIN(u.reported_s), -1) AS first_reported_s
      FROM (
        SELECT r.run_id, t.world_id, COALESCE(a.resolved_user_id, -1) AS resolved_user_id, t.occurred_s AS touched_s,
          t.kind, t.clicked,
          CASE WHEN t.price_micros > 0 THEN t.price_micros ELSE 0 END AS cost_micros,
          CAST(NULL AS BIGINT) AS reported_s, 0 AS value_micros
        FROM @run AS r JOIN @touchpoint AS t ON t.run_key = r.run_key
          LEFT JOIN @alias AS a ON a.run_key = t.run_key AND a.world_id = t.world_id AND a.alias_id = t.alias_id
        WHERE t.advertiser = {US}
        UNION ALL
        SELECT r.run_id, t.world_id, (SELECT a.resolved_user_id {_BUYER}), NULL, NULL, 0, 0, t.reported_s,
          t.value_micros
        FROM @run AS r JOIN @conversion AS t ON t.run_key = r.run_key WHERE {_REPORTED}
      ) AS u
      WHERE u.resolved_user_id <> -1
      GROUP BY u.run_id, u.world_id, u.resolved_user_id
    ) AS t
    """,
)

OBSERVED_VIEWS = (_USERS, _TOUCHES, _DECISIONS, _CONVERSIONS, _LEDGER, _PRICES, LANDSCAPE, _JOURNEYS, RUNS, SHEET,
                  ANSWERS)
