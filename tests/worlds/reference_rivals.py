"""Rivals and pacing of the plain world: bids and lessons one auction at a time; what is made of them is the product's."""

from __future__ import annotations

import numpy as np

from gaelp_sim.events import US, Ints
from gaelp_sim.market.learning import CLICKS, SALES, SEEN, SURPLUS, WON, Lessons
from gaelp_sim.market.rivals import ACTIONS, TRUTHFUL
from gaelp_sim.units import PPM
from gaelp_sim.world.board import Board
from gaelp_sim.world.model import Model
from gaelp_sim.world.spending import Spending
from tests.worlds.reference_nouns import Ad

WEEK_S = 7 * 86_400


class PlainRivals:
    """Rivals' seats of world 0, and how accounts are paced."""

    def __init__(self, model: Model) -> None:
        self.model, self.cells = model, model.scenario.cells
        self.board = Board.of(model, np.zeros(1, dtype=np.int64))
        self.spending = Spending.of(model, 1)
        self.limits = [
            account.limit_micros if account.advertiser == US
            else round(account.limit_micros * float(self.board.cast.budget[0, account.advertiser - 1]))
            for account in model.accounts
        ]
        self.sales: list[tuple[int, int, int, int]] = []
        """Reports to come: (second, cell, seat, signal)"""

    def begin_hour(self) -> None:
        """Open the hour's book."""
        self.book, self.worth = self.board.book(np.zeros(1, dtype=np.int64), self.spending.by_rival())
        self.lessons = Lessons.none(self.cells, self.model.seats)
        self.opportunities = 0

    def _value(self, seat: int, word: int) -> float:
        return float(self.model.panel.multiples[self.book.table[0, seat], word >> 16])

    def _action(self, seat: int, channel: int, word: int) -> int:
        if not self.book.picks[0, seat]:
            return TRUTHFUL
        return sum(int(edge) <= (word & 0xFFFF) for edge in self.book.cut[0, seat, channel])

    def bids(self, words: list[int], where: tuple[int, int], factor: float) -> list[int]:
        """Every seat's bid; where: (channel, signal)."""
        channel, signal = where
        found = []
        for seat, word in enumerate(words):
            bid = self._value(seat, word) * float(self.book.scale_micros[0, seat, signal]) * factor
            if self.book.picks[0, seat]:
                bid *= float(ACTIONS[self._action(seat, channel, word)])
            found.append(int(bid))
        return found

    def note(self, cell: int, where: tuple[int, int, float], words: list[int], end: tuple[list[int], list[Ad]]) -> None:
        """What one auction taught each seat; where: (channel, signal, factor), end: (bids as they stood, ads sold)."""
        self.opportunities += 1
        if not self.model.scenario.rivals_learn:
            return
        (channel, signal, factor), (bids, ads) = where, end
        for seat, word in enumerate(words):
            if bids[seat + 1] <= 0:
                continue
            won = [ad for ad in ads if ad.winner == seat + 1]
            told = self.lessons.actions[cell, seat, channel, self._action(seat, channel, word)]
            told[SEEN] += 1
            if self.model.crisis_signals[signal]:
                self.lessons.crises[cell, seat] += [1, len(won)]
            for ad in won:
                level = float(self.worth[0, seat, signal]) * factor
                worth = int(self.model.rules.worth_ppm[channel, ad.place])
                gain = (self._value(seat, word) - ad.price / max(level, 1.0)) * worth / PPM
                told[WON] += 1
                told[SURPLUS] += int(min(max(gain, -1000.0), 1000.0) * PPM)
                self.lessons.clicks[cell, seat, signal, CLICKS] += ad.clicked

    def sold(self, cell: int, clicked: tuple[int, int, int], decision: tuple[int, int, int]) -> None:
        """A sale; clicked: (rival, signal, second) of the last click on a rival; and (advertiser, decided, reported)."""
        (rival, signal, clicked_s), (advertiser, decided_s, reported_s) = clicked, decision
        if advertiser != US and rival == advertiser and decided_s - clicked_s <= WEEK_S:
            self.sales.append((reported_s, cell, advertiser - 1, signal))

    def end_hour(self, hour: int, left: list[int], used: list[int]) -> None:
        """Learn from the hour."""
        due = [sale for sale in self.sales if sale[0] <= hour * 3_600]
        self.sales = [sale for sale in self.sales if sale[0] > hour * 3_600]
        if self.model.scenario.rivals_learn:
            for _, cell, seat, signal in due:
                self.lessons.clicks[cell, seat, signal, SALES] += 1

        def row(values: list[int]) -> Ints:
            return np.array([values], dtype=np.int64)

        self.spending.learn(hour, row([self.opportunities])[0], row(self.limits), (row(left), row(used)))
        if self.board.learns:
            self.board.learn(self.lessons, np.zeros(self.cells, dtype=np.int64))
