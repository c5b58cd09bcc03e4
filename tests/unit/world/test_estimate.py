"""What `--dry-run` tells is near what happens."""

from __future__ import annotations

from pathlib import Path

import pytest

from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.store import Store
from gaelp_sim.store.verify import verify_run
from gaelp_sim.world.simulate import RunRequest, estimate, run


@pytest.mark.parametrize("settings", [
    ["population.people=6000", "days=12"], ["worlds=4", "population.people=500", "days=8"],
])
def test_rows_and_disk_are_near_what_comes(tmp_path: Path, settings: list[str]) -> None:
    """Within a half: people leave as they buy, and rows differ in size. Time is told, and no more than that."""
    path = tmp_path / "real.db"
    request = RunRequest(load_scenario("parental_controls", settings), f"sqlite:///{path}")
    told = estimate(request)
    assert not path.exists()
    run(request)
    with Store.open(request.db_url) as store:
        checks = verify_run(store, store.find_run("@last"))
    rows = sum(int(detail.split()[0]) for check, _, detail in checks if check.startswith("rows of "))
    assert told.rows == pytest.approx(rows, rel=1 / 2)
    assert told.disk_bytes == pytest.approx(path.stat().st_size, rel=1 / 2)
    assert told.seconds > 0
