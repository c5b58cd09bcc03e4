"""Results on stdout as a table, CSV, JSON or one JSON object per line; talk on stderr."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

import click

from gaelp_sim.cli.command import Settings

FORMATS = ("table", "csv", "json", "ndjson")
Row = Sequence[Any]


def say(settings: Settings, text: str) -> None:
    """Talk to the user on stderr, unless asked to be quiet."""
    if not settings.quiet:
        click.echo(text, err=True)


def say_more(settings: Settings, text: str) -> None:
    """Talk on stderr to those who asked for more with -v."""
    if settings.verbose and not settings.quiet:
        click.echo(text, err=True)


def print_json(value: Any) -> None:
    """Print one JSON document on stdout."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False, default=_plain))


def print_rows(columns: Sequence[str], rows: Sequence[Row], *, format: str) -> None:
    """Print rows on stdout in one of FORMATS."""
    click.echo(_RENDERERS[format](columns, rows), nl=False)


def print_records(records: Sequence[dict[str, Any]], settings: Settings, *, columns: Sequence[str]) -> None:
    """Print records as JSON if asked for, else the chosen columns as a table."""
    if settings.as_json:
        print_json(list(records))
    else:
        print_rows(columns, [[record.get(name) for name in columns] for record in records], format="table")


def print_fields(fields: dict[str, Any], settings: Settings) -> None:
    """Print one record as JSON if asked for, else a line per field."""
    if settings.as_json:
        print_json(fields)
        return
    width = max(map(len, fields), default=0)
    for name, value in fields.items():
        click.echo(f"{name:<{width}}  {_cell(value)}".rstrip())


def table_text(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """A plain aligned table: numbers to the right, text to the left; never wrapped, so that it can be searched.

    >>> print(table_text(["stage", "people"], [["AWARE", 12], ["INTENT", 3]]), end="")
    stage   people
    ------  ------
    AWARE       12
    INTENT       3
    """
    texts = [[_cell(value) for value in row] for row in rows]
    widths = [max([len(name), *(len(row[i]) for row in texts)]) for i, name in enumerate(columns)]
    numeric = [_all_numbers(row[i] for row in rows) for i in range(len(columns))]
    lines = [_aligned(columns, widths, numeric), "  ".join("-" * width for width in widths)]
    lines += [_aligned(row, widths, numeric) for row in texts]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def csv_text(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """RFC 4180 rows under a header line; no value is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([[_plain(value) if isinstance(value, bytes) else value for value in row] for row in rows])
    return text.getvalue()


def json_text(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """A JSON array of objects."""
    records = [dict(zip(columns, row, strict=True)) for row in rows]
    return json.dumps(records, indent=2, ensure_ascii=False, default=_plain) + "\n"


def ndjson_text(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """One JSON object per line."""
    records = (dict(zip(columns, row, strict=True)) for row in rows)
    return "".join(json.dumps(record, ensure_ascii=False, default=_plain) + "\n" for record in records)


_RENDERERS = {"table": table_text, "csv": csv_text, "json": json_text, "ndjson": ndjson_text}


def _aligned(cells: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> str:
    pairs = zip(cells, widths, numeric, strict=True)
    return "  ".join(cell.rjust(width) if right else cell.ljust(width) for cell, width, right in pairs)


def _all_numbers(values: Iterable[Any]) -> bool:
    present = [value for value in values if value is not None]
    return bool(present) and all(isinstance(value, int | float) for value in present)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}" if abs(value) < 1e6 else f"{value:.2f}"
    text = str(_plain(value)) if isinstance(value, bytes) else str(value)
    # A line break inside a cell would break the row; control characters could steer the terminal.
    return "".join(character if character.isprintable() else " " for character in text)


def _plain(value: Any) -> Any:
    """The JSON form of what JSON has no word for."""
    if isinstance(value, bytes):
        return value.hex()
    return str(value)
