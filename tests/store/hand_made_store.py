"""A store small enough to work its answers out by hand, the same on SQLite and Postgres.

One world, five people, 14 days from 2025-09-01; prices in micros. An older run holds the same rows with every price
doubled and one sale fewer, so that a query that reaches across runs is found out.

    person 0 (aliases 100 mobile, 101 desktop -> user 1)  search click, social, e-mail; our sale of day 3
    person 1 (alias 102 mobile -> user 2)                 search; LOST on day 5; social click and late sale on day 8
    person 2 (alias 103 desktop -> user 1, wrongly)       a touch of Bark's; Bark's sale of day 5
    person 3 (alias 104 tablet -> user 3)                 search; our sale of day 13, reported after the run's end
    person 4                                              never met an ad
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gaelp_sim.store.code_names import DECISION_STATUSES, STAGES
from gaelp_sim.store.columns import Rows
from gaelp_sim.store.encode import insert_rows
from gaelp_sim.store.engines import Database, Link, connect
from gaelp_sim.store.layout import LAYOUTS, ColumnKind
from gaelp_sim.store.lifecycle import begin
from gaelp_sim.store.records import RunRecord
from gaelp_sim.store.schema import ensure

START_S = 1_756_684_800  # 2025-09-01T00:00:00Z
DAYS = 14
SEARCH, SOCIAL, MAIL = 0, 1, 2
US, BARK = 0, 1
MOBILE, DESKTOP, TABLET = 0, 1, 2
IMPRESSION, EMAIL = 0, 1
NOT_ENTERED, LOST, WON, DROPPED = range(len(DECISION_STATUSES))
UNAWARE, AWARE, CONSIDERING, INTENT, CONVERTED = range(len(STAGES))

Row = dict[str, Any]


def at(day: float, hour: float = 0) -> int:
    """Epoch seconds of an hour of a day of the run."""
    return START_S + int(day * 86_400 + hour * 3_600)


def make_store(url: str) -> tuple[str, str]:
    """Fill an empty database; returns the ids of the older run and of the run under test."""
    database = connect(url)
    ensure(database)
    older = _add_run(database, "older", factor=2, sales=3)
    newer = _add_run(database, "tested", factor=1, sales=4)
    database.close()
    return older, newer


def _add_run(database: Database, label: str, *, factor: int, sales: int) -> str:
    with database.writing() as link:
        run = begin(link, _record(label))
        link.execute("UPDATE run SET hours_done = ?, status = 'FINISHED' WHERE run_key = ?", (DAYS * 24, run.run_key))
        rows = _rows(factor)
        rows["conversion"] = rows["conversion"][:sales]
        for table, values in rows.items():
            insert(link, run.run_key, table, values)
    return str(run.run_id)


def _record(label: str) -> RunRecord:
    return RunRecord(
        scenario_name="by_hand", scenario_text="{}", scenario_hash="0" * 64, seed=1, people=5, days=DAYS, worlds=1,
        start_s=START_S, end_hour=DAYS * 24, label=label,
    )


def insert(link: Link, run_key: int, table: str, rows: list[Row]) -> None:
    """Insert rows given as dicts; what is left out is 0, or empty for bytes and text."""
    layout = LAYOUTS[table]
    for row in rows:
        unknown = set(row) - set(layout.column_names)
        assert not unknown, (table, unknown)
    filled = [{column.name: _blank(column.kind) for column in layout.columns} | row for row in rows]
    columns = {column.name: [row[column.name] for row in filled] for column in layout.columns}
    numbers = {column.name: np.array(columns[column.name]) for column in layout.columns if column.kind.is_number}
    insert_rows(link, run_key, Rows.of(layout, columns | numbers))


def _blank(kind: ColumnKind) -> Any:
    return {ColumnKind.BYTES: b"", ColumnKind.TEXT: "", ColumnKind.DOUBLE: 0.0}.get(kind, 0)


def _rows(factor: int) -> dict[str, list[Row]]:
    touches = _touches(factor)
    return {
        "world": [{"people": 5, "market_noise_ppm": 1_050_000, "season_shift_days": 3}],
        "world_parameter": [{"parameter": 0, "value": 175.0, "low": 150.0, "high": 210.0}],
        "name": _names(),
        "person": _people(),
        "truth_person": [{"person_id": p, "segment_at_start": 0, "attention": 0.5 + p / 10} for p in range(5)],
        "device": _devices(),
        "alias": _aliases(),
        "alias_link": [{"alias_id": 100, "other_alias_id": 101, "probability": 0.9, "method": "address"}],
        "alias_pair": [{"alias_id": 100, "other_alias_id": 103, "probability": 0.6}],
        "identity_change": _identity_changes(),
        "journey": _journeys(factor),
        "touchpoint": touches,
        "decision": _decisions(factor),
        "auction_hour": _auction_hours(factor),
        "conversion": _sales(),
        "bid_sheet": [{"hour": 10, "channel": SEARCH, "level": 2, "bid_micros": 3_000_000, "budget_micros": -1}],
        "ledger": [
            {key: touch[key] for key in ("occurred_s", "person_id", "touch_slot", "campaign", "channel")}
            | {"amount_micros": touch["price_micros"]}
            for touch in touches if touch["advertiser"] == US
        ],
        "budget_day": _budgets(factor),
        "rival_day": [
            {"day": day, "advertiser": BARK, "strategy": 4, "learns": 1, "value_ppm": 1_000_000,
             "bid_multiple_ppm": 900_000, "pace_ppm": 1_000_000, "aggression_ppm": 1_100_000,
             "usual_loss_ppm": 800_000, "click_value_ppm": 1_000_000}
            for day in (0, 1)
        ],
        "price_landscape": [
            {"signal": 0, "hour_of_day": hour, "channel": SEARCH, "auctions": 40, "seen": 15, "above": 25,
             "q25_micros": 1_500_000, "q50_micros": 2_200_000 * factor, "q75_micros": -1, "q50_low_micros": 1_900_000,
             "q50_high_micros": 2_600_000 * factor}
            for hour in (-1, 9)
        ],
        "truth_price": [
            {"signal": 0, "hour_of_day": hour, "channel": SEARCH, "auctions": 50, "q25_micros": 1_400_000,
             "q50_micros": 2_000_000, "q75_micros": 3_000_000}
            for hour in (-1, 9, 10)
        ],
        "trigger_event": [
            {"occurred_s": at(1), "person_id": 0, "segment_from": 0, "segment_to": 1, "size": 1.0},
            {"occurred_s": at(2), "person_id": -1, "kind": 1, "segment_from": -1, "segment_to": -1, "size": 0.5},
        ],
    } | _asked(factor) | _analyses()


def _asked(factor: int) -> dict[str, list[Row]]:
    """What an agent from outside is asked, and two rows that it wrote."""
    return {
        "outside_ask": [{"hour": DAYS * 24, "channel": SEARCH, "default_micros": 2_000_000 * factor, "budget_micros": -1}],
        "outside_answer": [
            {"hour": 10, "number": number, "to_run": "another", "to_hour": hour, "channel": "search", "signal": "generic",
             "bid_micros": 3_000_000, "verdict": verdict}
            for number, (hour, verdict) in enumerate(((10, 0), (9, 1)))
        ],
    }


def _identity_changes() -> list[Row]:
    return [
        {"alias_id": 101, "changed_s": at(2), "previous_user_id": 101, "resolved_user_id": 1, "probability": 0.9,
         "method": 1},
        {"alias_id": 103, "changed_s": at(4), "previous_user_id": 103, "resolved_user_id": 1, "probability": 0.6,
         "method": 1},
    ]


def _analyses() -> dict[str, list[Row]]:
    return {
        "attribution_settings": [
            {"model": model, "rule": model, "settings": "{}", "sales": 3} for model in ("last", "linear")
        ],
        "resolution": [{"resolution_id": 1, "threshold": 0.5, "parameters": "{}", "settings": "{}"}],
        "resolved_alias": [
            {"resolution_id": 1, "alias_id": alias, "resolved_user_id": user, "match_confidence": 0.75}
            for alias, user in ((100, 100), (101, 100), (102, 102), (103, 103), (104, 104))
        ],
        "credit": _credits(),
        "credit_sum": _credit_sums(),
        "journey_reward": [
            {"model": "last", "rule": "document", "person_id": 0, "credit": 1.0, "days": 2, "cost_micros": 2_510_000,
             "value_micros": 180_000_000, "reward_micros": 212_988_000},
            {"model": "last", "rule": "document", "person_id": 1, "credit": -1.0, "days": -1, "cost_micros": 2_000_000,
             "reward_micros": -2_000_000},
        ],
        "truth_credit": [{"estimand": "M", "person_id": 0, "occurred_s": at(0, 10), "sales_delta": 0.25,
                          "value_micros": 45_000_000, "inclusion": 1.0}],
        "incremental": [
            {"estimand": "M", "effect_of": effect, "code": code, "touches": 2, "sales_delta": 1.5, "low": 0.5, "high": 2.5}
            for effect, code in (("all", -1), ("channel", SEARCH), ("channel", SOCIAL), ("campaign", SEARCH))
        ],
        "replay_change": [{"person_id": 0, "sales_before": 1, "sales_after": 0, "bought_before": 0, "bought_after": 1,
                           "impressions_before": 3, "impressions_after": 1, "clicks_before": 1, "clicks_after": 0,
                           "cost_before_micros": 2_510_000, "cost_after_micros": 10_000, "first_difference_s": at(0, 10),
                           "channel": SEARCH, "why": "1 click fewer"}],
        "attribution_error": [{"model": "last", "estimand": "M", "mae": 0.5, "mae_low": 0.25, "mae_high": 0.75,
                               "rank": 0.5, "rank_low": 0.25, "rank_high": 1.0, "misallocated_micros": 2.0e6,
                               "misallocated_low": 1.0e6, "misallocated_high": 3.0e6}],
    }


def _names() -> list[Row]:
    lists = {
        "channel": ("search", "social", "email"), "creative": ("lesson", "offer"), "signal": ("generic", "urgent"),
        "segment": ("calm", "crisis"), "advertiser": ("us", "Bark"), "campaign": ("Search", "Social", "Mail"),
    }
    return [{"kind": kind, "code": code, "name": name} for kind, names in lists.items()
            for code, name in enumerate(names)]


_NEVER = {name: -1 for name in ("goodwill_s", "rival_goodwill_s", "fatigue_teach_s", "fatigue_offer_s", "crisis_s",
                                "decided_s", "converted_s", "last_rival")}


def _people() -> list[Row]:
    stages = (CONVERTED, CONVERTED, CONVERTED, CONVERTED, UNAWARE)
    statuses = (2, 2, 2, 2, 0)
    return [
        _NEVER | {"person_id": person, "household_id": person // 2, "segment": int(person == 0), "stage": stage,
                  "status": status}
        for person, (stage, status) in enumerate(zip(stages, statuses, strict=True))
    ]


_DEVICES = ((0, MOBILE, 100), (0, DESKTOP, 101), (1, MOBILE, 102), (2, DESKTOP, 103), (3, TABLET, 104))
_USERS = {100: 1, 101: 1, 102: 2, 103: 1, 104: 3}


def _devices() -> list[Row]:
    return [{"person_id": p, "device": kind, "kind": kind, "alias_id": alias} for p, kind, alias in _DEVICES]


def _aliases() -> list[Row]:
    return [
        {"alias_id": alias, "kind": kind, "resolved_user_id": _USERS[alias], "match_confidence": 0.5 + alias % 10 / 100,
         "first_seen_s": at(alias % 10), "last_seen_s": at(10), "login_s": at(1) if alias == 100 else -1}
        for _, kind, alias in _DEVICES
    ]


def _journeys(factor: int) -> list[Row]:
    none = {name: -1 for name in ("first_touch_s", "last_touch_s", "ended_s", "lost_s", "converted_s",
                                  "converted_advertiser")}
    return [
        none | {"person_id": 0, "started_s": at(0, 10), "first_touch_s": at(0, 10), "last_touch_s": at(2, 12),
                "ended_s": at(3, 6), "converted_s": at(3, 6), "status": 2, "stage": CONVERTED, "touches": 3,
                "impressions": 2, "clicks": 1, "our_touches": 3, "our_clicks": 1, "cost_micros": 2_510_000 * factor,
                "devices_seen": 3, "channels_exposed": 7, "converted_advertiser": US, "days_in_journey": 3},
        none | {"person_id": 1, "started_s": at(0, 10), "first_touch_s": at(0, 10) + 1, "last_touch_s": at(0, 10) + 1,
                "ended_s": at(5), "lost_s": at(5), "status": 3, "stage": INTENT, "touches": 2, "impressions": 2,
                "clicks": 1, "our_touches": 2, "our_clicks": 1, "cost_micros": 1_600_000 * factor, "devices_seen": 1,
                "channels_exposed": 3, "days_in_journey": 5},
        none | {"person_id": 2, "started_s": at(2, 12), "first_touch_s": at(2, 12), "last_touch_s": at(2, 12),
                "ended_s": at(5), "converted_s": at(5), "status": 2, "stage": CONVERTED, "touches": 1,
                "impressions": 1, "devices_seen": 2, "channels_exposed": 1, "competitors_seen": 2,
                "converted_advertiser": BARK, "days_in_journey": 2},
        none | {"person_id": 3, "started_s": at(10, 20), "first_touch_s": at(10, 20), "last_touch_s": at(10, 20),
                "status": 1, "stage": INTENT, "touches": 1, "impressions": 1, "our_touches": 1,
                "cost_micros": 1_500_000 * factor, "devices_seen": 4, "channels_exposed": 1, "days_in_journey": 3},
    ]


def _touch(person: int, second: int, channel: int, alias: int, price: int, **more: int) -> Row:
    kind = next(kind for _, kind, known in _DEVICES if known == alias)
    return {"person_id": person, "occurred_s": second, "channel": channel, "campaign": channel, "alias_id": alias,
            "device": kind, "price_micros": price, "advertiser": US, "creative": int(channel == SOCIAL), "kind": 0,
            "touch_slot": 0, "clicked": 0, "examined": 1} | more


def _touches(factor: int) -> list[Row]:
    return [
        _touch(0, at(0, 10), SEARCH, 100, 2_000_000 * factor, clicked=1),
        _touch(0, at(1, 9), SOCIAL, 101, 500_000 * factor),
        _touch(0, at(2, 12), MAIL, 100, 10_000 * factor, kind=EMAIL, position=-1, signal=-1),
        _touch(1, at(0, 10) + 1, SEARCH, 102, 1_000_000 * factor, examined=0),
        _touch(1, at(8, 20), SOCIAL, 102, 600_000 * factor, clicked=1),
        _touch(2, at(2, 12), SEARCH, 103, 1_700_000 * factor, advertiser=BARK, campaign=-1, creative=-1, alias_id=-1),
        _touch(3, at(10, 20), SEARCH, 104, 1_500_000 * factor),
    ]


def _decision(person: int, second: int, channel: int, alias: int, status: int, **more: Any) -> Row:
    kind = next(kind for _, kind, known in _DEVICES if known == alias)
    return {"person_id": person, "occurred_s": second, "channel": channel, "campaign": channel, "alias_id": alias,
            "resolved_user_id": _USERS[alias], "device": kind, "participate": 1, "level": 2, "propensity": 0.9,
            "status": status, "bid_micros": 3_000_000, "price_micros": -1, "charge_micros": -1,
            "min_to_win_micros": -1, "creative": int(channel == SOCIAL)} | more


def _decisions(factor: int) -> list[Row]:
    def won(price: int) -> Row:
        return {"price_micros": price * factor, "charge_micros": price * factor}

    return [
        _decision(0, at(0, 10), SEARCH, 100, WON, **won(2_000_000), features=b"\x00\x00\x80?"),
        _decision(1, at(0, 10) + 1, SEARCH, 102, WON, **won(1_000_000)),
        _decision(0, at(1, 9), SOCIAL, 101, WON, **won(500_000)),
        _decision(1, at(8, 20), SOCIAL, 102, WON, **won(600_000), propensity=0.05, level=3),
        _decision(3, at(10, 20), SEARCH, 104, WON, **won(1_500_000)),
        # A lost auction's price is Bark's affair; the mechanism told us only what would have won.
        _decision(2, at(2, 12), SEARCH, 103, LOST, price_micros=1_700_000 * factor, min_to_win_micros=1_800_000),
        _decision(2, at(3, 12), SEARCH, 103, NOT_ENTERED, participate=0, level=-1, creative=-1, bid_micros=0,
                  propensity=0.05),
        _decision(2, at(4, 12), SEARCH, 103, DROPPED),
    ]


def _auction_hours(factor: int) -> list[Row]:
    def hour(hour: int, channel: int, advertiser: int, counts: tuple[int, int, int], spend: int) -> Row:
        opportunities, wins, clicks = counts
        price = spend * factor // wins if wins else -1
        return {"hour": hour, "channel": channel, "advertiser": advertiser, "opportunities": opportunities,
                "wins": wins, "clicks": clicks, "spend_micros": spend * factor, "price_q25_micros": price,
                "price_q50_micros": price, "price_q75_micros": price}

    # As the simulator writes them: a row for whoever won something, and one (-1) for what went unsold.
    return [
        hour(10, SEARCH, US, (2, 2, 1), 3_000_000), hour(33, SOCIAL, US, (1, 1, 0), 500_000),
        hour(60, SEARCH, BARK, (1, 1, 0), 1_700_000), hour(108, SEARCH, -1, (1, 1, 0), 0),
        hour(212, SOCIAL, US, (1, 1, 1), 600_000), hour(260, SEARCH, US, (1, 1, 0), 1_500_000),
    ]


def _sales() -> list[Row]:
    def sale(person: int, order: int, decided: int, purchased: int, reported: int, **more: int) -> Row:
        return {"person_id": person, "order_id": order, "decided_s": decided, "purchased_s": purchased,
                "reported_s": reported, "value_micros": 180_000_000, "advertiser": US} | more

    return [
        sale(0, 1, at(3), at(3, 6), at(4, 6), device=MOBILE),
        sale(1, 2, at(8, 20), at(8, 20), at(9, 20), device=MOBILE, via=1, late=1),
        sale(2, 3, at(4, 12), at(5), at(5), device=DESKTOP, advertiser=BARK),
        sale(3, 4, at(13), at(13, 12), at(15), device=TABLET),
    ]


def _budgets(factor: int) -> list[Row]:
    spent = {(0, SEARCH): 3_000_000, (1, SOCIAL): 500_000, (2, MAIL): 10_000, (8, SOCIAL): 600_000,
             (10, SEARCH): 1_500_000}
    ours = [{"day": day, "campaign": campaign, "limit_micros": 4_000_000, "spent_micros": micros * factor,
             "exhausted_s": -1} for (day, campaign), micros in spent.items()]
    totals = [row | {"campaign": -1, "limit_micros": -1} for row in ours]
    bark = [{"day": 2, "advertiser": BARK, "campaign": -1, "limit_micros": 1_700_000 * factor,
             "spent_micros": 1_700_000 * factor, "exhausted_s": at(2, 12)}]
    return ours + totals + bark


def _credits() -> list[Row]:
    paths = {(0, at(3)): (at(0, 10), at(1, 9), at(2, 12)), (1, at(8, 20)): (at(0, 10) + 1, at(8, 20)),
             (3, at(13)): (at(10, 20),)}
    rows = []
    for (person, decided), touched in paths.items():
        for model in ("last", "linear"):
            for second in touched:
                share = 1 / len(touched) if model == "linear" else float(second == touched[-1])
                rows.append({"model": model, "person_id": person, "decided_s": decided, "touch_person_id": person,
                             "occurred_s": second, "share": share})
    return rows


def _credit_sums() -> list[Row]:
    channel = {(touch["person_id"], touch["occurred_s"]): touch["channel"] for touch in _touches(1)}
    sums: dict[tuple[str, int], float] = {}
    for row in _credits():
        key = (row["model"], channel[row["person_id"], row["occurred_s"]])
        sums[key] = sums.get(key, 0.0) + row["share"]
    return [
        {"model": model, "advertiser": US, "channel": code, "campaign": code, "conversions": shares,
         "value_micros": shares * 180_000_000}
        for (model, code), shares in sums.items()
    ]
