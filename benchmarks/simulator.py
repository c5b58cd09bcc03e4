"""Worlds in this process: opportunities a CPU-second without a store and with one, user steps, the auction alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from benchmarks.bench import FLAGSHIP, Bench, market_of
from benchmarks.stand_ins import argsort_gsp, one_auction_at_a_time, one_user_at_a_time, users_hour_by_hour
from benchmarks.tables import Line, Peer, Table
from benchmarks.timing import Took, Work, side_by_side, timed
from gaelp_sim.events import Column, Ints, Mechanism
from gaelp_sim.market.auction import Offers, Rules, Sale, clear, full_quality
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.world.shard import Shard, Tables, Task
from gaelp_sim.world.simulate import RunRequest, run
from gaelp_sim.world.stack import Place

TICK = 10_000
RESERVE_MICROS = 100_000


class Core(NamedTuple):
    """An auction measured alone."""

    mechanism: Mechanism
    bidders: int
    slots: int
    target: float | None

    def what(self) -> str:
        """Its name in the table."""
        slots = f"{self.slots} slot{'s' * (self.slots > 1)}"
        return f"auctions alone: {self.mechanism.name}, {self.bidders} bidders x {slots}"


CORES = (Core(Mechanism.GSP, 6, 1, 1e6), Core(Mechanism.GSP, 48, 3, 750e3), Core(Mechanism.VCG, 48, 3, None))
OPPORTUNITIES, STEPS, AUCTIONS = "opps/CPU-s", "steps/CPU-s", "auctions/CPU-s"
BUDGETS = {False: "budgets as shipped", True: "budgets in proportion"}


def auctions(bench: Bench) -> Table:
    """Auctions with response and journeys, no store; and the auction alone."""
    size = bench.size
    _warm(bench)
    one = "AuctionGym's kernel: one auction at a time"
    lines = []
    for scaled in BUDGETS:
        scenario = load_scenario(FLAGSHIP, market_of(size.people, "wins", scaled=scaled))
        works: dict[str, Work] = {"ours": simulated(scenario, size.hours)}
        works[one] = lambda: timed(lambda: one_auction_at_a_time(size.peer_steps))
        what = f"{size.people:,} people, {BUDGETS[scaled]}"
        lines.append(_line(what, OPPORTUNITIES, side_by_side(size.repeats, works), target=1e6))
    scenario = load_scenario(FLAGSHIP, [*market_of(size.people, "wins", scaled=True), "rivals_learn=true"])
    frozen = scenario.model_copy(update={"rivals_learn": False})
    took = side_by_side(size.repeats, {
        "ours": simulated(scenario, size.hours), "the same with rivals frozen": simulated(frozen, size.hours),
    })
    lines.append(_line(f"{size.people:,} people, rivals learning", OPPORTUNITIES, took, target=100e3))
    for core in CORES:
        took = side_by_side(size.repeats, _alone(size.core_auctions, core))
        lines.append(_line(core.what(), AUCTIONS, took, core.target))
    title = f"Auctions with response and journeys, no store: {size.hours} hours, 6 bidders, births not counted"
    return Table.of(title, lines)


def stored(bench: Bench) -> Table:
    """The same worlds with all their rows in a fresh SQLite file: births, checkpoints and last rows counted."""
    size = bench.size
    _warm(bench, stores=True)
    lines = []
    for log, target in (("wins", 300e3), ("all", 150e3)):
        for scaled in BUDGETS:
            scenario = load_scenario(FLAGSHIP, [*market_of(size.people, log, scaled=scaled), f"days={size.days}"])
            took = side_by_side(size.long_repeats, {"ours": _stored(scenario, bench)})
            what = f"log: {log}, {size.people:,} people, {BUDGETS[scaled]}"
            lines.append(_line(what, OPPORTUNITIES, took, target))
    return Table.of(f"Auctions with response and journeys, stored in SQLite: {size.days} days, 6 bidders", lines)


def users(bench: Bench) -> Table:
    """User steps: hours of a person's life, idle ones counted, and the busy ones alone."""
    size = bench.size
    _warm(bench)
    scenario = load_scenario(FLAGSHIP, market_of(size.people, "wins", scaled=True))
    busy = simulated(scenario, size.hours)
    opportunities = busy().count
    hours = size.people * size.hours
    share = opportunities / hours
    per_hour = side_by_side(size.repeats, {
        "ours": lambda: _counted(busy(), hours),
        "RecSim's kernel, as many idle hours": lambda: timed(lambda: users_hour_by_hour(size.peer_steps, 24, share)),
    })
    per_step = side_by_side(size.repeats, {
        "ours": busy, "RecSim's kernel: one user at a time": lambda: timed(lambda: one_user_at_a_time(size.peer_steps)),
    })
    lines = [
        _line("hours of people, idle ones counted", STEPS, per_hour, 5e6),
        _line("busy steps: opportunity, auction, answer, journey", STEPS, per_step, None),
    ]
    remark = f"A person-hour holds {share:.4f} opportunities; RecSim counts idle users as steps too."
    return Table.of(f"User steps: {size.people:,} people, {size.hours} hours, no store", lines, [remark])


def simulated(scenario: Scenario, hours: int) -> Work:
    """Work that simulates a newly born world for some hours; it counts opportunities, and its birth is not timed."""

    def work() -> Took:
        shard = Shard(Task(scenario, scenario.seed, "rule", Place(range(scenario.worlds), range(1)), 0, None))
        return timed(lambda: sum(opportunities_of(shard.advance(min(end, hours))) for end in range(24, hours + 24, 24)))

    return work


def opportunities_of(tables: Tables) -> int:
    """Slots up for auction among a shard's rows, counted as a run's summary counts them."""
    return len(tables["outcome"]["hour"])


def _stored(scenario: Scenario, bench: Bench) -> Work:
    def work() -> Took:
        with bench.database() as url:
            return timed(lambda: run(RunRequest(scenario, url)).opportunities)

    return work


def _alone(count: int, core: Core) -> dict[str, Work]:
    """The auction alone, ours and an argsort, on the same bids a tick at a time: from bids to each bidder's cost."""
    tick = min(count, TICK)
    ticks = max(1, count // tick)
    rules = Rules.of_sales([Sale(core.mechanism, core.slots, RESERVE_MICROS, per_click=True)])
    rng = np.random.default_rng(1)
    bids = rng.integers(RESERVE_MICROS // 2, 5_000_000, (core.bidders, tick))
    quality, channel = full_quality(core.bidders, tick), np.zeros(tick, dtype=np.int16)
    luck = rng.integers(0, 2**32, tick, dtype=np.uint32)
    floats = bids.T.astype(float)

    def ours() -> Ints:
        cleared = clear(Offers(bids, quality, channel, luck), rules)
        sold = cleared.winner >= 0
        return _costs(cleared.winner[sold], cleared.price_micros[sold], core.bidders)

    def theirs() -> Column:
        return argsort_gsp(floats, core.slots, float(RESERVE_MICROS))[2]

    ours()
    works = {"ours": _ticking(ours, tick, ticks)}
    if core.mechanism != Mechanism.VCG:
        assert np.array_equal(ours(), theirs().astype(np.int64)), "both sell the same slots at the same prices"
        works["AuctionNet's kernel: argsort of a tick"] = _ticking(theirs, tick, ticks)
    return works


def _ticking(one: Callable[[], object], tick: int, ticks: int) -> Work:
    def all_ticks() -> int:
        for _ in range(ticks):
            one()
        return tick * ticks

    return lambda: timed(all_ticks)


def _costs(winner: Column, price_micros: Ints, bidders: int) -> Ints:
    return np.bincount(winner, weights=price_micros, minlength=bidders).astype(np.int64)


def _line(what: str, unit: str, took: dict[str, list[Took]], target: float | None) -> Line:
    figures = {name: [one.per_cpu_s for one in taken] for name, taken in took.items()}
    ours = figures.pop("ours")
    return Line(what, unit, ours, tuple(Peer(name, peer) for name, peer in figures.items()), target)


def _counted(took: Took, count: int) -> Took:
    return Took(count, took.wall_s, took.cpu_s)


def _warm(bench: Bench, *, stores: bool = False) -> None:
    """Meet everything once on a small scale, unmeasured: imports, compiled kernels, caches."""
    if bench.size.repeats == 1:
        return
    scenario = load_scenario("quickstart", ["days=1"])
    simulated(scenario, 24)()
    if stores:
        _stored(scenario, bench)()
