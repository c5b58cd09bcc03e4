"""Worlds that nobody holds any more are gone at once, and don't wait for Python to look for rings of references."""

from __future__ import annotations

import gc
import weakref

from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.world.shard import Shard, Task
from gaelp_sim.world.stack import Place


def test_a_shard_leaves_nothing_behind() -> None:
    scenario = load_scenario("quickstart", ["population.people=100", "days=2", "rivals_learn=true"])
    shard = Shard(Task(scenario, 1, "rule", Place(range(1), range(1)), 0, None))
    shard.advance(30)
    gc.collect()
    stack = weakref.ref(shard.stack)
    gc.disable()
    try:
        del shard
        assert stack() is None
    finally:
        gc.enable()
