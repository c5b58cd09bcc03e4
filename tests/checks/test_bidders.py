"""Every registered bidder faces the conformance suite; faulty ones are caught."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gaelp_sim.draws import uniform
from gaelp_sim.events import Bids, Opportunities, Outcomes, Statistics
from gaelp_sim.market.bidder import Bidder, Moment
from gaelp_sim.market.learning import Lessons, Offered, Seats, add_lessons
from gaelp_sim.market.rule_policy import LEVEL_MULTIPLES, RulePolicy
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.world.board import Board
from gaelp_sim.world.model import model_of
from gaelp_sim.world.policies import policy_named
from tests.checks.bidders import UNITS, Make, check_bidder, moment, opportunities

RIVALS = ("lognormal", "rule", "random", "q_learning", "policy_gradient", "value")


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    """The flagship."""
    return load_scenario("parental_controls")


class Seat:
    """One rival's seat as a bidder, after a few lessons where it can learn."""

    def __init__(self, scenario: Scenario, strategy: str) -> None:
        rival = scenario.rivals[0].model_copy(update={"strategy": strategy})
        alone = scenario.model_copy(update={"rivals": [rival], "rivals_learn": True})
        self.name, self.model = rival.name, model_of(alone, 1)
        self.board = Board.of(self.model, np.arange(UNITS))
        lessons = Lessons.none(UNITS, self.model.seats)
        lessons.actions[:] = np.arange(lessons.actions.size).reshape(lessons.actions.shape) % 97
        self.board.learn(lessons, np.arange(UNITS))

    def bid(self, opportunities: Opportunities, moment: Moment) -> Bids:
        """The seat's bids by its book."""
        book, _ = self.board.book(np.arange(UNITS), np.ones((UNITS, 1)))
        luck, n = moment.luck[None].copy(), len(opportunities)
        none = np.full(n, -1, dtype=np.int16)
        return Bids(self.model.panel.bid(opportunities, book, moment.price_factor, luck)[0], none, none, np.ones(n))

    def observe(self, opportunities: Opportunities, outcomes: Outcomes) -> Statistics:
        """Its lessons, as if it had drawn its lowest value each time."""
        book, worth = self.board.book(np.arange(UNITS), np.ones((UNITS, 1)))
        n = len(opportunities)
        model = self.model
        seats = Seats(model.panel.multiples, book, worth, np.ones(UNITS), model.crisis_signals, model.rules.worth_ppm)
        lessons = Lessons.none(UNITS, self.model.seats)
        own = np.where(outcomes.winner == 1, np.int16(1), np.int16(-1))
        add_lessons(lessons, seats, Offered(
            opportunities.unit, opportunities.channel, opportunities.signal, np.zeros((1, n), dtype=np.uint32),
            np.ones((2, n), dtype=np.int64), own[None], outcomes.price_micros[None], outcomes.clicked[None],
        ))
        return Statistics(np.concatenate([part.sum(axis=0).ravel() for part in lessons]))

    def update(self, statistics: Statistics) -> None:
        """Seats learn at their world's board."""


def _rival(strategy: str) -> Make:
    return lambda scenario: Seat(scenario, strategy)


BIDDERS: dict[str, Make] = {
    **{name: lambda scenario, name=name: policy_named(name, scenario) for name in ("rule", "silent")},  # type: ignore[misc]
    **{strategy: _rival(strategy) for strategy in RIVALS},
}


@pytest.mark.parametrize("name", BIDDERS)
def test_registered_bidders_conform(name: str, scenario: Scenario) -> None:
    check_bidder(BIDDERS[name], scenario)


@pytest.mark.parametrize("creatives", ["rotate", "thompson"])
def test_the_rule_conforms_however_it_chooses_creatives(creatives: str) -> None:
    check_bidder(RulePolicy.of, load_scenario("parental_controls", [f"us.policy.creatives={creatives}"]))


LATEST: dict[str, int] = {}
"""Where a bidder could leave its bids for others to see."""


class Faulty(RulePolicy):
    """The rule with a fault to plant."""

    rivals_level = 0.0
    """What it was told of the rivals"""
    heard = 0
    """What it has seen of others since"""

    def bid(self, opportunities: Opportunities, moment: Moment) -> Bids:
        """Bid by the rule, then do what `name` says."""
        bids = super().bid(opportunities, moment)
        match self.name:
            case "changes its arguments":
                opportunities.signal[:1] = 0
            case "averages over the batch":
                bids = replace(bids, bid_micros=bids.bid_micros + int(bids.bid_micros.mean() if len(bids) else 0) // 2**20)
            case "bids below nothing":
                bids = replace(bids, bid_micros=bids.bid_micros - 1)
            case "bids in floats":
                bids = replace(bids, bid_micros=bids.bid_micros.astype(np.float64))
            case "forgets its propensity":
                bids = replace(bids, propensity=np.zeros(len(bids)))
            case "bids what is no number":
                bids = replace(bids, bid_micros=np.full(len(bids), np.nan))
            case "bids beyond all bounds":
                bids = replace(bids, bid_micros=bids.bid_micros + 2**40)
            case "bids by the row":
                bids = replace(bids, bid_micros=bids.bid_micros + np.arange(len(bids)))
            case "bids more for the second":
                bids.bid_micros[1:2] += 1
            case "knows its rivals":
                bids = replace(bids, bid_micros=bids.bid_micros + int(self.rivals_level))
            case "reads what others bid":
                bids = replace(bids, bid_micros=bids.bid_micros + LATEST.get("total", 0) % 1_009)
                LATEST["total"] = int(bids.bid_micros.sum()) if moment.hour > 20 else 0
            case "follows the outcomes at once":
                bids = replace(bids, bid_micros=bids.bid_micros + self.heard)
        return bids

    def observe(self, opportunities: Opportunities, outcomes: Outcomes) -> Statistics:
        """Learn nothing, or what `name` says."""
        match self.name:
            case "follows the outcomes at once":
                self.heard += int(outcomes.price_micros.max())
            case "changes the outcomes":
                outcomes.price_micros[:] = 0
            case "learns who won":
                return Statistics(np.bincount(outcomes.winner + 1, minlength=9).astype(np.int64))
            case "averages what it saw":
                return Statistics(np.array([int(outcomes.price_micros.mean())]))
            case "sums in floats":
                return Statistics(np.array([outcomes.price_micros.sum() / 3.0]))  # type: ignore[arg-type]
        return super().observe(opportunities, outcomes)


FAULTS = {
    "changes its arguments": "read only",
    "averages over the batch": "depends on the company",
    "bids below nothing": "bids lie in",
    "bids in floats": "money in integers",
    "forgets its propensity": "had a chance",
    "bids what is no number": "money in",
    "bids beyond all bounds": "bids lie in",
    "bids by the row": "depends on the company",
    "bids more for the second": "row order matters",
    "knows its rivals": "knows rivals' settings",
    "reads what others bid": "another bidder's doings",
    "follows the outcomes at once": "before an update",
    "changes the outcomes": "outcomes are read only",
    "learns who won": "which other bidder won",
    "averages what it saw": "don't add up",
    "sums in floats": "are int64",
}
"""Each planted fault, with a word of what `check_bidder` says to it."""


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_caught(fault: str, scenario: Scenario) -> None:
    LATEST.clear()

    def make(scenario: Scenario) -> Bidder:
        bidder = Faulty(**{**vars(RulePolicy.of(scenario)), "name": fault})
        bidder.rivals_level = 1_000 * sum(rival.level for rival in scenario.rivals)
        return bidder

    with pytest.raises(AssertionError, match=FAULTS[fault]):
        check_bidder(make, scenario)


def test_the_faultless_rule_conforms(scenario: Scenario) -> None:
    """The same class without a fault passes: what is caught above is the fault."""
    check_bidder(lambda scenario: Faulty(**{**vars(RulePolicy.of(scenario)), "name": "none"}), scenario)


def test_a_learner_conforms(scenario: Scenario) -> None:
    """Counting our own wins, to be learned from by `update`, is what the protocol is for."""

    class Counts(RulePolicy):
        def observe(self, opportunities: Opportunities, outcomes: Outcomes) -> Statistics:
            return Statistics(np.array([np.count_nonzero(outcomes.winner == 0), outcomes.charge_micros.sum()]))

    check_bidder(lambda scenario: Counts(**vars(RulePolicy.of(scenario))), scenario)


def test_propensities_are_the_frequencies(scenario: Scenario) -> None:
    """Over all luck, each (level, creative) of the default policy comes up as often as its propensity says."""
    rule, n = RulePolicy.of(scenario), 2**16
    words = (np.arange(n, dtype=np.uint32) << np.uint32(16)) + np.uint32(2**15)
    one = opportunities(scenario, 1)
    slots = Opportunities(**{name: np.repeat(column, n) for name, column in vars(one).items()})
    now = replace(moment(scenario, n), luck=words, returning=np.zeros(n, dtype=bool))
    bids = rule.bid(slots, now)
    action = bids.level.astype(np.int64) * 16 + bids.creative
    told = {}
    for each in np.unique(action).tolist():
        here = action == each
        (told[each],) = set(bids.propensity[here].tolist())
        assert here.mean() == pytest.approx(told[each], abs=2 / n)
    assert sum(told.values()) == pytest.approx(1.0)
    assert len(told) == len(LEVEL_MULTIPLES) * rule.fits.option_count[slots.channel[0]]
    assert uniform(words).max() < 1
