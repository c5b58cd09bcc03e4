"""Clicks, and what a touch does to the person who met it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.draws import Words, uniform
from gaelp_sim.events import US, Bools, FatigueFamily, Floats, Ints, Stage
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import PPM

GOODWILL_MAX = 3
RIVAL_GOODWILL_MAX = 2
FATIGUE_MAX = 3
_STAGES = len(Stage)

Codes = NDArray[np.int16]
Levels = NDArray[np.int8]


@dataclass(frozen=True)
class Effects:
    """Tables of the response model, by channel x stage (flattened), segment and creative."""

    click_rate: Floats
    """(channels * stages,), before segment and quality"""
    segment_click: Floats
    """(segments,)"""
    examined: Floats
    """(channels,)"""
    click_moves: Floats
    view_moves: Floats
    view_goodwill: Floats
    """(channels,)"""
    match: Floats
    """(creatives * stages,)"""
    family: NDArray[np.int8]
    """(creatives,)"""
    worn: Floats
    """(FATIGUE_MAX + 1,): exp(-lambda f)"""
    buy_on_click: Floats
    """(segments * (GOODWILL_MAX + 1) * (RIVAL_GOODWILL_MAX + 1),)"""
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
            np.concatenate([_stages(channel.click_rate) for channel in channels]),
            np.array([segment.click_rate_factor for segment in scenario.population.segments]),
            np.array([channel.examined for channel in channels]),
            np.concatenate([_stages(channel.click_moves_up) for channel in channels]),
            np.concatenate([_stages(channel.view_moves_up) for channel in channels]),
            np.array([channel.view_adds_goodwill for channel in channels]),
            np.concatenate([_stages(creative.match) for creative in scenario.creatives]),
            np.array([FatigueFamily[c.family.upper()] for c in scenario.creatives], dtype=np.int8),
            np.exp(-response.fatigue_per_exposure * np.arange(FATIGUE_MAX + 1)),
            _buy_on_click(scenario),
            response.click_adds_goodwill, response.overexposure_from, response.overexposure_harm,
            response.rival_move_factor, response.rival_click_goodwill,
        )

    def quality(self, creative: Codes, stage: Levels, fatigue: Levels) -> Floats:
        """How well a creative works on these people now: match x exp(-lambda x recent exposures)."""
        return self.match[creative.astype(np.int64) * _STAGES + stage] * self.worn[fatigue]

    def clicks(self, channel: Codes, segment: Levels, stage: Levels, luck: Words) -> tuple[Floats, Floats]:
        """Base click rate of each opportunity, and the click's uniform: clicked where luck < rate x quality."""
        rate = self.click_rate[channel.astype(np.int64) * _STAGES + stage] * self.segment_click[segment]
        return rate, uniform(luck)


def quality_ppm(quality: Floats) -> Ints:
    """Quality as the integer score auctions rank by, at least 1 ppm."""
    return np.maximum(np.rint(quality * PPM), 1).astype(np.int64)


@dataclass(frozen=True)
class Met:
    """One slot's touches: what each person met, (n,) columns; only rows with a winner."""

    winner: Codes
    channel: Codes
    creative: Codes
    segment: Levels
    stage: Levels
    goodwill: Levels
    rival_goodwill: Levels
    fatigue: Levels
    """(2, n), by family"""
    clicked: Bools
    examined: Bools
    base_rate: Floats
    quality: Floats
    luck_effect: Words
    luck_extra: Words


@dataclass(frozen=True)
class Changed:
    """The levels after a touch, and who decided at once to buy from us."""

    stage: Levels
    goodwill: Levels
    rival_goodwill: Levels
    fatigue: Levels
    buys: Bools


def respond(effects: Effects, met: Met) -> Changed:
    """Apply one slot's touches.

    Our click: one stage up with the channel's click effect x quality, goodwill + 1, in INTENT perhaps a purchase.
    Our view without a click: one stage up, else goodwill + 1, else (over-exposed) goodwill - 1.
    A rival's ad: one stage up at a reduced rate (rivals teach the category), else goodwill for rivals + 1.
    Source: notes on the economy, section 2.
    """
    ours = met.winner == US
    click, view = ours & met.clicked, ours & met.examined & ~met.clicked
    rival = ~ours & met.examined
    place = met.channel.astype(np.int64) * _STAGES + met.stage
    move_rate = np.where(click, effects.click_moves[place], effects.view_moves[place])
    move_rate *= np.where(ours, met.quality, effects.rival_move_factor)
    luck = uniform(met.luck_effect)
    seen = ours & met.examined | rival
    moved = seen & (luck < move_rate)
    family = effects.family[met.creative]
    worn = met.fatigue[family, np.arange(len(family))]
    # One uniform decides move, else goodwill, else harm: what is left of it above the move is uniform again.
    rest = np.where(moved, 1.0, (luck - move_rate) / np.maximum(1.0 - move_rate, 1e-12))
    gains_view = np.where(view, effects.view_goodwill[met.channel] * effects.worn[worn], 0.0)
    goodwill = met.goodwill + (view & (rest < gains_view))
    over = view & (met.fatigue.sum(axis=0) >= effects.overexposure_from)
    goodwill -= over & (rest >= gains_view) & (rest < gains_view + (1 - gains_view) * effects.overexposure_harm)
    goodwill += click & ((met.luck_extra & np.uint32(0xFFFF)) < effects.click_goodwill * 2**16)
    gains_rival = effects.view_goodwill[met.channel] + effects.rival_click_goodwill * met.base_rate
    rival_goodwill = met.rival_goodwill + (rival & ~moved & (rest < gains_rival))
    fatigue = met.fatigue.copy()
    fatigue[family, np.arange(len(family))] += ours & met.examined
    return Changed(
        (met.stage + moved).astype(np.int8),
        np.clip(goodwill, 0, GOODWILL_MAX).astype(np.int8),
        np.minimum(rival_goodwill, RIVAL_GOODWILL_MAX).astype(np.int8),
        np.minimum(fatigue, FATIGUE_MAX).astype(np.int8),
        click & _buys(effects, met),
    )


def _buys(effects: Effects, met: Met) -> Bools:
    intent = met.stage == Stage.INTENT
    place = (met.segment.astype(np.int64) * (GOODWILL_MAX + 1) + met.goodwill) * (RIVAL_GOODWILL_MAX + 1)
    rate = effects.buy_on_click[place + met.rival_goodwill]
    return intent & ((met.luck_extra >> np.uint32(16)) < rate * 2**16)


def _buy_on_click(scenario: Scenario) -> Floats:
    slope = scenario.response.click_buy_goodwill
    kappa = np.array([segment.purchase_per_click for segment in scenario.population.segments])
    ours = np.exp(slope * np.arange(GOODWILL_MAX + 1))
    theirs = np.exp(-slope * np.arange(RIVAL_GOODWILL_MAX + 1))
    return np.minimum(kappa[:, None, None] * ours[:, None] * theirs, 1.0).ravel()


def _stages(part: object) -> Floats:
    """Figures of the live stages; 0 where the part leaves a stage out, and for CONVERTED."""
    names = ("unaware", "aware", "considering", "intent", "converted")
    return np.array([float(getattr(part, name, 0.0)) for name in names])


