"""Long-term satisfaction: clickbait is engaging now and wears the user's satisfaction out.

Source: RecSim 0.2.4, `environments/long_term_satisfaction.py`, as its code has it (its docstring has the sign of the
exposure reversed, and calls the mean of the logarithm the mean). At the published sensitivity .01 clickbait always
wins; the trade-off begins at .067.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from gaelp_sim.compiled import compiled, inlined
from gaelp_sim.draws import Words, normal_quantile
from gaelp_sim.events import Floats
from gaelp_sim.recsim import lending

MEMORY = 0.7
INNOVATION_SD = 0.05
CLICKBAIT_MEAN, WHOLESOME_MEAN, ENGAGEMENT_SD = 5.0, 4.0, 1.0
PUBLISHED_SENSITIVITY = 0.01
BUDGET_STEPS = 60.0
_TABLE_SIZE = 2**16
_NORMAL = normal_quantile((np.arange(_TABLE_SIZE) + 0.5) / _TABLE_SIZE)
"""Equally likely values of a standard normal."""


class LongTermUsers(NamedTuple):
    """Many users as columns, (n,)."""

    exposure: Floats
    """Net positive exposure: what wholesome items have left behind"""
    budget: Floats
    """Steps left of the session"""

    @staticmethod
    def newborn(luck: Floats) -> LongTermUsers:
        """Users at the start of a session; luck: (n,) uniforms."""
        return LongTermUsers((luck - 0.5) / (1.0 - MEMORY), np.full(len(luck), BUDGET_STEPS))


@inlined
def satisfaction(exposure: float, sensitivity: float) -> float:
    """How satisfied a user is, in (0, 1): 1 / (1 + exp(-sensitivity x exposure))."""
    return float(1.0 / (1.0 + np.exp(-sensitivity * exposure)))


def long_term_step(users: LongTermUsers, clickbait: Floats, sensitivity: float, luck: Words) -> Floats:
    """One step of every user: engagement with an item of this clickbait score, (n,); users are changed.

    clickbait: (n,) in [0, 1]; luck: (n,), a half word for engagement, one for exposure
    """
    return _step(users, clickbait, sensitivity, (luck, _NORMAL))


@compiled
def _step(users: LongTermUsers, clickbait: Floats, sensitivity: float, chance: tuple[Words, Floats]) -> Floats:
    luck, normal = chance
    engagement = np.empty(len(clickbait))
    for i in range(len(clickbait)):
        bait, exposure = clickbait[i], users.exposure[i]
        pleased = satisfaction(exposure, sensitivity)
        mean = (CLICKBAIT_MEAN * bait + WHOLESOME_MEAN * (1.0 - bait)) * pleased
        engagement[i] = np.exp(mean + ENGAGEMENT_SD * normal[luck[i] >> 16])
        users.exposure[i] = MEMORY * exposure - 2.0 * (bait - 0.5) + INNOVATION_SD * normal[luck[i] & 0xFFFF]
        users.budget[i] -= 1.0
    return engagement


@dataclass
class LongTermState:
    """One user, with the names that RecSim gives its state."""

    net_positive_exposure: float
    time_budget: float = BUDGET_STEPS

    def create_observation(self) -> Floats:
        """Nothing: the state is hidden."""
        return np.zeros(0)

    def score_document(self, doc_obs: Any) -> float:
        """Every item is the same to a user who takes the first."""
        return 1.0


@dataclass
class LongTermResponse:
    """What a user did with one item."""

    clicked: bool = False
    engagement: float = 0.0


class LongTermSatisfaction:
    """The user model in RecSim's form: the user takes the first item of the slate; items need a `clickbait_score`."""

    def __init__(self, sensitivity: float = PUBLISHED_SENSITIVITY) -> None:
        self.sensitivity = sensitivity
        self._user_state = LongTermState(0.0)

    def reset(self) -> None:
        """A new user, drawn from the lent generator."""
        exposure = lending.uniform(-0.5, 0.5, 1)[0] / (1.0 - MEMORY)
        self._user_state = LongTermState(float(exposure))

    def simulate_response(self, documents: Sequence[Any]) -> list[LongTermResponse]:
        """A response an item; the first is always clicked."""
        bait = float(documents[0].clickbait_score)
        pleased = satisfaction(self._user_state.net_positive_exposure, self.sensitivity)
        mean = (CLICKBAIT_MEAN * bait + WHOLESOME_MEAN * (1.0 - bait)) * pleased
        first = LongTermResponse(True, float(np.exp(lending.normal(mean, ENGAGEMENT_SD))))
        return [first, *(LongTermResponse() for _ in documents[1:])]

    def update_state(self, slate_documents: Sequence[Any], responses: Sequence[Any]) -> None:
        """The clicked item leaves its mark, and the session is a step shorter."""
        for document, response in zip(slate_documents, responses, strict=True):
            if response.clicked:
                state = self._user_state
                state.net_positive_exposure = (
                    MEMORY * state.net_positive_exposure - 2.0 * (document.clickbait_score - 0.5)
                    + lending.normal(0.0, INNOVATION_SD)
                )
                state.time_budget -= 1.0
                return

    def is_terminal(self) -> bool:
        """True once the session's steps are used up."""
        return self._user_state.time_budget <= 0

    def create_observation(self) -> Floats:
        """What may be seen of the user: nothing."""
        return self._user_state.create_observation()
