"""Every view as it stood on a date, against a run that ended on that date."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gaelp_sim.errors import UsageError
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.store.console import run_query
from gaelp_sim.store.named_queries import NAMED_QUERIES, resolve
from gaelp_sim.store.views import VIEW_COLUMNS
from gaelp_sim.world.simulate import RunRequest, run
from tests.postgres import NoPostgresError, empty_database, postgres_server

CUT_DAY, DAYS = 5, 9
START_S = 1_756_684_800
CUT_S = START_S + CUT_DAY * 86_400 - 1
SETS = [
    "population.people=500", "response.brand_base=0.5", "cells=2", "rivals_learn=true", "us.budget.usd_day=30", "worlds=2",
    "log=all", "timeout.days=2", "conversion.purchase_lag_max_days=3",
]
OF_THE_RUN = {"runs", "observed_runs", "observed_price_landscape", "truth_price_landscape"}
"""What a run says of itself, and estimates that grow with it and are not told of a date."""
NOT_TOLD = {"stage", "segment", "last_seen_s", "last_seen_at"}
"""Columns that are none, or may be, as of a date."""


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def stored(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, str]]:
    """A store with a long run and one that ended earlier, and their ids."""
    if request.param == "sqlite":
        yield _filled(f"sqlite:///{tmp_path_factory.mktemp('as_of')}/gaelp.db")
        return
    try:
        with postgres_server() as server, empty_database(server) as url:
            yield _filled(url)
    except NoPostgresError as reason:
        pytest.skip(str(reason))


def _filled(url: str) -> tuple[str, str, str]:
    ids = [
        run(RunRequest(load_scenario("parental_controls", [*SETS, f"days={days}"]), url)).run_id
        for days in (CUT_DAY, DAYS)
    ]
    return url, ids[1], ids[0]


def _rows(url: str, view: str, run_id: str, as_of_s: int | None) -> list[tuple[object, ...]]:
    columns = [name for name in VIEW_COLUMNS[view] if name not in NOT_TOLD | {"run_id"}]
    found = run_query(url, f"SELECT {', '.join(columns)} FROM {view}", run=run_id, as_of_s=as_of_s, limit=1_000_000)
    return sorted(found.rows, key=repr)


@pytest.mark.parametrize("view", sorted(set(VIEW_COLUMNS) - OF_THE_RUN))
def test_views_stand_as_the_shorter_run_left_them(stored: tuple[str, str, str], view: str) -> None:
    """The long run as of the cut is the run that ended there."""
    url, long, short = stored
    then, ended = _rows(url, view, long, CUT_S), _rows(url, view, short, CUT_S)
    assert then == ended
    if view == "journeys":
        whole = run_query(url, "SELECT status, SUM(touches), SUM(cost_micros), SUM(censored) FROM journeys GROUP BY 1",
                          run=short).rows
        known = run_query(url, "SELECT status, SUM(touches), SUM(cost_micros), SUM(censored) FROM journeys GROUP BY 1",
                          run=long, as_of_s=CUT_S).rows
        assert sorted(whole) == sorted(known) and len(whole) == 3


def test_something_happened_later(stored: tuple[str, str, str]) -> None:
    """Else the tests above and below would tell nothing."""
    url, long, _ = stored
    for view in ("journeys", "touchpoints", "conversions", "observed_conversions", "ledger_daily", "rivals_daily"):
        assert len(_rows(url, view, long, None)) > len(_rows(url, view, long, CUT_S)) > 0, view
    lost = run_query(url, "SELECT COUNT(*) FROM journeys WHERE status = 'LOST'", run=long, as_of_s=CUT_S).rows
    assert lost[0][0] > 10


@pytest.mark.parametrize("moment_s", [CUT_S, START_S + 4 * 86_400 + 40_000])
def test_no_time_lies_ahead(stored: tuple[str, str, str], moment_s: int) -> None:
    """Whatever the view and the second: no time in it is later."""
    url, long, _ = stored
    for view, columns in VIEW_COLUMNS.items():
        for column in columns:
            if column.endswith("_s") and not column.startswith("share"):
                latest = run_query(url, f"SELECT MAX({column}) FROM {view}", run=long, as_of_s=moment_s).rows[0][0]
                assert latest is None or latest <= moment_s, (view, column)


def test_before_the_run_there_is_nothing(stored: tuple[str, str, str]) -> None:
    """As of the day before."""
    url, long, _ = stored
    for view in ("journeys", "touchpoints", "people", "runs", "channel_daily"):
        assert _rows(url, view, long, START_S - 86_400) == [], view


def test_worked_queries_agree_with_their_own_date(stored: tuple[str, str, str]) -> None:
    """A worked query with :as_of answers alike when the views stand there, too."""
    url, long, _ = stored
    for name in ("cac_by_channel", "cac_by_week"):
        sql, parameters = resolve(name, {"as_of": CUT_S})
        assert "as_of" in NAMED_QUERIES[name].defaults
        by_itself = run_query(url, sql, run=long, parameters=parameters).rows
        both = run_query(url, sql, run=long, parameters=parameters, as_of_s=CUT_S).rows
        one, other = ([row for row in rows if any(row[1:])] for rows in (by_itself, both))
        assert len(one) == len(other) > 0
        for here, there in zip(sorted(one, key=repr), sorted(other, key=repr), strict=True):
            assert here == pytest.approx(there)


def test_a_misspelt_date_is_told() -> None:
    """One line names the option."""
    from gaelp_sim.store.named_queries import moment

    with pytest.raises(UsageError, match="--as-of=yesterday"):
        moment("yesterday", "--as-of")
