"""Analyses say and keep the same whoever works on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gaelp_sim.analyse import lives
from gaelp_sim.analyse.lives import Life, Worlds
from gaelp_sim.world.counterfactual import Copies, Span
from gaelp_sim.world.crew import ALONE, Crew
from gaelp_sim.world.shard import Task
from gaelp_sim.world.stack import Place
from gaelp_sim.world.trial import Withheld
from tests.nodes.analyses import said, simulated, small_pieces


@pytest.mark.parametrize(("cut", "crews"), [("worlds", (2, 3)), ("cells", (2,))])
def test_workers_change_nothing(
    cut: str, crews: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In three worlds, and in one world of three cells: printed figures and stored rows, to the last bit."""
    stored = simulated(tmp_path, cut)
    alone = said(stored, tmp_path / "alone", ALONE)
    small_pieces(monkeypatch)
    for workers in crews:
        assert said(stored, tmp_path / str(workers), Crew(workers)) == alone


@pytest.mark.parametrize(("crew", "most"), [(ALONE, 400_000), (Crew(3), 400_000), (Crew(ray="auto"), 400_000), (ALONE, 9)])
def test_every_copy_lives_once(crew: Crew, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However lives are cut: each copy beside its own world, each world at least once, and no more copies than fit."""
    monkeypatch.setattr(lives, "PIECE", 4)
    monkeypatch.setattr(lives, "COPIES_MAX", most)
    edges, row = np.array([0, 5, 10, 12]), np.repeat([1, 3, 4, 11], [2, 9, 7, 3])
    life = Life(Copies(row, Withheld.nothing(len(row), 2)))
    task = Task(None, 0, "rule", Place(range(3), range(1)), 0, None)  # type: ignore[arg-type]
    parts = lives._dealt(Worlds(task, Span(24, 24), edges), life, 1, crew)
    again = [part.life.copies.row + edges[part.task.place.worlds.start] for part in parts]
    assert np.concatenate(again).tolist() == row.tolist()
    assert [part.first for part in parts] == [0, *np.cumsum([len(one) for one in again])[:-1]]
    for part, rows in zip(parts, again, strict=True):
        of = part.task.place.worlds
        assert ((rows >= edges[of.start]) & (rows < edges[of.stop])).all() and len(rows) < most + 4
    assert {world for part in parts for world in part.task.place.worlds} == {0, 1, 2}
