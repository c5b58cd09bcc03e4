"""Bidders from outside in rivals' seats learn over cells and resumes as one; what cannot be added up is refused or told."""

from __future__ import annotations

import pytest

from gaelp_sim.errors import BidderError, UsageError
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.world.shard import Shard, Task
from gaelp_sim.world.simulate import RunRequest, run
from gaelp_sim.world.stack import Place

HERE = "tests.unit.world.seats_from_outside"
SETS = ("population.people=300", "days=3")


def _task(scenario: Scenario, name: str, state: object = None, hour: int = 0) -> Task:
    seats = (("Bark", f"{HERE}:{name}"),)
    place = Place(range(scenario.worlds), range(scenario.cells))
    return Task(scenario, 1, "rule", place, hour, state, "", seats)  # type: ignore[arg-type]


def _level(shard: Shard, world: int = 0) -> float:
    assert shard.own is not None
    return float(shard.own.controller.pupils.seats[2][world].state()["level"][0])  # type: ignore[attr-defined]


@pytest.mark.parametrize("cells", [1, 3])
def test_it_learns_and_goes_on_after_a_resume(cells: int) -> None:
    scenario = load_scenario("quickstart", [*SETS, f"cells={cells}"])
    whole = Shard(_task(scenario, "Chaser"))
    whole.advance(48)
    assert _level(whole) != 1.0
    cut = Shard(_task(scenario, "Chaser"))
    cut.advance(24)
    resumed = Shard(_task(scenario, "Chaser", cut.state(), 24))
    resumed.advance(48)
    assert _level(resumed) == _level(whole)
    assert (resumed.stack.people.stage == whole.stack.people.stage).all()


def test_every_world_has_its_own() -> None:
    scenario = load_scenario("quickstart", [*SETS, "worlds=2"])
    shard = Shard(_task(scenario, "Chaser"))
    shard.advance(48)
    assert _level(shard, 0) != _level(shard, 1)
    alone = Shard(_task(scenario.model_copy(update={"worlds": 1}), "Chaser"))
    alone.advance(48)
    assert _level(alone) == _level(shard, 0)


def test_a_hermit_needs_one_cell_and_cannot_be_continued(tmp_path) -> None:  # type: ignore[no-untyped-def]
    url, seats = f"sqlite:///{tmp_path}/h.db", (("Bark", f"{HERE}:Hermit"),)
    with pytest.raises(UsageError, match="additive = False"):
        run(RunRequest(load_scenario("quickstart", [*SETS, "cells=2"]), url, bidders=seats))
    scenario = load_scenario("quickstart", SETS)
    done = run(RunRequest(scenario, url, bidders=seats)).run_id
    with pytest.raises(UsageError, match="keep what they learn to themselves"):
        run(RunRequest(scenario, url, continue_ref=done))


def test_a_hermit_learns_as_a_learner_in_one_cell() -> None:
    scenario = load_scenario("quickstart", SETS)
    shards = [Shard(_task(scenario, name)) for name in ("Chaser", "Hermit")]
    for shard in shards:
        shard.advance(48)
    assert (shards[0].stack.people.stage == shards[1].stack.people.stage).all()
    assert float(shards[1].stack.outsiders.seats[2][0].state()["level"][0]) == _level(shards[0])  # type: ignore[attr-defined]


def test_statistics_in_floats_are_refused_in_its_name() -> None:
    with pytest.raises(BidderError, match="statistics are float64; integers are needed"):
        Shard(_task(load_scenario("quickstart", SETS), "Floats")).advance(24)


def test_unknown_rivals_are_named() -> None:
    with pytest.raises(UsageError, match="no such rival; the scenario has Qustodio, Bark"):
        Shard(Task(load_scenario("quickstart", SETS), 1, "rule", Place(range(1), range(1)), 0, None, "", (("X", "a:B"),)))
