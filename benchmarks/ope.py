"""Off-policy evaluation: a million rounds beside what OBP was measured at, fitted Q evaluation, and a flagship's log."""

from __future__ import annotations

import numpy as np
import torch

from benchmarks.bench import Bench
from benchmarks.tables import Line, Table
from benchmarks.timing import timed
from gaelp_sim.evaluate import bandit
from gaelp_sim.evaluate.steps import Steps
from gaelp_sim.events import Floats
from gaelp_sim.learn.fqe import worths_by_network

ROUNDS, ACTIONS, JOURNEY_STEPS, FEATURES, LONG_LOG = 1_000_000, 10, 30, 41, 300_000


def ope(bench: Bench) -> Table:
    """IPS and DR once a log is in memory, and fitted Q evaluation by the network."""
    torch.set_num_threads(1)
    rounds = ROUNDS if bench.size.people >= 100_000 else ROUNDS // 20
    steps, model = _log(rounds, 1)
    long, _ = _log(min(LONG_LOG, rounds), JOURNEY_STEPS)
    lines = [
        Line(f"IPS, {rounds:,} rounds", "s", [_taken(steps, None) for _ in range(bench.size.repeats)], (), 0.1, True),
        Line(f"DR, {rounds:,} rounds", "s", [_taken(steps, model) for _ in range(bench.size.repeats)], (), 0.4, True),
        Line(f"FQE, {len(long):,} decisions", "s", [timed(lambda: len(worths_by_network(long, 1))).wall_s], (), 60.0, True),
    ]
    remark = f"{ACTIONS} actions; journeys of {JOURNEY_STEPS} for FQE"
    return Table.of("off-policy evaluation, after loading", lines, [remark])


def _taken(steps: Steps, model: Floats | None) -> float:
    fresh = steps.under(steps.target)  # weights are worked out anew

    def work() -> int:
        found = bandit.ips(fresh) if model is None else bandit.doubly_robust(fresh, model)
        return len(found.weights)

    return timed(work).wall_s


def _log(rounds: int, length: int) -> tuple[Steps, Floats]:
    """A drawn log, and a model's word on it."""
    rng = np.random.default_rng(1)
    users = rounds // length
    chances = rng.dirichlet(np.ones(ACTIONS), 100)[rng.integers(0, 100, rounds)]
    steps = Steps(
        np.arange(users + 1) * length, np.arange(users), rng.integers(0, ACTIONS, rounds), np.full(rounds, 1 / ACTIONS),
        chances, rng.normal(0, 1, rounds), rng.normal(0, 1, (rounds, FEATURES)).astype(np.float32),
        np.zeros(rounds, dtype=np.int64),
    )
    return steps, rng.normal(0, 1, (rounds, ACTIONS))
