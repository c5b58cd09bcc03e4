"""A lake on S3, over HTTP: rows, answers and deletion are those of a database; requests that fail lose nothing.

s3fs and moto have an environment of their own (`make s3` makes it and runs this file); elsewhere its tests are skipped.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

for package in ("pyarrow", "duckdb", "s3fs", "boto3", "moto"):
    pytest.importorskip(package, reason=f"{package} is not installed; next: make s3")

from gaelp_sim.errors import StoreIOError  # noqa: E402 - only where its packages are
from gaelp_sim.scenario.loading import load_scenario  # noqa: E402
from gaelp_sim.store import Store, row_hash, verify_run  # noqa: E402
from gaelp_sim.store.lake_reader import parts_of  # noqa: E402
from gaelp_sim.world.request import RunRequest  # noqa: E402
from gaelp_sim.world.simulate import resume, run  # noqa: E402
from tests.crash.children import GAELP  # noqa: E402
from tests.store.s3 import BUCKET, NO_LIMIT, WAYS, Door, credentials, keys, make_bucket, s3_server  # noqa: E402

LAKE = f"s3://{BUCKET}/lake"
NOBODY = "http://127.0.0.1:9"
FAILURES = 50
IO_FAILED, CANNOT_WRITE = 74, 73


@dataclass(frozen=True)
class Served:
    """An S3 server, its door, and a folder with runs in it."""

    url: str
    door: Door
    folder: Path

    def gaelp(self, *words: str, code: int = 0, **environment: str) -> str:
        """What a command says: its answer, or the one line of its error."""
        done = subprocess.run(
            [GAELP, *words], cwd=self.folder, capture_output=True, text=True,
            env=os.environ | credentials(self.url) | {"NO_COLOR": "1"} | environment, timeout=300, check=False,
        )
        assert done.returncode == code, f"{words}: {done.stderr}"
        assert "s3cret-key" not in done.stdout + done.stderr
        if code:
            assert done.stderr.count("\n") == 1 and done.stderr.startswith("error: "), done.stderr
        return done.stderr.strip() if code else done.stdout


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, Door]]:
    """A server for the whole file."""
    with s3_server() as served:
        yield served


@pytest.fixture
def served(server: tuple[str, Door], tmp_path: Path) -> Served:
    """The server with an empty bucket, and an empty folder."""
    url, door = server
    make_bucket(url)
    door.left, door.share, door.gets_left = 0, 0.8, NO_LIMIT
    door.met.clear()
    return Served(url, door, tmp_path)


@pytest.fixture
def impatient(served: Served, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """The same for clients in this process, which try once and wait a second for an answer."""
    import fsspec
    import s3fs

    for name, value in credentials(served.url).items():
        monkeypatch.setenv(name, value)
    once = {"config_kwargs": {"read_timeout": 1, "retries": {"total_max_attempts": 1}}}
    monkeypatch.setitem(fsspec.config.conf, "s3", once)
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)
    s3fs.S3FileSystem.clear_instance_cache()
    yield served
    s3fs.S3FileSystem.clear_instance_cache()


def test_commands_say_the_same_from_s3(served: Served) -> None:
    """Run, queries, attribution, report, export and checks; then deleting takes every object away."""
    served.gaelp("run", "short", "--days", "3", "--lake", LAKE)
    served.gaelp("run", "short", "--days", "3", "--db", "sqlite:///plain.db")
    assert len(keys(served.url)) == 7
    for words in (
        ("query", "SELECT stage, status, touches, cost_usd FROM journeys ORDER BY 1, 2, 3, 4"), ("query", "funnel"),
        ("query", "SELECT COUNT(*) AS n, SUM(propensity) AS s FROM decisions"), ("attribute", "--model", "linear"),
        ("db", "verify", "--hash", "@last"),
    ):
        assert _named(served.gaelp(*words)) == _named(served.gaelp(*words, "--db", "sqlite:///plain.db")) != ""
    served.gaelp("report", "@last", "--out", "lake.html")
    exported = [
        served.gaelp("export", "@last", "--to", "csv", "--view", "touchpoints", "--out", out, "--db", f"sqlite:///{db}.db")
        for out, db in (("a", "gaelp"), ("b", "plain"))
    ]
    assert all(exported)
    served.gaelp("db", "verify")
    served.gaelp("runs", "delete", "@last", "--yes")
    assert keys(served.url) == []


def _named(said: str) -> str:
    """An answer without what differs between two runs: ids and seconds."""
    return re.sub(r'\b[0-9a-f]{12}\b|"seconds": [\d.]+', "", said)


def test_fifty_failing_puts_lose_nothing_and_leave_no_object_twice(impatient: Served, sqlite_url: str) -> None:
    """Refused, stored with the answer lost, answered too late, cut off: one line each; the rest is resumed."""
    scenario, door = load_scenario("short"), impatient.door
    plain = run(RunRequest(scenario, sqlite_url)).run_id
    door.left, told = FAILURES, []
    try:
        run(RunRequest(scenario, sqlite_url, lake=LAKE))
    except StoreIOError as error:
        told.append(str(error))
    while True:
        try:
            resume(sqlite_url, "@last")
            break
        except StoreIOError as error:
            told.append(str(error))
    assert len(told) == sum(door.met.values()) == FAILURES and set(door.met) == set(WAYS)
    assert not [line for line in told if "\n" in line or not line.endswith("then gaelp resume") or "s3cret" in line]
    with Store.open(sqlite_url) as store:
        record = store.find_run("@last")
        assert row_hash(store, record) == row_hash(store, store.find_run(plain))
        assert all(passed for _, passed, _ in verify_run(store, record))
        with store.database.reading() as link:
            named = sorted(f"lake/{part.path}" for part in parts_of(link, record.run_key))
        assert sorted(keys(impatient.url)) == named
        store.delete_run(record)
    assert keys(impatient.url) == []


def test_what_passes_by_itself_is_tried_again(served: Served) -> None:
    """With a client's own settings, a server that fails now and then stops no run."""
    served.door.left, served.door.share = 6, 0.3
    served.gaelp("run", "short", "--days", "6", "--lake", LAKE)
    assert sum(served.door.met.values()) > 0
    served.gaelp("db", "verify")


def test_a_store_that_is_away_is_one_line_before_anything_is_simulated(served: Served) -> None:
    """No such bucket, nobody at the address, no credentials: no run is begun."""
    for place, environment, says in (
        ("s3://nosuchbucket/lake", {}, "bucket does not exist"),
        (LAKE, {"AWS_ENDPOINT_URL": NOBODY}, "Could not connect"),
        (LAKE, {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "Unable to locate credentials"),
    ):
        line = served.gaelp("run", "short", "--days", "2", "--lake", place, code=CANNOT_WRITE, **environment)
        assert place in line and says in line and "next: check the lake's address" in line
    assert "no runs" in served.gaelp("query", "funnel", code=66)


def test_a_store_that_goes_away_later_is_one_line(served: Served) -> None:
    """It is no sign of spoilt rows, and nothing is deleted by halves; a part that is gone is one."""
    served.gaelp("run", "short", "--days", "2", "--lake", LAKE)
    away = {"AWS_ENDPOINT_URL": NOBODY}
    for words, code in (
        (("query", "funnel", "--timeout", "60"), IO_FAILED), (("db", "verify"), IO_FAILED),
        (("export", "--to", "csv", "--view", "touchpoints", "--out", "x"), IO_FAILED),
        (("runs", "delete", "@last", "--yes"), CANNOT_WRITE),
    ):
        line = served.gaelp(*words, code=code, **away)
        assert "Could not connect" in line and "next: check the lake's address" in line
    make_bucket(served.url)
    assert "is missing" in served.gaelp("query", "funnel", code=76)
    served.gaelp("runs", "delete", "@last", "--yes")


@pytest.mark.parametrize("gets", [0, 1, 2, 3])
def test_a_store_that_goes_away_amid_a_query_is_one_line(served: Served, gets: int) -> None:
    """Whichever of the query's reads fails first."""
    served.gaelp("run", "short", "--days", "3", "--lake", LAKE)
    asked = ("query", "SELECT COUNT(*) AS n, SUM(propensity) AS s FROM decisions", "--timeout", "60")
    whole = served.gaelp(*asked)
    served.door.gets_left = gets
    line = served.gaelp(*asked, code=IO_FAILED)
    assert "internal error; next: " in line and "store_" not in line and whole
