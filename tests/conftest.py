"""Databases for tests: an empty SQLite file, and an empty database on a real Postgres where one can be had."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_BINARIES = ("/usr/lib/postgresql", "/usr/pgsql", "/opt/homebrew/opt/postgresql")
_NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def pg_server() -> Iterator[str]:
    """URL of a Postgres server's maintenance database: GAELP_TEST_PG_URL, else a server of our own, else skip."""
    given = os.environ.get("GAELP_TEST_PG_URL")
    if given:
        yield given
        return
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    folder = _server_binaries()
    if folder is None:
        pytest.skip("no Postgres: set GAELP_TEST_PG_URL, or install its server (initdb, pg_ctl)")
    if os.geteuid() == 0 and not _has_user("postgres"):
        pytest.skip("running as root, and there is no user postgres to run the server as")
    with tempfile.TemporaryDirectory(prefix="gaelp-pg-", dir="/tmp") as home:
        yield from _own_server(folder, Path(home))


def _own_server(binaries: Path, home: Path) -> Iterator[str]:
    home.chmod(0o755)
    if os.geteuid() == 0:
        shutil.chown(home, "postgres", "postgres")  # the server refuses to run as root
    port = _free_port()
    _as_server(binaries / "initdb", "-D", home / "data", "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8",
               "--locale=C")
    # fsync guards against power cuts only, which no test makes
    settings = f"-p {port} -k {home} -c listen_addresses='' -c shared_buffers=256MB -c fsync=off -c synchronous_commit=off"
    _as_server(binaries / "pg_ctl", "-D", home / "data", "-l", home / "log", "-o", settings, "-w", "start")
    try:
        yield f"postgresql+psycopg://postgres@/postgres?host={home}&port={port}"
    finally:
        _as_server(binaries / "pg_ctl", "-D", home / "data", "-m", "immediate", "-w", "stop")


def _as_server(*command: object) -> None:
    words = [str(word) for word in command]
    if os.geteuid() == 0:
        words = ["runuser", "-u", "postgres", "--", *words]
    done = subprocess.run(words, cwd="/", capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        pytest.fail(f"{' '.join(words)}: {done.stdout}{done.stderr}")


def _server_binaries() -> Path | None:
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    candidates = [path.parent for root in _BINARIES for path in Path("/").glob(f"{root[1:]}*/**/bin/initdb")]
    return max(candidates, key=_version, default=None)


def _version(binaries: Path) -> float:
    try:
        return float(binaries.parent.name)
    except ValueError:
        return 0.0


def _has_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def pg_url(pg_server: str) -> Iterator[str]:
    """URL of an empty Postgres database, dropped after the test."""
    import psycopg
    import sqlalchemy as sa

    name = f"gaelp_test_{os.getpid()}_{next(_NUMBERS)}"
    server = sa.make_url(pg_server)
    plain = server.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    yield server.set(drivername="postgresql+psycopg", database=name).render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """URL of an SQLite file that is not there yet."""
    return f"sqlite:///{tmp_path / 'gaelp.db'}"


@pytest.fixture(params=["sqlite", "postgres"])
def db_url(request: pytest.FixtureRequest) -> str:
    """URL of an empty database: the test runs once on SQLite and once on Postgres."""
    return str(request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "pg_url"))
