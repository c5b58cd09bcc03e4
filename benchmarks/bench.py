"""What a benchmark is given: how large, and where it may write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from gaelp_sim.scenario.loading import load_scenario

FLAGSHIP, FLAGSHIP_PEOPLE = "parental_controls", 10_000


@dataclass(frozen=True)
class Size:
    """How much is measured, and how often."""

    repeats: int = 5
    """of work that takes a second or so"""
    long_repeats: int = 2
    """of work that takes many seconds"""
    people: int = 100_000
    people_max: int = 1_000_000
    hours: int = 240
    """of worlds simulated without a store"""
    days: int = 30
    """of whole runs"""
    worlds: int = 100
    rows: int = 50_000
    """of one commit into the store"""
    commits: int = 5
    store_repeats: int = 3
    """of each way to write rows"""
    peer_rows_max: int = 50_000
    """the slow peers of the store write no more"""
    peer_steps: int = 20_000
    """of loops that take one thing at a time"""
    core_auctions: int = 200_000
    """of the auction alone"""
    events: int = 600_000
    """of the bare SimPy loop"""
    cells: tuple[int, ...] = (1, 4, 8)
    workers: tuple[int, ...] = (1, 2)


def flagship_sets(size: Size) -> list[str]:
    """`gaelp run` options that leave the flagship as shipped, but cut it down for a size smaller than it."""
    return [] if size.people >= FLAGSHIP_PEOPLE else ["--set", f"population.people={size.people}", "--days", f"{size.days}"]


FULL = Size()
QUICK = replace(
    FULL, repeats=3, long_repeats=1, store_repeats=2, people_max=200_000, hours=72, days=5, worlds=20, commits=2,
    cells=(1, 4),
)
TINY = Size(
    repeats=1, long_repeats=1, store_repeats=1, people=300, people_max=600, hours=24, days=1, worlds=2, rows=200, commits=2,
    peer_rows_max=200, peer_steps=50, core_auctions=50, events=1_000, cells=(1, 2), workers=(1,),
)


@dataclass(frozen=True)
class Bench:
    """The surroundings of a benchmark: its size, a folder to write into, a Postgres server's URL if there is one."""

    size: Size
    folder: Path
    pg_server: str | None = None

    @contextmanager
    def database(self) -> Iterator[str]:
        """URL of an SQLite file that is not there yet; removed afterwards."""
        path = self.folder / "bench.db"
        try:
            yield f"sqlite:///{path}"
        finally:
            for left in self.folder.glob("bench.db*"):
                left.unlink()


def market_of(people: int, log: str, *, scaled: bool) -> list[str]:
    """`--set` options that give the flagship so many people; `scaled`: and all budgets in proportion.

    With budgets as shipped, more people meet the same money, so that we win and store a smaller share.
    """
    sets = [f"population.people={people}", f"log={log}"]
    if not scaled:
        return sets
    flagship = load_scenario(FLAGSHIP)
    factor = people / flagship.population.people
    money = {f"us.budget.{name}": getattr(flagship.us.budget, name) for name in ("usd_day", "usd_month")}
    for rival in flagship.rivals:
        money |= {f"rivals.{rival.name}.{name}": getattr(rival, name) for name in ("budget_usd_day", "budget_usd_month")}
    return sets + [f"{name}={usd * factor}" for name, usd in money.items() if usd is not None]
