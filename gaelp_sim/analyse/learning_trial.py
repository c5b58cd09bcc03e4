"""The rivals' learners in auctions whose best answer is known: against fixed equilibrium bidders, and among themselves.

Values are uniform on [0, 1]; everything that learns, bids and clears is the product's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gaelp_sim.draws import Draws, Purpose
from gaelp_sim.events import Floats, Ints, Mechanism, Opportunities
from gaelp_sim.market.auction import Offers, Rules, Sale, clear, full_quality
from gaelp_sim.market.cast import Strategy
from gaelp_sim.market.learning import Lessons, Minds, Nature, Offered, Seats, add_lessons, learn, policies
from gaelp_sim.market.rivals import ACTIONS, WHOLE, Book, Panel, quantile_table

LEVEL_MICROS = 500_000_000
"""Half of the greatest value: the table of values is uniform on [0, 2]."""


class Table(NamedTuple):
    """Who sits at the table: (seats,) each."""

    strategy: Ints
    scale: Floats
    """What fixed seats make of their values"""
    learns: tuple[bool, ...]

    @staticmethod
    def against_fixed(strategy: Strategy, seats: int, multiple: float) -> Table:
        """One learner, and others who bid `multiple` x value."""
        kinds = np.full(seats, int(Strategy.LOGNORMAL))
        kinds[0] = strategy
        scale = np.full(seats, multiple)
        scale[0] = 1.0
        return Table(kinds, scale, (True, *(False,) * (seats - 1)))

    @staticmethod
    def of_learners(strategy: Strategy, seats: int) -> Table:
        """Nothing but learners."""
        return Table(np.full(seats, int(strategy)), np.ones(seats), (True,) * seats)


@dataclass
class Played:
    """What an hour of auctions came to: (worlds,) money, relative to the greatest value and per auction."""

    utility: Floats
    """Of seat 0"""
    revenue: Floats


class LearningTrial:
    """Worlds side by side in which the same table bids hour after hour."""

    def __init__(self, table: Table, mechanism: Mechanism, size: tuple[int, int], seed: int = 0) -> None:
        """size: (worlds, auctions per world and hour)."""
        self.table, (self.worlds, self.per_hour) = table, size
        self.draws, self.hour = Draws(seed), 0
        seats = len(table.strategy)
        self.rules = Rules.of_sales([Sale(mechanism)])
        self.panel = Panel(quantile_table("random", 0.0)[None], np.zeros(seats, dtype=np.int64), 0, 0)
        shape = (self.worlds, seats)
        self.nature = Nature(
            np.tile(table.strategy, (self.worlds, 1)), np.tile(table.learns, (self.worlds, 1)), np.zeros(shape, dtype=bool),
            np.array([mechanism == Mechanism.SECOND_PRICE]), np.zeros((*shape, 1)),
        )
        self.minds = Minds.fresh(self.worlds, (seats, 1, 1))
        self.cut = np.full((*shape, 1, len(ACTIONS)), WHOLE, dtype=np.int64)

    def run(self, hours: int) -> None:
        """Let them learn for so many hours."""
        for _ in range(hours):
            lessons = Lessons.none(self.worlds, (len(self.table.strategy), 1, 1))
            self.play(lessons)
            learn(self.minds, self.nature, lessons)

    def freeze(self) -> None:
        """Nobody explores or learns from now on."""
        self.nature = self.nature._replace(learns=np.zeros_like(self.nature.learns))

    def play(self, lessons: Lessons | None = None) -> Played:
        """One hour of auctions."""
        policies(self.minds, self.nature, self.cut)
        shape = self.nature.strategy.shape
        worth = np.full((*shape, 1), float(LEVEL_MICROS))
        scale = worth * np.tile(self.table.scale, (self.worlds, 1))[:, :, None]
        book = Book(np.zeros(shape, dtype=np.int64), scale, self.cut, self.minds.hours > 0.0)
        n, seats = self.worlds * self.per_hour, shape[1]
        unit, zero = np.repeat(np.arange(self.worlds), self.per_hour), np.zeros(n, dtype=np.int16)
        place = np.tile(np.arange(self.per_hour), self.worlds)
        words = [self.draws.words(Purpose.OPPORTUNITY, unit, place, self.hour, slot)[0] for slot in range(seats + 1)]
        self.hour += 1
        luck, factor = np.stack(words[:seats]), np.ones(self.worlds)
        bids = self.panel.bid(Opportunities(place, unit, place, zero, zero, zero), book, factor, luck)
        offers = Offers(np.vstack([np.zeros((1, n), dtype=np.int64), bids]), full_quality(seats + 1, n), zero, words[seats])
        sold = clear(offers, self.rules)
        if lessons is not None:
            told = Seats(self.panel.multiples, book, worth, factor, np.zeros(1, dtype=bool), self.rules.worth_ppm)
            nobody = np.zeros(sold.winner.shape, dtype=bool)
            add_lessons(lessons, told, Offered(
                unit, zero, zero, luck, offers.bid_micros, sold.winner, sold.price_micros, nobody
            ))
        return self._played(luck[0], sold.winner[0], sold.price_micros[0])

    def _played(self, luck: Ints, winner: Ints, price: Ints) -> Played:
        value = self.panel.multiples[0][luck >> np.uint32(16)] * LEVEL_MICROS
        gain = np.where(winner == 1, value - price, 0.0) / (2 * LEVEL_MICROS)
        shape = (self.worlds, self.per_hour)
        return Played(gain.reshape(shape).mean(axis=1), (price / (2 * LEVEL_MICROS)).reshape(shape).mean(axis=1))


def mean_played(trial: LearningTrial, hours: int) -> Played:
    """Mean over some hours, nobody learning."""
    played = [trial.play() for _ in range(hours)]
    return Played(np.mean([p.utility for p in played], axis=0), np.mean([p.revenue for p in played], axis=0))
