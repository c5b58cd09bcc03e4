"""Runs on a Ray cluster: the same rows as at home, a lost actor is replaced, and mistakes are one line."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gaelp_sim.errors import StoreBusyError, UsageError
from gaelp_sim.learn.course import Plan
from gaelp_sim.learn.train import Training
from gaelp_sim.planning.played import played
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.store import Store, row_hash
from gaelp_sim.world.crew import ALONE, Crew, Hands, each
from gaelp_sim.world.request import OnProgress, RunRequest, ignore
from gaelp_sim.world.simulate import run
from tests.nodes.analyses import said, simulated, small_pieces
from tests.nodes.raylets import Raylets, raylets

CELLS = ("quickstart", ("population.people=400", "cells=4", "days=12", "us.budget.usd_day=6", "rivals_learn=true"))
WORLDS = ("short", ("population.people=100", "worlds=4", "days=6"))


@pytest.fixture(scope="module")
def cluster() -> Iterator[Raylets]:
    """Two nodes of a core each."""
    with raylets(2) as made:
        yield made


def hash_of(url: str, scenario: tuple[str, tuple[str, ...]], crew: Crew, on_progress: OnProgress = ignore) -> str:
    """The row hash of a run by a crew."""
    name, sets = scenario
    run(RunRequest(load_scenario(name, sets), url, crew=crew), on_progress)
    with Store.open(url) as store:
        return row_hash(store, store.find_run("@last"))


@pytest.mark.parametrize("scenario", [CELLS, WORLDS], ids=["cells", "worlds"])
def test_the_rows_are_those_of_one_process(
    scenario: tuple[str, tuple[str, ...]], cluster: Raylets, tmp_path: Path
) -> None:
    home, away = (f"sqlite:///{tmp_path / name}" for name in ("home.db", "away.db"))
    assert hash_of(home, scenario, ALONE) == hash_of(away, scenario, Crew(ray=cluster.address))


def test_lost_actors_are_replaced(cluster: Raylets, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """One before a state is stored, one after; Ray says nothing on stdout, where results go."""
    home, away = (f"sqlite:///{tmp_path / name}" for name in ("home.db", "away.db"))
    told: list[int] = []

    def kill(progress: Any) -> None:
        told.append(progress.lost_workers)
        if progress.hours_done in (2 * 24, 11 * 24):
            os.kill(actor_pids()[0], signal.SIGKILL)

    assert hash_of(home, CELLS, ALONE) == hash_of(away, CELLS, Crew(ray=cluster.address), kill)
    assert told[-1] == 2, "nothing was lost"
    assert capfd.readouterr().out == ""


def actor_pids() -> list[int]:
    """The processes of living actors of ours: Ray writes the class into their command lines."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if place.read_bytes().startswith(b"ray::_Host"):
                found.append(int(place.parent.name))
        except OSError:
            continue  # gone in the meantime
    return sorted(found)


def test_the_twin_has_room(cluster: Raylets, tmp_path: Path) -> None:
    """--incremental lives through the worlds once more, after the run has let its cores go."""
    name, sets = WORLDS
    done = run(RunRequest(load_scenario(name, sets), f"sqlite:///{tmp_path / 'x.db'}", crew=Crew(ray=cluster.address),
                          incremental=True))
    here = run(RunRequest(load_scenario(name, sets), f"sqlite:///{tmp_path / 'y.db'}", incremental=True))
    assert done.conversions_without_ads == here.conversions_without_ads is not None


def test_one_cluster_a_process(cluster: Raylets) -> None:
    assert each(Crew(ray=cluster.address), abs, [-1]) == [1]
    with pytest.raises(UsageError, match="has joined the cluster at"):
        each(Crew(ray="127.0.0.1:1"), abs, [-1])


def test_what_breaks_a_task_is_one_line(cluster: Raylets) -> None:
    """An error that is nobody's rule, and a worker that is gone."""
    crew = Crew(2, cluster.address)
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        each(crew, _divided, [1, 0])
    with pytest.raises(StoreBusyError, match="a task on the cluster ended with"):
        each(crew, os._exit, [3])


def _divided(number: int) -> float:
    return 1 / number


def test_no_cores(cluster: Raylets, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A head alone, as some run it: nothing is begun."""
    import ray

    each(Crew(ray=cluster.address), abs, [-1])
    monkeypatch.setattr(ray, "cluster_resources", dict)
    with pytest.raises(UsageError, match="the cluster has no cores"):
        hash_of(f"sqlite:///{tmp_path / 'x.db'}", WORLDS, Crew(ray=cluster.address))


def test_pure_work_is_dealt_out(cluster: Raylets) -> None:
    """Answers in the order of the questions, errors as at home, worlds played elsewhere as here."""
    crew = Crew(2, cluster.address)
    assert each(crew, abs, [-3, 2, -1]) == [3, 2, 1]
    with pytest.raises(UsageError, match="minus one"):
        each(crew, _refused, [1, -1])
    scenario = load_scenario("short", ["population.people=100", "days=3", "rivals_learn=false"])
    there, here = (played(scenario, "rule", range(2), who).profit_usd for who in (crew, ALONE))
    assert there.tolist() == here.tolist()


def test_training_there_comes_to_the_same_weights(cluster: Raylets, tmp_path: Path) -> None:
    """Worlds are lived through on actors, one learner learns."""
    from gaelp_sim.learn.checkpoints import load_checkpoint

    plan = Plan(epochs=2, worlds=13, people=40, validation_worlds=2, believed_share=0.5, taught_share=1.0)
    found = []
    for name, crew in (("here", ALONE), ("there", Crew(ray=cluster.address))):
        with Hands(crew) as hands:
            training = Training.begin(load_scenario("short"), plan, tmp_path / name)
            training.hands = hands
            training.run(lambda epoch: None)
        found.append(load_checkpoint(tmp_path / name / "last")[0].state_dict())
    assert all(bool((found[0][name] == found[1][name]).all()) for name in found[0])


def _refused(number: int) -> int:
    if number < 0:
        raise UsageError("minus one")
    return number


def test_analyses_there_say_the_same(
    cluster: Raylets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Printed figures and stored rows, to the last bit."""
    stored = simulated(tmp_path, "worlds")
    alone = said(stored, tmp_path / "alone", ALONE)
    small_pieces(monkeypatch)
    assert said(stored, tmp_path / "away", Crew(ray=cluster.address)) == alone


def test_more_workers_than_cores(cluster: Raylets, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--workers 9: the cluster has 2 cores, .* next: at most 2, or more nodes"):
        hash_of(f"sqlite:///{tmp_path / 'x.db'}", WORLDS, Crew(9, cluster.address))


def test_without_ray(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is written, and the line says what to install."""
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"--ray auto: Ray is not installed; next: pip install 'gaelp-sim\[ray\]'"):
        hash_of(f"sqlite:///{tmp_path / 'x.db'}", WORLDS, Crew(ray="auto"))
