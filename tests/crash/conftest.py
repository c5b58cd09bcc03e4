"""Stores for crash tests: as many empty ones as a campaign asks for."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@pytest.fixture
def sqlite_urls(tmp_path: Path) -> Callable[[], str]:
    """Function () -> URL of an SQLite file that is not there yet."""
    numbers = itertools.count()
    return lambda: f"sqlite:///{tmp_path / f'store-{next(numbers)}.db'}"


@pytest.fixture
def postgres_urls(pg_server: str) -> Iterator[Callable[[], str]]:
    """Function () -> URL of an empty Postgres database; all are dropped after the test.

    Their commits are on disk before they are told, as Postgres ships (the test server waits for none).
    """
    import psycopg
    import sqlalchemy as sa

    server = sa.make_url(pg_server)
    plain = server.set(drivername="postgresql").render_as_string(hide_password=False)
    names: list[str] = []

    def made() -> str:
        name = f"gaelp_crash_{os.getpid()}_{len(names)}"
        with psycopg.connect(plain, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
            connection.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = on')
        names.append(name)
        return server.set(drivername="postgresql+psycopg", database=name).render_as_string(hide_password=False)

    yield made
    with psycopg.connect(plain, autocommit=True) as connection:
        for name in names:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
