"""Interest evolution: watching a video draws the user's interest in its topic towards it, or pushes it away.

Source: RecSim 0.2.4, `environments/interest_evolution.py`, with its defaults.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from gaelp_sim.compiled import compiled, inlined
from gaelp_sim.events import NONE, Floats, Ints
from gaelp_sim.recsim import lending
from gaelp_sim.recsim.choice import MultinomialProportional
from gaelp_sim.recsim.documents import topics_of
from gaelp_sim.scenario.schema import Scenario

TOPICS = 20
BUDGET = 200.0
STEP_PENALTY = 0.5
UPDATE_ALPHA = 0.9 / 3.4
NO_CLICK_MASS, MIN_NORMALIZER = 1.0, -1.0
VIDEO_LENGTH = 4.0
DRIFT = 0.3
"""alpha(u) = DRIFT (1 - |u|): settled interests move less."""
QUALITY_SD = 0.1
TOPIC_QUALITY = np.concatenate([np.linspace(-3.0, 0.0, 14), np.linspace(0.0, 3.0, 6)])
"""(TOPICS,): mean quality of a topic's videos"""


class InterestUsers(NamedTuple):
    """Many users as columns."""

    interest: Floats
    """(n, topics), in [-1, 1]"""
    budget: Floats
    """(n,): time left of the session"""

    @staticmethod
    def newborn(luck: Floats) -> InterestUsers:
        """Users at the start of a session; luck: (n, topics) uniforms."""
        return InterestUsers(2.0 * luck - 1.0, np.full(len(luck), BUDGET))


class Slates(NamedTuple):
    """What is shown to each user, (n, k)."""

    topic: Ints
    quality: Floats


class Watched(NamedTuple):
    """What each user did, (n,)."""

    place: Ints
    """Of the video watched, NONE for none"""
    time: Floats


@compiled
def interest_step(users: InterestUsers, slates: Slates, luck: Floats) -> Watched:
    """One step of every user whose session goes on; users are changed.

    luck: (2, n) uniforms: the choice, and which way interest moves
    """
    n, places = slates.topic.shape
    place, time = np.full(n, NONE, dtype=np.int64), np.zeros(n)
    for i in range(n):
        if users.budget[i] <= 0:
            continue
        total = NO_CLICK_MASS - MIN_NORMALIZER
        for k in range(places):
            total += users.interest[i, slates.topic[i, k]] - MIN_NORMALIZER
        rest = luck[0, i] * total
        for k in range(places):
            rest -= users.interest[i, slates.topic[i, k]] - MIN_NORMALIZER
            if rest < 0.0:
                place[i] = k
                break
        if place[i] == NONE:
            users.budget[i] -= STEP_PENALTY
            continue
        topic, watched = slates.topic[i, place[i]], min(users.budget[i], VIDEO_LENGTH)
        users.interest[i, topic] = moved(users.interest[i, topic], luck[1, i])
        users.budget[i] += UPDATE_ALPHA * watched * slates.quality[i, place[i]] - watched
        time[i] = watched
    return Watched(place, time)


@inlined
def moved(interest: float, luck: float) -> float:
    """Interest in a topic after watching a video of it: towards 1 with probability (u + 1) / 2, else away."""
    step = DRIFT * (1.0 - abs(interest)) * (1.0 - interest)
    after = interest + step if luck < (interest + 1.0) / 2.0 else interest - step
    return float(min(max(after, -1.0), 1.0))


@dataclass
class InterestState:
    """One user, with the names that RecSim gives its state."""

    user_interests: Floats
    time_budget: float = BUDGET

    def create_observation(self) -> Floats:
        """The interests: they are not hidden."""
        return self.user_interests

    def score_document(self, doc_obs: Floats) -> float:
        """How much the user likes a document: the product of interests and features."""
        return float(self.user_interests @ doc_obs)


@dataclass
class InterestResponse:
    """What a user did with one video."""

    clicked: bool = False
    watch_time: float = 0.0
    quality: float = 0.0
    cluster_id: int = 0


class InterestEvolution:
    """The user model in RecSim's form; documents need `create_observation`, `quality`, `video_length`, `cluster_id`."""

    def __init__(self, topics: int = TOPICS) -> None:
        self.topics = topics
        self.choice_model = MultinomialProportional(NO_CLICK_MASS, MIN_NORMALIZER)
        self._user_state = InterestState(np.zeros(topics))

    @staticmethod
    def of(scenario: Scenario) -> InterestEvolution:
        """The model with a topic for each creative and one for rivals' ads."""
        return InterestEvolution(topics_of(scenario))

    def reset(self) -> None:
        """A new user, drawn from the lent generator."""
        self._user_state = InterestState(lending.uniform(-1.0, 1.0, self.topics))

    def simulate_response(self, documents: Sequence[Any]) -> list[InterestResponse]:
        """A response a document; the chosen one is watched as long as the session allows."""
        observed = [document.create_observation() for document in documents]
        self.choice_model.score_documents(self._user_state, observed)
        place = self.choice_model.choose_item()
        responses = [InterestResponse(quality=d.quality, cluster_id=d.cluster_id) for d in documents]
        if place is not None:
            responses[place].clicked = True
            responses[place].watch_time = min(self._user_state.time_budget, documents[place].video_length)
        return responses

    def update_state(self, slate_documents: Sequence[Any], responses: Sequence[Any]) -> None:
        """The video watched moves interest and takes time; good ones give some of it back."""
        state = self._user_state
        for document, response in zip(slate_documents, responses, strict=True):
            if response.clicked:
                features = document.create_observation()
                interest = state.user_interests
                step = DRIFT * (1.0 - np.abs(interest)) * features * (features - interest)
                towards = lending.uniform(0.0, 1.0, 1)[0] < (interest + 1.0) / 2.0 @ features
                state.user_interests = np.clip(interest + step if towards else interest - step, -1.0, 1.0)
                state.time_budget += UPDATE_ALPHA * response.watch_time * document.quality - response.watch_time
                return
        state.time_budget -= STEP_PENALTY

    def is_terminal(self) -> bool:
        """True once the session's time is used up."""
        return self._user_state.time_budget <= 0

    def create_observation(self) -> Floats:
        """What may be seen of the user: the interests."""
        return self._user_state.create_observation()
