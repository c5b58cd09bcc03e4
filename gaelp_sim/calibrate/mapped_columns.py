"""The columns that a mapping names, as fields to be read, and their moments as epoch seconds."""

from __future__ import annotations

from datetime import UTC, datetime, time

import numpy as np

from gaelp_sim.calibrate.log_reader import Block, Field, LogFormat
from gaelp_sim.calibrate.mapping import DELIMITERS, LogColumns, Mapping
from gaelp_sim.events import NONE, Column, Floats

SECOND_MAX = 2**33
CODED = ("user", "channel", "campaign", "creative", "device", "order")
"""Columns of words."""
_UNREAD = -2.0


def log_format(mapping: Mapping, told: LogColumns) -> LogFormat:
    """The columns that the mapping names, as fields to be read."""
    number = {
        "position": Field("", 1, 99, whole=True), "click": Field("", 0, 1, whole=True),
        "cost": Field("", 0, 1e9, blank=0.0), "sale": Field("", 0, 1, whole=True, blank=0.0),
        "sale_delay": Field("", -1e12, 1e12, blank=-1.0),
        "value": Field("", -1e9, 1e9, blank=-1.0), "propensity": Field("", 1e-12, 1),
    }
    moment = Field("", text=True) if mapping.time == "iso" else Field("", -1e15, 1e15)
    late = Field("", text=True) if mapping.time == "iso" else Field("", -1e15, 1e15, blank=-1.0)
    kinds = number | {"time": moment, "sale_time": late} | {name: Field("", text=True) for name in CODED}
    fields = {}
    for name, kind in kinds.items():
        heading = getattr(told, name)
        if heading:
            fields[heading] = Field(heading, kind.low, kind.high, kind.whole, kind.text, kind.blank)
    for heading in told.features:
        fields.setdefault(heading, Field(heading, text=True))
    return LogFormat(mapping.name, DELIMITERS[mapping.delimiter], tuple(mapping.header), tuple(fields.values()))


def seconds_of(mapping: Mapping, column: Column) -> Floats:
    """Epoch seconds; NaN where they can't be read or told."""
    if mapping.time == "iso":
        return np.array([_moment(text) for text in column], dtype=np.float64)
    start_s = datetime.combine(mapping.start, time(), UTC).timestamp() if mapping.start else 0.0
    second = np.floor(column / (1000.0 if mapping.time == "milliseconds" else 1.0)) + start_s
    return np.where((second >= 0) & (second < SECOND_MAX), second, np.nan)


def _moment(text: str) -> float:
    try:
        told = datetime.fromisoformat(text)
    except ValueError:
        return float("nan")
    second = (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()
    return float(int(second)) if 0 <= second < SECOND_MAX else float("nan")


def sold_of(mapping: Mapping, block: Block, second: Floats) -> Floats:
    """When each row's sale was made: NONE for none, less where its moment can't be read."""
    told = mapping.columns
    assert told is not None
    if told.sale_delay:
        delay = block[told.sale_delay]
        sold = np.where(delay >= 0, second + np.floor(delay), NONE)
    elif told.sale_time:
        column = block[told.sale_time]
        blank = np.array([not text for text in column], dtype=np.bool_) if mapping.time == "iso" else column < 0
        sold = np.where(blank, NONE, seconds_of(mapping, column))
    else:
        return np.full(len(second), float(NONE))
    if told.sale:
        sold = np.where(block[told.sale] > 0, sold, NONE)
    return np.where(np.isnan(sold), _UNREAD, sold)
