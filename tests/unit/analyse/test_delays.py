"""Clicks of a stored run with their sales, as of a date and in the end."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from gaelp_sim.analyse.delays import Request, clicks_of, cohorts, lag_buckets, rates
from gaelp_sim.errors import UsageError
from gaelp_sim.events import NONE, US
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.store import RunRecord, Store
from gaelp_sim.world.simulate import RunRequest, run

DAY = 86_400


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, RunRecord]]:
    """A run in which many buy."""
    url = f"sqlite:///{tmp_path_factory.mktemp('delays')}/gaelp.db"
    sets = ["population.people=4000", "days=20", "response.brand_base=-0.5"]
    summary = run(RunRequest(load_scenario("parental_controls", sets), url))
    with Store.open(url) as store:
        yield store, store.find_run(summary.run_id)


def test_clicks_and_their_sales(stored: tuple[Store, RunRecord]) -> None:
    """Every sale belongs to at most one click, the last one of its user before the purchase: counted by hand."""
    store, record = stored
    request = Request(record.start_s + 20 * DAY)
    clicks, names = clicks_of(store, record, request)
    touches = {k: np.asarray(v) for k, v in store.read(record, "touchpoint", where={"advertiser": US}).items()}
    assert len(clicks.second) == int(((touches["clicked"] > 0) & (touches["kind"] != 2)).sum())
    assert names[0] == "search" and clicks.spend_micros["all"] == sum(
        value for name, value in clicks.spend_micros.items() if name != "all"
    )
    alias = {k: np.asarray(v) for k, v in store.read(record, "alias").items()}
    user = dict(zip(alias["alias_id"].tolist(), alias["resolved_user_id"].tolist(), strict=True))
    device = {(row[0], row[1]): row[2] for row in zip(*(np.asarray(store.read(record, "device")[name]).tolist()
              for name in ("person_id", "device", "alias_id")), strict=True)}
    expected = []
    clicked = (touches["clicked"] > 0) & (touches["kind"] != 2)
    told = [user[alias_id] for alias_id in touches["alias_id"][clicked].tolist()]
    seconds = touches["occurred_s"][clicked].tolist()
    sales = {k: np.asarray(v).tolist() for k, v in store.read(record, "conversion", where={"advertiser": US}).items()}
    for person, kind, bought, reported in zip(
        sales["person_id"], sales["device"], sales["purchased_s"], sales["reported_s"], strict=True
    ):
        buyer = user.get(device[person, kind], -2)
        before = [s for s, who in zip(seconds, told, strict=True) if who == buyer and bought - 30 * DAY <= s <= bought]
        if before:
            expected.append((max(before), reported))
    known = clicks.reported_s != NONE
    assert sorted(expected) == sorted(zip(clicks.second[known].tolist(), clicks.reported_s[known].tolist(), strict=True))
    assert len(expected) > 15


def test_rates_as_of_a_date(stored: tuple[Store, RunRecord]) -> None:
    """Naive below, corrected between; the truth where the run is long enough, and not told where it isn't."""
    store, record = stored
    early = rates(store, record, Request(record.start_s + 10 * DAY, window_days=10))
    found = {(rate.group, rate.model): rate for rate in early}
    naive, true = found["all", "naive"], found["all", "naive"].true_cvr
    assert true is not None and naive.cvr <= true
    assert naive.cvr < found["all", "kaplan_meier"].cvr
    assert found["all", "kaplan_meier"].low <= true <= found["all", "kaplan_meier"].high
    assert naive.cac_usd is not None and naive.cac_usd == pytest.approx(naive.spend_usd / naive.sales_known)
    late = rates(store, record, Request(record.start_s + 20 * DAY, window_days=10))
    assert late[0].true_cvr is None
    with pytest.raises(UsageError, match="later --as-of"):
        rates(store, record, Request(record.start_s))


def test_cohorts_and_lags_add_up(stored: tuple[Store, RunRecord]) -> None:
    """Clicks by day are all clicks; corrected rates are never below the known ones; lags hold every known sale."""
    store, record = stored
    request = Request(record.start_s + 15 * DAY)
    days = cohorts(store, record, request)
    clicks, _ = clicks_of(store, record, request)
    assert sum(day.clicks for day in days) == int((clicks.second < request.as_of_s).sum())
    assert all(day.corrected >= day.naive for day in days)
    known = sum(day.sales_known for day in days)
    assert known == sum(sales for _, sales in lag_buckets(clicks, request.as_of_s)) > 5
