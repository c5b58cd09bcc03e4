"""Batches as the writer needs them: typed numpy columns, checked and sorted by the table's key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gaelp_sim.store.layout import Column, ColumnKind, TableLayout

NumberColumn = np.ndarray  # 1-d int64 or float64
ObjectColumn = Sequence[bytes] | Sequence[str] | np.ndarray  # bytes or text; or 2-d array, one row per blob

_LIMITS = {
    ColumnKind.SMALL: (-(2**15), 2**15 - 1),
    ColumnKind.INT: (-(2**31), 2**31 - 1),
    ColumnKind.BIG: (-(2**63), 2**63 - 1),
}


@dataclass(frozen=True)
class Rows:
    """Rows of one table in key order.

    Numbers are int64 or float64 arrays (n,), bytes and text lists of n; blobs of one width may be an (n, w) uint8 array.
    """

    layout: TableLayout
    columns: dict[str, np.ndarray | list[bytes] | list[str]]
    count: int

    @classmethod
    def of(cls, layout: TableLayout, given: Mapping[str, NumberColumn | ObjectColumn]) -> Rows:
        """Check and sort `given` (columns of equal length n, without `run_key`).

        Raises ValueError for missing or unknown columns, unequal lengths, values out of range and NaN.
        """
        _check_names(layout, given)
        columns = {column.name: _typed(layout, column, given[column.name]) for column in layout.columns}
        lengths = {len(column) for column in columns.values()}
        if len(lengths) != 1:
            raise ValueError(f"{layout.name}: columns of unequal length {sorted(lengths)}")
        return cls(layout, columns, lengths.pop()).in_key_order()

    def in_key_order(self) -> Rows:
        """The same rows sorted by the key columns."""
        if self.count < 2 or _is_sorted(self):
            return self
        order = np.lexsort([_sortable(self.columns[column.name]) for column in reversed(self.layout.key)])
        return self.take(order)

    def take(self, order: np.ndarray) -> Rows:
        """Rows at the positions `order` (n,), in that order."""
        picked = {name: _pick(column, order) for name, column in self.columns.items()}
        return Rows(self.layout, picked, len(order))

    def slice(self, start: int, stop: int) -> Rows:
        """Rows from `start` up to, not including, `stop`."""
        part = {name: column[start:stop] for name, column in self.columns.items()}
        return Rows(self.layout, part, min(stop, self.count) - start)

    def number(self, name: str) -> np.ndarray:
        """A number column (n,) int64 or float64."""
        column = self.columns[name]
        assert isinstance(column, np.ndarray)
        return column


def _check_names(layout: TableLayout, given: Mapping[str, object]) -> None:
    missing = [name for name in layout.column_names if name not in given]
    unknown = [name for name in given if name not in layout.column_names]
    if missing or unknown:
        raise ValueError(f"{layout.name}: missing columns {missing}, unknown columns {unknown}")


def _typed(layout: TableLayout, column: Column, given: NumberColumn | ObjectColumn) -> np.ndarray | list[bytes] | list[str]:
    if column.kind is ColumnKind.TEXT:
        return [str(text) for text in given]
    if column.kind is ColumnKind.BYTES:
        return _blobs(given)
    array = np.asarray(given)
    if array.ndim != 1:
        raise ValueError(f"{layout.name}.{column.name}: shape {array.shape}, must be one-dimensional")
    return _doubles(layout, column, array) if column.kind is ColumnKind.DOUBLE else _integers(layout, column, array)


def _blobs(given: ObjectColumn) -> np.ndarray | list[bytes]:
    if isinstance(given, np.ndarray) and given.ndim == 2:
        return np.ascontiguousarray(given).view(np.uint8).reshape(len(given), -1)
    if any(isinstance(blob, str) for blob in given):
        raise ValueError("text where bytes belong")
    return [bytes(blob) for blob in given]  # type: ignore[arg-type]


def _doubles(layout: TableLayout, column: Column, array: np.ndarray) -> np.ndarray:
    doubles = array.astype(np.float64) + 0.0  # SQLite stores -0.0 as 0.0: make them one before anything is hashed
    if not np.isfinite(doubles).all():
        raise ValueError(f"{layout.name}.{column.name}: NaN or infinity; the store holds finite numbers only")
    return doubles


def _integers(layout: TableLayout, column: Column, array: np.ndarray) -> np.ndarray:
    if array.dtype.kind not in "iub" and array.size:
        raise ValueError(f"{layout.name}.{column.name}: dtype {array.dtype}, must be an integer")
    integers = array.astype(np.int64)
    low, high = _LIMITS[column.kind]
    if array.size and column.kind is not ColumnKind.BIG and (integers.min() < low or integers.max() > high):
        raise ValueError(f"{layout.name}.{column.name}: {integers.min()}..{integers.max()} leaves {low}..{high}")
    return integers


def _is_sorted(rows: Rows) -> bool:
    """Whether the key strictly increases already (the simulator often delivers it so; sorting costs more)."""
    undecided = np.ones(rows.count - 1, dtype=bool)
    for column in rows.layout.key:
        values = _sortable(rows.columns[column.name])
        if (undecided & (values[1:] < values[:-1])).any():
            return False
        undecided &= values[1:] == values[:-1]
    return True


def _sortable(column: np.ndarray | list[bytes] | list[str]) -> np.ndarray:
    if isinstance(column, np.ndarray):
        return column
    return np.array([text.encode() if isinstance(text, str) else text for text in column], dtype=object)


def _pick(column: np.ndarray | list[bytes] | list[str], order: np.ndarray) -> np.ndarray | list[bytes] | list[str]:
    if isinstance(column, np.ndarray):
        return np.asarray(column[order])
    return [column[position] for position in order.tolist()]


def blob_list(column: np.ndarray | list[bytes] | list[str]) -> list[bytes] | list[str]:
    """Blobs as Python objects: an (n, w) uint8 matrix becomes n bytes of width w."""
    if not isinstance(column, np.ndarray):
        return column
    width = column.shape[1]
    joined = column.tobytes()
    return [joined[at : at + width] for at in range(0, len(joined), width)] if width else [b""] * len(column)
