"""Tables of paths (path, sales, value, paths without a sale), as other attribution tools have them, read as a log."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from pathlib import Path

import numpy as np

from gaelp_sim.calibrate.log_reader import LINE, Block, Field, LogFormat, Skipped, read_log
from gaelp_sim.calibrate.mapped_rows import OTHER_DEVICE, Log, LogRows, LogSales, OnRows
from gaelp_sim.calibrate.mapping import DELIMITERS, Mapping, PathColumns
from gaelp_sim.errors import UsageError
from gaelp_sim.events import NONE, Ints
from gaelp_sim.units import MICROS_PER_UNIT, SECONDS_PER_HOUR

STEPS_MAX = 1_000
TOUCHES_MAX = 50_000_000


@dataclass
class _Table:
    """What is kept of a table while it is read."""

    channels: dict[str, int] = field(default_factory=dict)
    steps: list[list[int]] = field(default_factory=list)
    sold: list[int] = field(default_factory=list)
    unsold: list[int] = field(default_factory=list)
    value_micros: list[int] = field(default_factory=list)
    touches: int = 0


def read_paths(path: Path, mapping: Mapping, on_rows: OnRows = lambda rows: None) -> Log:
    """Each path becomes as many users as it was walked by: a touch an hour from `start` on, then the sale, if any.

    Only the order of touches is told, not their times; so nothing that weighs times means anything of such a log.
    Raises UsageError as `read_log` does.
    """
    told = mapping.paths
    assert told is not None
    table, skipped = _Table(), Skipped()
    for block in read_log(path, _format(mapping, told), skipped):
        _add(table, block, told, skipped)
        on_rows(skipped.good)
        if table.touches > TOUCHES_MAX:
            raise UsageError(f"{path}: more than {TOUCHES_MAX:,} touches; scale the counts down, or split the table")
    if not table.touches:
        raise UsageError(f"{path}: no path was walked by anybody: does the mapping fit?")
    start = mapping.start
    begin_s = int(datetime.combine(start, time(), UTC).timestamp()) if start else 0
    return _log(table, begin_s, skipped)


def _format(mapping: Mapping, told: PathColumns) -> LogFormat:
    fields = [Field(told.path, text=True), Field(told.conversions, 0, 1e9, whole=True, blank=0.0)]
    if told.value:
        fields.append(Field(told.value, 0, 1e12, blank=0.0))
    if told.nulls:
        fields.append(Field(told.nulls, 0, 1e9, whole=True, blank=0.0))
    return LogFormat(mapping.name, DELIMITERS[mapping.delimiter], tuple(mapping.header), tuple(fields))


def _add(table: _Table, block: Block, told: PathColumns, skipped: Skipped) -> None:
    n = len(block[LINE])
    zero = np.zeros(n)
    values = (block[told.value] if told.value else zero) * MICROS_PER_UNIT
    nulls = block[told.nulls] if told.nulls else zero
    for text, sold, value, unsold, line in zip(
        block[told.path], block[told.conversions].tolist(), np.rint(values).astype(np.int64).tolist(),
        nulls.astype(np.int64).tolist(), block[LINE].tolist(), strict=True,
    ):
        words = [word.strip() for word in text.split(told.separator.strip() or told.separator)]
        if not all(words) or len(words) > STEPS_MAX:
            skipped.add(f"{told.path}: an empty step, or more than {STEPS_MAX}", [line])
            skipped.bad, skipped.good = skipped.bad + 1, skipped.good - 1
            continue
        table.steps.append([table.channels.setdefault(word, len(table.channels)) for word in words])
        table.sold.append(sold)
        table.unsold.append(unsold)
        table.value_micros.append(value)
        table.touches += len(words) * (sold + unsold)


def _log(table: _Table, begin_s: int, skipped: Skipped) -> Log:
    sold, unsold = np.array(table.sold, dtype=np.int64), np.array(table.unsold, dtype=np.int64)
    lengths = np.array([len(steps) for steps in table.steps], dtype=np.int64)
    users = int((sold + unsold).sum())
    path = np.repeat(np.arange(len(lengths)), sold + unsold)
    nth = np.arange(users) - np.repeat(np.cumsum(sold + unsold) - sold - unsold, sold + unsold)
    bought = np.flatnonzero(nth < sold[path])
    sale = np.full(users, NONE)
    sale[bought] = np.arange(len(bought))
    user = np.repeat(np.arange(users), lengths[path])
    step = np.arange(len(user)) - np.repeat(np.cumsum(lengths[path]) - lengths[path], lengths[path])
    begins = np.cumsum(lengths) - lengths
    channel = np.array([code for steps in table.steps for code in steps], dtype=np.int64)[begins[path[user]] + step]
    n, none = len(user), np.full(len(user), NONE)
    rows = LogRows(
        user, begin_s + step * SECONDS_PER_HOUR, channel, none, none, np.full(n, OTHER_DEVICE), none,
        np.zeros(n, dtype=np.bool_), np.zeros(n, dtype=np.int64), np.full(n, np.nan), sale[user],
    )
    sales = LogSales(
        bought, begin_s + lengths[path[bought]] * SECONDS_PER_HOUR, _shared_out(table, path[bought], nth[bought], sold)
    )
    names = {"channel": list(table.channels), "campaign": [], "creative": []}
    return Log(rows, sales, np.zeros((n, 0), dtype=np.float32), names, users, skipped, clicks_only=False)


def _shared_out(table: _Table, path: Ints, nth: Ints, sold: Ints) -> Ints:
    """Each path's value over its sales, to the micro."""
    value = np.array(table.value_micros, dtype=np.int64)[path]
    return value // sold[path] + (nth < value % sold[path])
