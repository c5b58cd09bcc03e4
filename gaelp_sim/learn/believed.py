"""Expected gains of all actions, averaged exactly over what a user may be believed to be.

Where quality ranks bids, the same bid wins more often for those in whose eyes the ad is good, and they are not worth the
same: the average of gains is not the gain of averages. States are gathered by how their ads rank, which takes few values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.compiled import compiled
from gaelp_sim.events import Bools, Floats
from gaelp_sim.market.actions import LEVELS
from gaelp_sim.planning.belief import STAGES
from gaelp_sim.planning.dynamics import Dynamics
from gaelp_sim.planning.expecting import LEVELS as LEVEL_COLUMNS
from gaelp_sim.planning.expecting import UNLIKELY, Codes, levels_of
from gaelp_sim.planning.prices import looked_up
from gaelp_sim.planning.recursion import led
from gaelp_sim.planning.states import INTENT, LIVE, SEGMENT, STAGE


class Ranks(NamedTuple):
    """How ads rank, by option (a creative in a channel) and state: few values."""

    place: NDArray[np.int8]
    """(options, states): which of the values"""
    value: Floats
    """(options, values)"""


@dataclass(frozen=True)
class Beliefs:
    """What is believed of those to whom a round's opportunities belong."""

    channel: Codes
    signal: Codes
    listed: Bools
    belief: Floats
    """(n, belief)"""


def ranks_of(at: Dynamics) -> Ranks:
    """Gather the states by rank."""
    rows = [np.unique(row, return_inverse=True) for row in at.options.rank]
    value = np.zeros((len(rows), max(len(values) for values, _ in rows)))
    for option, (values, _) in enumerate(rows):
        value[option, : len(values)] = values
    return Ranks(np.stack([place for _, place in rows]).astype(np.int8), value)


def believed_gains(
    at: Dynamics, ranks: Ranks, of: Beliefs, worth: tuple[NDArray[np.float32], float, float], sizes: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Gain in dollars of each action, (n, actions), and lift of each creative, (n, creatives); 0 for what is not to be had.

    worth: (what states are worth after the hour's auctions, value of a dollar, factor on the hour's prices);
    sizes: (actions, creatives)
    """
    parts = _gathered(at, ranks, (of.channel, of.listed), of.belief, worth[0])
    gain = _gains(at, ranks, (of.channel, of.signal), parts, (worth[1], worth[2], LEVELS, sizes[0]))
    return gain, _lifts(at, of.channel, parts[0], sizes[1])


@compiled
def _gathered(
    at: Dynamics, ranks: Ranks, whom: tuple[Codes, Bools], beliefs: Floats, after: NDArray[np.float32]
) -> tuple[Floats, Floats]:
    """(n, options, values) each: lift, and what of the price a win pays, by rank; both times their chance."""
    (channel, listed), ours, shown = whom, at.options, at.options.shown
    most, values = np.diff(ours.first).max(), ranks.value.shape[1]
    n, states, cells = len(channel), ours.paid.shape[1], beliefs.shape[1] - LEVEL_COLUMNS - 2
    lift, paid = np.zeros((n, most, values)), np.zeros((n, most, values))
    likely, steps = np.empty(4 * 3 * 4 * 4), np.empty(4 * 3 * 4 * 4, dtype=np.int64)
    pays, place_of = ours.paid, ranks.place
    # What follows from a state is the same for all who may be in it: it is worked out once.
    losing, winning = np.full(len(at.lost.to), np.nan), np.full(len(shown.to), np.nan)
    for i in range(n):
        c = channel[i]
        first, options = ours.first[c], ours.first[c + 1] - ours.first[c]
        count = levels_of(beliefs[i], cells, likely, steps) if options > 0 else 0
        for cell in range(cells if options > 0 else 0):
            stage = cell % STAGES
            group = int(listed[i]) * (cells // STAGES) + cell // STAGES
            base = group * SEGMENT + min(stage, INTENT) * STAGE
            for k in range(count):
                part, state = beliefs[i, cell] * likely[k], base + steps[k]
                if part < UNLIKELY:
                    continue
                lost_row = c * states + state
                if stage != LIVE and np.isnan(losing[lost_row]):
                    losing[lost_row] = led(at.lost.to, at.lost.chance, lost_row, after)
                for option in range(options):
                    rank = place_of[first + option, state]
                    paid[i, option, rank] += part * pays[first + option, state]
                    if stage != LIVE:  # who has decided costs, and brings nothing
                        row = (first + option) * states + state
                        if np.isnan(winning[row]):
                            winning[row] = shown.sale_usd[row] + led(shown.to, shown.chance, row, after)
                        lift[i, option, rank] += part * (winning[row] - losing[lost_row])
    return lift, paid


@compiled
def _gains(
    at: Dynamics, ranks: Ranks, seen: tuple[Codes, Codes], parts: tuple[Floats, Floats],
    choice: tuple[float, float, Floats, int],
) -> NDArray[np.float32]:
    (channel, signal), (lift, paid), (money, factor, levels, actions) = seen, parts, choice
    bids, values, stands = len(levels) - 1, ranks.value.shape[1], at.options.stands
    found = np.zeros((len(channel), actions), dtype=np.float32)
    # Chances to win and costs at each level are the same for all of a signal's opportunities: they are looked up once.
    most, signals = lift.shape[1], len(at.prices.market_usd)
    wins, costs = np.full((signals, most, values, bids), np.nan), np.empty((signals, most, values, bids))
    for i in range(len(channel)):
        of = signal[i]
        for creative in range(stands.shape[1]):
            row, base = stands[channel[i], creative], 1 + bids * creative
            option = row - at.options.first[channel[i]]
            if option < 0:
                continue
            for value in range(values):
                if paid[i, option, value] <= 0.0:
                    continue
                if np.isnan(wins[of, option, value, 0]):
                    _look_up(at, of, levels[1:] * ranks.value[row, value] / factor,
                             (wins[of, option, value], costs[of, option, value], factor))
                gained, spent = lift[i, option, value], money * paid[i, option, value]
                for level in range(bids):
                    found[i, base + level] += (
                        gained * wins[of, option, value, level] - spent * costs[of, option, value, level]
                    )
    return found


@compiled
def _look_up(at: Dynamics, signal: int, asked: Floats, into: tuple[Floats, Floats, float]) -> None:
    """Chances to win and mean costs of bids, in multiples of the market's price; into: (chances, costs, price factor)."""
    wins, costs, factor = into
    scale = at.prices.market_usd[signal] * factor
    for level in range(len(asked)):
        wins[level] = looked_up(at.prices.below[signal], asked[level])
        costs[level] = scale * looked_up(at.prices.paid[signal], asked[level])


@compiled
def _lifts(at: Dynamics, channel: Codes, lift: Floats, creatives: int) -> NDArray[np.float32]:
    found, first = np.zeros((len(channel), creatives), dtype=np.float32), at.options.first
    for i in range(len(channel)):
        for creative in range(creatives):
            option = at.options.stands[channel[i], creative] - first[channel[i]]
            if option >= 0:
                found[i, creative] = lift[i, option].sum()
    return found
