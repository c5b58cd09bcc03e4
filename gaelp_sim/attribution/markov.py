"""The Markov chain model, exact: how much of the way to a sale is lost if a channel is taken out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.attribution.paths import Paths
from gaelp_sim.compiled import compiled
from gaelp_sim.errors import UsageError
from gaelp_sim.events import Floats, Ints

STATES_MAX = 3_000
"""States of a chain; solving it takes time that grows with the third power."""


class Chain(NamedTuple):
    """A chain fitted to paths."""

    conversion: float
    """Probability that a walk from the start ends in a sale"""
    removal_effect: Floats
    """(channels,): the share of that probability that is lost with the channel; 0 for one that leads to no sale"""


class Moves(NamedTuple):
    """Counts of what follows what, among `m` states."""

    start: Floats
    """(m,): paths that begin there"""
    steps: Floats
    """(m, m): from row to column"""
    sold: Floats
    """(m,): paths that end there with a sale"""
    ended: Floats
    """(m,): paths that end there, with or without one"""
    channel: Ints
    """(m,): the channel that the state has just met"""


def chain_of(paths: Paths, order: int) -> Chain:
    """The chain of paths in which the next touch depends on the last `order` ones; nothing is simulated.

    With removal of a channel all walks that meet it end without a sale, so what remains is the probability to reach a
    sale without ever meeting it. Raises UsageError for more than STATES_MAX states.
    """
    state, channel = _states(paths, order)
    moves = _counted(paths, state, channel)
    if order == 1:
        return _solved_by_channel(moves, paths.channels)
    return _solved_by_states(moves, paths.channels)


def _states(paths: Paths, order: int) -> tuple[Ints, Ints]:
    """State of each touch, and the channel of each state: the last `order` channels, fewer at the start of a path."""
    if order == 1:
        return paths.channel, np.arange(paths.channels)
    base = paths.channels + 1
    if order * np.log2(base) > 62:
        raise UsageError(f"a Markov chain of order {order} over {paths.channels} channels; take a lower --order")
    memory = _memories(paths.starts, paths.channel, base, base**order)
    codes, state = np.unique(memory, return_inverse=True)
    if len(codes) > STATES_MAX:
        raise UsageError(
            f"a Markov chain of order {order} has {len(codes):,} states here; at most {STATES_MAX:,}: take a lower --order"
        )
    return state, codes % base - 1


@compiled
def _memories(starts: Ints, channel: Ints, base: int, size: int) -> Ints:
    memory = np.empty(len(channel), dtype=np.int64)
    for path in range(len(starts) - 1):
        code = 0
        for touch in range(starts[path], starts[path + 1]):
            code = (code * base + channel[touch] + 1) % size
            memory[touch] = code
    return memory


def _counted(paths: Paths, state: Ints, channel: Ints) -> Moves:
    m = len(channel)
    if m > STATES_MAX:
        raise UsageError(f"a Markov chain over {m:,} channels; at most {STATES_MAX:,}: attribute by channel")
    moves = Moves(np.zeros(m), np.zeros((m, m)), np.zeros(m), np.zeros(m), channel)
    _count(paths.starts, state, (paths.sales, paths.nulls), moves)
    return moves


@compiled
def _count(starts: Ints, state: Ints, walked: tuple[Floats, Floats], moves: Moves) -> None:
    sales, nulls = walked
    for path in range(len(starts) - 1):
        a, b = starts[path], starts[path + 1]
        times = sales[path] + nulls[path]
        moves.start[state[a]] += times
        for touch in range(a + 1, b):
            moves.steps[state[touch - 1], state[touch]] += times
        moves.sold[state[b - 1]] += sales[path]
        moves.ended[state[b - 1]] += times


def _rates(moves: Moves) -> tuple[Floats, NDArray[np.float64], Floats]:
    """Start distribution, transition matrix between states, and probability to sell next."""
    leaving = moves.steps.sum(axis=1) + moves.ended
    scale = np.divide(1.0, leaving, out=np.zeros_like(leaving), where=leaving > 0)
    total = moves.start.sum()
    return moves.start / (total if total else 1.0), moves.steps * scale[:, None], moves.sold * scale


def _solved_by_channel(moves: Moves, channels: int) -> Chain:
    """Order 1: P without k = P - Pr(meet k) x Pr(sale | at k), both of which stand in the fundamental matrix."""
    start, steps, sold = _rates(moves)
    visits = np.linalg.inv(np.eye(channels) - steps)
    from_state = visits @ sold
    conversion = float(start @ from_state)
    meets = (start @ visits) / np.diagonal(visits)
    return Chain(conversion, meets * from_state / conversion if conversion > 0 else np.zeros(channels))


def _solved_by_states(moves: Moves, channels: int) -> Chain:
    start, steps, sold = _rates(moves)
    everywhere = np.arange(len(sold))
    conversion = _reached(start, steps, sold, everywhere)
    effect = np.zeros(channels)
    for channel in range(channels if conversion > 0 else 0):
        left = _reached(start, steps, sold, np.flatnonzero(moves.channel != channel))
        effect[channel] = max(1.0 - left / conversion, 0.0)
    return Chain(conversion, effect)


def _reached(start: Floats, steps: NDArray[np.float64], sold: Floats, kept: Ints) -> float:
    """Probability of a sale by way of the kept states alone."""
    within = np.eye(len(kept)) - steps[np.ix_(kept, kept)]
    return float(start[kept] @ np.linalg.solve(within, sold[kept]))
