"""Images of rows in memory: SQLite reads back exactly what `executemany` would have written."""

from __future__ import annotations

import sqlite3

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaelp_sim.store.columns import Rows
from gaelp_sim.store.encode import insert_rows
from gaelp_sim.store.engines import Link
from gaelp_sim.store.layout import LAYOUTS, ColumnKind, TableLayout
from gaelp_sim.store.schema import create_tables_sql
from gaelp_sim.store.staging import SCHEMA, _cells, _fields, _head, _image, _row_dtype, _varint, can_stage, insert_staged

LARGEST = {ColumnKind.SMALL: 2**15 - 1, ColumnKind.INT: 2**31 - 1, ColumnKind.BIG: 2**63 - 1}


def made_rows(layout: TableLayout, count: int, seed: int, *, bits: int = 62, matrix: bool = False) -> Rows:
    """Random rows with distinct keys; integers of up to `bits` bits, blobs of one width if `matrix`."""
    rng = np.random.default_rng(seed)
    columns: dict[str, object] = {}
    for column in layout.columns:
        if column.kind is ColumnKind.TEXT:
            columns[column.name] = [("naïve", "", "x" * 40)[i % 3] for i in range(count)]
        elif column.kind is ColumnKind.BYTES:
            widths = rng.integers(0, 60, count)
            blobs = [bytes(rng.bytes(int(width))) for width in widths]
            columns[column.name] = rng.integers(0, 256, (count, 164), dtype=np.uint8) if matrix else blobs
        elif column.kind is ColumnKind.DOUBLE:
            columns[column.name] = rng.normal(size=count) * 10.0 ** rng.integers(-300, 300, count)
        else:
            limit = min(2**bits, LARGEST[column.kind])
            columns[column.name] = rng.integers(-limit - 1, limit, count, endpoint=True)
    columns["person_id"] = np.arange(count)
    return Rows.of(layout, columns)  # type: ignore[arg-type]


def memory_store() -> sqlite3.Connection:
    raw = sqlite3.connect(":memory:", isolation_level=None)
    raw.execute(f"ATTACH ':memory:' AS {SCHEMA}")
    for statement in create_tables_sql("sqlite"):
        raw.execute(statement)
    return raw


def stored(raw: sqlite3.Connection, table: str) -> list[tuple[object, ...]]:
    return raw.execute(f"SELECT *, typeof(person_id) FROM {table} ORDER BY 1, 2, 3, 4, 5").fetchall()


@pytest.mark.parametrize("table", ["touchpoint", "decision", "journey", "truth_person", "conversion", "trigger_event"])
@pytest.mark.parametrize("count", [1, 7, 300, 5_000])
@pytest.mark.parametrize("matrix", [False, True])
def test_staged_rows_equal_bound_rows(table: str, count: int, matrix: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = made_rows(LAYOUTS[table], count, seed=count, matrix=matrix)
    by_image, by_binding = memory_store(), memory_store()
    insert_staged(by_image, 3, rows)
    monkeypatch.setattr("gaelp_sim.store.encode.can_stage", lambda raw, rows: False)
    insert_rows(Link("sqlite", by_binding), 3, rows)
    assert stored(by_image, table) == stored(by_binding, table)
    assert len(stored(by_image, table)) == count


@pytest.mark.parametrize("count", [1, 200, 4_000])
def test_an_image_is_a_sound_database(count: int) -> None:
    rows = made_rows(LAYOUTS["decision"], count, seed=1, matrix=True)
    fields = [field for column in rows.layout.columns for field in _fields(rows, column)]
    head = _head(fields)
    raw = memory_store()
    raw.deserialize(_image(_cells(rows, _row_dtype(head, fields), head), [f[0] for f in fields]), name=SCHEMA)
    assert raw.execute(f"PRAGMA {SCHEMA}.integrity_check").fetchall() == [("ok",)]
    assert raw.execute(f"SELECT count(*), max(rowid) FROM {SCHEMA}.rows").fetchone() == (count, count)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 700), st.integers(0, 63), st.integers(0, 2**32))
def test_integers_of_any_width(count: int, bits: int, seed: int) -> None:
    rows = made_rows(LAYOUTS["touchpoint"], count, seed, bits=bits)
    raw = memory_store()
    insert_staged(raw, 1, rows)
    got = raw.execute("SELECT alias_id, price_micros, kind FROM touchpoint ORDER BY world_id, person_id, occurred_s")
    put = zip(*(rows.number(name).tolist() for name in ("alias_id", "price_micros", "kind")), strict=True)
    assert sorted(got.fetchall()) == sorted(put)


@pytest.mark.parametrize("number,expected", [(0, "00"), (127, "7f"), (128, "8100"), (340, "8254"), (2**21, "81808000")])
def test_variable_length_integers(number: int, expected: str) -> None:
    assert _varint(number).hex() == expected


def test_few_rows_and_wide_rows_are_bound_instead() -> None:
    raw = memory_store()
    assert not can_stage(raw, made_rows(LAYOUTS["touchpoint"], 10, 0))
    assert can_stage(raw, made_rows(LAYOUTS["touchpoint"], 1_000, 0))
    journeys = made_rows(LAYOUTS["journey"], 1_000, 0)
    journeys.columns["path"][0] = bytes(50_000)  # type: ignore[index]
    assert not can_stage(raw, journeys)
