"""Postgres goes away in mid-run: one line, exit 75; once it is back `gaelp resume` goes on, and nothing told is lost."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests import postgres
from tests.crash.cases import CASES, committed_days, failed_checks, hash_of, watched_id
from tests.crash.children import Child, gaelp

BUSY = 75
OUTAGES = int(os.environ.get("GAELP_OUTAGES", "20"))
CASE = CASES[0]


class Server:
    """The Postgres server of these tests, and ways to take it away."""

    def __init__(self, url: str) -> None:
        if os.environ.get("GAELP_TEST_PG_URL"):
            pytest.skip("the server of GAELP_TEST_PG_URL is not ours to take away")
        self.plain = sa.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        self.folder = self._ask("SHOW data_directory")

    def _ask(self, question: str) -> str:
        import psycopg

        with psycopg.connect(self.plain, autocommit=True) as connection:
            row = connection.execute(question).fetchone()
        assert row is not None
        return str(row[0])

    def restart(self) -> None:
        """Crash and start again: nobody is told, nothing is flushed."""
        binaries = postgres.server_binaries()
        assert binaries is not None
        postgres.as_server(
            binaries / "pg_ctl", "-D", self.folder, "-l", f"{self.folder}.log", "-m", "immediate", "-w", "restart"
        )

    def kill_a_backend(self) -> None:
        """kill -9 of the process that serves the run; the server then restarts all of them."""
        pid = self._ask(
            "SELECT pid FROM pg_stat_activity WHERE datname LIKE 'gaelp_crash%' AND pid <> pg_backend_pid() LIMIT 1"
        )
        os.kill(int(pid), signal.SIGKILL)

    def end_the_connection(self) -> None:
        """An administrator ends the run's connection."""
        self._ask("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname LIKE 'gaelp_crash%'")

    def wait_until_back(self) -> None:
        """Wait for the end of its recovery."""
        import psycopg

        deadline = time.monotonic() + 30
        while True:
            try:
                self._ask("SELECT 1")
            except psycopg.OperationalError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            else:
                return


WAYS: tuple[Callable[[Server], None], ...] = (Server.restart, Server.kill_a_backend, Server.end_the_connection)


@pytest.fixture
def server(pg_server: str) -> Server:
    """The server, when it is ours."""
    return Server(pg_server)


def outage(server: Server, way: Callable[[Server], None], url: str, folder: Path, days: int) -> tuple[int, Child]:
    """Take the server away after `days` commits of a run; the run's exit code.

    0 is right too: between two commits a run needs no server, and gets a new connection for the next.
    """
    child = Child(CASE.run(url), folder)
    child.wait_for_days(days)
    way(server)
    ended = child.ended()
    assert ended.code in (0, BUSY), ended.err
    assert ended.code == 0 or (ended.tells_one_error() and "next: " in ended.last_line), ended.err
    server.wait_until_back()
    return ended.code, child


def resumed_to(url: str, child: Child, folder: Path, row_hash: str) -> None:
    """All that was told is there, and the resumed run equals the undisturbed one."""
    run_id = watched_id(url)
    assert run_id is not None
    assert committed_days(url, run_id) >= set(child.days)
    ended = gaelp("resume", run_id, "--db", url, folder=folder)
    assert ended.code == 0, ended.err
    assert not failed_checks(url, run_id)
    assert hash_of(url, run_id) == row_hash


@pytest.fixture(scope="module")
def row_hash(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of the case on SQLite, undisturbed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    url = f"sqlite:///{folder / 'gaelp.db'}"
    assert gaelp(*CASE.run(url), folder=folder).code == 0
    return hash_of(url, "@last")


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_an_outage(
    server: Server, way: Callable[[Server], None], postgres_urls: Callable[[], str], tmp_path: Path, row_hash: str
) -> None:
    url = postgres_urls()
    _, child = outage(server, way, url, tmp_path, 5)
    resumed_to(url, child, tmp_path, row_hash)


@pytest.mark.campaign
def test_many_outages(
    server: Server, postgres_urls: Callable[[], str], tmp_path: Path, row_hash: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """OUTAGES at random commits; prints a line per way. Every failed assertion would be a loss."""
    draw = random.Random("outages")
    codes: dict[str, list[int]] = {way.__name__: [] for way in WAYS}
    for number in range(OUTAGES):
        way, url = WAYS[number % len(WAYS)], postgres_urls()
        code, child = outage(server, way, url, tmp_path, draw.randint(1, CASE.days - 2))
        codes[way.__name__].append(code)
        resumed_to(url, child, tmp_path, row_hash)
    with capsys.disabled():
        print("\nPostgres gone         outages  exit 75  finished all the same")
        for name, ends in codes.items():
            print(f"{name.replace('_', ' '):<20}  {len(ends):>7}  {ends.count(BUSY):>7}  {ends.count(0):>21}")
    assert sum(map(len, codes.values())) == OUTAGES
