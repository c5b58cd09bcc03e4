"""Worlds on a Ray cluster of this machine, beside this process alone: what actors cost, and what two of them save."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.bench import FLAGSHIP, Bench, market_of
from benchmarks.tables import Line, Peer, Table
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import HOURS_PER_DAY
from gaelp_sim.world.crew import ALONE, Crew
from gaelp_sim.world.executors import executor_of
from gaelp_sim.world.shard import Task
from gaelp_sim.world.stack import Place

DAYS, ACTORS = 10, 2
BARRIER_DAYS, BARRIER_PEOPLE = 10, 400


def nodes(bench: Bench) -> Iterator[Table]:
    """One actor against this process, two against one, and an hour's barrier; nothing is stored."""
    size = bench.size
    people, days = size.people_max, min(size.days, DAYS)
    sets = [*market_of(people, "wins", scaled=True), f"days={days}", f"cells={ACTORS}"]
    with _cluster() as address:
        crews = {"this process": ALONE, "one actor": Crew(1, address), "two actors": Crew(ACTORS, address)}
        walls = _walls(load_scenario(FLAGSHIP, sets), crews, size.long_repeats)
        lines = [
            Line("one actor: wall", "s", walls["one actor"], (Peer("this process", walls["this process"]),), None, True),
            Line("one actor: of this process", "x", _of(walls["one actor"], walls["this process"]), (), 1.1, True),
            Line("two actors: wall", "s", walls["two actors"], (Peer("one actor", walls["one actor"]),), None, True),
            Line("two actors: times as fast as one", "x", _of(walls["one actor"], walls["two actors"]), (), 1.7),
        ]
        yield Table.of(f"A world on Ray: {people:,} people, {days} days, {ACTORS} cells, log: wins, nothing stored", lines)
        yield _barrier(address, bench)


def _barrier(address: str, bench: Bench) -> Table:
    """What an hour costs more where its cells are elsewhere."""
    days, people = min(bench.size.days, BARRIER_DAYS), min(bench.size.people, BARRIER_PEOPLE)
    tiny = load_scenario(FLAGSHIP, [*market_of(people, "wins", scaled=True), f"days={days}", f"cells={ACTORS}"])
    walls = _walls(tiny, {"here": ALONE, "there": Crew(ACTORS, address)}, bench.size.repeats)
    hours = days * HOURS_PER_DAY
    more = [max(there - here, 1e-6) / hours / ACTORS for there, here in zip(walls["there"], walls["here"], strict=True)]
    lines = [Line("an hour and actor", "s", more, (), 1e-3, True)]
    return Table.of(f"The hourly barrier: {people} people, {days} days, {ACTORS} actors, beyond this process", lines)


def _of(some: list[float], others: list[float]) -> list[float]:
    return [one / other for one, other in zip(some, others, strict=True)]


def _walls(scenario: Scenario, crews: dict[str, Crew], repeats: int) -> dict[str, list[float]]:
    """Seconds of each crew, turn by turn, from the first hour to the last; births and the start of actors apart."""
    walls: dict[str, list[float]] = {name: [] for name in crews}
    for _ in range(repeats):
        for name, crew in crews.items():
            executor = executor_of(Task(scenario, scenario.seed, "rule", Place(range(0), range(0)), 0, None), crew)
            try:
                executor.ask("unit_people")  # whoever answers is born
                began_s = time.perf_counter()
                for day in range(1, scenario.days + 1):
                    executor.advance(day * HOURS_PER_DAY)
                walls[name].append(time.perf_counter() - began_s)
            finally:
                executor.close()
    return walls


@contextmanager
def _cluster() -> Iterator[str]:
    """Address of a cluster of this machine, with a core for each actor; it is gone afterwards."""
    import ray
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": ACTORS})
    try:
        yield str(made.address)
    finally:
        ray.shutdown()
        made.shutdown()
