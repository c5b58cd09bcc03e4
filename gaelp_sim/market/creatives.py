"""Which creative to show: what fits a signal and a user, what is not worn out, and what has been clicked.

Families wear out, creatives don't: `rotate` turns to the best creative of the other family. `thompson` learns a click rate
for each creative on each signal and world; its hourly pick is state, not action, so propensities stay what they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.draws import Draws, Purpose, Who, Words, normal_quantile, uniform
from gaelp_sim.events import NONE, Bools, FatigueFamily, Floats, Ints
from gaelp_sim.scenario.schema import Channel, Creative, Scenario, StageMatch, StageRates

Codes = NDArray[np.int16]
SHOWN, CLICKED = range(2)
"""What is counted of each creative on each signal."""
_LIVE = ("unaware", "aware", "considering", "intent")
_SPREAD = np.array([0.70, 0.20, 0.08, 0.02])
"""People by stage, as the rule takes them to be spread."""
_CLICK_RATE_MIN, _CLICK_RATE_MAX = 1e-4, 0.5
_ATTEMPTS = 6


class Fits(NamedTuple):
    """The creatives that fit, by signal; the first axis is by whether the user has clicked us before."""

    best: Codes
    """(2, signals)"""
    other: Codes
    """(2, signals): the best of the other family; the same as `best` where the campaign has none"""
    family: NDArray[np.int8]
    """(creatives,)"""
    options: Codes
    """(channels, creatives_max): codes a channel's campaign may show, repeated to fill the row"""
    option_count: Ints
    """(channels,); 0 where we run no campaign"""

    @staticmethod
    def of(scenario: Scenario) -> Fits:
        """Compile the choice for a scenario."""
        eligible = [_eligible(scenario, channel) for channel in scenario.channels]
        widest = max(1, *(len(codes) for codes in eligible))
        options = np.array([(codes * widest or [0] * widest)[:widest] for codes in eligible], dtype=np.int16)
        ranked = [
            [_ranked(scenario, place, number, moved) for place, channel in enumerate(scenario.channels)
             for number in range(len(channel.signals))]
            for moved in (0.0, scenario.us.policy.returning_moves_up)
        ]
        family = np.array([FatigueFamily[c.family.upper()] for c in scenario.creatives], dtype=np.int8)
        best = np.array([[codes[0] for codes in row] for row in ranked], dtype=np.int16)
        other = np.array([[_other(codes, family) for codes in row] for row in ranked], dtype=np.int16)
        return Fits(best, other, family, options, np.array([len(codes) for codes in eligible]))


def _eligible(scenario: Scenario, channel: Channel) -> list[int]:
    codes = [creative.name for creative in scenario.creatives]
    for campaign in scenario.us.campaigns:
        if campaign.channel == channel.name:
            return [codes.index(name) for name in campaign.creatives]
    return []


def _ranked(scenario: Scenario, place: int, number: int, moved: float) -> list[int]:
    """Creatives of a channel's campaign, best expected match first; made-for ones win among equals.

    place, number: the channel's, and the signal's among the channel's own; moved: share of users one stage further on
    """
    channel = scenario.channels[place]
    signal = channel.signals[number]
    weight = _stage_weights(channel, signal.share)
    weight = (1.0 - moved) * weight + moved * np.concatenate([[0.0], weight[:2], weight[2:].sum(keepdims=True)])
    fits: list[tuple[float, bool, int]] = []
    for code in _eligible(scenario, channel):
        creative: Creative = scenario.creatives[code]
        match = _stages(creative.match)
        fits.append((round(float(match @ weight), 9), signal.name in creative.made_for, -code))
    return [-code for _, _, code in sorted(fits, reverse=True)] or [0]


def _other(ranked: list[int], family: NDArray[np.int8]) -> int:
    return next((code for code in ranked if family[code] != family[ranked[0]]), ranked[0])


def _stages(part: StageMatch | StageRates) -> Floats:
    return np.array([getattr(part, name) for name in _LIVE])


def _stage_weights(channel: Channel, share: StageRates) -> Floats:
    """P(stage | signal) up to a factor, as if people were spread 70:20:8:2 over the stages."""
    return _SPREAD * _stages(channel.opportunities_per_day) * _stages(share)


@dataclass(frozen=True)
class ClickRates:
    """Beta posteriors of each creative's click rate on each signal, and picks from them (Thompson sampling)."""

    draws: Draws
    prior_blanks: Floats
    """(signals,): the prior is one click among so many impressions without one"""
    eligible: Bools
    """(signals, creatives)"""

    @staticmethod
    def of(scenario: Scenario, draws: Draws) -> ClickRates | None:
        """Priors of a scenario under `creatives: thompson`, else None.

        All creatives begin alike: at the channel's click rate over the stages that the signal speaks of.
        """
        if scenario.us.policy.creatives != "thompson":
            return None
        blanks, eligible = [], []
        for channel in scenario.channels:
            for signal in channel.signals:
                weight = _stage_weights(channel, signal.share)
                rate = float(_stages(channel.click_rate) @ weight) / max(float(weight.sum()), 1e-12)
                blanks.append(1.0 / min(max(rate, _CLICK_RATE_MIN), _CLICK_RATE_MAX) - 1.0)
                eligible.append(np.isin(np.arange(len(scenario.creatives)), _eligible(scenario, channel)))
        return ClickRates(draws, np.array(blanks), np.stack(eligible))

    def picks(self, counts: Ints, worlds: Ints, hour: int) -> Codes:
        """The creative to show on each signal in an hour: the greatest of one rate drawn for each from its posterior.

        counts: (worlds, 2, signals, creatives), so far SHOWN and CLICKED
        Returns (worlds, signals), 0 where nothing may be shown.
        """
        clicks, blanks = counts[:, CLICKED], counts[:, SHOWN] - counts[:, CLICKED]
        shape = clicks.shape
        one = 1.0 + clicks.astype(np.float64)
        other = self.prior_blanks[None, :, None] + blanks.astype(np.float64)
        pair = np.arange(shape[1] * shape[2])
        key = np.repeat(worlds, len(pair)), np.tile(pair, shape[0]), hour
        rates = self._sampled(one.reshape(-1), other.reshape(-1), key)
        found = np.where(self.eligible, rates.reshape(shape), float(NONE))
        return found.argmax(axis=2).astype(np.int16)

    def _sampled(self, one: Floats, other: Floats, key: tuple[Ints, Ints, int]) -> Floats:
        """One Beta(one, other) each, both parameters at least 1, as the share of two gammas."""
        world, entity, hour = key
        who = Who(world, entity, np.full(len(entity), hour, dtype=np.int64))
        words = self.draws.blocks(Purpose.CREATIVE_PICK, who, slots=_ATTEMPTS)
        gamma = _gammas(np.stack([one, other]), words.reshape(_ATTEMPTS, 2, 2, len(entity)))
        share: Floats = gamma[0] / (gamma[0] + gamma[1])
        return share


def _gammas(shape: Floats, words: Words) -> Floats:
    """Gamma variables of these shapes, each at least 1; words: (attempts, shapes, 2, n), the first that holds counts.

    Marsaglia and Tsang, "A simple method for generating gamma variables" (2000): 19 of 20 first attempts hold, so that
    one in 10**7 is left to the last attempt's value, held or not.
    """
    place = uniform(words) + 2.0**-33
    normal, d = normal_quantile(place[:, :, 0]), shape - 1.0 / 3.0
    v = (1.0 + normal / np.sqrt(9.0 * d)) ** 3
    positive = np.maximum(v, 1e-300)
    holds = (v > 0) & (np.log(place[:, :, 1]) < 0.5 * normal**2 + d - d * positive + d * np.log(positive))
    holds[-1] = True
    first = holds.argmax(axis=0)[None]
    return np.take_along_axis(d * positive, first, axis=0)[0]
