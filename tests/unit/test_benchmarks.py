"""Every benchmark still runs, at a tiny size; tables say what was measured. No speed is asserted."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from benchmarks import __main__ as command
from benchmarks.bench import TINY, Bench, market_of
from benchmarks.stand_ins import argsort_gsp, bare_simpy, users_hour_by_hour
from benchmarks.tables import Line, Peer, Table, spelled
from gaelp_sim.scenario.loading import load_scenario

Captured = pytest.CaptureFixture[str]


@pytest.mark.parametrize("name", [name for name in command.HOMES if name != "store"])
def test_each_benchmark_runs(name: str, tmp_path: Path) -> None:
    """A benchmark fills its tables with numbers and leaves no database behind."""
    tables = list(command.tables_of(name, Bench(TINY, tmp_path)))
    assert tables and all(table.cells for table in tables)
    assert not re.search(r"\bnan\b|\binf\b", "".join(table.text() for table in tables))
    assert not list(tmp_path.glob("*.db*"))


def test_the_store_benchmark_runs_on_both_databases(pg_server: str, tmp_path: Path) -> None:
    """SQLite and Postgres, every way of writing: four ways beside each other for each table and database."""
    sqlite, postgres = command.tables_of("store", Bench(TINY, tmp_path, pg_server))
    assert [row[0] for row in sqlite.cells] == [row[0] for row in postgres.cells]
    assert sum("SQLAlchemy ORM" in row[0] for row in postgres.cells) == 2


def test_ratio_is_how_many_times_better_and_paired() -> None:
    """Above 1 is better for rates and for seconds alike; repetitions are compared pair by pair, not median by median."""
    rate = Line("rows", "rows/s", [2.0, 20.0, 4.0], (Peer("peer", [1.0, 10.0, 1.0]),), 3.0)
    assert rate.ratio(rate.peers[0]) == 2.0
    seconds = Line("run", "s", [2.0], (Peer("peer", [4.0]),), 1.9, True)
    assert seconds.ratio(seconds.peers[0]) == 2.0
    assert (rate.reached(), seconds.reached(), Line("free", "s", [1.0]).reached()) == ("yes", "no", "")


def test_table_shows_figure_peer_and_target() -> None:
    """A figure's line tells median, least, most, target and verdict; its peer's line the ratio."""
    text = Table.of("Rows", [Line("daily", "rows/s", [1e5, 3e5, 2e5], (Peer("ORM", [5e4] * 3),), 3e5)], ["noisy"]).text()
    title, _, _, figure, peer, remark = text.splitlines()
    assert (title, remark) == ("Rows", "noisy")
    assert figure.split() == ["daily", "rows/s", "200k", "100k", "300k", ">=", "300k", "no"]
    assert peer.split() == ["beside", "ORM", "50.0k", "50.0k", "50.0k", "4.00x"]


def test_figures_are_spelled_by_unit() -> None:
    """Rates in k and M, memory in decimal bytes, short times in milliseconds."""
    figures = ((1_234_567, "rows/s"), (0.0456, "s"), (3.2e9, "bytes"), (12.34, "s"), (0, "modules"))
    spelling = [spelled(value, unit) for value, unit in figures]
    assert spelling == ["1.23M", "46 ms", "3.20 GB", "12.34 s", "0"]


def test_budgets_grow_with_the_people() -> None:
    """Ten times the people, in proportion: ten times every budget, rivals' too, so the same money a person."""
    shipped = load_scenario("parental_controls")
    larger = load_scenario("parental_controls", market_of(100_000, "wins", scaled=True))
    assert shipped.us.budget.usd_day is not None and larger.us.budget.usd_day == 10 * shipped.us.budget.usd_day
    assert [rival.budget_usd_month for rival in larger.rivals] == [
        None if rival.budget_usd_month is None else 10 * rival.budget_usd_month for rival in shipped.rivals
    ]


def test_argsort_stand_in_sells_at_the_next_bid() -> None:
    """Three slots: winners by bid, prices the next bid, never under the reserve; what nobody bids for stays unsold."""
    winner, price, cost = argsort_gsp(np.array([[5.0, 9.0, 7.0, 1.0], [0.5, 3.0, 0.1, 0.2]]), 3, 1.0)
    assert winner.tolist() == [[1, 2, 0], [1, -1, -1]]
    assert price.tolist() == [[7.0, 5.0, 1.0], [1.0, 0.0, 0.0]]
    assert cost.tolist() == [1.0, 8.0, 5.0, 0.0]


def test_stand_ins_count_what_they_did() -> None:
    """The loops return the units that their speed is reckoned by."""
    assert users_hour_by_hour(20, 5, 0.1) == 100
    assert bare_simpy(500) == 500


def test_unknown_benchmark_is_named(capsys: Captured) -> None:
    """A misspelt name ends with exit 2 and the names there are."""
    with pytest.raises(SystemExit) as ended:
        command.main(["flagshp"])
    assert ended.value.code == 2
    assert "no benchmark flagshp; there are auctions, stored" in capsys.readouterr().err
