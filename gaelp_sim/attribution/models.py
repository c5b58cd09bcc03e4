"""The attribution models by name: from paths to the share of each touch, and the credit of each channel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from gaelp_sim.attribution import rules
from gaelp_sim.attribution.markov import chain_of
from gaelp_sim.attribution.paths import Paths
from gaelp_sim.errors import UsageError
from gaelp_sim.events import Floats
from gaelp_sim.outside import WHERE, named

HALF_LIFE_DAYS = 7.0
"""Google's default for time decay."""
CHANNEL_WEIGHTS = {"search": 1.2, "retargeting": 1.4, "retarget": 1.4, "social": 0.8, "display": 0.6}
"""The design document's effectiveness of channels; all others weigh 1."""
SUM_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Options:
    """What models can be told; each looks at its own."""

    half_life_days: float = HALF_LIFE_DAYS
    """time_decay: days in which a touch loses half of its weight"""
    order: int = 1
    """markov: touches that the next one depends on"""
    channel_weight: Floats = field(default_factory=lambda: np.ones(0))
    """data_driven: weight of each channel, (channels,); empty for all 1"""


@dataclass(frozen=True)
class Credits:
    """What a model gives."""

    shares: Floats
    """(touches,): the touch's share of its path's sales; they sum to 1 in every path"""
    by_channel: Floats
    """(channels,): sales credited; they sum to the sales of all paths"""


Model = Callable[[Paths, Options], Credits]


def _summed(rule: Callable[[Paths, Options], Floats]) -> Model:
    """A model whose channels' credit is the sum of what their touches get."""

    def model(paths: Paths, options: Options) -> Credits:
        shares = rule(paths, options)
        return Credits(shares, paths.by_channel(shares * paths.per_touch(paths.sales)))

    return model


def _data_driven(paths: Paths, options: Options) -> Floats:
    weight = options.channel_weight if len(options.channel_weight) else np.ones(paths.channels)
    return rules.data_driven_shares(paths, weight)


def _markov(paths: Paths, options: Options) -> Credits:
    """Channels get the sales in proportion to their removal effects; a path's touches share its sale in the same way.

    A channel's credit is that of the whole chain: it counts what the channel does in paths that did not sell, too. No
    shares of single sales could sum to it (a rare channel may get more than the sales it was part of), so the sum of its
    touches' shares is near it, and not equal.
    """
    effect = chain_of(paths, options.order).removal_effect
    total = effect.sum()
    weight = effect[paths.channel]
    within = np.add.reduceat(weight, paths.starts[:-1]) if len(paths) else np.zeros(0)
    # Paths without a sale may hold channels that lead to none: there each touch gets the same, of nothing.
    even = within <= 0
    shares = np.where(paths.per_touch(even), paths.per_touch(1.0 / paths.lengths), 0.0)
    shares += weight / paths.per_touch(np.where(even, 1.0, within))
    return Credits(shares, effect * (paths.total_sales / total) if total > 0 else np.zeros(paths.channels))


MODELS: dict[str, Model] = {
    "first": _summed(lambda paths, _: rules.first_shares(paths)),
    "last": _summed(lambda paths, _: rules.last_shares(paths)),
    "linear": _summed(lambda paths, _: rules.linear_shares(paths)),
    "time_decay": _summed(lambda paths, options: rules.time_decay_shares(paths, options.half_life_days)),
    "position": _summed(lambda paths, _: rules.position_shares(paths)),
    "data_driven": _summed(_data_driven),
    "markov": _markov,
    "shapley": _summed(lambda paths, _: rules.shapley_shares(paths)),
}
"""Every model of ours by name, in the order of the tables."""


def credited(paths: Paths, model: str, options: Options) -> Credits:
    """The credits that a model of MODELS, or a function of the user's as `module:function`, gives.

    A user's function takes `Paths` and returns shares, (touches,), none negative, that sum to 1 in every path.
    Raises UsageError for an unknown name, a function that can't be loaded, and shares that break the rule.
    """
    if model in MODELS:
        return MODELS[model](paths, options)
    if ":" not in model:
        raise UsageError(f"no attribution model is called {model!r}; there are {', '.join(MODELS)}, and module:function")
    shares = _asked(_loaded(model), paths, model)
    return Credits(shares, paths.by_channel(shares * paths.per_touch(paths.sales)))


def _loaded(model: str) -> Callable[[Paths], object]:
    try:
        function = named(model)
    except Exception as error:  # whatever an outsider's module raises is the outsider's to mend
        raise UsageError(f"--model {model}: {type(error).__name__}: {error}; give module:function with {WHERE}") from None
    if not callable(function):
        raise UsageError(f"--model {model}: that is no function")
    return function


def _asked(function: Callable[[Paths], object], paths: Paths, model: str) -> Floats:
    try:
        answer = function(paths)
        shares = np.asarray(answer, dtype=np.float64)
    except Exception as error:
        raise UsageError(f"--model {model} stopped: {type(error).__name__}: {error}") from None
    if shares.shape != paths.channel.shape:
        raise UsageError(f"--model {model}: shares of shape {shares.shape}; one for each of {len(paths.channel)} touches")
    if not np.isfinite(shares).all() or (shares < 0).any():
        raise UsageError(f"--model {model}: a share is negative or no number; shares are 0 or more")
    sums = np.add.reduceat(shares, paths.starts[:-1]) if len(paths) else np.ones(0)
    wrong = np.flatnonzero(np.abs(sums - 1.0) > SUM_TOLERANCE)
    if len(wrong):
        raise UsageError(f"--model {model}: shares of path {wrong[0]} sum to {sums[wrong[0]]:.9g}; they must sum to 1")
    return shares
