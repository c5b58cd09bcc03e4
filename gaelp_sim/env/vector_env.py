"""Several worlds in one pass of the engine, as a vectorised environment of Gymnasium."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from gaelp_sim.env.bidding_env import actions_of, asks_for_birth, observations_of, parted
from gaelp_sim.env.hourly import WORLDS_MAX, HourlyWorlds, Observation, Setting
from gaelp_sim.errors import UsageError
from gaelp_sim.events import US, Bools, Floats

Action = NDArray[np.float32]
Steps = tuple[Observation, Floats, Bools, Bools, dict[str, Any]]


class VectorBiddingEnv(VectorEnv[Observation, Action, NDArray[Any]]):
    """`num_envs` worlds of a scenario, each step for step what a `BiddingEnv` of its own seed is.

    reset(seed=k) begins the worlds of the seeds k, k + 1, ...: the single environments of these seeds. All episodes are
    equally long, so that all worlds are truncated, and reset, together. As there, users live on when an episode ends.

    >>> envs = VectorBiddingEnv(3, people=50)
    >>> envs.reset(seed=1)[0].shape == envs.observation_space.shape
    True
    """

    def __init__(
        self, num_envs: int = 1, autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP, **world: Any
    ) -> None:
        """So many worlds of `BiddingEnv(**world)`; autoreset_mode: what follows an episode's last step, as in Gymnasium.

        NEXT_STEP: the next step resets, and passes no hour; SAME_STEP: the same one does, with `final_obs` and
        `final_info` in its info; DISABLED: only reset() does.
        Raises UsageError for less than one world, and as `BiddingEnv` does.
        """
        if num_envs < 1:
            raise UsageError(f"num_envs={num_envs}: one world or more is needed")
        self.setting = Setting.of(
            world.pop("scenario", "short"), world.pop("people", None), world.pop("days", None), world.pop("budgets", False)
        )
        if world:
            raise UsageError(f"no option {min(world)!r}; there are scenario, people, days and budgets")
        self.num_envs, self.mode = num_envs, AutoresetMode(autoreset_mode)
        self.metadata = {"render_modes": [], "autoreset_mode": self.mode}
        self.single_observation_space, self.single_action_space = observations_of(self.setting), actions_of(self.setting)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._worlds: HourlyWorlds | None = None
        self._ended = False

    def reset(
        self, *, seed: int | list[int] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode in all worlds; a seed, or options={"reborn": True}, begins new worlds.

        Raises UsageError for seeds that do not follow one another, and for a `reset_mask` that leaves worlds out.
        """
        first = self._first(seed)
        super().reset(seed=first)
        asked = dict(options or {})
        mask = asked.pop("reset_mask", None)
        if mask is not None and not np.all(mask):
            raise UsageError("reset: reset_mask leaves worlds out; worlds of one pass are reset together")
        reborn = asks_for_birth(asked)
        if self._worlds is None or first is not None or reborn:
            born = int(self.np_random.integers(WORLDS_MAX - self.num_envs)) if first is None else first
            self._worlds = HourlyWorlds(self.setting, born, self.num_envs)
        self._begin()
        return self._worlds.observed(US), self._told()

    def step(self, actions: Action) -> Steps:
        """Live through an hour of every world; actions: (num_envs, ...). Raises UsageError as `BiddingEnv.step` does."""
        if self._worlds is None:
            raise UsageError("step: reset the environments first")
        if self._ended and self.mode is AutoresetMode.NEXT_STEP:
            self._begin()
            return self._steps(np.zeros(self.num_envs), False, self._told())
        asked = np.asarray(actions, dtype=np.float64)
        if len(asked) != self.num_envs:
            raise UsageError(f"step: {len(asked)} actions for {self.num_envs} worlds; one for each is needed")
        multiplier, shares = parted(self.setting, asked, actions)
        self._worlds.live({US: multiplier}, shares)
        self._ended = self._worlds.over
        reward, over, told = self._worlds.told[US].takings.reward_usd, self._ended, self._told()
        if over and self.mode is AutoresetMode.SAME_STEP:
            told = self._renewed(told)
        return self._steps(reward, over, told)

    def _first(self, seed: int | list[int] | None) -> int | None:
        if seed is None or isinstance(seed, int | np.integer):
            return None if seed is None else int(seed)
        seeds = [int(each) for each in seed]
        if seeds != list(range(seeds[0], seeds[0] + self.num_envs)):
            raise UsageError(f"reset: seeds {seeds}; worlds of one pass have {self.num_envs} seeds that follow one another")
        return seeds[0]

    def _begin(self) -> None:
        assert self._worlds is not None
        self._worlds.begin()
        self._ended = False

    def _renewed(self, told: dict[str, Any]) -> dict[str, Any]:
        """Begin the next episode within the last one's step; its info holds how the last one ended."""
        assert self._worlds is not None
        everyone, last = np.ones(self.num_envs, dtype=np.bool_), np.empty(self.num_envs, dtype=object)
        last[:] = list(self._worlds.observed(US))
        self._begin()
        return {**self._told(), "final_obs": last, "_final_obs": everyone, "final_info": told, "_final_info": everyone}

    def _steps(self, reward: Floats, over: bool, told: dict[str, Any]) -> Steps:
        assert self._worlds is not None
        never, cut = np.zeros(self.num_envs, dtype=np.bool_), np.full(self.num_envs, over)
        return self._worlds.observed(US), reward, never, cut, told

    def _told(self) -> dict[str, Any]:
        """Each figure with the mask of the worlds that have it: all."""
        assert self._worlds is not None
        everyone = np.ones(self.num_envs, dtype=np.bool_)
        summary = self._worlds.summary(US)
        return {**summary, **{f"_{name}": everyone for name in summary}}
