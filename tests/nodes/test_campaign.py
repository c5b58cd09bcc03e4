"""Runs wherever they may be simulated and stored, and with whatever dies: one hash. `make nodes` runs all of it.

Fewer: GAELP_NODE_KILLS=2 GAELP_DRIVER_KILLS=2 make nodes
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.store import Store, row_hash
from gaelp_sim.world.crew import ALONE, Crew
from gaelp_sim.world.request import Progress, RunRequest
from gaelp_sim.world.simulate import run
from tests.campaigns.hashes import DAYS, SCENARIOS, NewUrl
from tests.crash.cases import failed_checks
from tests.crash.children import Child, gaelp
from tests.nodes.raylets import Raylets, raylets

pytestmark = pytest.mark.campaign

NODE_KILLS = int(os.environ.get("GAELP_NODE_KILLS", "20"))
DRIVER_KILLS = int(os.environ.get("GAELP_DRIVER_KILLS", "20"))
NAMES = ("four cells", "four worlds", "learning rivals")


@dataclass(frozen=True)
class Done:
    """A finished run: its rows' hash, and whether its files are those of the catalogue, each once."""

    hash: str
    whole: bool
    lost: int = field(default=0, compare=False)
    """Workers that were lost on the way"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Raylets]:
    """Three nodes of a core each."""
    with raylets(3) as made:
        yield made


def sets_of(name: str) -> tuple[str, list[str]]:
    """Scenario and settings of a case."""
    scenario, *settings = SCENARIOS[name]
    return scenario, [*settings, f"days={DAYS}"]


def done_at(url: str, lake: Path | None = None) -> Done:
    """What the last run of a store came to."""
    with Store.open(url) as store:
        record = store.find_run("@last")
        found = row_hash(store, record)
        named = sorted(store.read(record, "lake_part")["path"]) if record.lake else []
    assert not failed_checks(url, record.run_id)
    files = sorted(str(path.relative_to(lake)) for path in lake.rglob("*.parquet")) if lake else []
    return Done(found, files == named)


def lived(name: str, url: str, crew: Crew, lake: Path | None = None, kill: threading.Timer | None = None) -> Done:
    """A run by a crew; `kill` is started once its first day is committed."""
    lost = 0

    def begun(progress: Progress) -> None:
        nonlocal lost
        lost = progress.lost_workers
        if kill is not None and progress.hours_done == 24:
            kill.start()

    run(RunRequest(load_scenario(*sets_of(name)), url, crew=crew, lake=str(lake) if lake else None), begun)
    return replace(done_at(url, lake), lost=lost)


@pytest.mark.parametrize("name", NAMES)
def test_one_hash_wherever(
    name: str, cluster: Raylets, tmp_path: Path, sqlite_urls: NewUrl, postgres_urls: NewUrl,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Serial, 2 and 4 processes, Ray on one node and on three; SQLite, Postgres and a lake."""
    crews = {
        "serial": ALONE, "processes 2": Crew(2), "processes 4": Crew(4), "Ray, 1 actor": Crew(1, cluster.address),
        "Ray, 3 nodes": Crew(None, cluster.address),
    }
    found: dict[tuple[str, str], str] = {}
    for told, crew in crews.items():
        for store, urls in (("SQLite", sqlite_urls), ("Postgres", postgres_urls), ("lake", sqlite_urls)):
            lake = tmp_path / f"{told} {store}" if store == "lake" else None
            done = lived(name, urls(), crew, lake)
            assert done.whole
            found[told, store] = done.hash
    with capsys.disabled():
        print(f"\n{name}: {len(found)} runs, {len(set(found.values()))} hash: {found['serial', 'SQLite'][:16]}")
    assert len(set(found.values())) == 1, found


def test_nodes_die(cluster: Raylets, tmp_path: Path, sqlite_urls: NewUrl, capsys: pytest.CaptureFixture[str]) -> None:
    """At random moments of runs into a lake; a node comes back between runs, as its name says nothing to us."""
    undisturbed = {name: lived(name, sqlite_urls(), ALONE).hash for name in NAMES}
    draw, lost = random.Random(20), 0
    for number in range(NODE_KILLS):
        name, node = NAMES[number % len(NAMES)], draw.randrange(2)
        moment = threading.Timer(draw.uniform(0.0, 0.8), cluster.kill, [node])
        done = lived(name, sqlite_urls(), Crew(None, cluster.address), tmp_path / str(number), moment)
        lost += done.lost > 0  # a node that died when the run was over is not missed
        moment.join()
        assert done == Done(undisturbed[name], True), (number, name)
        cluster.revive(node)
        cluster.wait_for(3)
    with capsys.disabled():
        print(f"\n{NODE_KILLS} runs with a node killed ({lost} while it was at work): one hash each, every part once")
    assert lost >= NODE_KILLS // 2, "most were killed too late to tell anything"


def test_drivers_die(cluster: Raylets, tmp_path: Path, sqlite_urls: NewUrl, capsys: pytest.CaptureFixture[str]) -> None:
    """Killed at random moments, then resumed on the cluster."""
    undisturbed = {name: lived(name, sqlite_urls(), ALONE).hash for name in NAMES}
    draw, killed = random.Random(21), 0
    for number in range(DRIVER_KILLS):
        name, url, lake = NAMES[number % len(NAMES)], sqlite_urls(), tmp_path / str(number)
        scenario, settings = sets_of(name)
        words = [word for setting in settings for word in ("--set", setting)]
        ray = ("--ray", cluster.address)
        child = Child(["run", scenario, *words, "--db", url, "--lake", str(lake), "--watch", *ray], tmp_path)
        child.wait_for_days(1)
        time.sleep(draw.uniform(0.0, 1.5))
        killed += child.kill()
        child.ended()
        ended = gaelp("resume", "@last", "--db", url, *ray, folder=tmp_path)
        assert ended.code == 0, ended.err
        assert done_at(url, lake) == Done(undisturbed[name], True), (number, name)
    with capsys.disabled():
        print(f"\n{DRIVER_KILLS} runs whose command was killed ({killed} before their end): one hash each, every part once")
    assert killed >= DRIVER_KILLS // 2
