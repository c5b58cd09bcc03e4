"""The kinds of thing that may happen to a person, and their rates by segment and stage.

A kind is an opportunity on a channel, or a natural move. Rates are bounds-checked once: a *quiet* person (unaware, no
goodwill, not on the list) can only meet the quiet share of each kind's bound, so the many quiet people cost little.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from math import log
from typing import NamedTuple

import numpy as np

from gaelp_sim.compiled import inlined
from gaelp_sim.events import Floats, Stage
from gaelp_sim.scenario.schema import Scenario, Segment, StageRates, StageShares

STAGES = len(Stage)


class Move(IntEnum):
    """Natural kinds, counted after the channels."""

    UP = 0
    DOWN = 1
    PURCHASE = 2
    CRISIS = 3
    DRIFT = 4
    VISIT = 5
    EMAIL = 6


class Rates(NamedTuple):
    """Events per day of each kind by segment and stage."""

    per_day: Floats
    """(kinds, segments, stages)"""


@inlined
def rate_of(rates: Rates, kind: int, segment: int, stage: int) -> float:
    """Events per day of a kind for a person in this segment and stage."""
    return float(rates.per_day[kind, segment, stage])


@dataclass(frozen=True)
class Kinds:
    """Rates per day of each kind, and the bounds that proposals are drawn under.

    rate_per_day: float, (kinds, segments, stages)
    quiet_bound, active_bound: float, (kinds,); the two add up to the largest rate of the kind
    """

    channels: int
    rate_per_day: Floats
    quiet_bound: Floats
    active_bound: Floats
    rates: Rates
    """The same rates, for compiled code."""

    @property
    def count(self) -> int:
        """How many kinds there are."""
        return len(self.quiet_bound)

    @property
    def segments(self) -> int:
        """How many segments there are."""
        return self.rate_per_day.shape[1]


def by_stage(part: StageRates | StageShares) -> Floats:
    """The four live stages' figures of a scenario part, and 0 for CONVERTED."""
    return np.array([part.unaware, part.aware, part.considering, part.intent, 0.0])


def kinds_of(scenario: Scenario) -> Kinds:
    """Compile the scenario's rates."""
    segments = scenario.population.segments
    channels = len(scenario.channels)
    rates = np.zeros((channels + len(Move), len(segments), STAGES))
    gated = np.zeros(len(rates), dtype=bool)
    for code, channel in enumerate(scenario.channels):
        factors = [segment.search_rate_factor if channel.search_like else 1.0 for segment in segments]
        rates[code] = np.outer(factors, by_stage(channel.opportunities_per_day))
        gated[code] = channel.goodwill_needed > 0
    for code, segment in enumerate(segments):
        rates[channels:, code] = _natural_rates(scenario, segment)
    gated[channels + Move.EMAIL] = True
    bound = rates.max(axis=(1, 2))
    quiet = np.where(gated, 0.0, rates[:, :, Stage.UNAWARE].max(axis=1))
    return Kinds(channels, rates, quiet, bound - quiet, Rates(rates))


def _natural_rates(scenario: Scenario, segment: Segment) -> Floats:
    half_life = scenario.population.forgetting_half_life_days
    rates = np.zeros((len(Move), STAGES))
    up = segment.up_per_day
    rates[Move.UP, :3] = up.unaware, up.aware, up.considering
    rates[Move.DOWN, 1:4] = log(2) / np.array([half_life.aware, half_life.considering, half_life.intent])
    rates[Move.PURCHASE, Stage.INTENT] = segment.purchase_per_day
    rates[Move.CRISIS, :4] = segment.crisis_per_day
    rates[Move.DRIFT, :4] = segment.drift_per_day
    rates[Move.VISIT] = by_stage(scenario.population.visits_per_day)
    rates[Move.EMAIL, :4] = scenario.email.per_day if scenario.email else 0.0
    return rates
