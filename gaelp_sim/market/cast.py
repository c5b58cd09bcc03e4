"""Who sits in the rivals' seats of each world: strategies, values and budgets, as written or drawn."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np

from gaelp_sim.draws import Draws, Purpose, normal_quantile, uniform
from gaelp_sim.events import Bools, Floats, Ints
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import micros

FIVE_SEATS_MEDIAN = 1.97
"""Median of the maximum of five lognormals of sigma .6, over the median of one (notes on the economy, section 3)."""
RULE_DEFENCE = 1.3
"""The rule defends branded and late queries by this factor, and saves a little elsewhere."""
RULE_ELSEWHERE = 0.95
CRISIS_LIFT = 1.5
"""A signal speaks of a crisis where people in one show it this many times as often as others."""


class Strategy(IntEnum):
    """How a rival comes to its bids; the last three learn."""

    LOGNORMAL = 0
    RULE = 1
    RANDOM = 2
    Q_LEARNING = 3
    POLICY_GRADIENT = 4
    VALUE = 5
    OUTSIDE = 6
    """Somebody's own bidder sits there."""


ADAPTIVE = np.array([False, True, False, True, True, True, False])
"""By strategy: bids harder after losing people in a crisis. Some don't adapt."""


class Difficulty(NamedTuple):
    """What a level of the curriculum makes of the rivals that the scenario describes."""

    value: float
    """Factor on what opportunities are worth to them"""
    learners: int
    """How many of the learning seats may learn, from the first; the others keep the bids they began with"""


DIFFICULTIES = {
    "easy": Difficulty(0.5, 0), "moderate": Difficulty(0.7, 1), "hard": Difficulty(0.85, 2), "full": Difficulty(1.0, 64),
}


class Cast(NamedTuple):
    """The seats of some worlds, (worlds, rivals)."""

    strategy: Ints
    value: Floats
    """What an opportunity is worth to it, as a multiple of what the scenario says"""
    budget: Floats
    """The same for its budgets"""
    learns: Bools


def cast_of(scenario: Scenario, draws: Draws, worlds: Ints) -> Cast:
    """The rivals of these worlds: as the scenario writes them, or as each world draws them (`variation`).

    worlds: (worlds,) ids; a world's cast depends on the run's seed and its id alone
    """
    rivals, variation = len(scenario.rivals), scenario.variation
    seats = np.arange(rivals)
    words = draws.words(Purpose.RIVAL_STATE, np.repeat(worlds, rivals), np.tile(seats, len(worlds)), 0)
    luck = [uniform(word).reshape(len(worlds), rivals) + 2.0**-33 for word in words]
    level = DIFFICULTIES[scenario.difficulty]
    value = level.value * np.exp(variation.rival_value_sd * normal_quantile(luck[0]))
    budget = np.exp(variation.rival_budget_sd * normal_quantile(luck[1]))
    written = np.array([Strategy[rival.strategy.upper()] for rival in scenario.rivals], dtype=np.int64)
    strategy = np.tile(written, (len(worlds), 1))
    if variation.rival_strategies:
        pool = np.array([Strategy[name.upper()] for name in variation.rival_strategies], dtype=np.int64)
        strategy = pool[(luck[2] * len(pool)).astype(np.int64)]
    return Cast(strategy, value, budget, who_learns(scenario, strategy))


def who_learns(scenario: Scenario, strategy: Ints) -> Bools:
    """Which seats of these strategies may learn in a scenario: (worlds, rivals)."""
    able = (strategy >= Strategy.Q_LEARNING) & (strategy <= Strategy.VALUE)
    first: Bools = np.cumsum(able, axis=1) <= DIFFICULTIES[scenario.difficulty].learners
    return able & first & scenario.rivals_learn


def market_level_micros(scenario: Scenario) -> Floats:
    """A single seat's median bid for each signal code, in micros."""
    prices = [micros(signal.price_median_usd) for channel in scenario.channels for signal in channel.signals]
    return np.array(prices, dtype=np.float64) / FIVE_SEATS_MEDIAN


def own_level_micros(scenario: Scenario, cast: Cast) -> Floats:
    """Each seat's median bid before it has learned anything, in micros: (worlds, rivals, signals)."""
    level = np.array([rival.level for rival in scenario.rivals])[:, None] * market_level_micros(scenario)
    rule = cast.strategy == Strategy.RULE
    defended = np.where(rule[:, :, None], level * defence(scenario), level)
    return defended * cast.value[:, :, None]


def defence(scenario: Scenario) -> Floats:
    """The defensive rule's factor on each signal: up on rivals' brands and in the later half of search's queries."""
    factors = []
    for channel in scenario.channels:
        for place, signal in enumerate(channel.signals):
            late = channel.search_like and place >= len(channel.signals) // 2
            factors.append(RULE_DEFENCE if late or signal.branded == "rival" else RULE_ELSEWHERE)
    return np.array(factors)


def crisis_signals(scenario: Scenario) -> Bools:
    """True for signals by which an advertiser tells people in a crisis: (signals,)."""
    told = []
    for channel in scenario.channels:
        for signal in channel.signals:
            calm = sum(signal.share.model_dump().values())
            crisis = sum(signal.crisis_share.model_dump().values()) if signal.crisis_share else calm
            told.append(crisis >= CRISIS_LIFT * calm and crisis > 0)
    return np.array(told, dtype=bool)


def channel_of_signal(scenario: Scenario) -> Ints:
    """The channel of each signal code: (signals,)."""
    return np.repeat(np.arange(len(scenario.channels)), [len(channel.signals) for channel in scenario.channels])
