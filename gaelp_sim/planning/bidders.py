"""Bidders that follow a plan: one who knows people's minds, and others who only believe."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.errors import BidderError
from gaelp_sim.events import Bids, Floats, Opportunities, Outcomes, Stage, Statistics
from gaelp_sim.market.bidder import Known, Moment
from gaelp_sim.market.rule_policy import LEVEL_MULTIPLES
from gaelp_sim.planning.belief import Answered, Heard, Senses, hear, note_outcomes, width
from gaelp_sim.planning.expecting import Offer, Round, expected, for_lifts, known
from gaelp_sim.planning.plan import Plan, Problem, budget_usd, check_plannable
from gaelp_sim.planning.recursion import Way
from gaelp_sim.planning.states import INTENT, TEACH, number_of
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.world.model import model_of

_PLANS: OrderedDict[tuple[str, int], Plan] = OrderedDict()
_PLANS_MOST = 4
"""A run asks for its policy several times, and a plan takes seconds: the last ones are kept."""


def clairvoyant(scenario: Scenario) -> Clairvoyant:
    """Bids by what people truly are and the plan that is best for them."""
    check_plannable(scenario)
    return Clairvoyant(scenario, Way.BEST)


def observable_planner(scenario: Scenario) -> Believer:
    """Bids what a win is worth on average over what the user may be, later bids of ours planned as if that were known."""
    check_plannable(scenario)
    return Believer(scenario, Way.BEST)


def one_step_lift(scenario: Scenario) -> Believer:
    """Bids what a win is worth on average if we never bid again."""
    check_plannable(scenario)
    return Believer(scenario, Way.SILENT)


@dataclass
class _Planner:
    """What planners have in common: a problem, its plan, and bids for lifts."""

    scenario: Scenario
    way: Way
    money: float = 0.0
    """Value of a dollar spent; 0: as the scenario's budget makes it"""

    @property
    def name(self) -> str:
        """Our own seat's."""
        return self.scenario.us.name

    @cached_property
    def problem(self) -> Problem:
        """The scenario as one person's decision problem."""
        return Problem.of(self.scenario)

    @cached_property
    def plan(self) -> Plan:
        """The plan, worked out when the first bid asks for it."""
        text = f"{self.scenario.model_dump_json(exclude={'seed', 'worlds', 'log'})} {self.money}"
        key = (text, int(self.way))
        if key not in _PLANS:
            _PLANS[key] = self._planned()
            if len(_PLANS) > _PLANS_MOST:
                _PLANS.popitem(last=False)
        return _PLANS[key]

    def _planned(self) -> Plan:
        if self.money:
            return self.problem.plan(self.way, money=self.money)
        best = self.problem.within(budget_usd(self.scenario))
        return best if self.way == Way.BEST else self.problem.plan(self.way, money=best.asked.money)

    def observe(self, opportunities: Opportunities, outcomes: Outcomes) -> Statistics:
        """Nothing: planners don't learn."""
        return Statistics(np.zeros(0, dtype=np.int64))

    def update(self, statistics: Statistics) -> None:
        """Nothing to update."""

    def _bids(self, opportunities: Opportunities, moment: Moment, offer: Offer) -> Bids:
        plan = self.plan
        if moment.hour >= plan.asked.ad_hours:
            offer.lift[:] = 0.0
        this = Round(
            opportunities.unit, opportunities.channel, opportunities.signal, moment.multiplier_ppm,
            plan.asked.money, float(plan.calendar.price[min(moment.hour, plan.asked.ad_hours - 1)]), LEVEL_MULTIPLES,
        )
        bid, level, creative = for_lifts(plan.dynamics, this, offer)
        return Bids(bid, level, creative, np.ones(len(bid)))

    def after(self, hour: int) -> NDArray[np.float32]:
        """What states are worth after this hour's auctions."""
        return self.plan.worth.after[min(hour, self.plan.asked.ad_hours - 1)]


@dataclass
class Clairvoyant(_Planner):
    """An oracle: it sees what people truly are. Exactly optimal where `plan.caveats` names nothing."""

    sees_truth: bool = True
    observes: bool = False
    notes: int = 0

    def bid(self, opportunities: Opportunities, moment: Moment) -> Bids:
        """Refused: it can only bid for people whom it sees."""
        raise BidderError("bidder clairvoyant: it sees people's minds, so it can only bid inside a run")

    def bid_knowing(self, opportunities: Opportunities, moment: Moment, known_people: Known) -> Bids:
        """The plan's bids for what people are; nothing for those who have decided."""
        return self._bids(opportunities, moment, self.offer(opportunities, moment, known_people))

    def offer(self, opportunities: Opportunities, moment: Moment, known_people: Known) -> Offer:
        """What each ad is worth to us for what people are, and what it costs.

        For those who have decided it is worth nothing, but costs what it costs for others: they still look and click.
        """
        truth = known_people.truth
        if truth is None:
            raise BidderError("bidder clairvoyant: the truth was not told")
        dynamics = self.plan.dynamics
        group = np.where(dynamics.lists == 2, known_people.on_list, False) * dynamics.segments + truth.segment
        stage = np.minimum(truth.stage, INTENT).astype(np.int64)
        level = truth.level.astype(np.int64)
        state = number_of(group.astype(np.int64), stage, level[0], level[1]) + level[2] * TEACH + level[3]
        offer = known(dynamics, opportunities.channel, state, self.after(moment.hour))
        offer.lift[truth.decided | (truth.stage == Stage.CONVERTED)] = 0.0
        return offer

    def note(self, opportunities: Opportunities, ended: tuple[Bids, Outcomes], known_people: Known) -> None:
        """Nothing to note."""


@dataclass
class Believer(_Planner):
    """A reference: it knows the scenario's constants, but of people only what we have met of them."""

    sees_truth: bool = False
    observes: bool = False
    _last: list[tuple[Opportunities, Floats]] = field(default_factory=list)

    @cached_property
    def senses(self) -> Senses:
        """What is known beforehand of people."""
        return Senses.of(self.problem, model_of(self.scenario, self.scenario.seed))

    @cached_property
    def notes(self) -> int:
        """Floats of a belief."""
        return width(self.senses)

    def bid(self, opportunities: Opportunities, moment: Moment) -> Bids:
        """Bids for users of whom nothing is known."""
        n = len(opportunities)
        nobody = np.zeros((n, self.notes), dtype=np.float32)
        return self.bid_knowing(opportunities, moment, Known(np.arange(n), np.zeros(n, dtype=bool), nobody, None))

    def bid_knowing(self, opportunities: Opportunities, moment: Moment, known_people: Known) -> Bids:
        """The plan's bids for what users are believed to be."""
        if moment.hour >= self.plan.asked.ad_hours:
            return _no_bids(len(opportunities))
        return self._bids(opportunities, moment, self.offer(opportunities, moment, known_people))

    def offer(self, opportunities: Opportunities, moment: Moment, known_people: Known) -> Offer:
        """What each ad is worth to us, and costs, on average over what users are believed to be; beliefs move on."""
        beliefs = self.heard(opportunities, known_people)
        listed = known_people.on_list & (self.plan.dynamics.lists == 2)
        return expected(self.plan.dynamics, (opportunities.channel, listed), beliefs, self.after(moment.hour))

    def heard(self, opportunities: Opportunities, known_people: Known) -> Floats:
        """(n, belief): what users are believed to be, now that they meet these opportunities; kept in the notes."""
        beliefs = hear(self.senses, Heard.of(known_people.user, opportunities), known_people.notes)
        self._last = [(opportunities, beliefs)]
        return beliefs

    def note(self, opportunities: Opportunities, ended: tuple[Bids, Outcomes], known_people: Known) -> None:
        """Take the round's outcomes into the beliefs."""
        bids, outcomes = ended
        before, beliefs = self._last.pop() if self._last else (None, np.zeros((0, 0)))
        if before is not opportunities:  # not heard when we bid: the days of ads are over
            return
        answered = Answered.of(known_people.user, opportunities.channel, bids.creative, outcomes)
        note_outcomes(self.senses, answered, beliefs, known_people.notes)



def _no_bids(n: int) -> Bids:
    return Bids(np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int16), np.zeros(n, dtype=np.int16), np.ones(n))
