"""Interest exploration: two types of users and two topics; what an agent doesn't try, it can't know.

Source: RecSim 0.2.4, `environments/interest_exploration.py`, with its defaults. Users never change and never leave.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gaelp_sim.events import Floats
from gaelp_sim.recsim import lending
from gaelp_sim.recsim.choice import MultinomialLogit

TYPE_SHARE = (0.3, 0.7)
TOPIC_SHARE = (0.2, 0.8)
AFFINITY_LOG_MEAN = np.array([[0.1, 0.7], [0.7, 0.1]])
"""(types, topics)"""
QUALITY_LOG_MEAN = np.array([0.8, 0.2])
LOG_SD = 0.1
NO_CLICK_LOGIT = 5.0


@dataclass
class ExplorationState:
    """One user: affinity to each topic."""

    topic_affinity: Floats

    def create_observation(self) -> Floats:
        """Nothing: the state is hidden."""
        return np.zeros(0)

    def score_document(self, doc_obs: tuple[int, float]) -> float:
        """Affinity to the document's topic, plus its quality."""
        topic, quality = doc_obs
        return float(self.topic_affinity[topic % len(self.topic_affinity)]) + quality


@dataclass
class ExplorationResponse:
    """What a user did with one document."""

    clicked: bool = False


class InterestExploration:
    """The user model in RecSim's form; documents need `quality` and `cluster_id`."""

    def __init__(self) -> None:
        self.choice_model = MultinomialLogit(NO_CLICK_LOGIT)
        self._user_state = ExplorationState(np.ones(len(TOPIC_SHARE)))

    def reset(self) -> None:
        """A new user, drawn from the lent generator."""
        kind = int(lending.uniform(0.0, 1.0, 1)[0] >= TYPE_SHARE[0])
        logs = [lending.normal(float(mean), LOG_SD) for mean in AFFINITY_LOG_MEAN[kind]]
        self._user_state = ExplorationState(np.exp(logs))

    def simulate_response(self, documents: Sequence[Any]) -> list[ExplorationResponse]:
        """A response a document."""
        observed = [(document.cluster_id, document.quality) for document in documents]
        self.choice_model.score_documents(self._user_state, observed)
        place = self.choice_model.choose_item()
        return [ExplorationResponse(place == number) for number in range(len(documents))]

    def update_state(self, slate_documents: Sequence[Any], responses: Sequence[Any]) -> None:
        """Nothing: interests don't change."""

    def is_terminal(self) -> bool:
        """Never."""
        return False

    def create_observation(self) -> Floats:
        """What may be seen of the user: nothing."""
        return self._user_state.create_observation()
