"""A run's rows out of the lake, in key order and in the blocks in which the database would give them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gaelp_sim.store.lake import FILE_ORDER, Part, decoded, read_part
from gaelp_sim.store.layout import ColumnKind, TableLayout

if TYPE_CHECKING:
    from gaelp_sim.store.engines import Link

GROUP_ROWS = 2_000_000
"""Rows of a world that are sorted at once; a world with more is read in ranges of people."""
_NO_PERSON_BELOW, _NO_PERSON_ABOVE = -(2**31), 2**31

Values = np.ndarray | list[bytes] | list[str]


@dataclass(frozen=True)
class Wanted:
    """Which columns and rows of a lake's table, as `reader.Selection` has them; blocks of at most `block_rows`."""

    names: tuple[str, ...]
    where: Mapping[str, Any]
    order: bool
    block_rows: int
    people: int = 0
    """People of each world: a world of many rows is read in ranges of them"""


def lake_of(link: Link, run_key: int, table: str) -> tuple[str, int]:
    """The place of the lake that holds `table` of the run ("" where the database does), and the people of a world."""
    if table not in FILE_ORDER:
        return "", 0
    row = link.one("SELECT lake, people FROM run WHERE run_key = ?", (run_key,))
    return (str(row[0]), int(row[1])) if row else ("", 0)


def parts_of(link: Link, run_key: int, table: str | None = None) -> list[Part]:
    """The run's committed parts (of one table, or all) by table, world, day, cell and commit point."""
    condition, parameters = ("", [run_key]) if table is None else (" AND part_table = ?", [run_key, table])
    rows = link.all(
        "SELECT part_table, world_id, cell, day, hour, path, rows, bytes, sha256 FROM lake_part "
        f"WHERE run_key = ?{condition} ORDER BY part_table, world_id, day, cell, hour", parameters,
    )
    return [
        Part(str(of), int(world), int(cell), int(day), int(hour), str(path), int(count), int(size), bytes(digest))
        for of, world, cell, day, hour, path, count, size, digest in rows
    ]


def lake_rows(
    place: str, parts: Sequence[Part], layout: TableLayout, wanted: Wanted
) -> Iterator[dict[str, Values]]:
    """Columns of the parts' rows, in the table's key order if wanted, in blocks of `block_rows` (the last may be less)."""
    world = wanted.where.get("world_id")
    chosen = [part for part in parts if world is None or part.world == world]
    kept: list[dict[str, Values]] = []
    count = 0
    for piece in _sorted_pieces(place, chosen, layout, wanted):
        kept.append(piece)
        count += len(piece[wanted.names[0]])
        while count >= wanted.block_rows:
            whole = _end_to_end(kept, wanted.names)
            yield {name: column[: wanted.block_rows] for name, column in whole.items()}
            kept = [{name: column[wanted.block_rows :] for name, column in whole.items()}]
            count -= wanted.block_rows
    if count:
        yield _end_to_end(kept, wanted.names)


def _sorted_pieces(
    place: str, parts: list[Part], layout: TableLayout, wanted: Wanted
) -> Iterator[dict[str, Values]]:
    for group in _groups(parts, layout, wanted):
        for low, high in _ranges(group, layout, wanted):
            piece = _read(place, group, layout, _Range(wanted, low, high))
            # no piece is larger than a block: cutting blocks off a large one would copy its rest again and again
            for start in range(0, len(piece[wanted.names[0]]), wanted.block_rows):
                yield {name: column[start : start + wanted.block_rows] for name, column in piece.items()}


def _groups(parts: list[Part], layout: TableLayout, wanted: Wanted) -> list[list[Part]]:
    """Parts whose rows lie between those of the groups before and after: days of a world where time comes first."""
    by_day = layout.key[1].name == "occurred_s"
    groups: dict[tuple[int, ...], list[Part]] = {}
    for number, part in enumerate(parts):
        key = (number,) if not wanted.order else (part.world, part.day) if by_day else (part.world,)
        groups.setdefault(key, []).append(part)
    return list(groups.values())


def _ranges(group: list[Part], layout: TableLayout, wanted: Wanted) -> list[tuple[int, int]]:
    """Ranges of person ids that are read one after the other: all at once unless a world has many rows."""
    pieces = sum(part.rows for part in group) // GROUP_ROWS + 1
    if pieces == 1 or not wanted.order or layout.key[1].name != "person_id":
        return [(_NO_PERSON_BELOW, _NO_PERSON_ABOVE)]
    edges = np.linspace(0, wanted.people, pieces + 1).astype(int).tolist()
    edges[0], edges[-1] = _NO_PERSON_BELOW, _NO_PERSON_ABOVE
    return list(zip(edges[:-1], edges[1:], strict=True))


@dataclass(frozen=True)
class _Range:
    wanted: Wanted
    low: int
    high: int


def _read(place: str, group: list[Part], layout: TableLayout, only: _Range) -> dict[str, Values]:
    import pyarrow as pa

    wanted = only.wanted
    where = [(name, "=", value.item() if isinstance(value, np.generic) else value) for name, value in wanted.where.items()]
    if only.low > _NO_PERSON_BELOW:
        where.append(("person_id", ">=", only.low))
    if only.high < _NO_PERSON_ABOVE:
        where.append(("person_id", "<", only.high))
    keys = [column.name for column in layout.key] if wanted.order else []
    names = list(dict.fromkeys([*wanted.names, *keys]))
    table = pa.concat_tables([decoded(read_part(place, part), names, where) for part in group])
    order = np.lexsort([table[name].to_numpy() for name in reversed(keys)]) if keys else None
    kinds = {column.name: column.kind for column in layout.columns}
    return {name: _column(kinds[name], table[name], order) for name in wanted.names}


def _column(kind: ColumnKind, values: Any, order: np.ndarray | None) -> Values:
    if not kind.is_number:
        listed = values.to_pylist()
        return listed if order is None else [listed[at] for at in order.tolist()]
    array = values.to_numpy().astype(np.float64 if kind is ColumnKind.DOUBLE else np.int64)
    return array if order is None else array[order]


def _end_to_end(pieces: list[dict[str, Values]], names: tuple[str, ...]) -> dict[str, Values]:
    if len(pieces) == 1:
        return pieces[0]
    joined: dict[str, Any] = {}
    for name in names:
        columns: list[Any] = [piece[name] for piece in pieces]
        if isinstance(columns[0], np.ndarray):
            joined[name] = np.concatenate(columns)
        else:
            joined[name] = [value for column in columns for value in column]
    return joined
