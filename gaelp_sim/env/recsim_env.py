"""Our world in RecSim's form: slates of creatives in, what users did out; one user at a time, or many.

It is the real engine: rivals bid, budgets bind, and the hour is played as in any run. A slate says which creative to show
in which channel, and stands until the user's next opportunity; which channel that will come in is not known before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gaelp_sim.env.episode import Episode, Step
from gaelp_sim.errors import UsageError
from gaelp_sim.events import Floats, Ints
from gaelp_sim.recsim.documents import AdDocument, documents_of
from gaelp_sim.scenario.schema import Scenario

Observation = dict[str, Any]
Ids = dict[str, Any]
Slate = Sequence[int]
Reward = Callable[[Step], float]


def profit(step: Step) -> float:
    """Value of our sales to the user less what was spent on them, in dollars."""
    return step.value_usd - step.spent_usd


def clicks(step: Step) -> float:
    """1 for a click, as in RecSim's click-through reward."""
    return float(step.clicked)


class RecSimMultiUserEnv:
    """Many users of one world: `step` takes a slate for each, and goes on to the next hour in which one of them is met.

    The observation has a list entry a user under `user` (float32 (41,): what we knew of them at their last opportunity,
    zeros before it) and `response` (None where the user was not met); `doc` is the same for all: by index in a slate,
    channel and creative as ones among zeros. Each `reset` begins a new world of the same seed.
    """

    def __init__(
        self, scenario: Scenario, users: int | None = None, reward: Reward = profit, bid_multiple: float = 1.0
    ) -> None:
        """The first `users` people of the scenario, None: all. Cells, worlds and scripted people are left out."""
        fewer = scenario.population.model_copy(update={"opportunities_per_hour_max": 1})
        changes = {"worlds": 1, "cells": 1, "log": "all", "script": [], "population": fewer}
        self.scenario, self.seed = scenario.model_copy(update=changes), scenario.seed
        self.people = fewer.people if users is None else users
        if not 1 <= self.people <= fewer.people:
            raise UsageError(f"RecSim environment: {users} users; the scenario has {fewer.people} people")
        self.reward, self.bid_multiple = reward, bid_multiple
        self.candidates = candidates_of(scenario)
        self.slate_size = len({document.channel for document in self.candidates})
        self.documents = _observed(self.candidates, len(scenario.channels))
        self.number = -1
        self._episode: Episode | None = None

    def reset(self) -> Observation:
        """A new world whose users have met nothing of ours yet."""
        self.number += 1
        self._episode = Episode.of(self.scenario, (self.seed, self.number), self._users(), self.bid_multiple)
        return self._observation([None] * len(self._episode.people))

    def step(self, slates: Sequence[Slate]) -> tuple[Observation, float, bool, Ids]:
        """(observation, sum of the users' rewards, done: all have bought or the days are over, ids).

        Raises UsageError for a slate that names no candidate or two of one channel, and after the end.
        """
        steps, ended, cut = self._play(slates)
        observation = self._observation([step.responses() if step.met else None for step in steps])
        return observation, sum(self.reward(step) for step in steps), ended or cut, self._ids()

    def _users(self) -> Ints:
        return np.arange(self.people)

    def _play(self, slates: Sequence[Slate]) -> tuple[list[Step], bool, bool]:
        """The users' steps, whether all have bought, and whether the days are over before that."""
        episode = self._living()
        if len(slates) != len(episode.people):
            raise UsageError(f"RecSim environment: {len(slates)} slates for {len(episode.people)} users; one for each")
        if episode.bought().all() or episode.is_over():
            raise UsageError("RecSim environment: the episode is over; call reset()")
        steps = episode.play([self._checked(slate) for slate in slates])
        ended = bool(episode.bought().all())
        return steps, ended, episode.is_over() and not ended

    def _living(self) -> Episode:
        if self._episode is None:
            raise UsageError("RecSim environment: no episode has begun; call reset()")
        return self._episode

    def _checked(self, slate: Slate) -> list[AdDocument]:
        numbers, most = [int(number) for number in slate], len(self.candidates) - 1
        wrong = [number for number in numbers if not 0 <= number <= most]
        if wrong:
            raise UsageError(f"RecSim environment: slate {numbers}: no document {wrong[0]}; there are 0 to {most}")
        documents = [self.candidates[number] for number in numbers]
        if len({document.channel for document in documents}) < len(documents):
            raise UsageError(f"RecSim environment: slate {numbers} has two documents of one channel; at most one of each")
        return documents

    def _observation(self, response: Any) -> Observation:
        return {"user": list(self._living().seen.copy()), "doc": self.documents, "response": response}

    def _ids(self) -> Ids:
        episode = self._living()
        return {
            "seed": self.seed, "world_id": self.number, "person_id": episode.people.tolist(),
            "resolved_user_id": episode.resolved.tolist(), "hour": episode.hour,
        }


class RecSimEnv(RecSimMultiUserEnv):
    """One user at a time: each `reset` begins a new world with the next person as its user, the others are neighbours."""

    def __init__(self, scenario: Scenario, reward: Reward = profit, bid_multiple: float = 1.0) -> None:
        super().__init__(scenario, 1, reward, bid_multiple)

    def step(self, slate: Sequence[Any]) -> tuple[Observation, float, bool, Ids]:
        """(observation, reward, done, ids) at the user's next opportunity, or at the end."""
        observation, reward, ended, cut, ids = self._step(slate)
        return observation, reward, ended or cut, ids

    def _step(self, slate: Slate) -> tuple[Observation, float, bool, bool, Ids]:
        (step,), ended, cut = self._play([slate])
        return self._observation([step.responses()]), self.reward(step), ended, cut, self._ids()

    def _users(self) -> Ints:
        return np.array([self.number % self.scenario.population.people])

    def _observation(self, response: Any) -> Observation:
        return {"user": self._living().seen[0].copy(), "doc": self.documents, "response": response[0]}

    def _ids(self) -> Ids:
        return {name: value[0] if isinstance(value, list) else value for name, value in super()._ids().items()}


class RecSimGymnasiumEnv(RecSimEnv):
    """One user at a time with Gymnasium's signatures, five values a step; gymnasium itself is not needed."""

    def reset(  # type: ignore[override]
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, Ids]:
        """A new world; `seed` begins the series of worlds of another seed."""
        if seed is not None:
            self.seed, self.number = seed, -1
        return super().reset(), self._ids()

    def step(self, slate: Slate) -> tuple[Observation, float, bool, bool, Ids]:  # type: ignore[override]
        """(observation, reward, terminated: the user has bought, truncated: the days are over, ids)."""
        return self._step(slate)


def candidates_of(scenario: Scenario) -> list[AdDocument]:
    """Our creatives in each channel whose campaign may show them; rivals' ads are no candidates."""
    channels, creatives = ([part.name for part in parts] for parts in (scenario.channels, scenario.creatives))
    allowed = {
        (channels.index(campaign.channel), creatives.index(name))
        for campaign in scenario.us.campaigns for name in campaign.creatives
    }
    return [document for document in documents_of(scenario) if (document.channel, document.creative) in allowed]


def _observed(candidates: list[AdDocument], channels: int) -> dict[str, Floats]:
    ones = np.eye(channels)
    return {
        str(number): np.concatenate([ones[document.channel], document.create_observation()[:-1]])
        for number, document in enumerate(candidates)
    }
