"""One world with several numbers of cells and the same luck: what it earns, and what several workers save."""

from __future__ import annotations

import time
from dataclasses import dataclass

from benchmarks.bench import FLAGSHIP, Bench, market_of
from benchmarks.tables import Table, spelled
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.world.crew import Crew
from gaelp_sim.world.simulate import RunRequest, RunSummary, run

HEADER = ("budgets", "cells", "profit", "spend", "wins", "conversions", "profit against one cell", "wins against one cell")


@dataclass(frozen=True)
class _Came:
    """What came of a world: dollars, wins, conversions, and wall seconds by number of workers."""

    profit_usd: float
    spend_usd: float
    wins: int
    conversions: int
    wall_s: dict[int, float]


def cells(bench: Bench) -> Table:
    """Profit (lifetime value of our sales less spend), spend, wins, conversions by cells; wall by workers."""
    size = bench.size
    rows: list[list[str]] = []
    for name, scaled in (("in proportion", True), ("as shipped", False)):
        came = {
            number: _came(bench, number, scaled=scaled, workers=size.workers if scaled else size.workers[-1:])
            for number in size.cells
        }
        rows += [[name, *_words(number, came[number], came[size.cells[0]], size.workers)] for number in size.cells]
    header = (*HEADER, *(f"wall, {workers} worker{'s' * (workers > 1)}" for workers in size.workers))
    remarks = ["Results don't depend on the number of workers: a run of each is compared, and a difference would end this."]
    return Table(f"Cells of one world: {size.people:,} people, {size.days} days, the same luck", header, rows, remarks)


def _came(bench: Bench, number: int, *, scaled: bool, workers: tuple[int, ...]) -> _Came:
    sets = [*market_of(bench.size.people, "wins", scaled=scaled), f"cells={number}", f"days={bench.size.days}"]
    scenario = load_scenario(FLAGSHIP, sets)
    summaries: list[RunSummary] = []
    wall_s = {}
    for count in workers:
        with bench.database() as url:
            began_s = time.perf_counter()
            summaries.append(run(RunRequest(scenario, url, crew=Crew(count))))
            wall_s[count] = time.perf_counter() - began_s
    figures = [(one.conversions, one.spend_usd, round(one.opportunities * (one.win_rate or 0))) for one in summaries]
    if len(set(figures)) > 1:
        raise RuntimeError(f"{number} cells: results depend on the number of workers: {figures}")
    conversions, spend_usd, wins = figures[0]
    return _Came(scenario.economics.ltv_usd * conversions - spend_usd, spend_usd, wins, conversions, wall_s)


def _words(number: int, came: _Came, single: _Came, workers: tuple[int, ...]) -> list[str]:
    walls = [spelled(came.wall_s[count], "s") if count in came.wall_s else "" for count in workers]
    return [
        str(number), f"${came.profit_usd:,.0f}", f"${came.spend_usd:,.0f}", f"{came.wins:,}", f"{came.conversions:,}",
        _change(came.profit_usd, single.profit_usd), _change(came.wins, single.wins), *walls,
    ]


def _change(value: float, before: float) -> str:
    return f"{(value - before) / abs(before):+.2%}" if before else ""
