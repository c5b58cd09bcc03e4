"""A log read through a mapping: its rows with users, channels, ... as codes, and the sales that they tell of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gaelp_sim.calibrate.log_reader import LINE, Block, Skipped, read_log
from gaelp_sim.calibrate.mapped_columns import CODED, SECOND_MAX, log_format, seconds_of, sold_of
from gaelp_sim.calibrate.mapping import LogColumns, Mapping
from gaelp_sim.errors import UsageError
from gaelp_sim.events import FEATURE_COUNT, NONE, Bools, Column, Columns, DeviceKind, Floats, Ints
from gaelp_sim.units import MICROS_PER_UNIT

OTHER_DEVICE = len(DeviceKind)
"""A device of no known kind."""
OnRows = Callable[[int], None]
_DEVICES = {kind.name.lower(): int(kind) for kind in DeviceKind} | {"phone": int(DeviceKind.MOBILE)}


@dataclass(frozen=True)
class LogRows(Columns):
    """Rows of a log, (n,) each, in the file's order."""

    user: Ints
    second: Ints
    """Epoch seconds"""
    channel: Ints
    campaign: Ints
    """NONE where the log tells none; so with creative and position"""
    creative: Ints
    device: Ints
    position: Ints
    """From 1"""
    clicked: Bools
    cost_micros: Ints
    propensity: Floats
    """NaN where the log tells none"""
    sale: Ints
    """Index of the sale that the row tells of, NONE for none"""


@dataclass(frozen=True)
class LogSales(Columns):
    """Sales that a log tells of, (sales,) each."""

    user: Ints
    purchased_s: Ints
    value_micros: Ints


@dataclass(frozen=True)
class Log:
    """A whole log."""

    rows: LogRows
    sales: LogSales
    features: np.ndarray
    """(rows, features): float32; what the logging policy knew"""
    names: dict[str, list[str]]
    """Behind the codes of channels, campaigns and creatives"""
    users: int
    skipped: Skipped
    clicks_only: bool
    """Whether the log's rows are clicks"""


@dataclass
class _Codes:
    """Words numbered in the order in which they are met."""

    known: dict[str, int] = field(default_factory=dict)

    def of(self, words: Column) -> Ints:
        known = self.known
        return np.fromiter((known.setdefault(word, len(known)) for word in words), dtype=np.int64, count=len(words))


@dataclass
class _Reading:
    """A log while it is read."""

    path: Path
    mapping: Mapping
    told: LogColumns
    skipped: Skipped = field(default_factory=Skipped)
    codes: dict[str, _Codes] = field(default_factory=lambda: {name: _Codes() for name in CODED})
    features: list[_Codes] = field(default_factory=list)
    orders: dict[int, tuple[int, int, int, int]] = field(default_factory=dict)
    """By order or (user, second): index, user, second, value in micros"""
    users: int = 0
    latest_s: int = -SECOND_MAX


def read_mapped(path: Path, mapping: Mapping, on_rows: OnRows = lambda rows: None) -> Log:
    """Read a log whose rows are ads shown or clicks. Needs some 130 bytes of memory a row.

    Rows that can't be read, or whose sale lies before them, are skipped and counted. Raises UsageError, naming file, line
    and rule, for what `read_log` refuses, for an order that is told twice and unlike, and, in a sorted log, where time
    runs back.
    """
    assert mapping.columns is not None
    reading = _Reading(path, mapping, mapping.columns)
    pieces: list[dict[str, Column]] = []
    for block in read_log(path, log_format(mapping, mapping.columns), reading.skipped):
        pieces.append(_taken(reading, block))
        on_rows(reading.skipped.good)
    columns = {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
    if not len(columns["second"]):
        reason, (count, line) = max(reading.skipped.reasons.items(), key=lambda item: item[1])
        raise UsageError(f"{path}:{line}: {reason} ({count:,} such rows, no good one): does the mapping fit?")
    features = columns.pop("features")
    names = {name: list(reading.codes[name].known) for name in ("channel", "campaign", "creative")}
    names["channel"] = names["channel"] or [mapping.channel]
    return Log(
        LogRows(**columns), _sales(reading), _ordered(features, reading.features), names, reading.users, reading.skipped,
        mapping.columns.click is None,
    )


def _taken(reading: _Reading, block: Block) -> dict[str, Column]:
    """A block's good rows as columns of `LogRows`, and their features."""
    told, skipped = reading.told, reading.skipped
    second = seconds_of(reading.mapping, block[told.time])
    sold_s = sold_of(reading.mapping, block, second)
    good = np.ones(len(second), dtype=np.bool_)
    for wrong, rule in (
        ((sold_s != NONE) & (sold_s < second), "a sale before its row"),
        (block[told.user] == "" if told.user else ~good, f"{told.user}: nobody is named"),
    ):
        skipped.add(rule, block[LINE][wrong & good].tolist())
        good &= ~wrong
    skipped.bad += int((~good).sum())
    skipped.good -= int((~good).sum())
    block = {name: column[good] for name, column in block.items()}
    whole_s = second[good].astype(np.int64)
    _check_order(reading, whole_s, block[LINE])
    return _coded(reading, block, whole_s, sold_s[good].astype(np.int64))


def _check_order(reading: _Reading, second: Ints, line: Column) -> None:
    if not reading.mapping.sorted or not len(second):
        return
    back = np.flatnonzero(np.diff(second, prepend=reading.latest_s) < 0)
    if len(back):
        raise UsageError(
            f"{reading.path}:{line[back[0]]}: {reading.told.time}: time runs back; {reading.mapping.name} is in the order "
            "of time: is the file sorted by something else, or glued together?"
        )
    reading.latest_s = int(second[-1])


def _coded(reading: _Reading, block: Block, second: Ints, sold_s: Ints) -> dict[str, Column]:
    told, mapping, n = reading.told, reading.mapping, len(second)
    none = np.full(n, NONE)

    def codes(name: str, without: Ints) -> Ints:
        heading = getattr(told, name)
        if not heading:
            return without
        found, blank = np.full(n, NONE), block[heading] == ""
        found[~blank] = reading.codes[name].of(block[heading][~blank])
        return found

    channel = codes("channel", np.zeros(n, dtype=np.int64))
    if (channel == NONE).any():
        channel[channel == NONE] = reading.codes["channel"].of(np.array([mapping.channel]))[0]
    user = codes("user", reading.users + np.arange(n))
    reading.users = max(reading.users, int(user.max(initial=-1)) + 1)
    cost = np.rint(block[told.cost] * mapping.cost_usd * MICROS_PER_UNIT) if told.cost else np.zeros(n)
    found = {
        "user": user, "second": second, "channel": channel,
        "campaign": codes("campaign", none), "creative": codes("creative", none),
        "device": _devices(block[told.device]) if told.device else np.full(n, OTHER_DEVICE),
        "position": block[told.position] if told.position else none,
        "clicked": block[told.click] > 0 if told.click else np.ones(n, dtype=np.bool_),
        "cost_micros": cost.astype(np.int64),
        "propensity": block[told.propensity].astype(np.float64) if told.propensity else np.full(n, np.nan),
        "sale": none.copy(), "features": _features(reading, block, n),
    }
    _note_sales(reading, block, found, sold_s)
    return found


def _devices(words: Column) -> Ints:
    return np.array([_DEVICES.get(word.strip().lower(), OTHER_DEVICE) for word in words], dtype=np.int64)


def _features(reading: _Reading, block: Block, n: int) -> np.ndarray:
    """(n, features): numbers as they are; words as codes, which `_ordered` turns into the alphabet's."""
    headings = reading.told.features
    while len(reading.features) < len(headings):
        reading.features.append(_Codes())
    columns = [codes.of(block[heading]) for heading, codes in zip(headings, reading.features, strict=True)]
    return np.stack(columns, axis=1) if columns else np.zeros((n, 0), dtype=np.int64)


def _ordered(features: np.ndarray, codes: list[_Codes]) -> np.ndarray:
    """Codes as float32: a column's numbers where all of its words are numbers, else places in the alphabet."""
    found = np.zeros(features.shape, dtype=np.float32)
    for place, one in enumerate(codes[:FEATURE_COUNT]):
        words = list(one.known)
        found[:, place] = np.array(_values(words), dtype=np.float32)[features[:, place]]
    return found


def _values(words: list[str]) -> Any:
    try:
        numbers = np.array([float(word) for word in words])
        if np.isfinite(numbers).all():
            return numbers
    except ValueError:
        pass
    place = {word: at for at, word in enumerate(sorted(words))}
    return [place[word] for word in words]


def _note_sales(reading: _Reading, block: Block, found: dict[str, Column], sold_s: Ints) -> None:
    """Give each row that sold the index of its sale; rows of one order tell of one sale."""
    told, mapping = reading.told, reading.mapping
    at = np.flatnonzero(sold_s != NONE)
    default = round(mapping.value_usd * MICROS_PER_UNIT)
    values = block[told.value][at] if told.value else np.full(len(at), -1.0)
    micros = np.where(values >= 0, np.rint(values * MICROS_PER_UNIT), default).astype(np.int64).tolist()
    names = reading.codes["order"].of(block[told.order][at]).tolist() if told.order else None
    users, seconds, lines = found["user"][at].tolist(), sold_s[at].tolist(), block[LINE][at].tolist()
    sale = found["sale"]
    for place, (row, user, second, value, line) in enumerate(zip(at.tolist(), users, seconds, micros, lines, strict=True)):
        key = names[place] if names else user << 34 | second
        index, owner, when, _ = reading.orders.setdefault(key, (len(reading.orders), user, second, value))
        if owner != user or when != second:
            said = block[told.order][row] if told.order else ""
            raise UsageError(
                f"{reading.path}:{line}: {told.order}: order {said!r} is told twice, with another user or time; an order "
                "is one sale: make the ids unique, or leave `order` out of the mapping"
            )
        sale[row] = index


def _sales(reading: _Reading) -> LogSales:
    rows = np.array(list(reading.orders.values()), dtype=np.int64).reshape(-1, 4)
    return LogSales(rows[:, 1], rows[:, 2], rows[:, 3])
