"""User models as RecSim's authors write them: luck from numpy's global generator, a sampler with one of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


class State:
    """A user's state with the kinds of values that RecSim's states hold."""

    def __init__(self, net_positive_exposure: float) -> None:
        self.net_positive_exposure = net_positive_exposure
        self.time_budget = 60
        self.sensitivity = 0.3
        self.recent = np.zeros(2, dtype=np.int64)
        self.watched_videos: set[int] = set()
        self.label: str | None = None

    def score_document(self, doc_obs: np.ndarray) -> float:
        return 1.0

    def create_observation(self) -> np.ndarray:
        return np.array([])


class Sampler:
    """Draws users from a generator of its own, as AbstractUserSampler does."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self.reset_sampler()

    def reset_sampler(self) -> None:
        self._rng = np.random.RandomState(self._seed)

    def sample_user(self) -> State:
        return State((self._rng.random_sample() - 0.5) / 0.3)


class Response:
    """clicked, engagement"""

    def __init__(self) -> None:
        self.clicked, self.engagement = False, 0.0


class Chooser:
    """RecSim's choice models: weights in `scores` and `score_no_click`, luck from the global generator."""

    def score_documents(self, user_state: State, doc_obs: Sequence[np.ndarray]) -> None:
        self.scores = np.array([user_state.score_document(document) for document in doc_obs])
        self.score_no_click = 1.0

    def choose_item(self) -> int | None:
        weights = np.append(self.scores, self.score_no_click)
        place = np.random.choice(len(weights), p=weights / weights.sum())
        return None if place == len(weights) - 1 else int(place)


class Original:
    """Long-term satisfaction in which the user may also click nothing."""

    def __init__(self, slate_size: int, seed: int = 0) -> None:
        self._slate_size = slate_size
        self._user_sampler = Sampler(seed)
        self._user_state = self._user_sampler.sample_user()
        self.choice_model = Chooser()

    def reset(self) -> None:
        self._user_state = self._user_sampler.sample_user()

    def simulate_response(self, documents: Sequence[Any]) -> list[Response]:
        self.choice_model.score_documents(self._user_state, [d.create_observation() for d in documents])
        responses = [Response() for _ in documents]
        place = self.choice_model.choose_item()
        if place is not None:
            responses[place].clicked = True
            responses[place].engagement = float(np.exp(np.random.normal(1.0, 1.0)))
        return responses

    def update_state(self, slate_documents: Sequence[Any], responses: Sequence[Response]) -> None:
        state = self._user_state
        for document, response in zip(slate_documents, responses, strict=True):
            if response.clicked:
                push = 2 * (document.clickbait_score - 0.5)
                state.net_positive_exposure = 0.7 * state.net_positive_exposure - push + np.random.normal(0, 0.05)
                state.recent[:] = [state.recent[1], document.doc_id()]
        state.time_budget -= 1

    def is_terminal(self) -> bool:
        return self._user_state.time_budget <= 0


