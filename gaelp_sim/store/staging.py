"""Numpy columns as an SQLite database in memory, so that one INSERT ... SELECT writes them instead of a call a row.

Binding values one by one costs more than storing them: for decisions (23 columns and a blob) `executemany` reaches
180 thousand rows a second and this 400. Only the image in memory is written by hand, in the published file format
(sqlite.org/fileformat2.html, sections 1.6 and 2.1); the store's own file is touched by SQLite alone.

Every row of an image has the same width: integers get the narrowest type that holds their column, blobs and text are
padded to the longest, with their length beside them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from gaelp_sim.store.columns import Rows
from gaelp_sim.store.layout import Column, ColumnKind

SCHEMA = "staged"
"""Name under which each writing connection has an empty memory database attached."""

_PAGE_BYTES = 65_536
_IMAGE_BYTES = 16 * 2**20
_MIN_ROWS = 200  # below, binding costs less than laying out pages
_ROW_BYTES_MAX = 16_000
_ROWID_BYTES = 5
_LEAF, _INTERIOR = 13, 5
_INTEGER_TYPES = ((1, 1), (2, 2), (4, 4), (8, 6))  # bytes, SQLite's serial type
_DOUBLE_TYPE = 7


def can_stage(raw: Any, rows: Rows) -> bool:
    """Whether rows of this number and width gain by an image, and this Python can load one."""
    if rows.count < _MIN_ROWS or not hasattr(raw, "deserialize"):
        return False
    return sum(_longest(rows.columns[c.name]) for c in rows.layout.columns if not c.kind.is_number) < _ROW_BYTES_MAX


def insert_staged(raw: Any, run_key: int, rows: Rows) -> None:
    """Write `rows` into their table under `run_key` by way of images in memory."""
    fields = [field for column in rows.layout.columns for field in _fields(rows, column)]
    head = _head(fields)
    dtype = _row_dtype(head, fields)
    names = [name for name, _, _ in fields]
    sql = _insert_sql(rows, run_key)
    per_image = max(1, _IMAGE_BYTES // dtype.itemsize)
    for start in range(0, rows.count, per_image):
        part = rows.slice(start, start + per_image)
        raw.deserialize(_image(_cells(part, dtype, head), names), name=SCHEMA)
        raw.execute(sql)
    raw.deserialize(_template(("vacant",)), name=SCHEMA)  # gives the memory back


def _insert_sql(rows: Rows, run_key: int) -> str:
    verb = "INSERT OR REPLACE" if rows.layout.replaced else "INSERT"
    selected = ", ".join(_expression(column, rows.columns[column.name]) for column in rows.layout.columns)
    names = ", ".join(("run_key", *rows.layout.column_names))
    return f"{verb} INTO main.{rows.layout.name} ({names}) SELECT {run_key:d}, {selected} FROM {SCHEMA}.rows ORDER BY rowid"


def _expression(column: Column, values: np.ndarray | list[bytes] | list[str]) -> str:
    if isinstance(values, np.ndarray):
        return column.name
    # SQLite gives NULL, not an empty blob, for a part of an empty blob.
    cut = f"COALESCE(substr({column.name}, 1, {column.name}_length), x'')"
    return f"CAST({cut} AS TEXT)" if column.kind is ColumnKind.TEXT else cut


# --- one row: what SQLite calls a record, in a cell ---

Field = tuple[str, Any, bytes]  # name, numpy type, serial type as a varint


def _fields(rows: Rows, column: Column) -> Iterator[Field]:
    values = rows.columns[column.name]
    if column.kind is ColumnKind.DOUBLE:
        yield column.name, ">f8", _varint(_DOUBLE_TYPE)
    elif column.kind.is_number:
        yield column.name, *_integer_type(values)  # type: ignore[arg-type]
    else:
        width = _longest(values)
        yield column.name, np.dtype((np.void, width)) if width else np.dtype("V0"), _varint(12 + 2 * width)
        if not isinstance(values, np.ndarray):
            yield f"{column.name}_length", ">i4", _varint(4)


def _longest(values: np.ndarray | list[bytes] | list[str]) -> int:
    if isinstance(values, np.ndarray):
        return int(values.shape[1])
    return max((len(value.encode() if isinstance(value, str) else value) for value in values), default=0)


def _integer_type(values: np.ndarray) -> tuple[str, bytes]:
    low, high = int(values.min()), int(values.max())
    for width, serial in _INTEGER_TYPES[:-1]:
        if -(1 << (8 * width - 1)) <= low and high < 1 << (8 * width - 1):
            return f">i{width}", _varint(serial)
    return ">i8", _varint(_INTEGER_TYPES[-1][1])


def _head(fields: list[Field]) -> bytes:
    """The record's header: its own length, then the type of each value."""
    types = b"".join(serial for _, _, serial in fields)
    length = len(types) + 1
    return (_varint(length) if length < 128 else _varint(length + 1)) + types


def _row_dtype(head: bytes, fields: list[Field]) -> np.dtype[np.void]:
    body = np.dtype([(name, kind) for name, kind, _ in fields])
    size = _varint(len(head) + body.itemsize)
    cell = [("size", np.uint8, (len(size),)), ("rowid", np.uint8, (_ROWID_BYTES,)), ("head", np.uint8, (len(head),))]
    return np.dtype([*cell, ("body", body)])


def _cells(rows: Rows, dtype: np.dtype[np.void], head: bytes) -> np.ndarray:
    """Cells (n, w) uint8: size of the payload, rowid 1..n, header, values big-endian."""
    cells = np.zeros(rows.count, dtype=dtype)
    cells["size"] = np.frombuffer(_varint(len(head) + dtype["body"].itemsize), np.uint8)
    cells["rowid"] = _rowids(np.arange(1, rows.count + 1))
    cells["head"] = np.frombuffer(head, np.uint8)
    for column in rows.layout.columns:
        _fill(cells["body"], column, rows.columns[column.name])
    return cells.view(np.uint8).reshape(rows.count, dtype.itemsize)


def _fill(body: np.ndarray, column: Column, values: np.ndarray | list[bytes] | list[str]) -> None:
    if column.kind.is_number:
        body[column.name] = values
        return
    if isinstance(values, np.ndarray):
        if values.shape[1]:
            body[column.name] = values.view(np.dtype((np.void, values.shape[1]))).reshape(-1)
        return
    blobs = [value.encode() if isinstance(value, str) else value for value in values]
    body[f"{column.name}_length"] = np.fromiter(map(len, blobs), np.int64, len(blobs))
    width = body.dtype[column.name].itemsize
    if width:
        padded = b"".join(blob.ljust(width, b"\0") for blob in blobs)
        body[column.name] = np.frombuffer(padded, np.dtype((np.void, width)))


def _varint(number: int) -> bytes:
    """SQLite's variable-length integer: 7 bits a byte, most significant first."""
    groups = [number & 0x7F]
    while number := number >> 7:
        groups.append(number & 0x7F | 0x80)
    return bytes(reversed(groups))


def _rowids(numbers: np.ndarray) -> np.ndarray:
    """Varints (n, 5) of one width: leading zero groups are allowed."""
    shifts = 7 * np.arange(_ROWID_BYTES - 1, -1, -1)
    groups = (numbers[:, None] >> shifts) & 0x7F
    groups[:, :-1] |= 0x80
    return groups.astype(np.uint8)


# --- pages: the first with the schema, the root, then leaves in order ---


@lru_cache(maxsize=64)
def _template(names: tuple[str, ...]) -> bytes:
    """An SQLite database of two pages: the schema of table `rows`, and its empty root."""
    made = sqlite3.connect(":memory:")
    made.execute(f"PRAGMA page_size={_PAGE_BYTES}")
    made.execute(f"CREATE TABLE rows ({', '.join(names)})")
    image = made.serialize()
    made.close()
    return image


def _image(cells: np.ndarray, names: list[str]) -> memoryview:
    """A whole database with `cells` (n, w) as the rows of its table."""
    template = np.frombuffer(_template(tuple(names)), np.uint8).reshape(-1, _PAGE_BYTES)
    per_page = (_PAGE_BYTES - 8) // (cells.shape[1] + 2)
    leaf_count = -(-len(cells) // per_page)
    first_leaf = 1 if leaf_count == 1 else 2  # a single leaf is the root itself
    image = np.zeros((first_leaf + leaf_count, _PAGE_BYTES), np.uint8)
    image[0] = template[0]
    image[0, 28:32] = _big_endian(len(image), 4)
    if leaf_count > 1:
        _write_root(image[1], leaf_count, per_page)
    _write_leaves(image[first_leaf:], cells, per_page)
    return image.reshape(-1).data


def _write_leaves(pages: np.ndarray, cells: np.ndarray, per_page: int) -> None:
    """Fill leaf pages (k, page): `per_page` cells each, the last one with the rest."""
    count, width = cells.shape
    full = count // per_page
    if full:
        _write_cells(pages[:full], _LEAF, cells[: full * per_page].reshape(full, -1, width))
    if count % per_page:
        _write_cells(pages[full:], _LEAF, cells[full * per_page :].reshape(1, -1, width))


def _write_root(page: np.ndarray, leaf_count: int, per_page: int) -> None:
    """Fill the interior page above the leaves, which are pages 3, 4, ...; each key is its leaf's last rowid."""
    left = np.arange(leaf_count - 1)
    children = (3 + left).astype(">u4").view(np.uint8).reshape(-1, 4)
    _write_cells(page[None], _INTERIOR, np.concatenate([children, _rowids(per_page * (left + 1))], axis=1)[None])
    page[8:12] = _big_endian(2 + leaf_count, 4)


def _write_cells(pages: np.ndarray, kind: int, cells: np.ndarray) -> None:
    """Fill b-tree pages (k, page) with cells (k, m, w): header, pointers, and the cells at the page's end."""
    _, number, width = cells.shape
    start, header = _PAGE_BYTES - number * width, 8 if kind == _LEAF else 12
    pages[:, 0] = kind
    pages[:, 3:5] = _big_endian(number, 2)
    pages[:, 5:7] = _big_endian(start % 65_536, 2)  # 65,536 is written as 0
    pointers = (start + width * np.arange(number)).astype(">u2").view(np.uint8)
    pages[:, header : header + 2 * number] = pointers
    pages[:, start:] = cells.reshape(len(pages), -1)


def _big_endian(number: int, width: int) -> np.ndarray:
    return np.frombuffer(number.to_bytes(width, "big"), np.uint8)
