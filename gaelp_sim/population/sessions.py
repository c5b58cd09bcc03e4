"""What a session is like: the device it happens on, and the query or audience signal it shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.draws import Words, uniform
from gaelp_sim.events import DeviceKind, Floats
from gaelp_sim.population.kinds import by_stage
from gaelp_sim.scenario.schema import Channel, Scenario, Signal, StageRates

Codes = NDArray[np.int16]

# Plain integers: looking a member up in an enum costs more than the shift.
_DESKTOP, _TABLET = int(DeviceKind.DESKTOP), int(DeviceKind.TABLET)


@dataclass(frozen=True)
class Sessions:
    """Tables for the device chain and for P(signal | channel, stage, crisis)."""

    stays: float
    desktop_weight: Floats
    tablet_weight: float
    signal_edges: Floats
    """(channels * 2 * stages, signals_max - 1): cumulative shares; 2 = in the crisis segment or not"""
    first_signal: Codes
    """(channels,): code of the channel's first signal"""
    crisis_segment: NDArray[np.bool_]
    """(segments,)"""

    @staticmethod
    def of(scenario: Scenario) -> Sessions:
        """Compile the scenario's devices and signals."""
        devices = scenario.population.devices
        widest = max(len(channel.signals) for channel in scenario.channels)
        edges = np.concatenate([_signal_edges(channel, widest) for channel in scenario.channels])
        counts = [len(channel.signals) for channel in scenario.channels]
        return Sessions(
            devices.stays_on_device, by_stage(devices.desktop_weight), devices.tablet_weight, edges,
            (np.cumsum(counts) - counts).astype(np.int16),
            np.array([segment.crisis for segment in scenario.population.segments]),
        )

    def device(self, last: NDArray[np.int8], owned: NDArray[np.int8], stage: NDArray[np.int8], luck: Words) -> NDArray[np.int8]:
        """Next device of the Markov chain: stay, or move by the stage's odds among those owned.

        Source: notes on users, section 1.2: the odds from mobile to desktop rise towards INTENT.
        """
        place = uniform(luck)
        device = last.copy()
        moving = np.flatnonzero(place >= self.stays)
        place, owned = place[moving], owned[moving]
        mobile = 1.0
        desktop = self.desktop_weight[stage[moving]] * (owned >> _DESKTOP & 1)
        tablet = self.tablet_weight * (owned >> _TABLET & 1)
        share = (place - self.stays) / max(1.0 - self.stays, 1e-12) * (mobile + desktop + tablet)
        device[moving] = (share >= mobile).astype(np.int8) + (share >= mobile + desktop)
        return device

    def signal(self, channel: Codes, segment: NDArray[np.int8], stage: NDArray[np.int8], luck: Words) -> Codes:
        """Query class or audience signal of each opportunity, by channel, stage and crisis."""
        index = (channel.astype(np.int64) * 2 + self.crisis_segment[segment]) * 5 + stage
        edges = self.signal_edges[index]
        within = (uniform(luck)[:, None] >= edges).sum(axis=1)
        return (self.first_signal[channel] + within).astype(np.int16)


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
    edges = np.full((2 * shares.shape[1], widest - 1), 2.0)
    cumulative = np.cumsum(shares, axis=2)[:, :, :-1].reshape(len(edges), -1)
    edges[:, : cumulative.shape[1]] = cumulative
    return edges
