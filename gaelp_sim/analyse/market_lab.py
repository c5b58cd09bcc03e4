"""Where auctions are tried: values drawn as the simulator draws its luck, sold by the simulator's own auction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from gaelp_sim.draws import Draws, Who, Words
from gaelp_sim.events import NONE, Ints
from gaelp_sim.market import auction, budgets
from gaelp_sim.market.auction import Cleared, Offers, Rules, Sale, full_quality
from gaelp_sim.market.budgets import Budgets, Round, Spent
from gaelp_sim.world.luck import parted, round_words

UNIT = 10**9
"""Micros of the value 1 where values are uniform on [0, 1]: fine enough that rounding does not show."""
TOLERANCE_AUCTIONS = 1_000_000
"""Tolerances of averages are about four standard errors at this number of auctions; fewer auctions widen them."""


@dataclass(frozen=True)
class Check:
    """One thing that must hold: what theory or definition expects, and what came out."""

    check: str
    expected: float
    got: float
    tolerance: float
    """0 where it must be exact"""

    @property
    def passed(self) -> bool:
        """Whether `got` lies within the tolerance."""
        return bool(abs(self.got - self.expected) <= self.tolerance)

    def as_json(self) -> dict[str, Any]:
        """The fields by name, and whether it passed."""
        return {
            "check": self.check, "expected": self.expected, "got": self.got, "tolerance": self.tolerance,
            "passed": self.passed,
        }


class Drawn(NamedTuple):
    """The luck of n auctions."""

    values: Ints
    """(bidders, n): uniform on [0, UNIT)"""
    ties: Words
    clicks: Words


@dataclass(frozen=True)
class Lab:
    """The auctions under test, and the luck they are tried with."""

    auctions: int
    draws: Draws
    clear: Callable[[Offers, Rules], Cleared] = auction.clear
    clear_within_budgets: Callable[[Budgets, Offers, Round, Rules], Spent] = budgets.clear_within_budgets

    def luck(self, n: int, bidders: int, tick: int) -> tuple[Words, Words, Words]:
        """Words of a round of n opportunities, as `world/` draws them: one a bidder, (bidders, n), ties, clicks."""
        who = Who(np.zeros(n, dtype=np.int64), np.arange(n), np.full(n, tick))
        luck = parted(round_words(self.draws, who, bidders), bidders)
        return luck.bids, luck.ties, luck.click

    def drawn(self, bidders: int, tick: int = 0, n: int | None = None) -> Drawn:
        """Values and luck of n auctions (default: all)."""
        words, ties, clicks = self.luck(self.auctions if n is None else n, bidders, tick)
        return Drawn((words.astype(np.uint64) * np.uint64(UNIT) >> np.uint64(32)).astype(np.int64), ties, clicks)

    def sold(self, sale: Sale, bids: Ints, ties: Words, quality: Ints | None = None) -> Cleared:
        """The auctions of these bids, (bidders, n), on one channel."""
        n = bids.shape[1]
        quality = full_quality(len(bids), n) if quality is None else quality
        return self.clear(Offers(bids, quality, np.zeros(n, dtype=np.int16), ties), Rules.of_sales([sale]))

    def within(self, tolerance: float) -> float:
        """The tolerance of an average, as wide as the number of auctions makes it."""
        return tolerance * (TOLERANCE_AUCTIONS / self.auctions) ** 0.5


def mean(micros: Ints) -> float:
    """The average of money in units of the value 1."""
    return float(micros.mean()) / UNIT


def gained(values: Ints, cleared: Cleared, bidder: int) -> Ints:
    """What a bidder of these values, (n,), gains in each auction of one slot, in micros: value - price where it won."""
    return np.where(cleared.winner[0] == bidder, values - cleared.price_micros[0], 0)


def of_winners(columns: Ints, winner: Ints) -> Ints:
    """Each winner's entry of (bidders, n) columns, 0 where nobody won."""
    return np.where(winner == NONE, 0, columns[np.maximum(winner, 0), np.arange(len(winner))])


def rows_that(wrong: Any) -> float:
    """How many rows are wrong."""
    return float(np.count_nonzero(wrong))


def shaded(values: Ints, percent: int) -> Ints:
    """Bids of so many percent of the values."""
    return values * percent // 100
