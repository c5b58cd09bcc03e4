"""kill -9 at random moments: no commit that was told is lost, and the resumed run equals the undisturbed one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.crash.killing import HEADING, Campaign, Tally

KILLS = int(os.environ.get("GAELP_KILLS", "200"))
"""On SQLite; Postgres gets a quarter."""


def assert_nothing_lost(tally: Tally, kills: int) -> None:
    """Nothing lost, nothing unlike, nothing left, and the kills asked for did hit."""
    assert tally.kills == kills
    assert not tally.troubles(), "\n".join(tally.troubles()[:20])


def test_a_few_kills_on_sqlite(tmp_path: Path, sqlite_urls: Callable[[], str]) -> None:
    assert_nothing_lost(Campaign(tmp_path, sqlite_urls).go_on_until(4), 4)


def test_a_few_kills_on_postgres(tmp_path: Path, postgres_urls: Callable[[], str]) -> None:
    assert_nothing_lost(Campaign(tmp_path, postgres_urls).go_on_until(2), 2)


@pytest.mark.campaign
def test_many_kills(
    tmp_path: Path, sqlite_urls: Callable[[], str], postgres_urls: Callable[[], str], capsys: pytest.CaptureFixture[str]
) -> None:
    """KILLS on SQLite and a quarter of that on Postgres; prints a table."""
    tallies = {}
    for database, urls, kills in (("SQLite", sqlite_urls, KILLS), ("Postgres", postgres_urls, max(1, KILLS // 4))):
        tallies[database] = Campaign(tmp_path, urls).go_on_until(kills), kills
    with capsys.disabled():
        print("\n" + "\n".join([HEADING, *(tally.row(database) for database, (tally, _) in tallies.items())]))
    for tally, kills in tallies.values():
        assert_nothing_lost(tally, kills)
