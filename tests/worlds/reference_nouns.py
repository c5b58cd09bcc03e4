"""The nouns of the plain reference world: plain numbers, one object per person, proposal and ad."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from gaelp_sim.events import NONE


@dataclass
class Person:
    """One person's state."""

    id: int
    cell: int
    segment: int
    stage: int
    owned: int
    level: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    level_s: int = 0
    now: int = 0
    """The last moment at which something happened."""
    last_rival: int = NONE
    clicked_rival: tuple[int, int, int] = (NONE, NONE, 0)
    """Rival, signal and second of the last click on a rival's ad."""
    on_list: bool = False
    device: int = 0
    logged_in: set[int] = field(default_factory=set)
    decided: bool = False
    shown: list[list[tuple[int, int, float]]] = field(default_factory=lambda: [[], [], [], []])
    """(second, family, looks as we reckon) of our impressions, by the slot under which we remember them."""
    clicks: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    """Clicks that we remember: of the account, then of each device before it logged in."""

    def moment(self, second: int) -> int:
        """When a natural move proposed for this second takes place: not before what has happened already."""
        self.now = max(self.now, second)
        return self.now


@dataclass(frozen=True)
class Proposal:
    """Something that may happen to a person."""

    second: int
    kind: int
    mark: float
    luck_device: int
    luck_query: int


@dataclass
class Ad:
    """One slot of one auction, sold."""

    winner: int
    price: int
    charge: int
    clicked: bool
    place: int


@dataclass
class Result:
    """What happened, as plain tuples."""

    spend: dict[tuple[int, int], int] = field(default_factory=lambda: defaultdict(int))
    """Micros by (day, advertiser)."""
    touches: list[tuple[int, ...]] = field(default_factory=list)
    """(person, second, slot, kind, advertiser, channel, creative, device, charge, examined, clicked)"""
    sales: list[tuple[int, ...]] = field(default_factory=list)
    """(person, decided, advertiser, via, purchased, reported, value)"""
    shifts: list[tuple[int, ...]] = field(default_factory=list)
    """(person, second, new segment)"""
    stages: list[int] = field(default_factory=list)


@dataclass
class Chance:
    """The luck of one opportunity: words by what they are for."""

    bids: list[int]
    ties: int
    decay: list[float]
    examined: int
    account: int
    response: list[tuple[int, int, int]]
    """By slot: click, effect, extra."""
