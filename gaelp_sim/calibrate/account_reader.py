"""Read an ad account from a platform's export, whole or not at all: any bad cell is an error with its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from gaelp_sim.calibrate.account import Account
from gaelp_sim.calibrate.account_cells import (
    CellError,
    Locale,
    day_of,
    hour_of,
    is_missing,
    month_first,
    number_of,
    share_of,
    shown,
    split_money,
    told_mark,
)
from gaelp_sim.calibrate.account_formats import DEVICES, METRICS, UNPAID, AccountFormat
from gaelp_sim.calibrate.account_text import DELIMITERS, Line, lines_of, refused, text_of
from gaelp_sim.errors import UsageError
from gaelp_sim.events import NONE, Ints

T = TypeVar("T")
HEADER_LINES = 40
DAYS_MAX = 3_660
COUNT_MAX = 1e12
_DIMENSIONS = ("day", "nth_day", "date_hour", "campaign", "channel")
"""Where a row names none of these it sums others."""
_CURRENCY = re.compile(r"^(.*?)\s*\(([A-Za-z]{3})\)$")
_START_DATE = re.compile(r"#\s*start date:\s*(\d{8})", re.IGNORECASE)


def read_account(path: Path, format: AccountFormat, channels: Mapping[str, str] | None = None) -> Account:
    """Read an export.

    channels: what the export calls a channel (or a campaign) -> the scenario's channel, before the format's own names
    Raises UsageError `file:line: field: what is wrong, the rule and next step`; a file is read whole or not at all.
    """
    text = text_of(path)
    sheet = _sheet(text, str(path), format)
    return _Rows(sheet, format, channels or {}).account(text)


@dataclass(frozen=True)
class _Sheet:
    """An export taken apart: which column holds which field, and its rows."""

    name: str
    fields: dict[str, int]
    header: list[str]
    currency: str
    rows: list[Line]
    left_out: dict[str, int]

    def refused(self, line: Line, field: str, message: str) -> UsageError:
        """An error about a cell, by its column's own name."""
        return refused(self.name, line.number, self.header[self.fields[field]], message)

    def cell(self, line: Line, field: str) -> str:
        """A cell; empty where the export has no such column."""
        return line.cells[self.fields[field]] if field in self.fields else ""


def _sheet(text: str, name: str, format: AccountFormat) -> _Sheet:
    best: tuple[int, list[Line], int, dict[str, int], str] | None = None
    for delimiter in DELIMITERS:
        if delimiter not in text:
            continue
        lines = lines_of(text, delimiter, name)
        for place, line in enumerate(lines[:HEADER_LINES]):
            fields, currency = _fields(line.cells, format)
            enough = all(any(one in fields for one in group) for group in format.needed)
            if enough and len(fields) > (best[0] if best else 0):
                best = len(fields), lines, place, fields, currency
    if best is None:
        raise refused(name, 1, "header", _lacking(text, format))
    _, lines, place, fields, currency = best
    rows, left_out = _rows_of(lines[place:], fields, (name, format))
    return _Sheet(name, fields, lines[place].cells, currency, rows, left_out)


def _fields(cells: Sequence[str], format: AccountFormat) -> tuple[dict[str, int], str]:
    """Field -> position for a line that names columns, and the currency that a column's name tells."""
    found: dict[str, int] = {}
    names, currency = [], ""
    for cell in cells:
        bare = re.sub(r"\s+", " ", cell.strip().strip('"').lower())
        match = _CURRENCY.match(bare)
        names.append(match[1] if match else bare)
        currency = match[2].upper() if match else currency
    for field, known in format.columns.items():
        for name in known:
            if name in names and names.index(name) not in found.values():
                found[field] = names.index(name)
                break
    return found, currency


def _lacking(text: str, format: AccountFormat) -> str:
    """What no line names, in words."""
    head = [re.split(r"[,;\t|]", line) for line in text.splitlines()[:HEADER_LINES]]
    fields: dict[str, int] = max((_fields(cells, format)[0] for cells in head), key=len, default={})
    lacking = [group for group in format.needed if not any(one in fields for one in group)]
    words = " and ".join(_either(format, group) for group in lacking) or "its columns"
    return f"no line among the first {HEADER_LINES} names {words}, as a {format.title} export does; {format.asks}"


def _either(format: AccountFormat, group: tuple[str, ...]) -> str:
    return " or ".join(f"'{format.columns[field][0]}'" for field in group if field in format.columns)


def _rows_of(
    lines: list[Line], fields: dict[str, int], source: tuple[str, AccountFormat]
) -> tuple[list[Line], dict[str, int]]:
    """The lines of figures after the header; comments and totals are counted."""
    name, format = source
    header, rows, left_out = lines[0], [], {"comments": 0, "totals": 0}
    seen: dict[tuple[str, ...], int] = {}
    for line in lines[1:]:
        if line.cells[0].startswith(format.comment):
            left_out["comments"] += 1
            continue
        if _is_total(line, fields, format):
            left_out["totals"] += 1
            continue
        if len(line.cells) != len(header.cells):
            rule = f"{len(line.cells)} cells, the header in line {header.number} has {len(header.cells)}"
            raise refused(name, line.number, "columns", f"{rule}; export the file again")
        if (first := seen.setdefault(tuple(line.cells), line.number)) != line.number:
            raise refused(name, line.number, "row", f"it is line {first} once more; remove one of them")
        rows.append(line)
    if not rows:
        raise refused(name, header.number, "rows", "no row of figures follows the header; export days with spend")
    return rows, {reason: count for reason, count in left_out.items() if count}


def _is_total(line: Line, fields: dict[str, int], format: AccountFormat) -> bool:
    words = [cell.lower() for cell in line.cells]
    first = next((word for word in words if word), "")
    if any(first == total or re.match(rf"{total}\b\s*(:|-|$)", first) for total in format.totals):
        return True
    named = [words[fields[field]] for field in _DIMENSIONS if field in fields and fields[field] < len(words)]
    if not any(named):
        return True
    place = fields.get("campaign")
    return format.blank_campaign_is_total and place is not None and place < len(words) and not words[place]


class _Rows:
    """Cells to columns, in the locale that the whole file tells."""

    def __init__(self, sheet: _Sheet, format: AccountFormat, channels: Mapping[str, str]) -> None:
        self.sheet, self.format = sheet, format
        self.channels = {name.lower(): channel for name, channel in channels.items()}
        self.currency: tuple[str, Line | None] = (sheet.currency, None)
        self.locale = Locale(self._decimal(), self._months())

    def account(self, text: str) -> Account:
        """The account of all rows of paid channels."""
        rows, left_out = self.sheet.rows, dict(self.sheet.left_out)
        named = [(line, self._channel(line)) for line in rows]
        paid = [(line, channel) for line, channel in named if channel != UNPAID]
        if len(paid) < len(rows):
            left_out["rows of channels without ads"] = len(rows) - len(paid)
        if not paid:
            rule = "no row is of a paid channel; export paid channels too"
            raise refused(self.sheet.name, rows[0].number, "channel", rule)
        lines = [line for line, _ in paid]
        day, hour = self._days(lines, text), self._hours(lines)
        self._check_span(lines, day)
        shares = [self._share(line) for line in lines]
        told = [metric for metric in METRICS if metric in self.sheet.fields]
        metrics = {metric: np.array([self._number(line, metric) for line in lines]) for metric in told}
        return Account(
            Path(self.sheet.name).name, self.format, self.currency[0], day, hour, [channel for _, channel in paid],
            [self.sheet.cell(line, "campaign") or "all" for line in lines],
            [DEVICES.get(self.sheet.cell(line, "device").lower(), "other") for line in lines],
            metrics, (np.array([low for low, _ in shares]), np.array([high for _, high in shares])), left_out,
        )

    def _decimal(self) -> str:
        first: dict[str, Line] = {}
        for line in self.sheet.rows:
            for field in (*METRICS, "share"):
                cell = self.sheet.cell(line, field)
                digits = re.sub(r"[^\d.,]", "", cell)
                if mark := told_mark(digits):
                    first.setdefault(mark, line)
                    if len(first) == 2:
                        other = min(one.number for one in first.values())
                        message = f"'{shown(cell)}' has other decimals than line {other}; export the file in one locale"
                        raise self.sheet.refused(line, field, message)
        return next(iter(first), ".")

    def _months(self) -> bool | None:
        if "day" not in self.sheet.fields:
            return None
        try:
            return month_first([self.sheet.cell(line, "day") for line in self.sheet.rows])
        except (CellError, ValueError) as error:
            raise self.sheet.refused(self.sheet.rows[0], "day", str(error)) from None

    def _told(self, line: Line, field: str, read: Callable[[str], T]) -> T:
        try:
            return read(self.sheet.cell(line, field))
        except CellError as error:
            raise self.sheet.refused(line, field, str(error)) from None

    def _channel(self, line: Line) -> str:
        for field in ("campaign", "channel"):
            word = self.sheet.cell(line, field).lower()
            if word and word in self.channels:
                return self.channels[word]
        if "channel" not in self.sheet.fields:
            if self.format.one_channel:
                return self.format.one_channel
            raise refused(self.sheet.name, line.number, "channel", f"there is no column of channels; {self.format.asks}")
        word = self.sheet.cell(line, "channel")
        if word.lower() not in self.format.channels:
            told = shown(word)
            raise self.sheet.refused(line, "channel", f"'{told}' is no channel we know; say --channel '{told}=NAME'")
        return self.format.channels[word.lower()]

    def _days(self, lines: list[Line], text: str) -> Ints:
        if "date_hour" in self.sheet.fields:
            return self._column(lines, "date_hour", lambda cell: day_of(cell[:8], self.locale))
        if "day" in self.sheet.fields:
            days = self._column(lines, "day", lambda cell: day_of(cell, self.locale))
            self._check_ends(lines, days)
            return days
        start = _START_DATE.search(text)
        if start is None:
            rule = "no comment says '# Start date: YYYYMMDD'; export the dimension Date"
            raise refused(self.sheet.name, 1, "Nth day", rule)
        return day_of(start[1], self.locale) + self._column(lines, "nth_day", _count)

    def _column(self, lines: list[Line], field: str, read: Callable[[str], int]) -> Ints:
        return np.array([self._told(line, field, read) for line in lines], dtype=np.int64)

    def _check_ends(self, lines: list[Line], days: Ints) -> None:
        if "day_end" not in self.sheet.fields:
            return
        for line, day in zip(lines, days.tolist(), strict=True):
            if self._told(line, "day_end", lambda cell: day_of(cell, self.locale)) != day:
                raise self.sheet.refused(line, "day_end", f"the row covers several days; {self.format.asks}")

    def _check_span(self, lines: list[Line], day: Ints) -> None:
        if day.max() - day.min() >= DAYS_MAX:
            line = lines[int(np.abs(day - int(np.median(day))).argmax())]
            raise refused(self.sheet.name, line.number, "day", f"days lie over {DAYS_MAX} days apart; is this one right?")

    def _hours(self, lines: list[Line]) -> Ints:
        if "date_hour" in self.sheet.fields:
            return self._column(lines, "date_hour", lambda cell: hour_of(cell[8:]))
        if "hour" not in self.sheet.fields:
            return np.full(len(lines), NONE, dtype=np.int64)
        return self._column(lines, "hour", hour_of)

    def _number(self, line: Line, metric: str) -> float:
        """A count or an amount; missing is 0, as exports leave out what did not happen."""
        cell = self.sheet.cell(line, metric)
        if is_missing(cell):
            return 0.0
        digits, currency = self._told(line, metric, split_money)
        if currency:
            self._note_currency(line, metric, currency)
        value = self._told(line, metric, lambda _: number_of(digits, self.locale.decimal))
        if not 0 <= value <= COUNT_MAX:
            raise self.sheet.refused(line, metric, f"'{shown(cell)}' is not between 0 and {COUNT_MAX:g}")
        if metric in ("impressions", "clicks") and value != int(value):
            raise self.sheet.refused(line, metric, f"'{shown(cell)}' is not a whole number, and {metric} are counted")
        if metric == "cost" and not is_missing(self.sheet.cell(line, "currency")):
            self._note_currency(line, "currency", self.sheet.cell(line, "currency").upper())
        return value

    def _note_currency(self, line: Line, field: str, currency: str) -> None:
        known, first = self.currency
        if known and known != currency:
            where = f"line {first.number}" if first else "the header"
            raise self.sheet.refused(line, field, f"{currency} here, {known} in {where}; export one currency a file")
        self.currency = currency, first or line

    def _share(self, line: Line) -> tuple[float, float]:
        cell = self.sheet.cell(line, "share")
        if is_missing(cell):
            return np.nan, np.nan
        return self._told(line, "share", lambda text: share_of(text, self.locale.decimal))


def _count(cell: str) -> int:
    if not re.fullmatch(r"\d{1,5}", cell):
        raise CellError(f"'{shown(cell)}' is not a count of days")
    return int(cell)
