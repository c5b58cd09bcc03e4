"""Runs of real worlds in a lake: resumed after a failed write, cut into cells, they are the run that a database holds."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("pyarrow")

from gaelp_sim.errors import StoreIOError
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.store import Store, lake, row_hash, verify_run
from gaelp_sim.store.lake_reader import parts_of
from gaelp_sim.world.simulate import RunRequest, resume, run

SETS = ("population.people=300", "cells=3", "worlds=2")


def test_a_run_whose_lake_fails_is_resumed_to_the_same_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The third day's parts fail once; the parts lie in their cells."""
    url = f"sqlite:///{tmp_path / 'gaelp.db'}"
    scenario = load_scenario("quickstart", sets=SETS)
    plain = run(RunRequest(scenario, url, days=5))
    put, left = lake.Folder.put, [1]

    def failing(self: lake.Folder, path: str, content: bytes) -> None:
        if "day=2" in path and "cell=1" in path and left[0]:
            left[0] = 0
            raise OSError("disk full")
        put(self, path, content)

    monkeypatch.setattr(lake.Folder, "put", failing)
    with pytest.raises(StoreIOError, match="disk full; nothing .* is lost; next: check the lake, then gaelp resume$"):
        run(RunRequest(scenario, url, days=5, lake=str(tmp_path / "lake")))
    resumed = resume(url, "@last")
    with Store.open(url) as store:
        found = store.find_run(resumed.run_id)
        assert row_hash(store, found) == row_hash(store, store.find_run(plain.run_id))
        assert all(passed for _, passed, _ in verify_run(store, found))
        with store.database.reading() as link:
            parts = parts_of(link, found.run_key)
    assert {part.cell for part in parts} == {0, 1, 2} and {part.world for part in parts} == {0, 1}
    assert {part.day for part in parts if part.table == "journey"} == {4}
    files = {str(file.relative_to(tmp_path / "lake")) for file in (tmp_path / "lake").rglob("*") if file.is_file()}
    assert files == {part.path for part in parts}
