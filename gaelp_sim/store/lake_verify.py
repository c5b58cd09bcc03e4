"""What must be true of a run's lake, and of the rows in it that the database can't ask about: asked of the columns."""

from __future__ import annotations

import numpy as np

from gaelp_sim.errors import CorruptStoreError
from gaelp_sim.store.engines import Link
from gaelp_sim.store.lake import read_part
from gaelp_sim.store.lake_reader import parts_of
from gaelp_sim.store.layout import LAYOUTS
from gaelp_sim.store.reader import Selection, read_parts
from gaelp_sim.store.records import RunRecord
from gaelp_sim.units import SECONDS_PER_DAY

Finding = tuple[str, bool, str]


def parts_stand(link: Link, run: RunRecord) -> Finding:
    """Every part that the catalogue names is there, unchanged; raises StoreIOError where that can't be told."""
    parts = parts_of(link, run.run_key)
    for part in parts:
        try:
            read_part(run.lake, part)
        except CorruptStoreError as error:
            return ("parts of the lake", False, str(error))
    return ("parts of the lake", True, f"{len(parts)} parts, {sum(part.size for part in parts)} bytes")


def our_touches(link: Link, run: RunRecord) -> list[tuple[int, int, int]]:
    """World, day since 1970 and micros of our paid touches, summed."""
    sums: dict[tuple[int, int], int] = {}
    names = ("world_id", "occurred_s", "price_micros")
    for columns in _columns(link, run, "touchpoint", names, {"advertiser": 0}):
        key = columns[0] << 32 | columns[1] // SECONDS_PER_DAY
        found, inverse = np.unique(key, return_inverse=True)
        totals = np.zeros(len(found), dtype=np.int64)
        np.add.at(totals, inverse, columns[2])
        for at, micros in zip(found.tolist(), totals.tolist(), strict=True):
            place = (at >> 32, at & 0xFFFFFFFF)
            sums[place] = sums.get(place, 0) + micros
    return [(world, day, micros) for (world, day), micros in sums.items() if micros]


def without_parent(link: Link, run: RunRecord, child: str, parent: str, names: tuple[str, ...]) -> int:
    """Rows of `child` whose `names` no row of `parent` has."""
    known = _keys(link, run, parent, names)
    return int((~np.isin(_keys(link, run, child, names), known)).sum())


def _keys(link: Link, run: RunRecord, table: str, names: tuple[str, ...]) -> np.ndarray:
    blocks = [np.stack(columns, axis=1) for columns in _columns(link, run, table, names, {})]
    if not blocks:
        return np.empty(0, dtype=np.void(8 * len(names)))
    rows = np.ascontiguousarray(np.concatenate(blocks))
    return rows.view(np.dtype((np.void, rows.shape[1] * 8))).reshape(-1)


def _columns(
    link: Link, run: RunRecord, table: str, names: tuple[str, ...], where: dict[str, int]
) -> list[list[np.ndarray]]:
    selection = Selection(names, where, order=False)
    parts = read_parts(link, run.run_key, LAYOUTS[table], selection=selection)
    return [[np.asarray(part[name]) for name in names] for part in parts]
