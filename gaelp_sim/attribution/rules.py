"""Models that look at one path at a time: weights per touch, by position, time and channel."""

from __future__ import annotations

import numpy as np

from gaelp_sim.attribution.paths import Paths
from gaelp_sim.compiled import compiled
from gaelp_sim.events import Floats, Ints
from gaelp_sim.units import SECONDS_PER_DAY

FIRST, LAST, MIDDLE = 0.4, 0.4, 0.2
"""Position model: shares of the first touch, of the last, and of all between together."""
FIRST_BONUS, LAST_BONUS = 1.3, 1.5
"""Data-driven rule: factors on the first and the last touch."""
DECAY_DAYS = 7.0
"""Data-driven rule: days in which a touch loses half of its weight."""


def first_shares(paths: Paths) -> Floats:
    """All to the first touch."""
    shares = np.zeros(len(paths.channel))
    shares[paths.starts[:-1]] = 1.0
    return shares


def last_shares(paths: Paths) -> Floats:
    """All to the last touch."""
    shares = np.zeros(len(paths.channel))
    shares[paths.starts[1:] - 1] = 1.0
    return shares


def linear_shares(paths: Paths) -> Floats:
    """The same to every touch."""
    return paths.per_touch(1.0 / paths.lengths)


def position_shares(paths: Paths) -> Floats:
    """40 % to the first touch, 40 % to the last, 20 % to those between; halves to two, all to a single one.

    Google's position-based model.
    """
    return _position(paths.starts)


@compiled
def _position(starts: Ints) -> Floats:
    shares = np.empty(starts[-1])
    for path in range(len(starts) - 1):
        a, b = starts[path], starts[path + 1]
        if b - a <= 2:
            shares[a:b] = 1.0 / (b - a)
        else:
            shares[a : b] = MIDDLE / (b - a - 2)
            shares[a], shares[b - 1] = FIRST, LAST
    return shares


def time_decay_shares(paths: Paths, half_life_days: float) -> Floats:
    """Proportional to 2^(-(t_last - t) / half-life); after normalising, the moment of the sale drops out."""
    return _time_decay(paths.starts, paths.second, half_life_days * SECONDS_PER_DAY)


@compiled
def _time_decay(starts: Ints, second: Ints, half_life_s: float) -> Floats:
    shares = np.empty(len(second))
    for path in range(len(starts) - 1):
        a, b = starts[path], starts[path + 1]
        total = 0.0
        for touch in range(a, b):
            shares[touch] = np.exp2((second[touch] - second[b - 1]) / half_life_s)
            total += shares[touch]
        shares[a:b] /= total
    return shares


def data_driven_shares(paths: Paths, channel_weight: Floats) -> Floats:
    """The design document's rule: 0.5^(whole days to the sale / 7) x position x channel, normalised.

    Position: 1.3 for the first touch (also when it is the only one), 1.5 for the last. channel_weight: (channels,)
    """
    return _data_driven(paths.starts, (paths.second, paths.channel), paths.ended_s, channel_weight)


@compiled
def _data_driven(starts: Ints, touches: tuple[Ints, Ints], ended_s: Ints, channel_weight: Floats) -> Floats:
    second, channel = touches
    shares = np.empty(len(second))
    for path in range(len(starts) - 1):
        a, b = starts[path], starts[path + 1]
        total = 0.0
        for touch in range(a, b):
            days = (ended_s[path] - second[touch]) // SECONDS_PER_DAY
            bonus = FIRST_BONUS if touch == a else LAST_BONUS if touch == b - 1 else 1.0
            # Relative to the last touch: a path of years would else have no weight that a float can hold.
            since = days - (ended_s[path] - second[b - 1]) // SECONDS_PER_DAY
            shares[touch] = np.exp2(-since / DECAY_DAYS) * bonus * channel_weight[channel[touch]]
            total += shares[touch]
        shares[a:b] /= total
    return shares


def shapley_shares(paths: Paths) -> Floats:
    """Each distinct channel of a path gets the same, shared among its touches there.

    That is the Shapley value of the game in which a set of channels earns the sales of all paths whose channels lie in it:
    the sale of one path is worth 1 to every set that holds its channels, a symmetric game among them.
    """
    return _shapley(paths.starts, paths.channel, paths.channels)


@compiled
def _shapley(starts: Ints, channel: Ints, channels: int) -> Floats:
    shares = np.empty(len(channel))
    count = np.zeros(channels, dtype=np.int64)
    for path in range(len(starts) - 1):
        a, b = starts[path], starts[path + 1]
        distinct = 0
        for touch in range(a, b):
            distinct += count[channel[touch]] == 0
            count[channel[touch]] += 1
        for touch in range(a, b):
            shares[touch] = 1.0 / (distinct * count[channel[touch]])
        for touch in range(a, b):
            count[channel[touch]] = 0
    return shares
