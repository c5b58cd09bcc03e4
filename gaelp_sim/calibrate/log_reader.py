"""Log files as columns, a block at a time: bad rows are skipped and counted, bad files are refused in one line.

Reading is pyarrow's (the extra [logs]); memory stays at a few blocks, however long the file or its lines.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from gaelp_sim.errors import UsageError
from gaelp_sim.events import Column

BLOCK_BYTES = 8 << 20
"""Of text read at once; no line may be longer."""
BAD_SHARE_MAX = 0.5
"""A file with more bad rows than good ones is not what it is said to be."""
Block = dict[str, Column]
LINE = "#line"
"""Column of a block that holds the rows' lines in the file, from 1."""


@dataclass(frozen=True)
class Field:
    """One column that is read: its name, and the numbers that it may hold."""

    name: str
    low: float = -np.inf
    high: float = np.inf
    whole: bool = False
    """Whole numbers only"""
    text: bool = False
    """Any text; handed on as it is"""
    iso: bool = False
    """A moment as ISO 8601 has it, UTC where it names no zone; read as epoch seconds"""
    blank: float | None = None
    """What an empty cell counts as; None: a bad row"""

    @property
    def rule(self) -> str:
        """What a cell must hold, in words."""
        if self.iso:
            return "a moment such as 2025-09-01T12:00:00"
        bounds = f" from {self.low:g} to {self.high:g}" if np.isfinite([self.low, self.high]).all() else ""
        return f"a {'whole ' if self.whole else ''}number{bounds}"


@dataclass(frozen=True)
class LogFormat:
    """How a log is written: its delimiter, all its columns in order, and those that are read."""

    name: str
    delimiter: str
    columns: tuple[str, ...]
    """All columns of a file without a header; empty where the header names them"""
    fields: tuple[Field, ...]


@dataclass
class Skipped:
    """Rows that were left out."""

    good: int = 0
    bad: int = 0
    reasons: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By reason: how many, and the first one's line"""
    ragged: list[int] = field(default_factory=list)
    """Lines with too many or too few columns, ascending"""

    def add(self, reason: str, lines: Sequence[int]) -> None:
        """Count bad rows."""
        if len(lines):
            count, first = self.reasons.get(reason, (0, int(lines[0])))
            self.reasons[reason] = (count + len(lines), first)


def read_log(path: Path, form: LogFormat, skipped: Skipped) -> Iterator[Block]:
    """Blocks of the format's fields and LINE, each (n,): int64, float64 or text; bad rows are counted in `skipped`.

    Raises UsageError, naming file, line and rule, for a file that is not there, is cut off or binary, lacks a column, has a
    line longer than BLOCK_BYTES, or more bad rows than good ones; and where pyarrow is missing.
    """
    csv = _pyarrow_csv()
    _check_columns(path, form)
    first, rows = 1 if form.columns else 2, 0
    try:
        for batch in _opened(csv, path, form, skipped):
            line = _lines(first, rows, batch.num_rows, skipped.ragged)
            block, bad = _checked(batch, form, line, skipped)
            rows += batch.num_rows
            skipped.good += len(bad) - int(bad.sum())
            skipped.bad += int(bad.sum())
            if bad.any():
                block = {name: column[~bad] for name, column in block.items()}
            yield block
    except _stopped(csv) as error:
        raise UsageError(f"{path}:{first + rows + len(skipped.ragged)}: {_told(error)}") from None
    if skipped.bad > BAD_SHARE_MAX * (skipped.good + skipped.bad) or not skipped.good:
        nothing = ("no row at all", (0, first))
        reason, (count, at) = max(skipped.reasons.items(), key=lambda item: item[1], default=nothing)
        raise UsageError(f"{path}:{at}: {reason} ({count:,} such rows, {skipped.good:,} good ones): is it {form.name}?")


def _pyarrow_csv() -> Any:
    try:
        import pyarrow.csv
    except ImportError:
        raise UsageError("reading logs needs pyarrow; next: pip install 'gaelp-sim[logs]'") from None
    return pyarrow.csv


def _stopped(csv: Any) -> tuple[type[BaseException], ...]:
    import pyarrow

    return (pyarrow.ArrowInvalid, OSError, EOFError, zlib.error)


def _told(error: BaseException) -> str:
    text = " ".join(str(error).split())
    if "straddl" in text:
        return f"a line longer than {BLOCK_BYTES >> 20} MiB: is the line end missing?"
    if "UTF8" in text or "UTF-8" in text:
        return "that is no UTF-8 text: is it compressed or binary?"
    if isinstance(error, EOFError | zlib.error) or "runcated" in text or "ompress" in text:
        return "the file ends in the middle: is it cut off? Fetch it again"
    return f"it can't be read on: {text[:160]}"


def _check_columns(path: Path, form: LogFormat) -> None:
    """Hold the first line against the format: its names, or the number of its columns."""
    try:
        with (gzip.open(path) if path.suffix == ".gz" else path.open("rb")) as file:
            raw = file.readline(BLOCK_BYTES)
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"{path}:1: {getattr(error, 'strerror', None) or _told(error)}; name a log file") from None
    if not raw:
        raise UsageError(f"{path}:1: the file is empty")
    if len(raw) >= BLOCK_BYTES:
        raise UsageError(f"{path}:1: a line longer than {BLOCK_BYTES >> 20} MiB: is the line end missing?")
    try:
        words = raw.decode("utf-8-sig").rstrip("\r\n").split(form.delimiter)
    except UnicodeDecodeError:
        raise UsageError(f"{path}:1: that is no UTF-8 text: is it compressed or binary?") from None
    shown = {",": "commas", "\t": "tabs"}.get(form.delimiter, form.delimiter)
    if form.columns:
        if len(words) != len(form.columns):
            raise UsageError(f"{path}:1: {len(words)} columns set apart by {shown}; {form.name} has {len(form.columns)}")
        return
    missing = [field.name for field in form.fields if field.name not in words]
    if missing:
        raise UsageError(
            f"{path}:1: no column {', '.join(missing)} among {len(words)} set apart by {shown}; {form.name} has it"
        )


def _opened(csv: Any, path: Path, form: LogFormat, skipped: Skipped) -> Any:
    """pyarrow's reader of the fields as text; rows with too many or too few columns are counted."""
    import pyarrow as pa

    def refuse(row: Any) -> str:
        skipped.bad += 1
        skipped.ragged.append(row.number or 0)
        skipped.add(f"{row.actual_columns} columns, not {row.expected_columns}", [row.number or 0])
        return "skip"

    names = [one.name for one in form.fields]
    return csv.open_csv(
        pa.input_stream(str(path), compression="detect"),
        read_options=csv.ReadOptions(block_size=BLOCK_BYTES, column_names=list(form.columns) or None, use_threads=False),
        parse_options=csv.ParseOptions(delimiter=form.delimiter, invalid_row_handler=refuse),
        convert_options=csv.ConvertOptions(
            include_columns=names, column_types={name: pa.string() for name in names}, strings_can_be_null=False,
        ),
    )


def _lines(first: int, before: int, count: int, ragged: Sequence[int]) -> Column:
    """Lines of the next `count` rows, `before` of which came earlier: ragged ones lie between them."""
    at = before + np.arange(count)
    gone = np.array(ragged, dtype=np.int64) - first - np.arange(len(ragged))
    return first + at + np.searchsorted(gone, at, side="right")


def _checked(batch: Any, form: LogFormat, line: Column, skipped: Skipped) -> tuple[Block, Column]:
    """The block's columns as numbers, and which rows are bad."""
    block: Block = {LINE: line}
    bad = np.zeros(batch.num_rows, dtype=np.bool_)
    for place, one in enumerate(form.fields):
        if one.text:
            block[one.name] = np.array(batch.column(place).to_pylist(), dtype=object)
            continue
        numbers = (_moments if one.iso else _numbers)(batch.column(place), one.blank)
        with np.errstate(invalid="ignore"):
            wrong = ~((numbers >= one.low) & (numbers <= one.high))
            wrong |= one.whole & (numbers != np.floor(numbers))
        new = wrong & ~bad
        if new.any():
            said = batch.column(place)[int(np.flatnonzero(new)[0])].as_py()
            skipped.add(f"{one.name}: {said[:40]!r} is not {one.rule}", line[new].tolist())
        bad |= wrong
        block[one.name] = np.where(wrong, 0, numbers).astype(np.int64 if one.whole else np.float64)
    return block, bad


def _moments(column: Any, blank: float | None) -> Column:
    """ISO moments as epoch seconds, whole ones; nan for what is none."""
    return np.array([_moment(text, blank) for text in column.to_pylist()], dtype=np.float64)


def _moment(text: str, blank: float | None) -> float:
    if not text and blank is not None:
        return blank
    try:
        told = datetime.fromisoformat(text)
        return float((told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp() // 1)
    except (ValueError, OverflowError):
        return float("nan")


def _numbers(column: Any, blank: float | None) -> Column:
    """Text as float64; nan for what is no finite number."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if blank is not None:
        column = pc.if_else(pc.equal(column, ""), pa.scalar(repr(blank)), column)
    try:
        numbers = pc.cast(column, pa.float64())
    except pa.ArrowInvalid:
        plain = pc.match_substring_regex(column, r"^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?$")
        numbers = pc.cast(pc.if_else(plain, column, pa.scalar(None, pa.string())), pa.float64())
    found = np.array(numbers.to_numpy(zero_copy_only=False), dtype=np.float64)
    found[~np.isfinite(found)] = np.nan
    return found
