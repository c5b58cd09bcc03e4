"""A log's rows and sales as the tables that a simulated run has, as far as the log tells them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from gaelp_sim.calibrate.mapped_rows import OTHER_DEVICE, Log, LogRows, LogSales
from gaelp_sim.errors import UsageError
from gaelp_sim.events import FEATURE_COUNT, NONE, US, Column, DecisionStatus, Floats, Ints, JourneyStatus, TouchKind
from gaelp_sim.units import SECONDS_PER_DAY, SECONDS_PER_HOUR
from gaelp_sim.world.journeys import PATH_RECORD
from gaelp_sim.world.log import Table, full
from gaelp_sim.world.rows import auction_hour_rows, ledger_rows
from gaelp_sim.world.shard import Tables

_SECOND_BITS, _DEVICE_BITS = 34, 2


@dataclass(frozen=True)
class Span:
    """When a log begins and ends, in whole days."""

    start_s: int
    days: int

    @property
    def end_s(self) -> int:
        """Epoch second at its end."""
        return self.start_s + self.days * SECONDS_PER_DAY


@dataclass(frozen=True)
class _Touches:
    """The log's rows by user and time, each with its journey; and the sales, each with the journey it ends."""

    table: Table
    """Columns of `LogRows` in that order, and `slot` among those of one user and second"""
    journey: Ints
    """(rows,): ascending from 0 over all users"""
    first: Ints
    """(journeys,): index of its first row"""
    nth: Ints
    """(journeys,): which journey of its user it is"""
    sale_journey: Ints
    """(sales,)"""
    late: Ints
    """(sales,): 1 where the journey had been silent too long"""
    features: Floats


def span_of(log: Log, timeout_s: int, *, nulls_are_final: bool) -> Span:
    """From the day of the first row to the day of the last row or sale.

    nulls_are_final: the log says of every path how it ended, so that silence at its end is no open question
    """
    start_s = int(log.rows.second.min()) // SECONDS_PER_DAY * SECONDS_PER_DAY
    silence_s = timeout_s + 1 if nulls_are_final else 0
    last_s = max(int(log.rows.second.max()) + silence_s, int(log.sales.purchased_s.max(initial=0)))
    return Span(start_s, (last_s - start_s) // SECONDS_PER_DAY + 1)


@dataclass(frozen=True)
class _Part:
    """Some users' rows and sales."""

    rows: LogRows
    features: Floats
    sales: LogSales
    order_id: Ints
    """(sales,)"""
    users: range


def imported_tables(log: Log, span: Span, timeout_s: int, parts: int) -> Iterator[Tables]:
    """The run's rows in so many commits, users by users; the books balance to the micro after each."""
    spent = np.zeros(span.days, dtype=np.int64)
    for number, part in enumerate(_parts(log, parts)):
        touches = _touches(part, timeout_s)
        touchpoint = _touchpoint_rows(touches)
        ledger = ledger_rows(touchpoint)
        np.add.at(spent, (ledger["occurred_s"] - span.start_s) // SECONDS_PER_DAY, ledger["amount_micros"])
        tables = {
            "touchpoint": touchpoint, "ledger": ledger, "budget_day": _budget_rows(spent),
            "journey": _journey_rows(part, touches, span, timeout_s), "conversion": _conversion_rows(part, touches),
            "decision": _decision_rows(touches), **_people(part, touches),
        }
        if number == parts - 1:
            tables["auction_hour"] = auction_hour_rows(_outcomes(log.rows, span), len(log.names["channel"]))
            tables["world"] = _world(log.users)
        yield {name: table for name, table in tables.items() if len(next(iter(table.values())))}


def _parts(log: Log, parts: int) -> Iterator[_Part]:
    bounds = [log.users * number // parts for number in range(parts + 1)]
    for low, high in pairwise(bounds):
        rows = np.flatnonzero((log.rows.user >= low) & (log.rows.user < high))
        sales = np.flatnonzero((log.sales.user >= low) & (log.sales.user < high))
        yield _Part(
            LogRows(**log.rows.take(rows)), log.features[rows], LogSales(**log.sales.take(sales)), sales, range(low, high)
        )


def _touches(log: _Part, timeout_s: int) -> _Touches:
    rows = log.rows
    order = np.lexsort([rows.position, rows.second, rows.user])
    table: Table = rows.take(order)
    user, second = table["user"], table["second"]
    table["slot"] = _slots(table)
    key = user << _SECOND_BITS | second
    sold_key = np.sort(log.sales.user << _SECOND_BITS | log.sales.purchased_s)
    bought_before = np.searchsorted(sold_key, key, side="left")
    fresh = np.diff(user, prepend=NONE) != 0
    silent = np.diff(second, prepend=0) > timeout_s
    begins = fresh | silent | (np.diff(bought_before, prepend=0) > 0)
    journey, first = np.cumsum(begins) - 1, np.flatnonzero(begins)
    owner = user[first]
    nth = np.arange(len(first)) - np.searchsorted(owner, owner, side="left")
    at = np.searchsorted(key, log.sales.user << _SECOND_BITS | log.sales.purchased_s, side="right") - 1
    late = log.sales.purchased_s - second[at] > timeout_s if len(at) else at
    return _Touches(table, journey, first, nth, journey[at], late.astype(np.int64), log.features[order])


def _slots(table: Table) -> Ints:
    """Place of each row among those of its user and second: the position on the page, where the log tells it."""
    same = (np.diff(table["user"], prepend=NONE) == 0) & (np.diff(table["second"], prepend=NONE) == 0)
    if (table["position"] == NONE).any():
        begins = np.flatnonzero(~same)
        return np.arange(len(same)) - begins[np.cumsum(~same) - 1]
    if (same & (np.diff(table["position"], prepend=NONE) == 0)).any():
        raise UsageError("two rows of one user hold one position in one second; leave `position` out of the mapping")
    return table["position"] - 1


def _touchpoint_rows(touches: _Touches) -> Table:
    table, n = touches.table, len(touches.journey)
    zero = np.zeros(n, dtype=np.int64)
    slots = table["slot"] + 1
    return {
        "world_id": zero, "person_id": table["user"], "occurred_s": table["second"], "touch_slot": table["slot"],
        "journey_index": touches.nth[touches.journey], "kind": full(n, TouchKind.IMPRESSION), "advertiser": full(n, US),
        "channel": table["channel"], "campaign": table["campaign"], "creative": table["creative"],
        "signal": full(n, NONE), "position": slots, "device": table["device"],
        "alias_id": _alias(table["user"], table["device"]), "price_micros": table["cost_micros"],
        "examined": table["clicked"].astype(np.int64), "clicked": table["clicked"].astype(np.int64),
    }


def _alias(user: Column, device: Column) -> Ints:
    return user << _DEVICE_BITS | device


def _budget_rows(spent: Ints) -> Table:
    """What was spent by day; no log tells a limit."""
    days = np.flatnonzero(spent)
    n = len(days)
    return {
        "world_id": full(n, 0), "day": days, "advertiser": full(n, US), "campaign": full(n, NONE),
        "limit_micros": full(n, NONE), "spent_micros": spent[days], "exhausted_s": full(n, NONE),
    }


def _outcomes(rows: LogRows, span: Span) -> Table:
    """Every row as a place that was won, as `auction_hour_rows` takes them."""
    n = len(rows)
    return {
        "world_id": full(n, 0), "hour": (rows.second - span.start_s) // SECONDS_PER_HOUR, "channel": rows.channel,
        "advertiser": full(n, US), "price_micros": rows.cost_micros, "charge_micros": rows.cost_micros,
        "clicked": rows.clicked,
    }


def _journey_rows(log: _Part, touches: _Touches, span: Span, timeout_s: int) -> Table:
    table, first = touches.table, touches.first
    n = len(first)
    lengths = np.diff(np.append(first, len(touches.journey)))
    second, clicked = table["second"], table["clicked"].astype(np.int64)
    begun_s, last_s = second[first], second[first + lengths - 1]
    bought_s = full(n, np.iinfo(np.int64).max)
    np.minimum.at(bought_s, touches.sale_journey, log.sales.purchased_s)
    sold = bought_s < np.iinfo(np.int64).max
    bought_s = np.where(sold, bought_s, NONE)
    due_s = last_s + timeout_s
    lost_s = np.where((due_s < span.end_s) & (~sold | (bought_s > due_s)), due_s, NONE)
    status = np.where(sold, JourneyStatus.CONVERTED, np.where(lost_s >= 0, JourneyStatus.LOST, JourneyStatus.ACTIVE))
    ended_s = np.where(sold, bought_s, lost_s)
    return {
        "world_id": full(n, 0), "person_id": table["user"][first], "journey_index": touches.nth, "started_s": begun_s,
        "first_touch_s": begun_s, "last_touch_s": last_s, "ended_s": ended_s, "lost_s": lost_s, "converted_s": bought_s,
        "status": status, "stage": full(n, NONE), "cost_micros": _summed(table["cost_micros"], first),
        "touches": lengths, "impressions": lengths, "clicks": _summed(clicked, first), "our_touches": lengths,
        "our_clicks": _summed(clicked, first),
        "days_in_journey": (np.where(ended_s >= 0, ended_s, last_s) - begun_s) // SECONDS_PER_DAY,
        "devices_seen": np.bitwise_or.reduceat(1 << table["device"], first),
        "channels_exposed": np.bitwise_or.reduceat(1 << table["channel"], first), "competitors_seen": full(n, 0),
        "converted_advertiser": np.where(sold, US, NONE), "path": _paths(touches, lengths),  # type: ignore[dict-item]
    }


def _summed(column: Column, first: Ints) -> Ints:
    return np.add.reduceat(column, first)


def _paths(touches: _Touches, lengths: Ints) -> list[bytes]:
    table = touches.table
    record = np.zeros(len(touches.journey), dtype=PATH_RECORD)
    record["occurred_s"], record["price_micros"] = table["second"], table["cost_micros"]
    record["position"] = table["slot"] + 1
    for name in ("channel", "campaign", "creative", "device", "clicked"):
        record[name] = table[name]
    packed, width = record.tobytes(), PATH_RECORD.itemsize
    begins = touches.first * width
    return [packed[a:b] for a, b in zip(begins.tolist(), (begins + lengths * width).tolist(), strict=True)]


def _conversion_rows(log: _Part, touches: _Touches) -> Table:
    """One row a sale. A log does not tell when people decided: at the purchase, sales of one second a second apart."""
    sales, n = log.sales, len(log.sales)
    order = np.lexsort([sales.purchased_s, sales.user])
    user, bought_s = sales.user[order], sales.purchased_s[order]
    decided_s = bought_s.copy()
    for at in np.flatnonzero((np.diff(user, prepend=NONE) == 0) & (np.diff(bought_s, prepend=NONE) == 0)).tolist():
        decided_s[at] = decided_s[at - 1] - 1
    last = np.searchsorted(touches.journey, touches.sale_journey[order], side="right") - 1
    return {
        "world_id": full(n, 0), "person_id": user, "decided_s": decided_s, "order_id": log.order_id[order],
        "advertiser": full(n, US), "via": full(n, NONE), "purchased_s": bought_s, "reported_s": bought_s,
        "value_micros": sales.value_micros[order], "device": touches.table["device"][last],
        "journey_index": touches.nth[touches.sale_journey[order]], "late": touches.late[order],
    }


def _decision_rows(touches: _Touches) -> Table:
    """What the logging policy chose, where its propensities are told; one decision a user and second."""
    table = touches.table
    again = (np.diff(table["user"], prepend=NONE) == 0) & (np.diff(table["second"], prepend=NONE) == 0)
    at = np.flatnonzero(np.isfinite(table["propensity"]) & ~again)
    n = len(at)
    features = np.zeros((n, FEATURE_COUNT), dtype="<f4")
    features[:, : touches.features.shape[1]] = touches.features[at]
    packed, width = features.tobytes(), FEATURE_COUNT * features.itemsize
    user, device, cost = table["user"][at], table["device"][at], table["cost_micros"][at]
    return {
        "world_id": full(n, 0), "occurred_s": table["second"][at], "person_id": user,
        "resolved_user_id": user << _DEVICE_BITS, "alias_id": _alias(user, device), "channel": table["channel"][at],
        "signal": full(n, NONE), "campaign": table["campaign"][at], "device": device, "round": full(n, 0),
        "clearing_order": np.arange(n), "participate": full(n, 1), "level": full(n, NONE),
        "creative": table["creative"][at], "propensity": table["propensity"][at], "bid_micros": full(n, NONE),
        "status": full(n, DecisionStatus.WON), "price_micros": cost, "charge_micros": cost,
        "min_to_win_micros": full(n, NONE), "policy_version": full(n, 0),
        "features": [packed[i * width : (i + 1) * width] for i in range(n)],  # type: ignore[dict-item]
    }


def _world(people: int) -> Table:
    return {"world_id": full(1, 0), "people": full(1, people), "market_noise_ppm": full(1, 1_000_000),
            "season_shift_days": full(1, 0)}


def _people(log: _Part, touches: _Touches) -> Tables:
    """Users as the log knows them: one person, and one alias of each kind of device; whatever is not told is none."""
    users, table = len(log.users), touches.table
    everyone = np.arange(log.users.start, log.users.stop)
    last = np.searchsorted(table["user"], everyone, side="right") - 1
    none, zero = full(users, NONE), full(users, 0)
    alias, first = np.unique(_alias(table["user"], table["device"]), return_index=True)
    n, kind = len(alias), alias & OTHER_DEVICE
    seen = np.stack([np.full(n, np.iinfo(np.int64).max), full(n, NONE)])
    at = np.searchsorted(alias, _alias(table["user"], table["device"]))
    np.minimum.at(seen[0], at, table["second"])
    np.maximum.at(seen[1], at, table["second"])
    names = (
        "segment", "stage", "goodwill", "goodwill_s", "rival_goodwill", "rival_goodwill_s", "last_rival", "fatigue_teach",
        "fatigue_teach_s", "fatigue_offer", "fatigue_offer_s", "on_list", "crisis_s", "decided_s", "converted_s",
    )
    met = touches.nth[touches.journey][last]
    return {
        "person": {"world_id": zero, "person_id": everyone, "household_id": everyone, **dict.fromkeys(names, none),
                   "device": table["device"][last], "status": none, "journey_index": met, "days_in_journey": zero},
        "device": {"world_id": full(n, 0), "person_id": table["user"][first], "device": kind, "kind": kind,
                   "alias_id": alias},
        "alias": {"world_id": full(n, 0), "alias_id": alias, "kind": kind,
                  "resolved_user_id": alias >> _DEVICE_BITS << _DEVICE_BITS, "match_confidence": np.ones(n),
                  "first_seen_s": seen[0], "last_seen_s": seen[1], "login_s": full(n, NONE), "account_id": full(n, NONE)},
    }
