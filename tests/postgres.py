"""A Postgres to try things on: the one that GAELP_TEST_PG_URL names, else a server of our own, started and stopped here."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_BINARIES = ("/usr/lib/postgresql", "/usr/pgsql", "/opt/homebrew/opt/postgresql")
_NUMBERS = itertools.count()
FORGETFUL = "-c shared_buffers=256MB -c fsync=off -c synchronous_commit=off"
"""For tests: fsync guards against power cuts only, which no test makes."""
DURABLE = "-c shared_buffers=1GB"
"""For benchmarks: commits as safe as Postgres makes them by default."""


class NoPostgresError(Exception):
    """There is no Postgres to be had here; the message says why."""


@contextmanager
def postgres_server(settings: str = FORGETFUL) -> Iterator[str]:
    """URL of a server's maintenance database; raises NoPostgresError. `settings` are for a server of our own."""
    given = os.environ.get("GAELP_TEST_PG_URL")
    if given:
        yield given
        return
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        raise NoPostgresError("psycopg is not installed") from error
    folder = server_binaries()
    if folder is None:
        raise NoPostgresError("no Postgres: set GAELP_TEST_PG_URL, or install its server (initdb, pg_ctl)")
    if os.geteuid() == 0 and not _has_user("postgres"):
        raise NoPostgresError("running as root, and there is no user postgres to run the server as")
    with tempfile.TemporaryDirectory(prefix="gaelp-pg-", dir="/tmp") as home:
        yield from _own_server(folder, Path(home), settings)


@contextmanager
def empty_database(server_url: str) -> Iterator[str]:
    """URL of an empty database on that server, dropped afterwards."""
    import psycopg
    import sqlalchemy as sa

    name = f"gaelp_test_{os.getpid()}_{next(_NUMBERS)}"
    server = sa.make_url(server_url)
    plain = server.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    try:
        yield server.set(drivername="postgresql+psycopg", database=name).render_as_string(hide_password=False)
    finally:
        with psycopg.connect(plain, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _own_server(binaries: Path, home: Path, settings: str) -> Iterator[str]:
    home.chmod(0o755)
    if os.geteuid() == 0:
        shutil.chown(home, "postgres", "postgres")  # the server refuses to run as root
    port = _free_port()
    as_server(binaries / "initdb", "-D", home / "data", "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8",
               "--locale=C")
    where = f"-p {port} -k {home} -c listen_addresses='' {settings}"
    as_server(binaries / "pg_ctl", "-D", home / "data", "-l", home / "log", "-o", where, "-w", "start")
    try:
        yield f"postgresql+psycopg://postgres@/postgres?host={home}&port={port}"
    finally:
        as_server(binaries / "pg_ctl", "-D", home / "data", "-m", "immediate", "-w", "stop")


def as_server(*command: object) -> None:
    words = [str(word) for word in command]
    if os.geteuid() == 0:
        words = ["runuser", "-u", "postgres", "--", *words]
    done = subprocess.run(words, cwd="/", capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stdout}{done.stderr}")


def server_binaries() -> Path | None:
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
