"""Worked queries: the same answers on both databases, worked out by hand from the store of `hand_made_store`."""

from __future__ import annotations

import pytest

from gaelp_sim.errors import UsageError
from gaelp_sim.store.console import run_query
from gaelp_sim.store.named_queries import END_OF_TIME_S, NAMED_QUERIES, parse_parameters, resolve
from tests.store.hand_made_store import make_store

# 2025-09-10T00:00Z is day 9: the sale of day 3 is reported (day 4), that of day 8 is not (day 9, 20 h).
DAY_9 = {"as_of": "2025-09-10"}

EXPECTED: dict[str, list[tuple[object, ...]]] = {
    "stages": [("CONVERTED", "CONVERTED", 2, 1.255), ("INTENT", "ACTIVE", 1, 1.5), ("INTENT", "LOST", 1, 1.6)],
    "funnel": [("search", 3, 2, 1, 1), ("social", 2, 2, 1, 1), ("email", 1, 1, 0, 1)],
    "cac_by_channel": [("search", 4.5, 1, 4.5), ("social", 1.1, 1, 1.1), ("email", 0.01, 1, 0.01)],
    "cac_by_week": [(0, 3.51, 1, 3.51), (1, 2.1, 2, 1.05)],
    "top_paths": [("search", 1, 1.5, 1.0), ("search > social", 1, 1.6, 2.0), ("search > social > email", 1, 2.51, 3.0)],
    "first_touch_to_sale": [("calm", 2, 1), ("calm", 8, 1), ("crisis", 2, 1)],
    # delays to purchase .25, 0, .5 days; to report 1, 1, 1.5
    "conversion_lag": [("1 reported", 3, 0.25, 3.5 / 3)],
    "win_rate_by_hour": [(9, 1, 1, 1.0, 0.5), (10, 2, 2, 1.0, 3.0), (12, 2, 0, 0.0, 0.0), (20, 2, 2, 1.0, 2.1)],
    "creative_wear_out": [("lesson", 1, 3, 1, 1 / 3), ("offer", 1, 2, 1, 0.5)],
    # e-mails are no impressions; person 0's click of day 0 is followed by a sale on day 3, person 1's of day 8 at once
    "creatives_by_week": [
        (0, "lesson", 2, 1, 0.5, 3.0, 1), (0, "offer", 1, 0, 0.0, 0.5, 0), (1, "lesson", 1, 0, 0.0, 1.5, 0),
        (1, "offer", 1, 1, 1.0, 0.6, 1),
    ],
    "budget_pacing": [
        (0, "2025-09-01", "Search", 4.0, 3.0, 0.75, None), (0, "2025-09-02", "Social", 4.0, 0.5, 0.125, None),
        (0, "2025-09-03", "Mail", 4.0, 0.01, 0.0025, None), (0, "2025-09-09", "Social", 4.0, 0.6, 0.15, None),
        (0, "2025-09-11", "Search", 4.0, 1.5, 0.375, None),
    ],
    "late_conversions": [
        (0, 1, 2, "2025-09-06T00:00:00Z", "2025-09-09T20:00:00Z", "2025-09-10T20:00:00Z", 180.0, 3 + 20 / 24)
    ],
    "ledger_reconciliation": [],
    "price_to_beat": [("search", "generic", "KAPLAN_MEIER", 40, 15, 2.2, 2.0, 0.1, 1)],
    "rivals_at_end": [(0, "Bark", "POLICY_GRADIENT", 1, 1.0, 0.9, 1.0, 1.1, 0.8, 1.0)],
    "rivals_over_time": [("Bark", "POLICY_GRADIENT", 0, 0.9, 0.9, 1.0, 1.1, 1.1)],
    "one_journey": [
        ("2025-09-01T10:00:00Z", "IMPRESSION", "us", "search", "MOBILE", 1, 2.0, None),
        ("2025-09-02T09:00:00Z", "IMPRESSION", "us", "social", "DESKTOP", 0, 0.5, None),
        ("2025-09-03T12:00:00Z", "EMAIL", "us", "email", "MOBILE", 0, 0.01, None),
        ("2025-09-04T00:00:00Z", "SALE", "us", None, "MOBILE", None, None, 180.0),
    ],
    "propensity_check": [
        (1, 2, "lesson", 5, 0.9, 0.9, 0.9, 1 / 0.9, 0), (0, None, None, 1, 0.05, 0.05, 0.05, 20.0, 0),
        (1, 2, "offer", 1, 0.9, 0.9, 0.9, 1 / 0.9, 0), (1, 3, "offer", 1, 0.05, 0.05, 0.05, 20.0, 0),
    ],
    "devices_per_journey": [(1, "DESKTOP", 1, 1), (1, "MOBILE", 1, 0), (1, "TABLET", 1, 0), (2, "MOBILE,DESKTOP", 1, 1)],
    "credit_by_model": [
        ("email", "last", 1.0, 180.0, 0.01, 0.01, 18_000.0),
        ("email", "linear", 1 / 3, 60.0, 0.01, 0.03, 6_000.0),
        ("search", "last", 1.0, 180.0, 4.5, 4.5, 40.0),
        ("search", "linear", 11 / 6, 330.0, 4.5, 27 / 11, 330 / 4.5),
        ("social", "last", 1.0, 180.0, 1.1, 1.1, 180 / 1.1),
        ("social", "linear", 5 / 6, 150.0, 1.1, 1.32, 150 / 1.1),
    ],
}
EXPECTED_DAY_9: dict[str, list[tuple[object, ...]]] = {
    # spend by then: search 2 + 1, social .5 + .6, e-mail .01; one sale known, last touched by e-mail
    "cac_by_channel": [("search", 3.0, 0, None), ("social", 1.1, 0, None), ("email", 0.01, 1, 0.01)],
    "cac_by_week": [(0, 3.51, 1, 3.51), (1, 0.6, 0, None)],
    "conversion_lag": [("1 reported", 1, 0.25, 1.0), ("2 purchased", 1, 0.0, 1.0)],
}


def _is_close(got: object, expected: object) -> bool:
    if isinstance(expected, float):
        return got == pytest.approx(expected, rel=1e-9)
    return got == expected


def _assert_rows(got: list[tuple[object, ...]], expected: list[tuple[object, ...]]) -> None:
    # Rows that tie in every sort key but NULLs may come in another order on the other database.
    def key(row: tuple[object, ...]) -> str:
        return repr([round(value, 6) if isinstance(value, float) else value for value in row])

    got, expected = sorted(got, key=key), sorted(expected, key=key)
    assert len(got) == len(expected), got
    for mine, theirs in zip(got, expected, strict=True):
        assert len(mine) == len(theirs)
        assert all(_is_close(a, b) for a, b in zip(mine, theirs, strict=True)), (mine, theirs)


def test_worked_queries_give_the_answers_worked_out_by_hand(db_url: str) -> None:
    """Each query, on each database, as known at the end and as known on day 9."""
    make_store(db_url)
    assert set(EXPECTED) == set(NAMED_QUERIES)
    for name, expected in EXPECTED.items():
        sql, parameters = resolve(name)
        _assert_rows(run_query(db_url, sql, parameters=parameters).rows, expected)
    for name, expected in EXPECTED_DAY_9.items():
        sql, parameters = resolve(name, parse_parameters([f"as_of={DAY_9['as_of']}"]))
        _assert_rows(run_query(db_url, sql, parameters=parameters).rows, expected)


def test_a_name_brings_its_defaults_and_the_user_overrides_them() -> None:
    """`resolve` merges parameters; SQL passes through untouched."""
    assert resolve("cac_by_week")[1] == {"as_of": END_OF_TIME_S}
    assert resolve("one_journey", {"person": 7})[1] == {"person": 7, "world": 0}
    assert resolve("SELECT 1", {"a": 1}) == ("SELECT 1", {"a": 1})


def test_a_misspelt_name_is_told_the_nearest() -> None:
    """One word that is no query is no SQL either."""
    with pytest.raises(UsageError) as failure:
        resolve("top-path")
    assert str(failure.value) == "top-path: no such query, nearest: top_paths; next: gaelp query --list, or give SQL"


def test_parameters_are_read_from_the_command_line() -> None:
    """Dates, times, numbers and text."""
    values = parse_parameters(["as_of=2025-09-15T12:00:00Z", "person=3", "x=1.5", "channel=search"])
    assert values == {"as_of": 1_757_937_600, "person": 3, "x": 1.5, "channel": "search"}
    for bad in ("as_of=soon", "as_of", "=3"):
        with pytest.raises(UsageError, match=r"^-p "):
            parse_parameters([bad])


def test_each_query_asks_in_one_line_and_twelve_at_least_are_there() -> None:
    """What `--list` prints fits a line."""
    assert len(NAMED_QUERIES) >= 12
    for query in NAMED_QUERIES.values():
        assert query.question.endswith(("?", ")")) and "\n" not in query.question and len(query.question) <= 100
