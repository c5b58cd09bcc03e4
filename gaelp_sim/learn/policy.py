"""A trained network as a bidder: what it sees is the 41 features and its own memory of the user, nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from gaelp_sim.compiled import compiled
from gaelp_sim.draws import uniform
from gaelp_sim.errors import BidderError
from gaelp_sim.events import Bids, Bools, Floats, Ints, Opportunities, Outcomes, Statistics
from gaelp_sim.learn.network import JourneyNet, mixed, probabilities
from gaelp_sim.learn.q_network import QNet
from gaelp_sim.market.actions import Actions
from gaelp_sim.market.bidder import Known, Moment
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import PPM, SECONDS_PER_DAY

BATCH = 2_048
"""Decisions taken at once: the fastest size measured."""
FLOOR = 0.002
"""Share of decisions taken at random among what is allowed, so that logs of the policy can be evaluated."""
_COUNT, _SECOND = -1, -2
"""Columns of a note, from its end: decisions so far (when users become one, the memory with more survives), last second."""


@dataclass(frozen=True)
class Decided:
    """Decisions of a round, (n,) columns."""

    action: Ints
    propensity: Floats
    days: NDArray[np.float32]
    """Since the user's opportunity before; 0 for the first"""
    value: NDArray[np.float32]
    allowed: Bools
    """(n, actions)"""
    chances: Floats
    """(n, actions)"""


@dataclass
class LearnedPolicy:
    """The network in our seat; its memory of each user is kept in the world's notes, and so across days and runs."""

    name: str
    net: JourneyNet | QNet
    actions: Actions
    floor: float = FLOOR
    sees_truth: bool = False
    observes: bool = True
    greedy: bool = False
    """Take the likeliest action; the floor's exploration aside"""

    @staticmethod
    def of(scenario: Scenario, net: JourneyNet | QNet, *, floor: float = FLOOR, greedy: bool = False) -> LearnedPolicy:
        """The network in our seat of a scenario."""
        return LearnedPolicy(scenario.us.name, net.eval(), Actions.of(scenario), floor, greedy=greedy)

    @property
    def notes(self) -> int:
        """Floats kept of each user: the memory twice, the second of the last decision, the number of decisions."""
        return 2 * self.net.shape.hidden + 2

    def bid(self, opportunities: Opportunities, moment: Moment) -> Bids:
        """Refused: it bids on features and its memory of users, which only a run has."""
        raise BidderError("bidder checkpoint: it bids on what a run lets it observe, so it can only bid inside a run")

    def bid_knowing(self, opportunities: Opportunities, moment: Moment, known: Known) -> Bids:
        """Draw an action for each opportunity from the policy; its memory of the users moves on.

        Each unit's opportunities are decided by themselves: sums of floats come out a last bit apart in other company, and
        a world's rows must not depend on the worlds that are simulated beside it.
        """
        decided = self.decide(opportunities, moment, known, by_unit(opportunities.unit, 1))
        return self.bids(opportunities, moment, decided)

    def bids(self, opportunities: Opportunities, moment: Moment, decided: Decided) -> Bids:
        """The decisions as bids, paced by our sheet."""
        bid = self.actions.bid_micros(decided.action, opportunities.signal)
        pace = moment.multiplier_ppm[opportunities.unit, opportunities.channel]
        creative = np.maximum(self.actions.creative(decided.action), 0).astype(np.int16)
        return Bids(bid * pace // PPM, self.actions.level(decided.action), creative, decided.propensity)

    def decide(
        self, opportunities: Opportunities, moment: Moment, known: Known, groups: list[Ints] | None = None
    ) -> Decided:
        """Actions with exact propensities. The notes are written at once: the memory does not depend on outcomes.

        groups: places of opportunities that are decided together; by default all of them
        """
        assert known.observation is not None
        hidden = self.net.shape.hidden
        note = known.notes[known.user]
        second = opportunities.second.astype(np.float32)
        days = np.where(note[:, _COUNT] > 0, (second - note[:, _SECOND]) / SECONDS_PER_DAY, 0.0).astype(np.float32)
        logits, value = self._run((known.observation, note[:, : 2 * hidden], days), groups)
        allowed = self.actions.allowed[opportunities.channel]
        chances = probabilities(logits, allowed, 0.0)
        if self.greedy:
            chances = (chances == chances.max(axis=1, keepdims=True)).astype(np.float64)
            chances /= chances.sum(axis=1, keepdims=True)
        chances = mixed(chances, allowed, self.floor)
        action = _drawn(chances, uniform(moment.luck))
        note[:, _SECOND] = second
        note[:, _COUNT] += 1.0
        known.notes[known.user] = note
        return Decided(action, chances[np.arange(len(action)), action], days, value, allowed, chances)

    def _run(
        self, seen: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]], groups: list[Ints] | None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Logits and values of (observations, memories, days); the memories become those after it, in place."""
        n, shape = len(seen[0]), self.net.shape
        hidden, memory = shape.hidden, seen[1]
        logits, value = np.empty((n, shape.actions), dtype=np.float32), np.empty(n, dtype=np.float32)
        with torch.inference_mode():
            for part in _parts(n, groups):
                observation, before, days = (torch.from_numpy(column[part]) for column in seen)
                state = (before[None, :, :hidden].contiguous(), before[None, :, hidden:].contiguous())
                out, worth, (h, c) = self.net.step(observation, state, days)
                logits[part], value[part] = out.numpy(), worth.numpy()
                memory[part, :hidden], memory[part, hidden:] = h[0].numpy(), c[0].numpy()
        return logits, value

    def note(self, opportunities: Opportunities, ended: tuple[Bids, Outcomes], known: Known) -> None:
        """Outcomes reach the memory through the features of the next opportunity."""

    def observe(self, opportunities: Opportunities, outcomes: Outcomes) -> Statistics:
        """Nothing: it learns in training alone."""
        return Statistics(np.zeros(0, dtype=np.int64))

    def update(self, statistics: Statistics) -> None:
        """Nothing to update."""


def by_unit(unit: Ints, together: int) -> list[Ints]:
    """Places of opportunities in groups of so many units side by side, each in the order of its units."""
    order = np.argsort(unit, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(unit[order] // together)) + 1)


def _parts(n: int, groups: list[Ints] | None) -> Iterator[Ints | slice]:
    """What is decided at once: at most BATCH of a group; slices where all are one, which are not copied."""
    if groups is None:
        yield from (slice(first, first + BATCH) for first in range(0, n, BATCH))
        return
    for group in groups:
        yield from (group[first : first + BATCH] for first in range(0, len(group), BATCH))


@compiled
def _drawn(chances: Floats, luck: Floats) -> Ints:
    """(n,): the action at which the luck falls; the last one that can be where the sum falls short of it by rounding."""
    found = np.empty(len(luck), dtype=np.int64)
    for i in range(len(luck)):
        reached, last = 0.0, 0
        for action in range(chances.shape[1]):
            reached += chances[i, action]
            if chances[i, action] > 0.0:
                last = action
            if reached >= luck[i]:
                last = action
                break
        found[i] = last
    return found
