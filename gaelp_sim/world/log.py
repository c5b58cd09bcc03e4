"""What happened, kept as columns until the next commit point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from gaelp_sim.events import Column, Ints

Table = dict[str, Column]


class Block(NamedTuple):
    """Integer columns of one table as one array."""

    names: tuple[str, ...]
    rows: Ints
    """(columns, n)"""

    def table(self) -> Table:
        """The columns by name."""
        return dict(zip(self.names, self.rows, strict=True))


class Log:
    """Rows by table, added in pieces and drained whole."""

    def __init__(self) -> None:
        self.pieces: dict[str, list[Mapping[str, Column]]] = {}
        self.blocks: dict[str, list[Block]] = {}

    def add(self, table: str, columns: Mapping[str, Column]) -> None:
        """Add rows: equal-length columns; scalars are not allowed."""
        self.pieces.setdefault(table, []).append(columns)

    def add_block(self, table: str, block: Block) -> None:
        """Add rows of integers: joined in one step, whatever the number of columns."""
        self.blocks.setdefault(table, []).append(block)

    def so_far(self, table: str) -> Table:
        """What has been added to a table since the last drain, without draining it; empty where nothing has."""
        blocks, pieces = self.blocks.get(table), self.pieces.get(table)
        found = joined_blocks(blocks).table() if blocks else {}
        return {**found, **joined_columns(pieces)} if pieces else found

    def drain(self) -> dict[str, Table]:
        """All rows added since the last drain, one bundle of columns per table."""
        tables = {name: joined_blocks(blocks).table() for name, blocks in self.blocks.items()}
        for name, pieces in self.pieces.items():
            tables.setdefault(name, {}).update(joined_columns(pieces))
        self.pieces, self.blocks = {}, {}
        return tables


def joined_columns(pieces: Sequence[Mapping[str, Column]]) -> Table:
    """Several bundles of the same columns as one."""
    if len(pieces) == 1:
        return dict(pieces[0])
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}


def joined_blocks(blocks: list[Block]) -> Block:
    """Several blocks of the same columns as one."""
    return Block(blocks[0].names, np.concatenate([block.rows for block in blocks], axis=1))


def full(n: int, value: int) -> Column:
    """A column of one value."""
    return np.full(n, value, dtype=np.int64)
