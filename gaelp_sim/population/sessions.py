"""What a session is like: the device it happens on, and the query or audience signal it shows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.compiled import inlined
from gaelp_sim.events import DeviceKind, Floats
from gaelp_sim.population.kinds import by_stage
from gaelp_sim.scenario.schema import Channel, Scenario, Signal, StageRates

Codes = NDArray[np.int16]

# Plain integers: looking a member up in an enum costs more than the shift.
_DESKTOP, _TABLET = int(DeviceKind.DESKTOP), int(DeviceKind.TABLET)


class Chain(NamedTuple):
    """Tables for the device chain and for P(signal | channel, stage, crisis)."""

    stays: float
    desktop_weight: Floats
    """(stages,)"""
    tablet_weight: float
    signal_edges: Floats
    """(channels, 2, stages, signals_max - 1): cumulative shares; 2 = in the crisis segment or not"""
    first_signal: Codes
    """(channels,): code of the channel's first signal"""
    crisis_segment: NDArray[np.bool_]
    """(segments,)"""


def chain_of(scenario: Scenario) -> Chain:
    """Compile the scenario's devices and signals."""
    devices = scenario.population.devices
    widest = max(len(channel.signals) for channel in scenario.channels)
    counts = [len(channel.signals) for channel in scenario.channels]
    return Chain(
        float(devices.stays_on_device), by_stage(devices.desktop_weight), float(devices.tablet_weight),
        np.stack([_signal_edges(channel, widest) for channel in scenario.channels]),
        (np.cumsum(counts) - counts).astype(np.int16),
        np.array([segment.crisis for segment in scenario.population.segments]),
    )


@inlined
def next_device(chain: Chain, last: int, owned: int, stage: int, luck: int) -> int:
    """Next device of the Markov chain: stay, or move by the stage's odds among those owned.

    owned: bitmask by DeviceKind; luck: a word
    Source: notes on users, section 1.2: the odds from mobile to desktop rise towards INTENT.
    """
    place = luck * 2.0**-32
    if place < chain.stays:
        return last
    desktop = chain.desktop_weight[stage] if owned >> _DESKTOP & 1 else 0.0
    tablet = chain.tablet_weight if owned >> _TABLET & 1 else 0.0
    share = (place - chain.stays) / max(1.0 - chain.stays, 1e-12) * (1.0 + desktop + tablet)
    return int(share >= 1.0) + int(share >= 1.0 + desktop)


@inlined
def signal_of(chain: Chain, channel: int, segment: int, stage: int, luck: int) -> int:
    """Query class or audience signal of an opportunity, by channel, stage and crisis; luck: a word."""
    edges = chain.signal_edges[channel, int(chain.crisis_segment[segment]), stage]
    place, signal = luck * 2.0**-32, int(chain.first_signal[channel])
    for edge in edges:
        signal += int(place >= edge)
    return signal


def signal_shares(channel: Channel) -> Floats:
    """P(signal | crisis, stage) of a channel: (2, stages, signals), each row of a live stage summing to 1."""
    ordinary = np.array([by_stage(signal.share) for signal in channel.signals]).T
    crisis = np.array([by_stage(_crisis_share(signal)) for signal in channel.signals]).T
    shares = np.stack([ordinary, crisis])
    total = shares.sum(axis=2, keepdims=True)
    return np.divide(shares, total, out=np.full_like(shares, 1.0 / shares.shape[2]), where=total > 0)


def _crisis_share(signal: Signal) -> StageRates:
    return signal.crisis_share or signal.share


def _signal_edges(channel: Channel, widest: int) -> Floats:
    shares = signal_shares(channel)
    edges = np.full((*shares.shape[:2], widest - 1), 2.0)
    edges[:, :, : shares.shape[2] - 1] = np.cumsum(shares, axis=2)[:, :, :-1]
    return edges
