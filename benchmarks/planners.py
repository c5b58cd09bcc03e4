"""Planners: how long a plan takes, and how fast a planner that only believes bids."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmarks.bench import FLAGSHIP, Bench
from benchmarks.tables import Line, Table
from benchmarks.timing import side_by_side, timed
from gaelp_sim.planning.plan import Problem
from gaelp_sim.planning.recursion import Way
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.world.policies import policy_named
from tests.checks.bidders import moment, opportunities

HOUR = 12


def planners(bench: Bench) -> Table:
    """Plans of the flagship, and bids for users of whom nothing is known yet."""
    scenario = load_scenario(FLAGSHIP, [f"days={bench.size.days}"])
    problem, bidder, n = Problem.of(scenario), policy_named("observable_planner", scenario), bench.size.rows
    slots, now = opportunities(scenario, n), replace(moment(scenario, n), hour=HOUR)
    works = {
        "best": lambda: timed(lambda: len(problem.plan(Way.BEST).worth.start)),
        "silent": lambda: timed(lambda: len(problem.plan(Way.SILENT).worth.start)),
        "bids": lambda: timed(lambda: int(np.size(bidder.bid(slots, now).bid_micros))),
    }
    for work in works.values():
        work()
    took = side_by_side(bench.size.long_repeats, works)
    states = len(problem.start)
    return Table.of(f"Plans over {scenario.days} + 30 days, {states:,} states a person", [
        Line("the best way of bidding", "s", [one.cpu_s for one in took["best"]], (), None, True),
        Line("without ads", "s", [one.cpu_s for one in took["silent"]], (), None, True),
        Line("observable planner, bids of strangers", "bids/s", [one.per_cpu_s for one in took["bids"]], (), 300_000),
    ])
