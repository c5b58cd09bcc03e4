"""The nouns that flow through the simulator: codes, and frozen bundles of equal-length numpy columns.

Every arrow of the pipeline is a function from one of these bundles to another. Codes are small integers; their names
stand in the scenario (channels, creatives, ...) or here (stages, statuses). `NONE` marks "no such thing" in any code,
time or money column, so that no column ever holds a null.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Column = NDArray[Any]

NONE = -1
US = 0
"""Code of our own advertiser; rivals count from 1."""
FEATURE_COUNT = 41


class Stage(IntEnum):
    """Where a person stands on the way to buying."""

    UNAWARE = 0
    AWARE = 1
    CONSIDERING = 2
    INTENT = 3
    CONVERTED = 4


class JourneyStatus(IntEnum):
    """How a journey stands; NONE for a person who has not met an ad yet."""

    NONE = 0
    ACTIVE = 1
    CONVERTED = 2
    LOST = 3


class TouchKind(IntEnum):
    """What kind of thing happened to the person."""

    IMPRESSION = 0
    EMAIL = 1
    VISIT = 2


class DecisionStatus(IntEnum):
    """What became of one of our bid decisions."""

    NOT_ENTERED = 0
    LOST = 1
    WON = 2
    DROPPED_BUDGET = 3


class ConversionVia(IntEnum):
    """How the decision to buy came about: by the hazard of INTENT, or at once on a click."""

    HAZARD = 0
    CLICK = 1


class TriggerKind(IntEnum):
    """What shifted a person's segment: a crisis of their own, one that struck the whole world, or drift."""

    CRISIS_PERSON = 0
    CRISIS_WORLD = 1
    SEGMENT_DRIFT = 2


class DeviceKind(IntEnum):
    """The kinds of device a person may own."""

    MOBILE = 0
    DESKTOP = 1
    TABLET = 2


class FatigueFamily(IntEnum):
    """Creatives wear out by family: comparison pages and emergency creatives are variants of the offer."""

    TEACH = 0
    OFFER = 1


class Mechanism(IntEnum):
    """How a channel's auction prices its slots."""

    FIRST_PRICE = 0
    SECOND_PRICE = 1
    GSP = 2
    VCG = 3


class Charge(IntEnum):
    """What an advertiser pays for: each click, or each impression (price per thousand)."""

    CPC = 0
    CPM = 1


@dataclass(frozen=True)
class Columns:
    """A bundle of equal-length columns; row i of every column speaks of the same thing."""

    # A frozen bundle without slots keeps its columns, in order, in __dict__: `fields` costs ten times more (measured).
    def __len__(self) -> int:
        return len(next(iter(self.__dict__.values())))

    def take(self, rows: Column | slice) -> dict[str, Column]:
        """The columns at `rows` (indices, a mask or a slice), by name."""
        return {name: column[rows] for name, column in self.__dict__.items()}


@dataclass(frozen=True)
class Proposals(Columns):
    """What may happen to people: drawn per person and day, the same under every policy; thinned by state later."""

    row: Ints
    """Row of the person in the stack's columns."""
    second: Ints
    """Second since the root run's start at which it may happen."""
    kind: NDArray[np.int16]
    """Index into the population's kinds: opportunity channels first, then natural moves."""
    mark: Floats
    """Thinning mark, events per day: the proposal comes true where the mark is below the person's present rate."""
    luck_device: NDArray[np.uint32]
    luck_query: NDArray[np.uint32]


@dataclass(frozen=True)
class Opportunities(Columns):
    """Ad slots up for auction in one round, in clearing order within each (world, cell) unit."""

    row: Ints
    """Row of the person in the stack's columns."""
    unit: Ints
    """Index of the (world, cell) unit in the stack."""
    second: Ints
    channel: NDArray[np.int16]
    signal: NDArray[np.int16]
    """Query class or audience signal that bidders see."""
    device: NDArray[np.int16]


@dataclass(frozen=True)
class Bids(Columns):
    """One bidder's answer to a batch of opportunities.

    Invariants: bids are >= 0 micros (per click or per thousand impressions, as the channel charges); 0 stays out.
    Propensity is the probability of the triple (participate, level, creative) under the bidder's policy.
    """

    bid_micros: Ints
    level: NDArray[np.int16]
    creative: NDArray[np.int16]
    propensity: Floats


@dataclass(frozen=True)
class Outcomes(Columns):
    """How the auctions of one round ended, a row per opportunity (single winner of the top slot)."""

    winner: NDArray[np.int16]
    """Advertiser code, or NONE where nobody met the reserve."""
    price_micros: Ints
    """Clearing price per click or per thousand impressions; 0 where unsold."""
    charge_micros: Ints
    """What the winner pays for this one: the price on a click, or ceil(price / 1000) for an impression."""
    clicked: Bools
    examined: Bools


@dataclass(frozen=True)
class Statistics:
    """What a bidder learned in one unit and hour, as additive arrays: sums over cells are sums of these."""

    sums: NDArray[np.int64]
