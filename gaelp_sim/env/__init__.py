"""Our worlds as environments in the forms that agents know; importing this registers those of Gymnasium by name."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import Any

from gaelp_sim.errors import UsageError

BIDDING, JOURNEY = "gaelp/Bidding-v0", "gaelp/Journey-v0"
_HOMES = {
    "BiddingEnv": ("gaelp_sim.env.bidding_env", "env"), "VectorBiddingEnv": ("gaelp_sim.env.vector_env", "env"),
    "JourneyEnv": ("gaelp_sim.env.journey_env", "env"), "MarketEnv": ("gaelp_sim.env.market_env", "marl"),
}
"""Where each environment stands, and the extra that it needs; loaded when first asked for."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home, extra = _HOMES[name]
    try:
        return getattr(importlib.import_module(home), name)
    except ModuleNotFoundError as error:
        peer = (error.name or "").partition(".")[0]
        if peer not in ("gymnasium", "pettingzoo"):
            raise
        raise UsageError(f"{name}: {peer} is not installed; next: pip install 'gaelp-sim[{extra}]'") from None


def register_environments() -> None:
    """Make the environments known to `gymnasium.make` and `make_vec`, where Gymnasium is installed; once is enough."""
    if find_spec("gymnasium") is None:
        return
    from gymnasium.envs.registration import register, registry

    if BIDDING not in registry:
        register(
            BIDDING, entry_point="gaelp_sim.env.bidding_env:BiddingEnv",
            vector_entry_point="gaelp_sim.env.vector_env:VectorBiddingEnv",
        )
    if JOURNEY not in registry:
        register(JOURNEY, entry_point="gaelp_sim.env.journey_env:JourneyEnv")


register_environments()
