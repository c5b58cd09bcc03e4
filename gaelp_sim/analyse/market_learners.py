"""Bidders who learn in first-price auctions: alone they find the best reply, together they pay the seller less.

Whatever offers `choose`, `learn` and `settled` can stand in the place of the two small learners of this file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np

from gaelp_sim.analyse.market_lab import UNIT, Check, Lab, gained, mean
from gaelp_sim.analyse.market_revenue import FIRST, SECOND, equilibrium
from gaelp_sim.draws import Words, uniform
from gaelp_sim.events import Floats, Ints

MULTIPLES: Floats = np.arange(5, 101, 5) / 100
"""Bids over value that a lone learner may choose from; coarser ones for the patient."""
COARSE: Floats = np.arange(10, 101, 10) / 100
RIVALS, BATCHES, LOSS_MAX = 4, 100, 0.02
MARKETS, ROUNDS, SETTLED = 128, 4_000, 0.8
SELF_PLAYERS = (2, 3)


class Learner(Protocol):
    """Chooses bids over values by what its earlier choices have gained."""

    def choose(self, luck: Words) -> Floats:
        """Bid over value in each of the next auctions; luck and result: (n,)."""
        ...

    def learn(self, gains: Floats) -> None:
        """What each of the auctions last chosen for has gained: (n,), in values of 1."""
        ...

    def settled(self) -> Floats:
        """Bid over value that it would choose now without trying others: (n,) or (1,)."""
        ...


class Averaging:
    """Tries all multiples in a share of auctions, else bids the one with the best average so far."""

    def __init__(self, explores: float = 0.3) -> None:
        self.explores = explores
        self.tried = np.zeros(len(MULTIPLES))
        self.total = np.zeros(len(MULTIPLES))
        self.chosen = np.zeros(0, dtype=np.int64)

    def choose(self, luck: Words) -> Floats:
        """By the word: the best so far, or any."""
        place = uniform(luck)
        tries = (place / self.explores * len(MULTIPLES)).astype(np.int64)
        self.chosen = np.where(place < self.explores, np.minimum(tries, len(MULTIPLES) - 1), self._best())
        return MULTIPLES[self.chosen]

    def learn(self, gains: Floats) -> None:
        """Into the averages."""
        self.tried += np.bincount(self.chosen, minlength=len(MULTIPLES))
        self.total += np.bincount(self.chosen, weights=gains, minlength=len(MULTIPLES))

    def settled(self) -> Floats:
        """The multiple with the best average."""
        return MULTIPLES[[self._best()]]

    def _best(self) -> int:
        return int(np.argmax(self.total / np.maximum(self.tried, 1)))


class Patient:
    """A Q-learner in each of several markets at once, with one state: a step's worth is its gain and what may follow.

    Source: Watkins (1989); in auctions as Banchio, Skrzypacz (2022), "Artificial intelligence and auction design".
    """

    STEP, PATIENCE, FADES = 0.1, 0.99, 6.0

    def __init__(self, markets: int, rounds: int) -> None:
        self.rounds, self.round = rounds, 0
        self.worth = np.zeros((markets, len(COARSE)))
        self.chosen = np.zeros(markets, dtype=np.int64)
        self.each = np.arange(markets)

    def choose(self, luck: Words) -> Floats:
        """Ever more seldom any, else the best so far; one market a word."""
        explores = max(float(np.exp(-self.FADES * self.round / self.rounds)), 0.01)
        place = uniform(luck)
        tries = np.minimum((place / explores * len(COARSE)).astype(np.int64), len(COARSE) - 1)
        self.chosen = np.where(place < explores, tries, self.worth.argmax(axis=1))
        return COARSE[self.chosen]

    def learn(self, gains: Floats) -> None:
        """A step towards the gain and the best that may follow."""
        goal = gains + self.PATIENCE * self.worth.max(axis=1)
        self.worth[self.each, self.chosen] += self.STEP * (goal - self.worth[self.each, self.chosen])
        self.round += 1

    def settled(self) -> Floats:
        """Each market's best multiple."""
        return COARSE[self.worth.argmax(axis=1)]


def learner_checks(lab: Lab) -> Iterator[Check]:
    """A lone learner against the equilibrium, and learners among themselves."""
    yield best_reply_check(lab, Averaging())
    for players in SELF_PLAYERS:
        yield self_play_check(lab, players, lambda: Patient(MARKETS, ROUNDS))


def best_reply_check(lab: Lab, learner: Learner) -> Check:
    """What a learner's settled bids forgo, as a share of the best reply's utility, .8 v against four who bid .8 v."""
    for batch in range(BATCHES):
        drawn = lab.drawn(RIVALS + 1, batch + 1, lab.auctions // BATCHES)
        multiple = learner.choose(lab.drawn(RIVALS + 1, batch + 1 + BATCHES, lab.auctions // BATCHES).ties)
        learner.learn(_reply(lab, drawn.values, drawn.ties, multiple) / UNIT)
    drawn = lab.drawn(RIVALS + 1)
    best = _reply(lab, drawn.values, drawn.ties, np.array([RIVALS / (RIVALS + 1)])).sum()
    settled = _reply(lab, drawn.values, drawn.ties, learner.settled()).sum()
    return Check("first price, 5 bidders: utility that a learner loses", 0.0, 1 - float(settled / best), LOSS_MAX)


def _reply(lab: Lab, values: Ints, ties: Words, multiple: Floats) -> Ints:
    """What bidder 0 gains by such bids against rivals at the equilibrium: (n,) micros."""
    bids = equilibrium(values)
    bids[0] = np.rint(values[0] * multiple)
    return gained(values[0], lab.sold(FIRST, bids, ties), 0)


def self_play_check(lab: Lab, players: int, make: Callable[[], Learner]) -> Check:
    """First-price revenue of learners among themselves, once settled, over second-price revenue: between 0 and 1."""
    learners = [make() for _ in range(players)]
    first, second = 0.0, 0.0
    for tick in range(ROUNDS):
        luck, ties, _ = lab.luck(MARKETS, 2 * players, tick + 1)
        values = (luck[:players].astype(np.uint64) * np.uint64(UNIT) >> np.uint64(32)).astype(np.int64)
        multiples = np.stack([learner.choose(luck[players + who]) for who, learner in enumerate(learners)])
        sold = lab.sold(FIRST, np.rint(values * multiples).astype(np.int64), ties)
        for who, learner in enumerate(learners):
            learner.learn(gained(values[who], sold, who) / UNIT)
        if tick >= SETTLED * ROUNDS:
            first += mean(sold.price_micros[0])
            second += mean(lab.sold(SECOND, values, ties).price_micros[0])
    what = f"{players} learners in first price: revenue over second price's"
    return Check(what, 0.5, first / second, 0.49)
