"""What happened, kept as columns until the next commit point."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gaelp_sim.events import Column

Table = dict[str, Column]


class Log:
    """Rows by table, added in pieces and drained whole."""

    def __init__(self) -> None:
        self.pieces: dict[str, list[Mapping[str, Column]]] = {}

    def add(self, table: str, columns: Mapping[str, Column]) -> None:
        """Add rows: equal-length columns; scalars are not allowed."""
        self.pieces.setdefault(table, []).append(columns)

    def drain(self) -> dict[str, Table]:
        """All rows added since the last drain, one bundle of columns per table."""
        tables = {name: joined_columns(pieces) for name, pieces in self.pieces.items()}
        self.pieces = {}
        return tables


def joined_columns(pieces: list[Mapping[str, Column]]) -> Table:
    """Several bundles of the same columns as one."""
    if len(pieces) == 1:
        return dict(pieces[0])
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}


def full(n: int, value: int) -> Column:
    """A column of one value."""
    return np.full(n, value, dtype=np.int64)
