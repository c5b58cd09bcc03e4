"""Fingerprints: independent of order, sensitive to every value, carried from commit to commit."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gaelp_sim.store.columns import Rows
from gaelp_sim.store.digests import KnownRows, TableSums, row_prints, total
from gaelp_sim.store.layout import LAYOUTS

TRIGGERS = LAYOUTS["trigger_event"]


def world_rows(ids: list[int], people: list[int]) -> Rows:
    columns = {name: np.zeros(len(ids), int) for name in LAYOUTS["world"].column_names}
    return Rows.of(LAYOUTS["world"], columns | {"world_id": np.array(ids, int), "people": np.array(people, int)})


def triggers(count: int, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    columns = {name: rng.integers(0, 5, count) for name in TRIGGERS.column_names} | {"size": rng.random(count)}
    return columns | {"occurred_s": np.arange(count)}


@given(st.integers(1, 50), st.integers(0, 1_000))
def test_one_other_value_is_another_print(count: int, seed: int) -> None:
    columns = triggers(count, seed)
    before = row_prints(Rows.of(TRIGGERS, columns))
    for name in TRIGGERS.column_names:
        changed = columns | {name: columns[name].copy()}
        changed[name][-1] += 1
        after = row_prints(Rows.of(TRIGGERS, changed))
        assert len(set(before.tolist()) - set(after.tolist())) == 1, name


def test_equal_values_in_other_columns_or_tables_are_other_prints() -> None:
    columns = {name: np.array([7]) for name in TRIGGERS.column_names} | {"kind": np.array([1])}
    swapped = columns | {"kind": np.array([7]), "segment_from": np.array([1])}
    assert row_prints(Rows.of(TRIGGERS, columns))[0] != row_prints(Rows.of(TRIGGERS, swapped))[0]


def test_blobs_count_by_content_and_length_in_either_form() -> None:
    layout = LAYOUTS["decision"]
    columns = {name: np.zeros(3, int) for name in layout.column_names} | {"person_id": np.arange(3)}
    matrix = np.arange(36, dtype=np.uint8).reshape(3, 12)
    as_matrix = row_prints(Rows.of(layout, columns | {"features": matrix}))
    as_list = row_prints(Rows.of(layout, columns | {"features": [row.tobytes() for row in matrix]}))
    longer = row_prints(Rows.of(layout, columns | {"features": [row.tobytes() + b"\0" for row in matrix]}))
    assert (as_matrix == as_list).all() and (as_matrix != longer).all()


@settings(max_examples=50)
@given(st.lists(st.dictionaries(st.integers(0, 20), st.integers(0, 3), max_size=10), max_size=8))
def test_sums_carried_on_equal_sums_taken_at_the_end(commits: list[dict[int, int]]) -> None:
    sums, final = TableSums(), {}
    for commit in commits:
        sums = sums.after(world_rows(list(commit), list(commit.values())))
        final |= commit
    expected = total(row_prints(world_rows(list(final), list(final.values()))))
    assert sums.sums.get("world", 0) == expected


def test_replacing_gives_back_what_was_there() -> None:
    first, second = world_rows([1, 2], [10, 20]), world_rows([2, 3], [21, 30])
    known, gone = KnownRows().replace(first, row_prints(first))
    assert gone == 0
    _, gone = known.replace(second, row_prints(second))
    assert gone == int(row_prints(first)[1])
