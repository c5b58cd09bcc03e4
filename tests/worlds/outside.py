"""Outside user models that live in this repository's tests, and worlds of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gaelp_sim.recsim.long_term import LongTermSatisfaction
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.scenario.schema import Scenario

LONG_TERM = "gaelp_sim.recsim.long_term:LongTermSatisfaction"
INTERESTS = "gaelp_sim.recsim.interests:InterestEvolution"
EXPLORATION = "gaelp_sim.recsim.exploration:InterestExploration"
ORIGINAL = "tests.unit.recsim.originals:Original"
MODELS = (LONG_TERM, INTERESTS, EXPLORATION, ORIGINAL)


class Short(LongTermSatisfaction):
    """A user whose sessions last two ads."""

    def is_terminal(self) -> bool:
        return self._user_state.time_budget <= 58


class Failing(LongTermSatisfaction):
    """A model with a bug that shows late."""

    def update_state(self, slate_documents: Sequence[Any], responses: Sequence[Any]) -> None:
        super().update_state(slate_documents, responses)
        if self._user_state.net_positive_exposure < -1.5:
            raise ZeroDivisionError("no time left")


class Leaky(LongTermSatisfaction):
    """A model that remembers the users before: what the adapter can't undo."""

    seen = 0

    def simulate_response(self, documents: Sequence[Any]) -> list[Any]:
        Leaky.seen += 1
        responses = super().simulate_response(documents)
        responses[0].clicked = Leaky.seen % 2 == 0
        return responses


def of(name: str) -> str:
    """The name of a class of this file."""
    return f"tests.worlds.outside:{name}"


def outside_scenario(user_model: str | None, *settings: str) -> Scenario:
    """A few dozen people with many opportunities and free money, so that nobody's auctions concern anybody else."""
    free = ["us.budget.usd_day=null", "us.policy.pacing=none", "rivals.1.budget_usd_month=null"]
    sets = ["population.people=60", "days=4", "log=all", *free, *settings]
    scenario = load_scenario("quickstart", sets)
    channels = []
    for channel in scenario.channels:
        rates = channel.opportunities_per_day
        more = rates.model_copy(update={stage: 4.0 for stage in ("unaware", "aware", "considering", "intent")})
        channels.append(channel.model_copy(update={"opportunities_per_day": more}))
    population = scenario.population.model_copy(update={"user_model": user_model})
    return scenario.model_copy(update={"channels": channels, "population": population})


def clicks_of(tables: dict[str, dict[str, np.ndarray]], person: int | None = None) -> list[tuple[int, ...]]:
    """(person, second, channel, creative, advertiser, price, clicked) of each impression, of everybody or one person."""
    touches = tables["touchpoint"]
    keep = touches["kind"] == 0
    if person is not None:
        keep = keep & (touches["person_id"] == person)
    names = ("person_id", "occurred_s", "channel", "creative", "advertiser", "price_micros", "clicked")
    return list(zip(*(touches[name][keep].tolist() for name in names), strict=True))
