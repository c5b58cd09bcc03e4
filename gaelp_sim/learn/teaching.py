"""What only a simulator can tell a learner: what every action was worth on average, given what the person truly was.

The planner's table says what winning is worth over losing (the lift); the price to beat has a known distribution. So the
expected gain of each bid is a number, without any luck: lift x P(win) - what is paid on average. There are two of them:
what is gained given what the person truly is, and that averaged over what an observer who knows the scenario's constants
may believe the person to be. The second has the same mean for whoever sees no more than the observer, and far less
spread. The policy that acts is told neither; it is pushed towards what gains most over everybody who looks like this user.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.compiled import compiled
from gaelp_sim.events import Bids, Floats, Ints, Opportunities, Outcomes, Statistics
from gaelp_sim.learn.believed import Beliefs, Ranks, believed_gains, ranks_of
from gaelp_sim.learn.policy import LearnedPolicy, by_unit
from gaelp_sim.market.actions import BIDS, LEVELS
from gaelp_sim.market.bidder import Known, Moment
from gaelp_sim.observe.table import COLUMN, USD_HIGH
from gaelp_sim.planning.bidders import Believer, Clairvoyant
from gaelp_sim.planning.dynamics import Dynamics
from gaelp_sim.planning.expecting import Codes, Offer
from gaelp_sim.planning.prices import looked_up

WORLDS_TOGETHER = 12
"""Worlds whose decisions go through the network at once: sums of floats come out a last bit apart in other company, so
these are always the same ones, whoever lives through them"""
KEPT = ("user", "second", "channel", "signal", "action", "propensity", "days", "value")
"""Columns kept of every decision."""
BUDGETS = [COLUMN["daily_remaining_usd"], COLUMN["monthly_remaining_usd"]]


@dataclass
class Teacher:
    """A learned policy in our seat, watched by one who knows: what it saw and did is kept, with what it should have
    known."""

    name: str
    """Our seat's"""
    policy: LearnedPolicy
    oracle: Clairvoyant
    believer: Believer
    share: float = 1.0
    """Size of these worlds over that of those where it will act"""
    sees_truth: bool = True
    observes: bool = True
    kept: dict[str, list[np.ndarray]] = field(default_factory=dict)

    @cached_property
    def ranks(self) -> Ranks:
        """How ads rank by state."""
        return ranks_of(self.oracle.plan.dynamics)

    @property
    def notes(self) -> int:
        """The policy's, then the believer's."""
        return self.policy.notes + self.believer.notes

    def bid(self, opportunities: Opportunities, moment: Moment) -> Bids:
        """As the policy."""
        return self.policy.bid(opportunities, moment)

    def bid_knowing(self, opportunities: Opportunities, moment: Moment, known: Known) -> Bids:
        """The policy's bids; the decisions are kept."""
        assert known.observation is not None and known.truth is not None
        segment = known.truth.segment
        known = replace(known, observation=in_full(known.observation, self.share))
        together = by_unit(opportunities.unit, WORLDS_TOGETHER)
        decided = self.policy.decide(opportunities, moment, self._of_policy(known), together)
        believed, believed_lift = self._believed(opportunities, moment, self._of_believer(known))
        values = {
            "user": known.user, "second": opportunities.second,
            "channel": opportunities.channel, "signal": opportunities.signal, "action": decided.action,
            "propensity": decided.propensity, "days": decided.days,
            "value": decided.value, "observation": known.observation, "segment": segment,
            "believed_gain": believed, "believed_lift": believed_lift,
            **self._truly(opportunities, moment, known, (decided.action, believed.argmax(axis=1))),
        }
        for name, column in values.items():
            self.kept.setdefault(name, []).append(np.array(column))
        return self.policy.bids(opportunities, moment, decided)

    def note(self, opportunities: Opportunities, ended: tuple[Bids, Outcomes], known: Known) -> None:
        """Keep what became of the round's bids."""
        bids, outcomes = ended
        self.believer.note(opportunities, ended, self._of_believer(known))
        self.kept.setdefault("charge_micros", []).append(np.array(outcomes.charge_micros))
        self.kept.setdefault("won", []).append(np.array(outcomes.winner >= 0))

    def _truly(
        self, opportunities: Opportunities, moment: Moment, known: Known, chosen: tuple[Ints, Ints]
    ) -> dict[str, np.ndarray]:
        """Gains as one knows them who sees what people are; chosen: what was decided, and what the believer would do.

        What an action gains less than the best one, summed over a policy's decisions, is on average all that the policy
        earns less than the clairvoyant (Kakade and Langford 2002: the performance difference lemma).
        """
        taken, best_believed = chosen
        offer, dynamics = self.oracle.offer(opportunities, moment, known), self.oracle.plan.dynamics
        gain, rows = self._gains(opportunities, moment, offer), np.arange(len(taken))
        return {
            "gain": gain,
            "lift": by_creative(dynamics, opportunities.channel, offer.lift, self.policy.actions.creatives),
            "best": gain.max(axis=1), "took": gain[rows, taken], "believed_took": gain[rows, best_believed],
        }

    def _of_policy(self, known: Known) -> Known:
        return replace(known, notes=known.notes[:, : self.policy.notes])

    def _of_believer(self, known: Known) -> Known:
        return replace(known, notes=known.notes[:, self.policy.notes :])

    def _gains(self, opportunities: Opportunities, moment: Moment, offer: Offer) -> NDArray[np.float32]:
        place = (opportunities.channel, opportunities.signal)
        return gains(self.oracle.plan.dynamics, place, offer, self._money(moment), (LEVELS, self.policy.actions.count))

    def _money(self, moment: Moment) -> tuple[float, float]:
        """Value of a dollar, and the factor on the hour's prices."""
        plan = self.oracle.plan
        return plan.asked.money, float(plan.calendar.price[min(moment.hour, plan.asked.ad_hours - 1)])

    def _believed(
        self, opportunities: Opportunities, moment: Moment, known: Known
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Gains of actions and lifts of creatives, averaged over what users may be."""
        dynamics = self.oracle.plan.dynamics
        listed = known.on_list & (dynamics.lists == 2)
        of = Beliefs(opportunities.channel, opportunities.signal, listed, self.believer.heard(opportunities, known))
        worth = (self.oracle.after(moment.hour), *self._money(moment))
        actions = self.policy.actions
        return believed_gains(dynamics, self.ranks, of, worth, (actions.count, actions.creatives))

    def observe(self, opportunities: Opportunities, outcomes: Outcomes) -> Statistics:
        """Nothing."""
        return Statistics(np.zeros(0, dtype=np.int64))

    def update(self, statistics: Statistics) -> None:
        """Nothing to update."""

    def taken(self) -> dict[str, np.ndarray]:
        """All decisions kept, (n, ...) columns, in the order of deciding; the teacher begins anew."""
        kept, self.kept = self.kept, {}
        return {name: np.concatenate(parts) for name, parts in kept.items()}


@compiled
def gains(
    at: Dynamics, seen: tuple[Codes, Codes], offer: Offer, money: tuple[float, float], choice: tuple[Floats, int]
) -> NDArray[np.float32]:
    """Expected gain in dollars of every action, (n, actions); 0 for staying out and for ads that the channel does not have.

    money: (value of a dollar spent, factor on the hour's prices); choice: (levels, how many actions)
    """
    (channel, signal), (levels, actions) = seen, choice
    found = np.zeros((len(channel), actions), dtype=np.float32)
    first, stands, bids = at.options.first, at.options.stands, len(levels) - 1
    for i in range(len(channel)):
        market = at.prices.market_usd[signal[i]]
        scale = market * money[1]
        for creative in range(stands.shape[1]):
            place = stands[channel[i], creative] - first[channel[i]]
            if place < 0 or offer.paid[i, place] <= 0.0:
                continue
            paid = offer.paid[i, place]
            ranked = offer.clicks[i, place] / paid
            base = 1 + bids * creative
            for level in range(bids):
                asked = levels[level + 1] * market * ranked / scale
                wins = looked_up(at.prices.below[signal[i]], asked)
                costs = paid * scale * looked_up(at.prices.paid[signal[i]], asked)
                found[i, base + level] = offer.lift[i, place] * wins - money[0] * costs
    return found


def in_full(observation: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    """Observations with budgets as a world of full size would have them; what has no limit keeps none.

    A policy that learned in small worlds meets ten times the money where it acts, and bids as it never did before.
    """
    told = observation.copy()
    left = told[:, BUDGETS]
    told[:, BUDGETS] = np.where(left < USD_HIGH, np.minimum(left / share, USD_HIGH), left)
    return told


def creative_of(action: Ints) -> Ints:
    """(n,): place of an action's creative, NONE for staying out."""
    return np.where(action > 0, (action - 1) // BIDS, -1)


@compiled
def by_creative(at: Dynamics, channel: Codes, lift: Floats, creatives: int) -> NDArray[np.float32]:
    """(n, creatives): the lift of each creative in dollars, 0 for those that the channel does not have."""
    found, first = np.zeros((len(channel), creatives), dtype=np.float32), at.options.first
    for i in range(len(channel)):
        for creative in range(creatives):
            place = at.options.stands[channel[i], creative] - first[channel[i]]
            if place >= 0:
                found[i, creative] = lift[i, place]
    return found
