"""Environments are known by name as soon as their room is, and whoever lacks a peer is told which extra brings it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gaelp_sim import env
from gaelp_sim.env import BIDDING, JOURNEY


def fresh(code: str) -> str:
    """What a new Python prints."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_importing_the_room_registers_them() -> None:
    pytest.importorskip("gymnasium")
    code = "import gymnasium, gaelp_sim.env; print(*sorted(n for n in gymnasium.registry if n.startswith('gaelp/')))"
    assert fresh(code) == f"{BIDDING} {JOURNEY}"


def test_the_rest_needs_no_peer() -> None:
    """Neither Gymnasium nor PettingZoo is loaded by worlds, nor by our world in RecSim's form."""
    code = "import sys\nfor peer in ('gymnasium', 'pettingzoo'):\n    sys.modules[peer] = None\n"
    code += "import gaelp_sim.world.shard, gaelp_sim.env.recsim_env, gaelp_sim.env; print(gaelp_sim.env.JOURNEY)"
    assert fresh(code) == JOURNEY


@pytest.mark.parametrize(("name", "peer", "extra"), [
    ("BiddingEnv", "gymnasium", "env"), ("VectorBiddingEnv", "gymnasium", "env"), ("JourneyEnv", "gymnasium", "env"),
    ("MarketEnv", "pettingzoo", "marl"),
])
def test_a_missing_peer_is_one_line(name: str, peer: str, extra: str) -> None:
    if peer == "pettingzoo":
        pytest.importorskip("gymnasium")
    code = f"import sys\nsys.modules['{peer}'] = None\nimport gaelp_sim.env\n"
    code += f"try:\n    gaelp_sim.env.{name}\nexcept gaelp_sim.env.UsageError as error:\n    print(error)\n"
    assert fresh(code) == f"{name}: {peer} is not installed; next: pip install 'gaelp-sim[{extra}]'"


def test_other_names_are_not_there() -> None:
    with pytest.raises(AttributeError, match="OtherEnv"):
        _ = env.OtherEnv
