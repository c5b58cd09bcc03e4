"""What only a simulator can tell a learner: what every action was worth on average, given what the person truly was.

The planner's table says what winning is worth over losing (the lift); the price to beat has a known distribution. So the
expected gain of each bid is a number, without any luck: lift x P(win) - what is paid on average. The policy that acts
sees none of this; it is pushed towards what gains most on average over everybody who looks like this user.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.compiled import compiled
from gaelp_sim.events import Bids, Floats, Ints, Opportunities, Outcomes, Statistics
from gaelp_sim.learn.policy import LearnedPolicy
from gaelp_sim.market.actions import BIDS, LEVELS
from gaelp_sim.market.bidder import Known, Moment
from gaelp_sim.planning.bidders import Clairvoyant
from gaelp_sim.planning.dynamics import Dynamics
from gaelp_sim.planning.expecting import Codes, Offer
from gaelp_sim.planning.prices import looked_up

KEPT = ("user", "second", "unit", "channel", "signal", "action", "propensity", "days", "value")
"""Columns kept of every decision."""


@dataclass
class Teacher:
    """A learned policy in our seat, watched by one who knows: what it saw and did is kept, with what it should have
    known."""

    name: str
    """Our seat's"""
    policy: LearnedPolicy
    oracle: Clairvoyant
    sees_truth: bool = True
    observes: bool = True
    kept: dict[str, list[np.ndarray]] = field(default_factory=dict)

    @property
    def notes(self) -> int:
        """The policy's."""
        return self.policy.notes

    def bid(self, opportunities: Opportunities, moment: Moment) -> Bids:
        """As the policy."""
        return self.policy.bid(opportunities, moment)

    def bid_knowing(self, opportunities: Opportunities, moment: Moment, known: Known) -> Bids:
        """The policy's bids; the decisions are kept."""
        assert known.observation is not None and known.truth is not None
        decided = self.policy.decide(opportunities, moment, known)
        offer = self.oracle.offer(opportunities, moment, known)
        plan = self.oracle.plan
        factor = float(plan.calendar.price[min(moment.hour, plan.asked.ad_hours - 1)])
        place = (opportunities.channel, opportunities.signal)
        gain = gains(plan.dynamics, place, offer, (plan.asked.money, factor), (LEVELS, self.policy.actions.count))
        values = {
            "user": known.user, "second": opportunities.second, "unit": opportunities.unit,
            "channel": opportunities.channel, "signal": opportunities.signal, "action": decided.action,
            "propensity": decided.propensity, "days": decided.days,
            "value": decided.value, "observation": known.observation, "gain": gain, "segment": known.truth.segment,
            "lift": by_creative(plan.dynamics, opportunities.channel, offer.lift, self.policy.actions.creatives),
        }
        for name, column in values.items():
            self.kept.setdefault(name, []).append(np.array(column))
        return self.policy.bids(opportunities, moment, decided)

    def note(self, opportunities: Opportunities, ended: tuple[Bids, Outcomes], known: Known) -> None:
        """Keep what became of the round's bids."""
        bids, outcomes = ended
        self.kept.setdefault("charge_micros", []).append(np.array(outcomes.charge_micros))
        self.kept.setdefault("won", []).append(np.array(outcomes.winner >= 0))

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
    first, bids = at.options.first, len(levels) - 1
    for i in range(len(channel)):
        market = at.prices.market_usd[signal[i]]
        scale = market * money[1]
        for place in range(first[channel[i] + 1] - first[channel[i]]):
            paid = offer.paid[i, place]
            if paid <= 0.0:
                continue
            ranked = offer.clicks[i, place] / paid
            base = 1 + bids * at.options.creative[first[channel[i]] + place]
            for level in range(bids):
                asked = levels[level + 1] * market * ranked / scale
                wins = looked_up(at.prices.below[signal[i]], asked)
                costs = paid * scale * looked_up(at.prices.paid[signal[i]], asked)
                found[i, base + level] = offer.lift[i, place] * wins - money[0] * costs
    return found


def creative_of(action: Ints) -> Ints:
    """(n,): place of an action's creative, NONE for staying out."""
    return np.where(action > 0, (action - 1) // BIDS, -1)


@compiled
def by_creative(at: Dynamics, channel: Codes, lift: Floats, creatives: int) -> NDArray[np.float32]:
    """(n, creatives): the lift of each creative in dollars, 0 for those that the channel does not have."""
    found, first = np.zeros((len(channel), creatives), dtype=np.float32), at.options.first
    for i in range(len(channel)):
        for place in range(first[channel[i] + 1] - first[channel[i]]):
            found[i, at.options.creative[first[channel[i]] + place]] = lift[i, place]
    return found
