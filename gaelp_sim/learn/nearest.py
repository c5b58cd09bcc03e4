"""A run's own decisions in terms of the actions that networks choose from: the nearest level of the same creative."""

from __future__ import annotations

import numpy as np

from gaelp_sim.errors import UsageError
from gaelp_sim.events import NONE, Bools, Ints
from gaelp_sim.learn.logged import Logged
from gaelp_sim.market.actions import LEVELS, Actions
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.store import RunRecord, Store

HOW = "the level nearest by ratio to the bid over the price on the hour's bid sheet (without one, the market's median)"
"""Told in a checkpoint's manifest."""


def check_names(store: Store, run: RunRecord, scenario: Scenario) -> None:
    """Raise UsageError unless a run's channels, signals and creatives are those of a scenario, in its order."""
    table = store.read(run, "name")
    told = list(zip(table["kind"], np.asarray(table["code"]).tolist(), table["name"], strict=True))
    wanted = {
        "channel": [one.name for one in scenario.channels], "creative": [one.name for one in scenario.creatives],
        "signal": [one.name for channel in scenario.channels for one in channel.signals],
    }
    for kind, names in wanted.items():
        found = [name for _, name in sorted((code, name) for kind_told, code, name in told if kind_told == kind)]
        # A run's channels end with e-mail and our site, where nothing is bid.
        if found[: len(names)] != names or (kind != "channel" and len(found) != len(names)):
            raise UsageError(f"--from {run.run_id}: its {kind}s are {', '.join(map(str, found)) or 'not told'}; "
                             f"{scenario.name} has {', '.join(names)}: name the scenario that the run was of")


def nearest_level(bid_micros: Ints, price_micros: Ints) -> Ints:
    """(n,): the level whose multiple of a price is nearest to a bid by ratio; 0 for no bid.

    >>> nearest_level(np.array([0, 1_000, 1_150, 1_300]), np.array([1_000] * 4)).tolist()
    [0, 7, 7, 8]
    """
    ratio = np.log2(np.maximum(bid_micros, 1) / np.maximum(price_micros, 1))
    middles = (np.log2(LEVELS[1:-1]) + np.log2(LEVELS[2:])) / 2
    return np.where(bid_micros > 0, 1 + np.searchsorted(middles, ratio), 0).astype(np.int64)


def nearest_actions(logged: Logged, actions: Actions) -> tuple[Ints, Bools]:
    """(n,) actions and (n, actions) what was allowed.

    Raises UsageError for decisions without bids, as in imported logs, and for creatives that no campaign of ours shows.
    """
    if (logged.bid_micros == NONE).any():
        raise UsageError(f"run {logged.run_id} tells no bids, as imported logs do: levels can't be learned from it; next: "
                         "a run of gaelp run with --set log=all")
    market = actions.price_micros[logged.signal]
    level = nearest_level(logged.bid_micros, np.where(logged.price_micros > 0, logged.price_micros, market))
    action = actions.number(level, np.maximum(logged.triples[logged.action, 2], 0))
    allowed = actions.allowed[logged.channel]
    if not allowed[np.arange(len(action)), action].all():
        at = int(np.argmin(allowed[np.arange(len(action)), action]))
        raise UsageError(f"run {logged.run_id}: it showed creative {int(actions.creative(action)[at])} in channel "
                         f"{int(logged.channel[at])}, which no campaign of the scenario does: name the scenario of the run")
    return action, allowed
