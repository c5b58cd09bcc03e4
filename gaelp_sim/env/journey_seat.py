"""Our seat in the auctions: an agent outside bids for one user, a policy of the house for everybody else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.events import NONE, US, Bids, Column, Floats, Ints, Opportunities, Outcomes, Statistics
from gaelp_sim.market.actions import Actions
from gaelp_sim.market.bidder import Bidder, Known, Moment, informed
from gaelp_sim.observe.features import Truth
from gaelp_sim.population.people import FATIGUE_OFFER, FATIGUE_TEACH, GOODWILL, RIVAL_GOODWILL
from gaelp_sim.world.knowing import features_of
from gaelp_sim.world.log import Table
from gaelp_sim.world.stack import Stack


@dataclass(frozen=True)
class Met:
    """An opportunity of the user, as the agent is asked about it."""

    features: NDArray[np.float32]
    """(41,)"""
    channel: int
    hour: int
    """Since the world's birth"""
    user: int
    """Id under which we know the user"""


@dataclass
class JourneySeat:
    """A bidder that asks for its action at each opportunity of the user.

    The user is whomever we take for the one whom we first met in the person: devices that join the account are theirs
    from then on, devices that we cannot tell belong to them are not.
    """

    others: Bidder
    actions: Actions
    person: int
    """Row of the person in the stack"""
    full: bool
    """The truth in the latent features"""
    ask: Callable[[Met], int]
    stack: Stack | None = None
    """Where the seat sits, told once it is built"""
    device: int = NONE
    """On which we first met the user"""
    others_met: set[int] = field(default_factory=set)
    """Rows of the people met, undecided, for as long as the user is not: any of them might be the user instead"""

    @property
    def name(self) -> str:
        """Who bids."""
        return self.others.name

    @property
    def notes(self) -> int:
        """Floats that the others' policy keeps of each user."""
        told = informed(self.others)
        return told.notes if told is not None else 0

    @property
    def sees_truth(self) -> bool:
        """Whether it is told the truth: for features in mode full, or as the others' policy is an oracle."""
        told = informed(self.others)
        return self.full or (told is not None and told.sees_truth)

    @property
    def observes(self) -> bool:
        """Whether the others' policy looks at features."""
        told = informed(self.others)
        return told is not None and told.observes

    def bid(self, opportunities: Opportunities, moment: Moment) -> Bids:
        """The others' policy's bids; the engine asks `bid_knowing`."""
        return self.others.bid(opportunities, moment)

    def bid_knowing(self, opportunities: Opportunities, moment: Moment, known: Known) -> Bids:
        """The others' policy's bids, but for the user the agent's; nothing for a user who has decided to buy."""
        told = informed(self.others)
        bids = self.others.bid(opportunities, moment) if told is None else told.bid_knowing(opportunities, moment, known)
        at = self._place_of_user(opportunities, known)
        if not len(at):
            return bids
        action = np.array([0 if self.bought() else self._asked(opportunities, moment, known, at)], dtype=np.int64)
        one = Bids(bids.bid_micros.copy(), bids.level.copy(), bids.creative.copy(), bids.propensity.copy())
        one.bid_micros[at] = self.actions.bid_micros(action, opportunities.signal[at])
        one.level[at], one.creative[at] = self.actions.level(action), np.maximum(self.actions.creative(action), 0)
        one.propensity[at] = 1.0
        return one

    def note(self, opportunities: Opportunities, ended: tuple[Bids, Outcomes], known: Known) -> None:
        """Let the others' policy write its notes."""
        told = informed(self.others)
        if told is not None:
            told.note(opportunities, ended, known)

    def observe(self, opportunities: Opportunities, outcomes: Outcomes) -> Statistics:
        """Nothing: the agent learns outside."""
        return Statistics(np.zeros(0, dtype=np.int64))

    def update(self, statistics: Statistics) -> None:
        """Nothing to update."""

    def bought(self) -> bool:
        """Whether the person has decided to buy, from us or from another."""
        return bool(self._stack.people.decided_s[self.person] != NONE)

    def spent_micros(self, touches: Table) -> int:
        """What these touches (columns row or person_id, device, advertiser, price_micros) cost us for the user."""
        if not touches or self.device == NONE:
            return 0
        row = touches["row"] if "row" in touches else touches["person_id"]
        ours = np.flatnonzero((touches["advertiser"] == US) & (touches["price_micros"] > 0))
        theirs = self._stack.users_of(row[ours], touches["device"][ours]) == self._user
        return int(touches["price_micros"][ours][theirs].sum())

    def value_micros(self, sales: Table) -> int:
        """What our sales to the person among these (columns person_id, advertiser, value_micros) are worth."""
        if not sales:
            return 0
        own = (sales["person_id"] == self.person) & (sales["advertiser"] == US)
        return int(sales["value_micros"][own].sum())

    @property
    def _stack(self) -> Stack:
        assert self.stack is not None, "the seat is told its stack before the first hour"
        return self.stack

    @property
    def _user(self) -> int:
        return int(self._stack.users_of(np.array([self.person]), np.array([self.device]))[0])

    def _place_of_user(self, opportunities: Opportunities, known: Known) -> Ints:
        if self.device == NONE:
            at = np.flatnonzero(opportunities.row == self.person)
            if not len(at) or self.bought():
                undecided = self._stack.people.decided_s[opportunities.row] == NONE
                self.others_met.update(opportunities.row[undecided].tolist())
                return at[:0]
            self.device = int(opportunities.device[at[0]])
        return np.flatnonzero(known.user == self._user)

    def _asked(self, opportunities: Opportunities, moment: Moment, known: Known, at: Ints) -> int:
        one, user = Opportunities(**opportunities.take(at)), known.user[at]
        truth = self._truth(one, known, at) if self.full else None
        channel = int(one.channel[0])
        action = self.ask(Met(
            features_of(self._stack, one, user, truth)[0], channel, moment.hour, int(self._stack.resolved_user(user)[0])
        ))
        return action if self.actions.allowed[channel, action] else 0

    def _truth(self, one: Opportunities, known: Known, at: Ints) -> Truth:
        assert known.truth is not None
        segment, level = known.truth.segment[at], known.truth.level[:, at]
        return Truth(
            segment, known.truth.stage[at], level[GOODWILL], level[RIVAL_GOODWILL], level[FATIGUE_TEACH],
            level[FATIGUE_OFFER], *(self._trait(name, segment) for name in ("attention", "price_sensitivity", "urgency")),
        )

    def _trait(self, name: str, segment: Column) -> Floats:
        segments = self._stack.model.scenario.population.segments
        return np.array([getattr(part, name) for part in segments], dtype=np.float64)[segment]
