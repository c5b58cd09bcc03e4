"""Databases for tests: an empty SQLite file, and an empty database on a real Postgres where one can be had."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.postgres import NoPostgresError, empty_database, postgres_server


@pytest.fixture(scope="session")
def pg_server() -> Iterator[str]:
    """URL of a Postgres server's maintenance database: GAELP_TEST_PG_URL, else a server of our own, else skip."""
    with ExitStack() as stack:
        try:
            url = stack.enter_context(postgres_server())
        except NoPostgresError as reason:
            pytest.skip(str(reason))
        yield url


@pytest.fixture
def pg_url(pg_server: str) -> Iterator[str]:
    """URL of an empty Postgres database, dropped after the test."""
    with empty_database(pg_server) as url:
        yield url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """URL of an SQLite file that is not there yet."""
    return f"sqlite:///{tmp_path / 'gaelp.db'}"


@pytest.fixture(params=["sqlite", "postgres"])
def db_url(request: pytest.FixtureRequest) -> str:
    """URL of an empty database: the test runs once on SQLite and once on Postgres."""
    return str(request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "pg_url"))
