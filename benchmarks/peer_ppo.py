"""A stand-in world of journeys for recurrent learners, and sb3-contrib's RecurrentPPO on it."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import torch
from sb3_contrib import RecurrentPPO
from stable_baselines3.common.vec_env.base_vec_env import VecEnv

from benchmarks.journeys import ACTIONS, FEATURES, HIDDEN, JOURNEY_STEPS, MINIBATCH, PASSES, STEPS, USERS


class Stand(VecEnv):  # type: ignore[misc]
    """Observations out of a box; each journey ends with a chance of one in thirty."""

    def __init__(self) -> None:
        space = gymnasium.spaces.Box(0.0, 1.0, (FEATURES,), np.float32)
        super().__init__(USERS, space, gymnasium.spaces.Discrete(ACTIONS))
        self.rng = np.random.default_rng(1)
        self.seen = self.rng.random((997, USERS, FEATURES), dtype=np.float32)
        self.turn = 0

    def reset(self) -> Any:
        return self.seen[0]

    def step_async(self, actions: Any) -> None:
        self.actions = actions

    def step_wait(self) -> Any:
        self.turn += 1
        ended = self.rng.random(USERS) < 1 / JOURNEY_STEPS
        seen = self.seen[self.turn % len(self.seen)]
        return seen, (self.actions == 3).astype(np.float32), ended, [
            {"terminal_observation": seen[k]} if end else {} for k, end in enumerate(ended)
        ]

    def close(self) -> None:
        """Nothing is open."""

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        return [None] * USERS

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        raise NotImplementedError

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        return [None] * USERS

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        return [False] * USERS


def peer(*, shared: bool) -> RecurrentPPO:
    """The peer with the same network, minibatches and passes; its default has an LSTM for the critic, too."""
    memory = {"shared_lstm": True, "enable_critic_lstm": False} if shared else {}
    torch.manual_seed(1)
    return RecurrentPPO(
        "MlpLstmPolicy", Stand(), n_steps=STEPS, batch_size=MINIBATCH, n_epochs=PASSES, seed=1, device="cpu",
        policy_kwargs={"lstm_hidden_size": HIDDEN, "net_arch": {"pi": [HIDDEN], "vf": []}, **memory},
    )
