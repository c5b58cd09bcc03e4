"""Stored runs to learn from, and logs with decisions that were planted in them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from gaelp_sim.events import Floats, Ints
from gaelp_sim.learn.logged import Logged, read_logged
from gaelp_sim.market.actions import Actions
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.store import Store
from gaelp_sim.world.request import RunRequest
from gaelp_sim.world.simulate import run


def scenario(*sets: str) -> Scenario:
    """The scenario `short`, options applied."""
    return load_scenario("short", sets)


def stored_log(folder: Path, *sets: str) -> Logged:
    """The log of a run of `short`."""
    url = f"sqlite:///{folder / 'log.db'}"
    done = run(RunRequest(scenario(*sets), url))
    with Store.open(url) as store:
        return read_logged(store, store.find_run(done.run_id))


def planted(logged: Logged, action: Ints, propensity: Floats) -> Logged:
    """The same log with other decisions: actions as `Actions` numbers them, bid exactly at their levels."""
    actions = Actions.of(scenario())
    bid = actions.bid_micros(action, logged.signal)
    creative, level = np.maximum(actions.creative(action), 0), actions.level(action)
    triples, own = np.unique(np.stack([level > 0, level, creative], axis=1), axis=0, return_inverse=True)
    return replace(
        logged, bid_micros=bid, price_micros=actions.price_micros[logged.signal], action=own.ravel(),
        triples=triples.astype(np.int64), propensity=propensity,
    )
