"""Published log formats, each turned into the same few columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from gaelp_sim.calibrate.log_reader import Block, Field, LogFormat
from gaelp_sim.events import NONE, Bools, Floats, Ints

_SECOND = 1e12
_CRITEO_SEARCH = (
    "Sale SalesAmountInEuro time_delay_for_conversion click_timestamp nb_clicks_1week product_price "
    "product_age_group device_type audience_id product_gender product_brand product_category1 product_category2 "
    "product_category3 product_category4 product_category5 product_category6 product_category7 product_country "
    "product_id product_title partner_id user_id"
)


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


def _none() -> Any:
    return np.zeros(0)


def _criteo_attribution(block: Block) -> Events:
    sold = np.where(block["conversion"] > 0, block["conversion_timestamp"], NONE)
    return Events(block["timestamp"], block["click"] > 0, sold, block["cost"], _none().astype(np.int64), _none())


def _criteo_search(block: Block) -> Events:
    second, delay = block["click_timestamp"], block["time_delay_for_conversion"]
    sold = np.where((block["Sale"] > 0) & (delay >= 0), second + delay, NONE)
    value = np.where(block["SalesAmountInEuro"] >= 0, block["SalesAmountInEuro"], 0.0)
    return Events(second, np.ones(len(second), dtype=np.bool_), sold, _none(), _none().astype(np.int64), value)


def _open_bandit(block: Block) -> Events:
    second = np.array([int(datetime.fromisoformat(text).timestamp()) for text in block["timestamp"]], dtype=np.int64)
    none = np.full(len(second), NONE)
    return Events(second, block["click"] > 0, none, _none(), block["position"], _none())


SOURCES: dict[str, Source] = {
    "criteo_attribution": Source(
        LogFormat("criteo_attribution", "\t", (), (
            Field("timestamp", 0, _SECOND, whole=True), Field("conversion", 0, 1, whole=True),
            Field("conversion_timestamp", -1, _SECOND, whole=True), Field("click", 0, 1, whole=True),
            Field("cost", 0, 1e9),
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
            Field("timestamp", text=True), Field("position", 1, 3, whole=True), Field("click", 0, 1, whole=True),
        )),
        "impressions", True, 0.0, "Open Bandit Dataset (ZOZO)", _open_bandit,
    ),
}
"""Every format by name."""
