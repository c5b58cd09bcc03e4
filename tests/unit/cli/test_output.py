"""How results are printed."""

from __future__ import annotations

import json

from gaelp_sim.cli.output import csv_text, json_text, ndjson_text, table_text

COLUMNS = ("name", "people", "share", "path")
ROWS = [("a,b", 12, 0.25, b"\x01\xff"), (None, 3, None, b"")]


def test_table_aligns_numbers_right_and_leaves_nothing_for_none() -> None:
    """A table has a header, a rule and a line per row; no value is an empty cell."""
    assert table_text(("name", "people"), [("AWARE", 12), (None, 3)]) == (
        "name   people\n-----  ------\nAWARE      12\n            3\n"
    )


def test_a_cell_cannot_break_its_row_or_steer_the_terminal() -> None:
    """Line breaks and control characters in a value become blanks."""
    assert table_text(("label",), [("a\nb\x1b[31m",)]).splitlines()[2] == "a b [31m"


def test_csv_quotes_and_shows_bytes_as_hex() -> None:
    """CSV has a header line, quotes what needs it, and an empty cell for no value."""
    assert csv_text(COLUMNS, ROWS) == 'name,people,share,path\n"a,b",12,0.25,01ff\n,3,,\n'


def test_json_and_ndjson_hold_the_same_objects() -> None:
    """Both spell each row as an object with all columns."""
    objects = json.loads(json_text(COLUMNS, ROWS))
    assert objects == [json.loads(line) for line in ndjson_text(COLUMNS, ROWS).splitlines()]
    assert objects[0] == {"name": "a,b", "people": 12, "share": 0.25, "path": "01ff"}


def test_no_rows() -> None:
    """A query without rows still names its columns, and JSON is an empty array."""
    assert table_text(("a", "bc"), []) == "a  bc\n-  --\n"
    assert json_text(("a",), []) == "[]\n"
    assert ndjson_text(("a",), []) == ""
