"""An export as text and lines: UTF-8 and UTF-16, byte marks, and how its cells are set apart."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from gaelp_sim.errors import UsageError

BYTES_MAX = 256 * 1024 * 1024
LINE_MAX = 65_536
DELIMITERS = (",", "\t", ";", "|")
_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_OTHER_FILES = ((b"\x1f\x8b", "a gzip file; unpack it"), (b"PK\x03\x04", "a spreadsheet or zip file; save it as CSV"),
                (b"%PDF", "a PDF file; export CSV"), (b"PAR1", "a Parquet file; export CSV"))


@dataclass(frozen=True)
class Line:
    """One record of an export with the number of the line that it begins in, from 1."""

    number: int
    cells: list[str]


def refused(name: str, line: int, field: str, message: str) -> UsageError:
    """The one-line error `file:line: field: what is wrong, the rule and the next step`."""
    return UsageError(f"{name}:{line}: {field}: {message}")


def text_of(path: Path) -> str:
    """The file's text, whatever it was encoded in; raises UsageError for what is not the text of an export."""
    try:
        with path.open("rb") as file:
            raw = file.read(BYTES_MAX + 1)
    except OSError as error:
        raise UsageError(f"{path}: the file cannot be read ({error.strerror or error})") from None
    name = str(path)
    if not raw.strip(b"\x00 \r\n\t"):
        raise refused(name, 1, "file", "it is empty; export the report again")
    if len(raw) > BYTES_MAX:
        raise refused(name, 1, "file", f"it is larger than {BYTES_MAX >> 20} MiB; export days, not clicks")
    for front, what in _OTHER_FILES:
        if raw.startswith(front):
            raise refused(name, 1, "file", f"it is {what} first")
    text = _decoded(raw, name)
    _check_lines(text, name)
    return text


def _decoded(raw: bytes, name: str) -> str:
    encoding = next((encoding for mark, encoding in _MARKS if raw.startswith(mark)), "")
    head = raw[:2_000]
    if not encoding and head.count(b"\x00") > len(head) // 3:
        encoding = "utf-16-le" if head[1:2] == b"\x00" else "utf-16-be"
    try:
        return raw.decode(encoding or "utf-8")
    except UnicodeDecodeError as error:
        if encoding:
            line = raw[: error.start].decode(encoding, "ignore").count("\n") + 1
            raise refused(name, line, "text", f"bytes are not valid {encoding}; export the file as UTF-8") from None
    return raw.decode("cp1252", "replace")  # what older spreadsheets save


def _check_lines(text: str, name: str) -> None:
    if (at := text.find("\x00")) >= 0 or (at := text.find("\ufffd")) >= 0:
        line = text.count("\n", 0, at) + 1
        raise refused(name, line, "text", "it holds bytes that are no text; is it an export? save it as CSV")
    for number, one in enumerate(io.StringIO(text), start=1):
        if len(one) > LINE_MAX:
            raise refused(name, number, "line", f"it has {len(one):,} characters, at most {LINE_MAX:,}; is it CSV?")


def lines_of(text: str, delimiter: str, name: str) -> list[Line]:
    """All records that are not blank, cells stripped; raises UsageError for quotes that never close."""
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
    found: list[Line] = []
    while True:
        number = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise refused(name, number, "quotes", f"the line cannot be taken apart ({error}); export it again") from None
        if cells is None:
            return found
        if any(cell.strip() for cell in cells):
            found.append(Line(number, [cell.strip() for cell in cells]))
