"""PostgreSQL's binary COPY format, both ways, from and to numpy (its manual, chapter "COPY", section "Binary Format")."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

from gaelp_sim.store.columns import Rows
from gaelp_sim.store.layout import ColumnKind

COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
COPY_TRAILER = b"\xff\xff"
_COPY_TYPES = {ColumnKind.SMALL: ">i2", ColumnKind.INT: ">i4", ColumnKind.BIG: ">i8", ColumnKind.DOUBLE: ">f8"}


def copied_parts(
    raw: Any, sql: str, parameters: list[Any], chosen: list[tuple[str, ColumnKind]], *, block_rows: int
) -> Iterator[dict[str, Any]]:
    """Number columns of a query, `block_rows` at a time: rows of one width are a structured array as they come."""
    fields: list[tuple[str, str]] = [("head", ">i2")]
    for name, kind in chosen:
        fields += [(f"{name}_length", ">i4"), (name, _COPY_TYPES[kind])]
    dtype = np.dtype(fields)
    held = bytearray()
    with raw.cursor() as cursor, cursor.copy(_inlined(sql, parameters)) as copy:
        for piece in copy:
            held += piece
            while len(held) >= len(COPY_HEADER) + block_rows * dtype.itemsize:
                yield _taken(held, dtype, chosen, block_rows)
    rest = (len(held) - len(COPY_HEADER) - len(COPY_TRAILER)) // dtype.itemsize
    if rest:
        yield _taken(held, dtype, chosen, rest)


def _inlined(sql: str, parameters: list[Any]) -> str:
    """COPY takes no parameters; ours are numbers, and anything else is refused."""
    for value in parameters:
        if not isinstance(value, int | float):
            raise TypeError(f"{value!r} is no number")
        sql = sql.replace("?", repr(value), 1)
    return f"COPY ({sql}) TO STDOUT (FORMAT BINARY)"


def _taken(held: bytearray, dtype: np.dtype[np.void], chosen: list[tuple[str, ColumnKind]], count: int) -> dict[str, Any]:
    """Columns of the first `count` rows in `held`, which are removed; the header stays in front."""
    start, stop = len(COPY_HEADER), len(COPY_HEADER) + count * dtype.itemsize
    block = np.frombuffer(bytes(held[start:stop]), dtype)
    del held[start:stop]
    return {
        name: block[name].astype(np.float64 if kind is ColumnKind.DOUBLE else np.int64) for name, kind in chosen
    }


def copy_bytes(rows: Rows, run_key: int) -> bytes:
    """`rows` in PostgreSQL's binary COPY format, without header and trailer."""
    pieces = [_fixed_piece(rows, names, run_key if i == 0 else None) for i, names in enumerate(_pieces(rows))]
    if len(pieces) == 1:
        return pieces[0].tobytes()
    return _woven(rows, pieces)


def _is_fixed(rows: Rows, name: str) -> bool:
    return isinstance(rows.columns[name], np.ndarray)


def _pieces(rows: Rows) -> list[list[str]]:
    """Runs of fixed-width columns, cut at each column whose width varies."""
    pieces: list[list[str]] = [[]]
    for name in rows.layout.column_names:
        if _is_fixed(rows, name):
            pieces[-1].append(name)
        else:
            pieces.append([])
    return pieces


def _fixed_piece(rows: Rows, names: list[str], run_key: int | None) -> np.ndarray:
    """A structured array: each value behind its length in bytes, and the row's head before the first."""
    kinds = {column.name: column.kind for column in rows.layout.columns}
    fields: list[tuple[Any, ...]] = []
    if run_key is not None:
        fields = [("head", ">i2"), ("head_length", ">i4"), ("head_key", ">i4")]
    for name in names:
        column = rows.columns[name]
        fields.append((f"{name}_length", ">i4"))
        if kinds[name] is ColumnKind.BYTES:
            fields.append((name, np.uint8, (column.shape[1],)))  # type: ignore[union-attr]
        else:
            fields.append((name, _COPY_TYPES[kinds[name]]))
    piece = np.empty(rows.count, dtype=fields)
    if run_key is not None:
        piece["head"], piece["head_length"], piece["head_key"] = len(rows.layout.columns) + 1, 4, run_key
    for name in names:
        piece[f"{name}_length"] = piece.dtype[name].itemsize
        piece[name] = rows.columns[name]
    return piece


def _woven(rows: Rows, pieces: list[np.ndarray]) -> bytes:
    """Fixed pieces and columns of varying width in turn, row by row."""
    varying = [name for name in rows.layout.column_names if not _is_fixed(rows, name)]
    strands: list[list[bytes]] = [_cut(pieces[0])]
    for name, piece in zip(varying, pieces[1:], strict=True):
        strands.append([_with_length(value) for value in rows.columns[name]])
        if piece.dtype.itemsize:
            strands.append(_cut(piece))
    return b"".join(b"".join(row) for row in zip(*strands, strict=True))


def _with_length(value: bytes | str) -> bytes:
    blob = value.encode() if isinstance(value, str) else value
    return struct.pack(">i", len(blob)) + blob


def _cut(piece: np.ndarray) -> list[bytes]:
    width, joined = piece.dtype.itemsize, piece.tobytes()
    return [joined[at : at + width] for at in range(0, len(joined), width)]
