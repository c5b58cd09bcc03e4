"""Every registered bidder faces the conformance suite; faulty ones are caught."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gaelp_sim.draws import uniform
from gaelp_sim.events import Bids, Opportunities, Outcomes, Statistics
from gaelp_sim.market.bidder import Bidder, Moment
from gaelp_sim.market.learning import Lessons
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
        self.name, self.model = strategy, model_of(alone, 1)
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
        """Seats learn by lessons."""
        raise NotImplementedError

    def update(self, statistics: Statistics) -> None:
        """Seats learn by lessons."""
        raise NotImplementedError


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


class Faulty(RulePolicy):
    """The rule with a fault to plant."""

    def bid(self, opportunities: Opportunities, moment: Moment) -> Bids:
        """Bid by the rule, then do what `name` says."""
        bids = super().bid(opportunities, moment)
        match self.name:
            case "changes its arguments":
                opportunities.signal[:1] = 0
            case "averages over the batch":
                bids = replace(bids, bid_micros=bids.bid_micros - int(bids.bid_micros.mean() if len(bids) else 0) // 2**20)
            case "bids below nothing":
                bids = replace(bids, bid_micros=bids.bid_micros - 1)
            case "bids in floats":
                bids = replace(bids, bid_micros=bids.bid_micros.astype(np.float64))
            case "forgets its propensity":
                bids = replace(bids, propensity=np.zeros(len(bids)))
        return bids


@pytest.mark.parametrize("fault", [
    "changes its arguments", "averages over the batch", "bids below nothing", "bids in floats", "forgets its propensity",
])
def test_faults_are_caught(fault: str, scenario: Scenario) -> None:
    def make(scenario: Scenario) -> Bidder:
        rule = RulePolicy.of(scenario)
        return Faulty(**{**vars(rule), "name": fault})

    with pytest.raises(AssertionError):
        check_bidder(make, scenario)


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
