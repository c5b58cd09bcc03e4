"""A run watched while it is written, on both databases."""

from __future__ import annotations

from gaelp_sim.analyse.standing import Standing, Watcher
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.store import Store
from gaelp_sim.units import MICROS_PER_UNIT
from gaelp_sim.world.request import Progress
from gaelp_sim.world.simulate import RunRequest, run


def test_a_second_reader_sees_each_commit_point_as_it_was_left(db_url: str) -> None:
    """Hours, auctions, spend, sales and CAC, as the run itself tells them after each day; people by stage add up."""
    seen: list[tuple[Progress, Standing]] = []

    def look(told: Progress) -> None:
        with Store.open(db_url) as store:
            seen.append((told, Watcher(store, store.find_run("@last")).look()))

    sets = ["population.people=400", "days=12", "response.brand_base=0", "worlds=2"]
    summary = run(RunRequest(load_scenario("parental_controls", sets), db_url), look)
    assert len({now.hours_done for _, now in seen}) == 12
    for told, now in seen:
        assert now.status in ("RUNNING", "FINISHED") and now.hours_total == told.hours_total
        assert (now.hours_done, now.opportunities, now.sales) == (told.hours_done, told.opportunities, told.conversions)
        assert round(now.spend_usd * MICROS_PER_UNIT) == told.spend_micros
        hour = None if told.hours_done < 240 else 240 if told.hours_done < 288 else 288
        assert now.stages_hour == hour and sum(now.stages.values()) == (0 if hour is None else 800)
    with Store.open(db_url) as store:
        end = Watcher(store, store.find_run(summary.run_id)).look()
    assert end.status == "FINISHED" and end.cac_usd is not None and end.win_rate == summary.win_rate
    assert abs(end.cac_usd - (summary.cac_usd or 0)) < 1e-9
    assert len(end.recent) == min(5, summary.conversions) and end.rival_sales == summary.rival_conversions
    decided = [row["decided_at"] for row in end.recent]
    assert decided == sorted(decided, reverse=True)
