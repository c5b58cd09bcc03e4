"""The queries behind reports: the same on both databases, in the console and in the program, and as worked out by hand."""

from __future__ import annotations

import pytest

from gaelp_sim.store import Store
from gaelp_sim.store.answers import Row, answer
from gaelp_sim.store.console import run_query
from gaelp_sim.store.named_queries import NAMED_QUERIES, REPORT_QUERIES, resolve
from tests.store.hand_made_store import make_store

BY_HAND: dict[str, list[tuple[object, ...]]] = {
    # person 3 pays on day 13.5 and is reported on day 15, a day after the end
    "report_due": [("1 reported", None, 2, 360_000_000), ("2 purchased", 1, 1, 180_000_000)],
    "report_touches_to_sale": [(1, 1, 0), (2, 1, 1), (3, 1, 1)],
    "report_crisis_sales": [(1, 3, 1), (0, 1, 0)],
    "report_sellers": [("us", 1, 3), ("Bark", 0, 1)],
    "report_spend": [
        (10, 10, 3_000_000),
        (33, 9, 500_000),
        (60, 12, 10_000),
        (212, 20, 600_000),
        (260, 20, 1_500_000),
    ],
    "report_segments": [("calm", 4, 5_610_000 - 2_510_000, 2, 1), ("crisis", 1, 2_510_000, 1, 0)],
    "report_paths": [("search", "email", 1, 3.0), ("search", "search", 1, 1.0), ("search", "social", 1, 2.0)],
}


def _rows(rows: list[Row]) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for row in rows]


def test_the_program_is_told_what_the_console_tells(db_url: str) -> None:
    """Each query: rows that the report is written from are those that its SQL gives a reader who asks again."""
    _, newer = make_store(db_url)
    with Store.open(db_url) as store:
        run = store.find_run(newer)
        for name, query in {**NAMED_QUERIES, **REPORT_QUERIES}.items():
            sql, parameters = resolve(name)
            told = run_query(db_url, sql, parameters=parameters, run=newer)
            mine = answer(store, run, query).rows
            assert not mine or tuple(mine[0]) == told.columns, name
            assert len(mine) == len(told.rows), name
            for one, other in zip(_rows(mine), told.rows, strict=True):
                assert all(_is_close(a, b) for a, b in zip(one, other, strict=True)), (name, one, other)


def _is_close(got: object, told: object) -> bool:
    return got == (pytest.approx(told, rel=1e-12) if isinstance(told, float) else told)


def test_money_is_what_was_worked_out_by_hand(db_url: str) -> None:
    """Sums by home, once with homes and once with worlds as clusters."""
    older, newer = make_store(db_url)
    with Store.open(db_url) as store:
        (row,) = answer(store, store.find_run(newer), REPORT_QUERIES["report_money"]).rows
        (whole,) = answer(store, store.find_run(newer), REPORT_QUERIES["report_money"], {"by_world": 1}).rows
        (twice,) = answer(store, store.find_run(older), REPORT_QUERIES["report_money"]).rows
    assert (row["people"], row["spend_micros"], row["value_micros"], row["sales"]) == (5, 5_610_000, 540_000_000, 3)
    assert twice["spend_micros"] == 2 * row["spend_micros"]
    assert whole["clusters"] == 1 and whole["spend_spend"] == pytest.approx(5.61**2)
    assert row["spend_spend"] < whole["spend_spend"], "homes have their own sums"
    assert whole["spend_value"] == pytest.approx(5.61 * 540)


@pytest.mark.parametrize("name", sorted(BY_HAND))
def test_answers_worked_out_by_hand(db_url: str, name: str) -> None:
    """Some of the answers, row by row."""
    _, newer = make_store(db_url)
    with Store.open(db_url) as store:
        assert _rows(answer(store, store.find_run(newer), REPORT_QUERIES[name]).rows) == BY_HAND[name]
