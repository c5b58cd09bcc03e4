"""The conformance suite faces every policy that knows users, and finds planted faults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from gaelp_sim.draws import Draws
from gaelp_sim.evaluate.priced import priced, scaled
from gaelp_sim.evaluate.target_cpa import TargetCpa
from gaelp_sim.events import Bids, Opportunities
from gaelp_sim.market.bidder import Bidder, Known, Moment
from gaelp_sim.market.rule_policy import RulePolicy
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.world.policies import PLANNERS, policy_named
from tests.checks.policies import check_policy

torch = pytest.importorskip("torch")

from gaelp_sim.learn.network import JourneyNet, Shape  # noqa: E402
from gaelp_sim.learn.policy import LearnedPolicy  # noqa: E402
from gaelp_sim.market.actions import Actions  # noqa: E402 - only where torch is there


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return load_scenario("short")


def _learned(scenario: Scenario, *, greedy: bool = False) -> LearnedPolicy:
    actions = Actions.of(scenario)
    net = JourneyNet.born(Shape(actions.count, actions.creatives, hidden=32, encoder=32), Draws(3))
    return LearnedPolicy.of(scenario, net, greedy=greedy)


MAKERS: dict[str, Callable[[Scenario], Bidder]] = {
    **{name: (lambda scenario, name=name: policy_named(name, scenario)) for name in PLANNERS},  # type: ignore[misc]
    "learned": _learned, "learned, greedy": lambda scenario: _learned(scenario, greedy=True),
    "learned, scaled": lambda scenario: scaled(_learned(scenario), 1.7),
    "target_cpa": lambda scenario: TargetCpa(priced(scenario, RulePolicy.of(scenario).price_micros), 180.0, 80.0),
}


@pytest.mark.parametrize("name", MAKERS)
def test_policies_keep_to_the_protocol(name: str, scenario: Scenario) -> None:
    check_policy(MAKERS[name], scenario)


class _Peeking(LearnedPolicy):
    def bid_knowing(self, opportunities: Opportunities, moment: Moment, known: Known) -> Bids:
        bids = super().bid_knowing(opportunities, moment, known)
        assert known.truth is not None
        return replace(bids, bid_micros=np.where(known.truth.decided, 0, bids.bid_micros))


class _Mixing(LearnedPolicy):
    def bid_knowing(self, opportunities: Opportunities, moment: Moment, known: Known) -> Bids:
        first = np.zeros_like(known.user)
        return super().bid_knowing(opportunities, moment, replace(known, user=first))


class _Counting(LearnedPolicy):
    def bid_knowing(self, opportunities: Opportunities, moment: Moment, known: Known) -> Bids:
        bids = super().bid_knowing(opportunities, moment, known)
        return replace(bids, bid_micros=bids.bid_micros + (bids.bid_micros > 0) * len(opportunities))


@pytest.mark.parametrize("kind, told", [(_Peeking, "truly are"), (_Mixing, "alone"), (_Counting, "alone")])
def test_faults_are_found(kind: type[LearnedPolicy], told: str, scenario: Scenario) -> None:
    """One that looks at minds, one that takes everybody for the same user, one whose bids depend on company."""
    def made(scenario: Scenario) -> Bidder:
        policy = _learned(scenario)
        return kind(policy.name, policy.net, policy.actions, policy.floor)

    with pytest.raises(AssertionError, match=told):
        check_policy(made, scenario)
