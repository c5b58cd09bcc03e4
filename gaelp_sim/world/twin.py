"""The same world without our ads: what would have been sold anyway, and so what an extra sale has cost."""

from __future__ import annotations

from dataclasses import replace

from gaelp_sim.events import US
from gaelp_sim.units import HOURS_PER_DAY
from gaelp_sim.world.crew import Crew
from gaelp_sim.world.executors import executor_of
from gaelp_sim.world.policies import SILENT
from gaelp_sim.world.shard import Task


def sales_without_ads(task: Task, end_hour: int, crew: Crew) -> int:
    """Sales of ours decided before `end_hour` in the task's worlds when we bid nothing; people keep their luck."""
    silent = replace(task, policy=SILENT, scenario=task.scenario.model_copy(update={"log": "wins"}))
    executor = executor_of(silent, crew)
    sales = 0
    try:
        for hour in range(task.start_hour + HOURS_PER_DAY, end_hour + 1, HOURS_PER_DAY):
            for tables in executor.advance(hour):
                if "conversion" in tables:
                    sales += int((tables["conversion"]["advertiser"] == US).sum())
    finally:
        executor.close()
    return sales
