"""Columns of an answer: numpy arrays by name, and from there to pandas, polars or Arrow where these are installed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from gaelp_sim.errors import UsageError
from gaelp_sim.events import Column


@dataclass(frozen=True)
class Frame:
    """A table as columns, in the order of the question.

    Whole numbers are int64, numbers with a fraction or with gaps float64 (a gap is NaN), all else objects (a gap is None).

    >>> frame = Frame.of(("channel", "clicks", "cac_usd"), [("search", 3, 20.5), ("social", 0, None)])
    >>> len(frame), frame["clicks"].tolist(), frame["cac_usd"].tolist()
    (2, [3, 0], [20.5, nan])
    """

    columns: dict[str, Column]

    @staticmethod
    def of(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> Frame:
        """Rows as columns."""
        columns = list(zip(*rows, strict=True)) or [()] * len(names)
        return Frame({name: _column(values) for name, values in zip(names, columns, strict=True)})

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def __getitem__(self, name: str) -> Column:
        if name not in self.columns:
            raise UsageError(f"no column {name}; there are {', '.join(self.columns)}")
        return self.columns[name]

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Row by row, as Python's own values."""
        return zip(*(column.tolist() for column in self.columns.values()), strict=True)

    def to_pandas(self) -> Any:
        """A pandas DataFrame; raises UsageError where pandas is not installed."""
        return _library("pandas").DataFrame(self.columns)

    def to_polars(self) -> Any:
        """A polars DataFrame; raises UsageError where polars is not installed."""
        return _library("polars").DataFrame({name: column.tolist() for name, column in self.columns.items()})

    def to_arrow(self) -> Any:
        """A pyarrow Table; raises UsageError where pyarrow is not installed."""
        return _library("pyarrow").table({name: column.tolist() for name, column in self.columns.items()})


def _column(values: Sequence[Any]) -> Column:
    kinds = {type(value) for value in values}
    if kinds <= {int, bool} and kinds:
        return np.array(values, dtype=np.int64)
    if kinds <= {int, float, bool, type(None)} and kinds - {type(None)}:
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def _library(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ImportError:
        raise UsageError(f"{name} is not installed; next: pip install {name}, or use the columns as they are") from None
