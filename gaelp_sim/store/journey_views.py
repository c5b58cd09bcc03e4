"""The analyst's views of people and their journeys: what truly happened, over all advertisers."""

from __future__ import annotations

from gaelp_sim.store.code_names import (
    CONVERSION_VIAS,
    DEVICE_KINDS,
    JOURNEY_STATUSES,
    STAGES,
    TOUCH_KINDS,
    TRIGGER_KINDS,
    US,
)
from gaelp_sim.store.view_parts import (
    PERSON,
    RUN_ID,
    WORLD,
    View,
    ViewColumn,
    coded,
    columns,
    day_of,
    hour_of_day,
    moment,
    money,
    named,
    named_bits,
    optional,
    plain,
    run_of,
)

_SEGMENT = named(
    "segment", "segment of the person at the run's end", "segment",
    "(SELECT p.segment FROM @person AS p WHERE p.run_key = t.run_key AND p.world_id = t.world_id"
    " AND p.person_id = t.person_id)",
)
_DEVICES = " + ".join(f"CASE WHEN (t.devices_seen & {1 << code}) <> 0 THEN 1 ELSE 0 END"
                      for code in range(len(DEVICE_KINDS)))
_DEVICE_NAMES = "CASE t.devices_seen " + " ".join(
    f"WHEN {bits} THEN '{','.join(kind for code, kind in enumerate(DEVICE_KINDS) if bits >> code & 1)}'"
    for bits in range(1, 1 << len(DEVICE_KINDS))
) + " END"

_PEOPLE = View(
    "people", "everyone in the world with the state the run left them in",
    columns(
        RUN_ID, WORLD, PERSON,
        plain("household_id", "household within the world"),
        named("segment", "segment now", "segment"),
        coded("stage", "stage now", STAGES),
        coded("status", "status of the present journey", JOURNEY_STATUSES),
        optional("goodwill", "goodwill for us, level"),
        moment("goodwill_changed", "when that level was last set", "t.goodwill_s"),
        optional("rival_goodwill", "goodwill for rivals, level"),
        moment("rival_goodwill_changed", "when that level was last set", "t.rival_goodwill_s"),
        named("last_rival", "rival last met", "advertiser"),
        optional("fatigue_teach", "fatigue with teaching creatives, level"),
        moment("fatigue_teach_changed", "when that level was last set", "t.fatigue_teach_s"),
        optional("fatigue_offer", "fatigue with offers, level"),
        moment("fatigue_offer_changed", "when that level was last set", "t.fatigue_offer_s"),
        optional("on_list", "1 if on our e-mail list"),
        coded("device", "device in use", DEVICE_KINDS),
        moment("crisis", "when the present crisis began"),
        moment("decided", "when the person decided to buy"),
        moment("converted", "when the person bought"),
        optional("journey_index", "which journey of the person this is"),
        optional("days_in_journey", "days in the present journey"),
    ),
    run_of("person"),
)

_JOURNEYS = View(
    "journeys", "journeys: one row each, finished or not",
    columns(
        RUN_ID, WORLD, PERSON,
        plain("journey_index", "which journey of the person this is"),
        _SEGMENT,
        coded("stage", "stage reached", STAGES),
        coded("status", "how the journey stands", JOURNEY_STATUSES),
        plain("censored", "1 if it is still open: how it will end is not known, so that it is neither lost nor won",
              f"CASE WHEN t.status = {JOURNEY_STATUSES.index('ACTIVE')} THEN 1 ELSE 0 END"),
        moment("started", "when the journey began"),
        moment("first_touch", "first touch by any advertiser"),
        moment("last_touch", "last touch by any advertiser"),
        moment("ended", "when the journey ended"),
        moment("lost", "when it timed out"),
        moment("converted", "when the purchase was made"),
        plain("days_to_convert", "days from first touch to purchase",
              "CAST(NULLIF(t.converted_s, -1) - NULLIF(t.first_touch_s, -1) AS DOUBLE PRECISION) / 86400"),
        plain("days_in_journey", "days in the journey"),
        money("cost", "what the journey cost us"),
        plain("touches", "touches by any advertiser"),
        plain("impressions", "impressions by any advertiser"),
        plain("clicks", "clicks on any advertiser"),
        plain("our_touches", "touches by us"),
        plain("our_clicks", "clicks on us"),
        plain("devices_seen", "kinds of device used, separated by commas", _DEVICE_NAMES),
        plain("devices", "how many kinds of device were used", _DEVICES),
        named_bits("channels_exposed", "channels that touched the journey", "channel"),
        named_bits("competitors_seen", "rivals that touched the journey", "advertiser"),
        named("converted_advertiser", "who made the sale", "advertiser"),
    ),
    run_of("journey"),
)

_TOUCHPOINTS = View(
    "touchpoints", "impressions, e-mails and visits as people met them, ours and rivals'",
    columns(
        RUN_ID, WORLD, PERSON,
        moment("touched", "when it happened", "t.occurred_s"),
        plain("touch_slot", "order among touches of the same second"),
        day_of("t.occurred_s"), hour_of_day("t.occurred_s"),
        plain("journey_index", "journey of the person that it belongs to"),
        coded("kind", "what happened", TOUCH_KINDS),
        named("advertiser", "whose touch it was", "advertiser"),
        plain("ours", "1 if it was ours", f"CASE WHEN t.advertiser = {US} THEN 1 ELSE 0 END"),
        named("channel", "channel", "channel"),
        named("campaign", "campaign", "campaign"),
        named("creative", "creative shown", "creative"),
        named("signal", "query class or audience signal", "signal"),
        optional("position", "slot on the page, from 0"),
        coded("device", "kind of device", DEVICE_KINDS),
        optional("alias_id", "observed identifier of the device"),
        money("price", "what the advertiser was charged", none=True),
        plain("examined", "1 if the person looked at it"),
        plain("clicked", "1 if the person clicked it"),
    ),
    run_of("touchpoint"),
)

_CONVERSIONS = View(
    "conversions", "decisions to buy, ours and rivals', with purchase and report times",
    columns(
        RUN_ID, WORLD, PERSON,
        plain("order_id", "order, unique within the world"),
        plain("journey_index", "journey of the person that it ended"),
        _SEGMENT,
        named("advertiser", "who made the sale", "advertiser"),
        plain("ours", "1 if the sale was ours", f"CASE WHEN t.advertiser = {US} THEN 1 ELSE 0 END"),
        coded("via", "how the decision came about", CONVERSION_VIAS),
        moment("decided", "when the person decided"),
        moment("purchased", "when the purchase is made"),
        moment("reported", "when the advertiser learns of it"),
        day_of("t.decided_s"),
        plain("purchase_delay_days", "days from decision to purchase",
              "CAST(NULLIF(t.purchased_s, -1) - t.decided_s AS DOUBLE PRECISION) / 86400"),
        plain("report_delay_days", "days from purchase to report",
              "CAST(NULLIF(t.reported_s, -1) - NULLIF(t.purchased_s, -1) AS DOUBLE PRECISION) / 86400"),
        money("value", "value of the sale"),
        coded("device", "kind of device", DEVICE_KINDS),
        plain("late", "1 if the journey had been given up as LOST before"),
    ),
    run_of("conversion"),
)

PATH_LOOKBACK_DAYS = 90
# By time, not by journey: a sale may come after its journey was given up as LOST, and nothing may be lost with it.
_PATH = ("FROM @touchpoint AS p WHERE p.run_key = t.run_key AND p.world_id = t.world_id"
         " AND p.person_id = t.person_id AND p.occurred_s <= t.decided_s"
         f" AND p.occurred_s > t.decided_s - {PATH_LOOKBACK_DAYS * 86_400} AND p.advertiser = {US}")
_PATH_CHANNEL = ("(SELECT n.name FROM @name AS n WHERE n.run_key = p.run_key AND n.kind = 'channel'"
                 " AND n.code = p.channel)")


def _end_of_path(name: str, meaning: str, direction: str) -> ViewColumn:
    order = f"ORDER BY p.occurred_s {direction}, p.touch_slot {direction} LIMIT 1"
    return plain(name, meaning, f"(SELECT {_PATH_CHANNEL} {_PATH} {order})")


_PATHS = View(
    "paths_to_conversion", f"our sales with our touches of the {PATH_LOOKBACK_DAYS} days before the decision, in order",
    columns(
        RUN_ID, WORLD, PERSON,
        plain("order_id", "order, unique within the world"),
        plain("journey_index", "journey of the person that the sale ended"),
        _SEGMENT,
        moment("decided", "when the person decided"),
        moment("purchased", "when the purchase is made"),
        moment("reported", "when we learn of it"),
        money("value", "value of the sale"),
        ViewColumn("path", "channels of our touches before the decision, in order, separated by ' > '",
                   lambda dialect: dialect.list_text(f"{_PATH_CHANNEL}", _PATH, order="p.occurred_s, p.touch_slot",
                                                     separator=" > ")),
        plain("touches", "how many touches of ours the path has", f"(SELECT COUNT(*) {_PATH})"),
        plain("clicks", "clicks on them", f"(SELECT COALESCE(SUM(p.clicked), 0) {_PATH})"),
        money("cost", "what they cost us",
              "(SELECT CAST(COALESCE(SUM(CASE WHEN p.price_micros > 0 THEN p.price_micros ELSE 0 END), 0) AS BIGINT)"
              f" {_PATH})"),
        _end_of_path("first_channel", "channel of our first touch", "ASC"),
        _end_of_path("last_channel", "channel of our last touch", "DESC"),
        moment("first_touch", "our first touch on the path", f"COALESCE((SELECT MIN(p.occurred_s) {_PATH}), -1)"),
        moment("last_touch", "our last touch on the path", f"COALESCE((SELECT MAX(p.occurred_s) {_PATH}), -1)"),
    ),
    f"{run_of('conversion')} WHERE t.advertiser = {US}",
)

_TRIGGERS = View(
    "trigger_events", "crises and life events",
    columns(
        RUN_ID, WORLD,
        optional("person_id", "person struck; NULL for the whole world"),
        moment("occurred", "when it struck"),
        coded("kind", "what it was", TRIGGER_KINDS),
        named("segment_from", "segment before", "segment"),
        named("segment_to", "segment after", "segment"),
        plain("size", "strength of the event"),
    ),
    run_of("trigger_event"),
)

JOURNEY_VIEWS = (_JOURNEYS, _TOUCHPOINTS, _CONVERSIONS, _PATHS, _PEOPLE, _TRIGGERS)
