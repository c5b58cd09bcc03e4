"""Same seed, same rows: on both databases, with 1, 2 or 4 workers, whatever PYTHONHASHSEED, killed and resumed or not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.campaigns.hashes import HASH_SEEDS, HEADING, SCENARIOS, WORKERS, Grid, NewUrl, Way, all_ways


@pytest.mark.parametrize("name", ["four cells", "seasons", "learning rivals"])
def test_a_few_ways_give_one_hash(name: str, tmp_path: Path, sqlite_urls: NewUrl) -> None:
    ways = [Way("SQLite", 1, 0, False), Way("SQLite", 2, 1, True), Way("SQLite", 4, 2, False)]
    grid = Grid(name, tmp_path, {"SQLite": sqlite_urls}).run(ways)
    assert len(set(grid.hashes.values())) == 1, grid.hashes


def test_both_databases_give_one_hash(tmp_path: Path, sqlite_urls: NewUrl, postgres_urls: NewUrl) -> None:
    ways = [Way("SQLite", 1, 0, False), Way("Postgres", 2, 1, True)]
    grid = Grid("four worlds", tmp_path, {"SQLite": sqlite_urls, "Postgres": postgres_urls}).run(ways)
    assert len(set(grid.hashes.values())) == 1, grid.hashes


@pytest.mark.campaign
@pytest.mark.parametrize("name", SCENARIOS)
def test_all_ways_give_one_hash(
    name: str, tmp_path: Path, sqlite_urls: NewUrl, postgres_urls: NewUrl, capsys: pytest.CaptureFixture[str]
) -> None:
    """Sixty ways for each of the scenarios; prints a table."""
    ways, urls = all_ways(), {"SQLite": sqlite_urls, "Postgres": postgres_urls}
    grid = Grid(name, tmp_path, urls).run(ways)
    with capsys.disabled():
        print(f"\n{len(WORKERS)} numbers of workers x {len(HASH_SEEDS)} hash seeds in each row")
        print("\n".join([HEADING, *grid.rows()]))
        print(f"{len(grid.hashes)} runs, {grid.kills} killed")
    unlike = {str(way): found for way, found in grid.hashes.items() if found != grid.hashes[ways[0]]}
    assert not unlike, unlike
