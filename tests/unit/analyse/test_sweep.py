"""Sweeps: every combination once, differences that are the runs' own, and nothing simulated twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from gaelp_sim.analyse.search import Range, Search, search
from gaelp_sim.analyse.sweep import cells_of, sweep, varied
from gaelp_sim.analyse.sweep_picture import draw
from gaelp_sim.errors import InterruptedRunError, UsageError
from gaelp_sim.planning.seeds import SEARCH_SEED
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.store import Store
from gaelp_sim.world.crew import ALONE
from gaelp_sim.world.request import Progress
from gaelp_sim.world.simulate import stored_summary

VARY = [("us.policy.bid_multiplier", ("0.7", "1.4")), ("us.policy.exploration", ("0.1", "0.3"))]


def _load(sets: Sequence[str]) -> Scenario:
    return load_scenario("short", ["population.people=200", "days=4", *sets])


def _quiet(number: int, cells: int, told: str) -> None:
    """Nothing to say."""


def test_a_grid_is_run_once_and_goes_on(tmp_path: Path) -> None:
    """Interrupted in its third cell, the same call finishes; a second call runs nothing; figures are the runs'."""
    url, cells = f"sqlite:///{tmp_path / 'runs.db'}", cells_of(_load, VARY, ["rule"])
    assert [dict(cell.settings)["us.policy.exploration"] for cell in cells] == ["0.1", "0.3", "0.1", "0.3"]
    seen: list[str] = []

    def stop(progress: Progress) -> None:
        if len(seen) == 3 and progress.hours_done == 48:
            raise KeyboardInterrupt

    with pytest.raises(InterruptedRunError):
        sweep(url, cells, ALONE, (lambda number, of, told: seen.append(told), stop))
    rows = sweep(url, cells, ALONE, (_quiet, lambda progress: None))
    again = sweep(url, cells, ALONE, (_quiet, lambda progress: pytest.fail("a finished cell was simulated again")))
    with Store.open(url) as store:
        assert len(store.runs()) == 4 == len({row.run.run_id for row in rows})
        profit = [one.revenue_usd - one.spend_usd for one in (stored_summary(row.run) for row in rows)]
    assert [row.run.run_id for row in rows] == [row.run.run_id for row in again]
    for row, mine in zip(rows, profit, strict=True):
        figure = row.figures["profit_usd"]
        assert figure.replayed == pytest.approx(mine) and figure.difference == pytest.approx(mine - profit[0])
    assert rows[0].figures["profit_usd"].low == 0.0 == rows[0].figures["profit_usd"].high
    pytest.importorskip("matplotlib")
    told = [row.as_json() for row in rows]
    for some, keys in ((told, [key for key, _ in VARY]), (told[:2], ["us.policy.exploration"])):
        draw(some, keys, tmp_path / "sweep.png")
        assert (tmp_path / "sweep.png").read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(UsageError, match="one or two can be drawn"):
        draw(told[:1], ["policy"], tmp_path / "no.png")


def test_policies_are_cells_too() -> None:
    cells = cells_of(_load, VARY[:1], ["rule", "silent"])
    assert [(cell.policy, cell.settings[0][1]) for cell in cells] == [
        ("rule", "0.7"), ("rule", "1.4"), ("silent", "0.7"), ("silent", "1.4"),
    ]


@pytest.mark.parametrize("text", ["us.policy.exploration", "=1,2", "days=", "days=1,1", "days=1,,2"])
def test_what_is_no_key_with_values_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="give KEY=V1,V2"):
        varied(text)


def test_other_people_are_refused() -> None:
    with pytest.raises(UsageError, match="population.people is 300, it was 200"):
        cells_of(lambda sets: load_scenario("short", sets), [("population.people", ("200", "300"))], ["rule"])
    with pytest.raises(UsageError, match="at most 1,000"):
        cells_of(_load, [("seed", tuple(str(n) for n in range(1_001)))], ["rule"])


def test_a_search_finds_what_a_grid_finds_and_goes_on(tmp_path: Path) -> None:
    """The best of few trials earns about what the best of a grid in the same worlds earns; cut off, it goes on alike."""
    pytest.importorskip("optuna")
    key = "us.policy.bid_multiplier"
    asked = Search([Range.of(f"{key}=0.25..4:log")], trials=8)
    url, other = (f"sqlite:///{tmp_path / name}.db" for name in ("whole", "cut"))
    found = search(url, _load, asked, (_quiet, lambda progress: None))
    assert sorted(one.number for one in found) == list(range(8)) and found[0].score == max(one.score for one in found)
    grid = cells_of(lambda sets: _load([*sets, f"seed={SEARCH_SEED}"]), [(key, ("0.25", "0.5", "1", "2", "4"))], ["rule"])
    rows = sweep(url, grid, ALONE, (_quiet, lambda progress: None))
    scores = [row.figures["profit_usd"].replayed for row in rows]
    assert found[0].score >= max(scores) - 0.1 * (max(scores) - min(scores))
    search(other, _load, replace(asked, trials=3), (_quiet, lambda progress: None))
    again = search(other, _load, asked, (_quiet, lambda progress: None))
    assert [(one.number, one.cell.settings, one.score) for one in again] == [
        (one.number, one.cell.settings, one.score) for one in found
    ]
    with Store.open(other) as store:
        assert len(store.runs()) == 8 and {run.seed for run in store.runs()} == {SEARCH_SEED}


@pytest.mark.parametrize("text", ["a=1", "a=2..1", "a=0..1:log", "a=1..2:lin", "=1..2", "a=x..2", "a=1..2..3"])
def test_ranges_that_are_none_are_one_line(text: str) -> None:
    with pytest.raises(UsageError, match="KEY=LOW..HIGH"):
        Range.of(text)


def test_whole_numbers_stay_whole() -> None:
    assert Range.of("days=3..9").whole and not Range.of("us.budget.usd_day=3..9.5").whole


def test_cells_change_nothing_where_nothing_is_shared(tmp_path: Path) -> None:
    """People are the same in however many cells: without budgets, and with rivals that don't learn, so is every figure."""
    url, sets = f"sqlite:///{tmp_path / 'runs.db'}", ["us.budget.usd_day=null", "us.budget.usd_month=null", "log=wins"]
    cells = cells_of(lambda more: _load([*sets, *more]), [("cells", ("1", "2"))], ["rule"])
    one, two = sweep(url, cells, ALONE, (_quiet, lambda progress: None))
    for name, figure in two.figures.items():
        assert figure.replayed == one.figures[name].replayed and figure.low == figure.high == 0, name
    assert one.run.cells == 1 and two.run.cells == 2
