"""Clicks, and what a touch does to the person who met it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.compiled import inlined
from gaelp_sim.events import FatigueFamily, Floats, Stage
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import PPM

GOODWILL_MAX = 3
RIVAL_GOODWILL_MAX = 2
FATIGUE_MAX = 3
_INTENT = int(Stage.INTENT)
Whole = int | np.int64


class Effects(NamedTuple):
    """Tables of the response model, by channel and stage, segment and creative."""

    click_rate: Floats
    """(channels, stages), before segment and quality"""
    segment_click: Floats
    """(segments,)"""
    examined: Floats
    """(channels,)"""
    click_moves: Floats
    view_moves: Floats
    view_goodwill: Floats
    """(channels,)"""
    match: Floats
    """(creatives, stages)"""
    family: NDArray[np.int8]
    """(creatives,)"""
    worn: Floats
    """(FATIGUE_MAX + 1,): exp(-lambda f)"""
    buy_on_click: Floats
    """(segments, GOODWILL_MAX + 1, RIVAL_GOODWILL_MAX + 1)"""
    click_goodwill: float
    overexposure_from: int
    overexposure_harm: float
    rival_move_factor: float
    rival_click_goodwill: float

    @staticmethod
    def of(scenario: Scenario) -> Effects:
        """Compile the scenario's response model."""
        response, channels = scenario.response, scenario.channels
        return Effects(
            np.stack([_stages(channel.click_rate) for channel in channels]),
            np.array([segment.click_rate_factor for segment in scenario.population.segments]),
            np.array([channel.examined for channel in channels]),
            np.stack([_stages(channel.click_moves_up) for channel in channels]),
            np.stack([_stages(channel.view_moves_up) for channel in channels]),
            np.array([channel.view_adds_goodwill for channel in channels]),
            np.stack([_stages(creative.match) for creative in scenario.creatives]),
            np.array([FatigueFamily[c.family.upper()] for c in scenario.creatives], dtype=np.int8),
            np.exp(-response.fatigue_per_exposure * np.arange(FATIGUE_MAX + 1)),
            _buy_on_click(scenario),
            float(response.click_adds_goodwill), response.overexposure_from, float(response.overexposure_harm),
            float(response.rival_move_factor), float(response.rival_click_goodwill),
        )


@inlined
def quality_of(effects: Effects, creative: int, stage: int, fatigue: int) -> float:
    """How well a creative works on a person now: match x exp(-lambda x recent exposures)."""
    return float(effects.match[creative, stage] * effects.worn[fatigue])


@inlined
def click_rate_of(effects: Effects, channel: int, segment: int, stage: int) -> float:
    """Probability of a click on an ad of quality 1 in the top slot."""
    return float(effects.click_rate[channel, stage] * effects.segment_click[segment])


@inlined
def quality_ppm(quality: float) -> int:
    """Quality as the integer score auctions rank by, at least 1 ppm."""
    return max(int(np.rint(quality * PPM)), 1)


class Ad(NamedTuple):
    """An ad that a person looked at."""

    ours: bool
    channel: int
    creative: int
    """Ours; any code for a rival's"""
    clicked: bool
    quality: float
    """Of our creative"""
    click_rate: float
    """Of an ad of quality 1 in this place"""


class Standing(NamedTuple):
    """How a person stands before an ad, and after it."""

    stage: Whole
    goodwill: Whole
    rival_goodwill: Whole
    fatigue_teach: Whole
    fatigue_offer: Whole


@inlined
def respond(effects: Effects, ad: Ad, before: Standing, effect: int, extra: int) -> Standing:
    """What an ad that was looked at does; effect, extra: words of luck.

    Our click: one stage up with the channel's click effect x quality, goodwill + 1.
    Our view without a click: one stage up, else goodwill + 1, else (over-exposed) goodwill - 1.
    A rival's ad: one stage up at a reduced rate (rivals teach the category), else goodwill for rivals + 1.
    Source: notes on the economy, section 2.
    """
    luck = effect * 2.0**-32
    moves = effects.click_moves if ad.ours and ad.clicked else effects.view_moves
    move_rate = moves[ad.channel, before.stage] * (ad.quality if ad.ours else effects.rival_move_factor)
    moved = luck < move_rate
    # One uniform decides move, else goodwill, else harm: what is left of it above the move is uniform again.
    rest = 1.0 if moved else (luck - move_rate) / max(1.0 - move_rate, 1e-12)
    stage, goodwill, rivals = before.stage + int(moved), before.goodwill, before.rival_goodwill
    teach, offer = before.fatigue_teach, before.fatigue_offer
    if not ad.ours:
        rivals += int(not moved and rest < effects.view_goodwill[ad.channel] + effects.rival_click_goodwill * ad.click_rate)
        return Standing(stage, goodwill, min(rivals, RIVAL_GOODWILL_MAX), teach, offer)
    family = effects.family[ad.creative]
    if ad.clicked:
        goodwill += int((extra & 0xFFFF) < effects.click_goodwill * 2**16)
    else:
        gains = effects.view_goodwill[ad.channel] * effects.worn[teach if family == 0 else offer]
        harm = effects.overexposure_harm if teach + offer >= effects.overexposure_from else 0.0
        if rest < gains:
            goodwill += 1
        elif rest < gains + (1 - gains) * harm:
            goodwill -= 1
    teach, offer = min(teach + int(family == 0), FATIGUE_MAX), min(offer + int(family == 1), FATIGUE_MAX)
    return Standing(stage, min(max(goodwill, 0), GOODWILL_MAX), rivals, teach, offer)


@inlined
def buys_on_click(effects: Effects, segment: int, before: Standing, extra: int) -> bool:
    """True where somebody in INTENT who clicked our ad decides at once to buy from us; extra: a word of luck."""
    rate = effects.buy_on_click[segment, before.goodwill, before.rival_goodwill]
    return bool(before.stage == _INTENT and (extra >> 16) < rate * 2**16)


def _buy_on_click(scenario: Scenario) -> Floats:
    slope = scenario.response.click_buy_goodwill
    kappa = np.array([segment.purchase_per_click for segment in scenario.population.segments])
    ours = np.exp(slope * np.arange(GOODWILL_MAX + 1))
    theirs = np.exp(-slope * np.arange(RIVAL_GOODWILL_MAX + 1))
    return np.minimum(kappa[:, None, None] * ours[:, None] * theirs, 1.0)


def _stages(part: object) -> Floats:
    """Figures of the live stages; 0 where the part leaves a stage out, and for CONVERTED."""
    names = ("unaware", "aware", "considering", "intent", "converted")
    return np.array([float(getattr(part, name, 0.0)) for name in names])


