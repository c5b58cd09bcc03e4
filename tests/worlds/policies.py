"""Our seat taken by chance, to see what a policy can and cannot influence."""

from __future__ import annotations

from dataclasses import replace

from gaelp_sim.market.rule_policy import RulePolicy
from gaelp_sim.scenario.schema import Scenario

RANDOM = "tests.worlds.policies:Uniform"
POLICIES = ("rule", "silent", RANDOM)


class Uniform:
    """Draws level and creative uniformly for every opportunity."""

    @staticmethod
    def of(scenario: Scenario) -> RulePolicy:
        """The rule with nothing but exploration."""
        return replace(RulePolicy.of(scenario), epsilon=1.0)
