"""The policy that comes with the package: whole, named, for the flagship, and no larger than it should be."""

from __future__ import annotations

from pathlib import Path

import pytest

from gaelp_sim.errors import UsageError
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.store import Store
from gaelp_sim.world.policies import SHIPPED, pinned, policy_named
from gaelp_sim.world.request import RunRequest
from gaelp_sim.world.simulate import run

pytest.importorskip("torch")
pytest.importorskip("safetensors")

from gaelp_sim.learn.checkpoints import SHIPPED_FOLDER, WEIGHTS, load_checkpoint  # noqa: E402 - only where torch is there

SMALL = ["population.people=200", "days=3"]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_policy_is_whole_and_says_how_it_was_made(name: str) -> None:
    net, manifest = load_checkpoint(SHIPPED_FOLDER / name)
    assert (SHIPPED_FOLDER / name / WEIGHTS).stat().st_size < 1 << 20
    assert manifest.scenario_name == "parental_controls" and manifest.trained_on["plan"]["seed"] == 1
    assert sum(weights.numel() for weights in net.parameters()) > 50_000
    assert sorted(path.name for path in SHIPPED_FOLDER.iterdir()) == sorted(SHIPPED)


def test_it_bids_by_name(tmp_path: Path) -> None:
    """A run under `ppo` wins and keeps the weights' digits; another scenario's ads are refused."""
    url = f"sqlite:///{tmp_path / 'a.db'}"
    done = run(RunRequest(load_scenario("parental_controls", SMALL), url, policy="ppo"))
    assert done.win_rate and done.spend_usd > 0
    with Store.open(url) as store:
        assert store.find_run(done.run_id).policy == pinned("ppo") != "ppo"
    with pytest.raises(UsageError, match="train it here"):
        policy_named("ppo", load_scenario("short"))
    with pytest.raises(UsageError, match="did you mean 'ppo'"):
        policy_named("pppo", load_scenario("short"))
