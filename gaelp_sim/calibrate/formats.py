"""Published log formats, each turned into the same few columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from gaelp_sim.calibrate.log_reader import Block, Field, LogFormat
from gaelp_sim.calibrate.mapped_columns import log_format, seconds_of, sold_of
from gaelp_sim.calibrate.mapping import Mapping
from gaelp_sim.errors import UsageError
from gaelp_sim.events import NONE, Bools, Column, Floats, Ints

_SECOND = 1e12
GENERIC = "generic"
"""The format that a mapping describes."""
_CRITEO_SEARCH = (
    "Sale SalesAmountInEuro time_delay_for_conversion click_timestamp nb_clicks_1week product_price "
    "product_age_group device_type audience_id product_gender product_brand product_category1 product_category2 "
    "product_category3 product_category4 product_category5 product_category6 product_category7 product_country "
    "product_id product_title partner_id user_id"
)


def _none() -> Any:
    return np.zeros(0)


@dataclass(frozen=True)
class Events:
    """Rows of a log, (n,) each; what a format does not tell is empty, (0,)."""

    second: Ints
    """Seconds since midnight of a first day, or epoch seconds where the format tells them"""
    clicked: Bools
    sold_s: Ints
    """When the click's or impression's sale was made, NONE for none"""
    cost: Floats
    """Of the row, in the log's own unit"""
    position: Ints
    """Slot on the page, as the format counts"""
    value: Floats
    """Of the sale, in the log's currency"""
    channel: Column = field(default_factory=_none)
    """Words"""
    user: Column = field(default_factory=_none)
    """Words; whom the row is about"""
    clicks_apart: int = 0
    """Clicks told by rows of their own, which are not among these"""
    sales_apart: int = 0


@dataclass(frozen=True)
class Source:
    """A format with what its rows are and how they become events."""

    form: LogFormat
    rows_are: str
    """impressions, or clicks"""
    epoch: bool
    """Whether seconds are those of the calendar, so that weekdays can be told"""
    window_days: float
    """Sales are told for so long after the row; 0 where there are none"""
    origin: str
    """Where the schema comes from"""
    events: Callable[[Block], Events]
    clicks_apart: bool = False
    """Whether clicks are rows of their own, so that none can be told of groups"""


def _criteo_attribution(block: Block) -> Events:
    sold = np.where(block["conversion"] > 0, block["conversion_timestamp"], NONE)
    return Events(
        block["timestamp"], block["click"] > 0, sold, block["cost"], _none().astype(np.int64), _none(), user=block["uid"]
    )


def _criteo_search(block: Block) -> Events:
    second, delay = block["click_timestamp"], block["time_delay_for_conversion"]
    sold = np.where((block["Sale"] > 0) & (delay >= 0), second + delay, NONE)
    value = np.where(block["SalesAmountInEuro"] >= 0, block["SalesAmountInEuro"], 0.0)
    return Events(second, np.ones(len(second), dtype=np.bool_), sold, _none(), _none().astype(np.int64), value)


def _open_bandit(block: Block) -> Events:
    second = block["timestamp"].astype(np.int64)
    none = np.full(len(second), NONE)
    return Events(second, block["click"] > 0, none, _none(), block["position"], _none())


def _avazu(block: Block) -> Events:
    """Hours are YYMMDDHH; the banner's position counts from 0."""
    stamp, known = block["hour"], {}
    for told in np.unique(stamp).tolist():
        known[told] = int(datetime.strptime(f"{told:08d}", "%y%m%d%H").replace(tzinfo=UTC).timestamp())
    second = np.array([known[told] for told in stamp.tolist()], dtype=np.int64)
    none = np.full(len(second), NONE)
    where = np.where(block["app_id"] == _AVAZU_NO_APP, "site", "app")
    return Events(second, block["click"] > 0, none, _none(), block["banner_pos"], _none(), where)


_AVAZU_NO_APP = "ecad2386"
"""The hash that stands in `app_id` where an ad was shown on a web site."""
_IMPRESSION, _CLICK, _CONVERSION = 1, 2, 3


def _ipinyou(block: Block) -> Events:
    """Impressions, clicks and conversions are rows of their own; prices are per thousand impressions."""
    kind = block["log_type"]
    shown = kind == _IMPRESSION
    second = np.array([
        int(datetime.strptime(f"{told:017d}"[:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC).timestamp())
        for told in block["timestamp"][shown].tolist()
    ], dtype=np.int64)
    n = len(second)
    return Events(
        second, np.zeros(n, dtype=np.bool_), np.full(n, NONE), block["paying_price"][shown],
        _none().astype(np.int64), _none(),
        clicks_apart=int((kind == _CLICK).sum()), sales_apart=int((kind == _CONVERSION).sum()),
    )


_IPINYOU = (
    "bid_id timestamp log_type ipinyou_id user_agent ip region city ad_exchange domain url anonymous_url slot_id "
    "slot_width slot_height slot_visibility slot_format floor_price creative_id bidding_price paying_price landing_page "
    "advertiser_id user_tags"
)


def mapped(mapping: Mapping) -> Source:
    """The format that a mapping describes; raises UsageError for one of a table of paths."""
    told = mapping.columns
    if told is None:
        raise UsageError(f"mapping {mapping.name}: a table of paths tells no rates; next: gaelp import")

    def events(block: Block) -> Events:
        second = seconds_of(mapping, block[told.time])
        n = len(second)
        return Events(
            second.astype(np.int64), block[told.click] > 0 if told.click else np.ones(n, dtype=np.bool_),
            np.maximum(sold_of(mapping, block, second), NONE).astype(np.int64),
            block[told.cost] * mapping.cost_usd if told.cost else _none(),
            block[told.position] if told.position else _none().astype(np.int64),
            np.maximum(block[told.value], 0) if told.value else _none(),
            block[told.channel] if told.channel else _none(), block[told.user] if told.user else _none(),
        )

    rows_are = "impressions" if told.click else "clicks"
    window_days = 30.0 if told.sale_time or told.sale_delay else 0.0
    calendar = mapping.time == "iso" or mapping.start is not None
    return Source(log_format(mapping, told), rows_are, calendar, window_days, "by mapping", events)


SOURCES: dict[str, Source] = {
    "criteo_attribution": Source(
        LogFormat("criteo_attribution", "\t", (), (
            Field("timestamp", 0, _SECOND, whole=True), Field("conversion", 0, 1, whole=True),
            Field("conversion_timestamp", -1, _SECOND, whole=True), Field("click", 0, 1, whole=True),
            Field("cost", 0, 1e9), Field("uid", text=True),
        )),
        "impressions", False, 30.0, "Criteo attribution modeling for bidding dataset", _criteo_attribution,
    ),
    "criteo_search": Source(
        LogFormat("criteo_search", "\t", tuple(_CRITEO_SEARCH.split()), (
            Field("Sale", 0, 1, whole=True), Field("SalesAmountInEuro", -1, 1e9),
            Field("time_delay_for_conversion", -1, _SECOND, whole=True),
            Field("click_timestamp", 0, _SECOND, whole=True),
        )),
        "clicks", True, 30.0, "Criteo sponsored search conversion log", _criteo_search,
    ),
    "open_bandit": Source(
        LogFormat("open_bandit", ",", (), (
            Field("timestamp", 0, 2**33, iso=True), Field("position", 1, 3, whole=True), Field("click", 0, 1, whole=True),
        )),
        "impressions", True, 0.0, "Open Bandit Dataset (ZOZO)", _open_bandit,
    ),
    "avazu": Source(
        LogFormat("avazu", ",", (), (
            Field("click", 0, 1, whole=True), Field("hour", 10_000_000, 99_123_123, whole=True),
            Field("banner_pos", 0, 99, whole=True), Field("app_id", text=True),
        )),
        "impressions", True, 0.0, "Avazu click-through rate prediction (impressions without a click are thinned)", _avazu,
    ),
    "ipinyou": Source(
        LogFormat("ipinyou", "\t", tuple(_IPINYOU.split()), (
            Field("timestamp", 1e16, 1e17, whole=True), Field("log_type", 1, 3, whole=True),
            Field("paying_price", 0, 1e6, blank=0.0),
        )),
        "impressions", True, 0.0, "iPinYou RTB log: impressions, clicks and conversions together", _ipinyou,
        clicks_apart=True,
    ),
}
"""Every format by name."""


def source_named(name: str, mapping: Mapping | None) -> Source:
    """A format by name; `generic` is what a mapping describes. Raises UsageError for others, and a mapping elsewhere."""
    if (name == GENERIC) != (mapping is not None):
        raise UsageError(f"--mapping goes with --format {GENERIC}, and with no other: it says what a log's columns mean")
    if mapping is not None:
        return mapped(mapping)
    if name not in SOURCES:
        raise UsageError(f"--format {name}: there are {', '.join(SOURCES)}, {GENERIC}")
    return SOURCES[name]
