"""Runs under a learned policy: rows are the same with any number of workers, and a run keeps to its weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gaelp_sim.errors import UsageError
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.store import Store, row_hash
from gaelp_sim.world.crew import Crew
from gaelp_sim.world.policies import pinned, policy_named
from gaelp_sim.world.replay import ReplayRequest, replay
from gaelp_sim.world.request import RunRequest
from gaelp_sim.world.simulate import run

pytest.importorskip("torch")
pytest.importorskip("safetensors")

from gaelp_sim.draws import Draws  # noqa: E402 - only where torch is there
from gaelp_sim.learn.checkpoints import Manifest, save_checkpoint  # noqa: E402
from gaelp_sim.learn.network import JourneyNet, Shape  # noqa: E402
from gaelp_sim.market.actions import Actions  # noqa: E402


def _checkpoint(folder: Path, seed: int) -> str:
    """A network far from uniform, so that a last bit may tip an action."""
    scenario = load_scenario("short")
    actions = Actions.of(scenario)
    net = JourneyNet.born(Shape(actions.count, actions.creatives, hidden=32, encoder=32), Draws(seed))
    save_checkpoint(folder, net, Manifest.of(net, scenario, 0, {}))
    return f"checkpoint:{folder}"


def test_rows_with_any_number_of_workers(tmp_path: Path) -> None:
    """Four worlds by one worker, by two and by three, and replayed: one hash; the run says by what it was decided."""
    name = _checkpoint(tmp_path / "net", 1)
    scenario = load_scenario("short", ["population.people=150", "days=4", "worlds=4"])
    hashes = set()
    for workers in (1, 2, 3):
        url = f"sqlite:///{tmp_path / f'{workers}.db'}"
        done = run(RunRequest(scenario, url, policy=name, crew=Crew(workers)))
        with Store.open(url) as store:
            record = store.find_run(done.run_id)
            hashes.add(row_hash(store, record))
            assert record.policy == pinned(name) != name and record.torch_version
    assert len(hashes) == 1
    again = replay(ReplayRequest(url, "@last"))
    assert again.equal and not again.machine


def test_other_weights_in_the_folder_are_refused(tmp_path: Path) -> None:
    """A run is not resumed or replayed under another policy than its own."""
    name = _checkpoint(tmp_path / "net", 1)
    url = f"sqlite:///{tmp_path / 'a.db'}"
    scenario = load_scenario("short", ["population.people=60", "days=2"])
    run(RunRequest(scenario, url, policy=name))
    _checkpoint(tmp_path / "net", 2)
    with pytest.raises(UsageError, match="holds other weights by now"):
        replay(ReplayRequest(url, "@last"))
    manifest = json.loads((tmp_path / "net" / "manifest.json").read_text())
    assert pinned(name).endswith(manifest["weights_sha256"][:12]) and pinned("rule") == "rule"
    assert pinned(pinned(name)) == pinned(name)
    assert policy_named(pinned(name), scenario).name == scenario.us.name
