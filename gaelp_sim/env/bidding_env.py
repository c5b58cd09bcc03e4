"""A world in Gymnasium's form: a step is an hour, an action a bid multiplier for each channel, the reward profit.

It is the real engine: people, rivals, budgets and memory are those of any run. Users live on from episode to episode, as
they do for an advertiser; `reset(options={"reborn": True})` begins a new world. The end of an episode's days is a
truncation, never an end: people go on to buy.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray

from gaelp_sim.env.dials import MULTIPLIER_MAX
from gaelp_sim.env.hourly import WORLDS_MAX, HourlyWorlds, Observation, Setting
from gaelp_sim.errors import UsageError
from gaelp_sim.events import NONE, US, Floats
from gaelp_sim.scenario.schema import Scenario

Action = NDArray[np.float32]


class BiddingEnv(gymnasium.Env[Observation, Action]):
    """One world of a scenario. Observation: PER_CHANNEL for each channel, then OVERALL; see `observation_names`.

    Action: float32 (channels,), the multiplier of the market's price in each, 0 to MULTIPLIER_MAX; with `budgets` (2,
    channels), the second row the share of the daily budget that each channel may spend, 0 to 1. Reward: dollars, the
    value of our sales decided in the hour less what was spent in it; info has `spend_usd`, `sales`, `reported_sales`.

    >>> env = BiddingEnv("short", people=50)
    >>> observation, info = env.reset(seed=1)
    >>> observation.shape == env.observation_space.shape
    True
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - as Gymnasium declares it

    def __init__(
        self, scenario: str | Scenario = "short", people: int | None = None, days: int | None = None,
        budgets: bool | float = False,
    ) -> None:
        """A scenario by name or file, with so many people (budgets stay) and days an episode, else its own.

        budgets: True shares out the scenario's daily budget between channels, a number so many dollars a day
        Raises ScenarioError for a scenario that can't be loaded, UsageError for one with intervals or several cells.
        """
        self.setting = Setting.of(scenario, people, days, budgets)
        self.scenario, self.hours, self.channels = self.setting.scenario, self.setting.hours, self.setting.channels
        self.observation_space, self.action_space = observations_of(self.setting), actions_of(self.setting)
        self._worlds: HourlyWorlds | None = None

    @property
    def observation_names(self) -> list[str]:
        """Names of the observation's columns."""
        return self.setting.observation_names

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode where the last one was left; a seed, or options={"reborn": True}, begins a new world.

        Seed k is world k of a run of the scenario.
        """
        super().reset(seed=seed)
        reborn = asks_for_birth(options)
        if self._worlds is None or seed is not None or reborn:
            born = int(self.np_random.integers(WORLDS_MAX)) if seed is None else seed
            self._worlds = HourlyWorlds(self.setting, born)
        self._worlds.begin()
        return self._worlds.observed(US)[0], self._told()

    def step(self, action: Action) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Live through an hour with these multipliers; raises UsageError for others than the action space has."""
        if self._worlds is None:
            raise UsageError("step: reset the environment first")
        multiplier, shares = parted(self.setting, np.asarray(action, dtype=np.float64)[None], action)
        self._worlds.live({US: multiplier}, shares)
        reward = float(self._worlds.told[US].takings.reward_usd[0])
        return self._worlds.observed(US)[0], reward, False, self._worlds.over, self._told()

    def _told(self) -> dict[str, Any]:
        assert self._worlds is not None
        return {name: column[0].item() for name, column in self._worlds.summary(US).items()}


def observations_of(setting: Setting) -> Box[np.float32]:
    """What is told of an hour, as a space."""
    return Box(-1.0, np.inf, (setting.width,), np.float32)


def actions_of(setting: Setting) -> Box[np.float32]:
    """Multipliers, with the shares of the daily budget where there is one to share out."""
    if setting.shared_micros == NONE:
        return Box(0.0, MULTIPLIER_MAX, (setting.channels,), np.float32)
    high = np.repeat(np.array([[MULTIPLIER_MAX], [1.0]], dtype=np.float32), setting.channels, axis=1)
    return Box(np.zeros_like(high), high, dtype=np.float32)


def parted(setting: Setting, asked: Floats, action: object) -> tuple[Floats, Floats | None]:
    """Multipliers and shares, (worlds, channels) each, of actions (worlds, ...); shares None where none are asked for.

    Raises UsageError for a wrong shape or for what is no finite number; `action`: as it was given.
    """
    shares = setting.shared_micros != NONE
    shape = (2, setting.channels) if shares else (setting.channels,)
    if asked.shape[1:] != shape or not np.isfinite(asked).all():
        need = f"{setting.channels} multipliers from 0 to {MULTIPLIER_MAX:g} are needed"
        more = f", and under them {setting.channels} shares of the daily budget from 0 to 1" if shares else ""
        raise UsageError(f"step: action {action!r}; {need}{more}")
    if not shares:
        return asked, None
    return asked[:, 0], np.clip(asked[:, 1], 0.0, 1.0)


def asks_for_birth(options: dict[str, Any] | None) -> bool:
    """Whether reset's options ask for a new world; raises UsageError for options that there are not."""
    unknown = sorted(set(options or {}) - {"reborn"})
    if unknown:
        raise UsageError(f"reset: no option {unknown[0]!r}; there is 'reborn'")
    return bool((options or {}).get("reborn"))
