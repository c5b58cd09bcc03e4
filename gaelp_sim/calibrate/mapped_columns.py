"""The columns that a mapping names, as fields to be read, and their moments as epoch seconds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time

import numpy as np

from gaelp_sim.calibrate.log_reader import Block, Field, LogFormat
from gaelp_sim.calibrate.mapping import DELIMITERS, LogColumns, Mapping
from gaelp_sim.events import NONE, Column, Floats

SECOND_MAX = 2**33
CODED = ("user", "channel", "campaign", "creative", "device", "order")
"""Columns of words."""


def log_format(mapping: Mapping, told: LogColumns) -> LogFormat:
    """The columns that the mapping names, as fields to be read."""
    number = {
        "position": Field("", 1, 99, whole=True), "click": Field("", 0, 1, whole=True),
        "cost": Field("", 0, 1e9, blank=0.0), "sale": Field("", 0, 1, whole=True, blank=0.0),
        "sale_delay": Field("", -1e12, 1e12, blank=-1.0),
        "value": Field("", -1e9, 1e9, blank=-1.0), "propensity": Field("", 1e-12, 1),
    }
    start_s, scale = _start_s(mapping), 1_000.0 if mapping.time == "milliseconds" else 1.0
    if mapping.time == "iso":
        moment = Field("", 0, SECOND_MAX, iso=True)
    else:
        moment = Field("", -start_s * scale, (SECOND_MAX - start_s) * scale)
    late = replace(moment, low=-np.inf, blank=-1.0)
    kinds = number | {"time": moment, "sale_time": late} | {name: Field("", text=True) for name in CODED}
    fields = {}
    for name, kind in kinds.items():
        heading = getattr(told, name)
        if heading:
            fields[heading] = replace(kind, name=heading)
    for heading in told.features:
        fields.setdefault(heading, Field(heading, text=True))
    return LogFormat(mapping.name, DELIMITERS[mapping.delimiter], tuple(mapping.header), tuple(fields.values()))


def _start_s(mapping: Mapping) -> float:
    return datetime.combine(mapping.start, time(), UTC).timestamp() if mapping.start else 0.0


def seconds_of(mapping: Mapping, column: Column) -> Floats:
    """Epoch seconds of moments that were read."""
    if mapping.time == "iso":
        return column
    return np.floor(column / (1_000.0 if mapping.time == "milliseconds" else 1.0)) + _start_s(mapping)


def sold_of(mapping: Mapping, block: Block, second: Floats) -> Floats:
    """When each row's sale was made, NONE for none."""
    told = mapping.columns
    assert told is not None
    if told.sale_delay:
        delay = block[told.sale_delay]
        sold = np.where(delay >= 0, second + np.floor(delay), NONE)
    elif told.sale_time:
        column = block[told.sale_time]
        sold = np.where(column < 0, NONE, seconds_of(mapping, column))
    else:
        return np.full(len(second), float(NONE))
    return np.where(block[told.sale] > 0, sold, NONE) if told.sale else sold
