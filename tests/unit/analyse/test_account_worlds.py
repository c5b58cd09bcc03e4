"""What a platform would report of simulated worlds: against the store's own views, and a plain search for last clicks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gaelp_sim.analyse.account_worlds import Counting, last_click, simulated_days
from gaelp_sim.events import NONE
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.store.console import run_query
from gaelp_sim.world.simulate import RunRequest, run

SETS = ["days=8", "population.people=1500", "worlds=2"]


def test_last_clicks_against_a_plain_search() -> None:
    rng = np.random.default_rng(5)
    clicks = {
        "world_id": rng.integers(0, 3, 400), "person_id": rng.integers(0, 20, 400), "channel": rng.integers(0, 2, 400),
        "occurred_s": 1_700_000_000 + rng.permutation(4_000_000)[:400],
    }
    sales = {
        "world_id": rng.integers(0, 3, 200), "person_id": rng.integers(0, 25, 200),
        "decided_s": 1_700_000_000 + rng.integers(0, 4_000_000, 200),
    }
    sales["decided_s"][0], sales["person_id"][0], sales["world_id"][0] = (
        clicks[name][7] for name in ("occurred_s", "person_id", "world_id")
    )
    for window in (1, 7, 40):
        found = last_click(clicks, sales, window)
        for sale in range(200):
            lag = sales["decided_s"][sale] - clicks["occurred_s"]
            fits = (clicks["world_id"] == sales["world_id"][sale]) & (clicks["person_id"] == sales["person_id"][sale])
            fits &= (lag >= 0) & (lag <= window * 86_400)
            wanted = np.flatnonzero(fits)[lag[fits].argmin()] if fits.any() else NONE
            assert found[sale] == wanted
    assert found[0] == 7, "a click in the very second of the decision counts"


def test_days_are_those_of_the_stored_run(tmp_path: Path) -> None:
    """Impressions, clicks and cost by world, channel and day are channel_daily's; no sale is lost, and none twice."""
    url, scenario = f"sqlite:///{tmp_path / 'run.db'}", load_scenario("quickstart", SETS)
    run(RunRequest(scenario, url))
    days = simulated_days(scenario, Counting(), lambda day: None)
    sql = "SELECT world_id, channel, day, wins, clicks, spend_usd FROM channel_daily WHERE ours = 1 AND channel <> 'email'"
    names = [channel.name for channel in scenario.channels]
    wanted = {metric: np.zeros((2, 2, 8)) for metric in ("impressions", "clicks", "cost")}
    for world, channel, day, wins, clicks, spend in run_query(url, sql, run="@last").rows:
        at = world, names.index(channel), day
        wanted["impressions"][at], wanted["clicks"][at], wanted["cost"][at] = wins, clicks, spend
    for metric, table in wanted.items():
        assert days.metrics[metric] == pytest.approx(table, abs=1e-9), metric
    assert days.metrics["cost"].sum() > 0
    sold = run_query(
        url, "SELECT COUNT(*) FROM conversions WHERE ours = 1 AND reported_s < (SELECT MIN(start_s) FROM runs) + 8 * 86400",
        run="@last",
    ).rows[0][0]
    assert 0 < days.metrics["conversions"].sum() <= sold


def test_sales_by_click_and_by_purchase_are_the_same_sales() -> None:
    scenario = load_scenario("quickstart", SETS)
    by_click, by_sale = (
        simulated_days(scenario, Counting(30, way), lambda day: None).metrics["conversions"] for way in (True, False)
    )
    assert by_click.sum(axis=2).tolist() == by_sale.sum(axis=2).tolist() and by_click.sum() > 0


def test_every_day_is_told() -> None:
    days: list[int] = []
    simulated_days(load_scenario("quickstart", ["days=3", "population.people=100"]), Counting(), days.append)
    assert days == [1, 2, 3]
