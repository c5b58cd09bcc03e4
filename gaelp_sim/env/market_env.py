"""A whole market in PettingZoo's parallel form: we and the rivals' seats, each turned by an agent, hour by hour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium.spaces import Box
from gymnasium.utils import seeding
from numpy.typing import NDArray
from pettingzoo import ParallelEnv

from gaelp_sim.env.bidding_env import Action, actions_of, observations_of, parted
from gaelp_sim.env.hourly import WORLDS_MAX, HourlyWorlds, Observation, Setting
from gaelp_sim.errors import UsageError
from gaelp_sim.scenario.schema import Scenario

OURS = "us"
Told = dict[str, dict[str, Any]]


class MarketEnv(ParallelEnv[str, Observation, Action]):  # type: ignore[misc]  # pettingzoo tells no types
    """One world of a scenario, in which an agent sits in our seat and in each rival's, or in some of them.

    Agents: "us" and the rivals' names. Observation and action of each are those of `BiddingEnv`: its own hour by channel
    and the clock; float32 (channels,), multipliers of the market's price for us, of its own value of an opportunity for
    a rival (1 bids what it is worth to it). Reward: dollars; ours as in `BiddingEnv`, a rival's the value of what it won
    less what it paid, by the scenario's own worths: a click's or a thousandth of a thousand impressions'. All are
    truncated when the days are over, and none is ever terminated.

    >>> env = MarketEnv("short", people=50)
    >>> observations, infos = env.reset(seed=1)
    >>> env.agents[:2]
    ['us', 'Qustodio']
    """

    metadata: dict[str, Any] = {"render_modes": [], "name": "gaelp_market_v0"}  # noqa: RUF012 - as PettingZoo declares it
    render_mode = None

    def __init__(
        self, scenario: str | Scenario = "short", people: int | None = None, days: int | None = None,
        seats: Sequence[str] | None = None,
    ) -> None:
        """A scenario as `BiddingEnv` takes it; seats: whom agents play, None for all. The others bid as the scenario says.

        Raises UsageError for a seat that there is not, or that is named twice.
        """
        self.setting = Setting.of(scenario, people, days)
        names = [OURS, *(rival.name for rival in self.setting.scenario.rivals)]
        self.possible_agents = names if seats is None else list(seats)
        wrong = [name for name in self.possible_agents if name not in names]
        if wrong or not self.possible_agents or len(set(self.possible_agents)) < len(self.possible_agents):
            has = f"{self.setting.scenario.name} has {', '.join(names)}"
            raise UsageError(f"seats={self.possible_agents}: {has}; name one or more, each once")
        self.agents: list[str] = []
        self.codes = {name: names.index(name) for name in self.possible_agents}
        self.observation_spaces = {name: observations_of(self.setting) for name in self.possible_agents}
        self.action_spaces = {name: actions_of(self.setting) for name in self.possible_agents}
        self._random = seeding.np_random()[0]
        self._worlds: HourlyWorlds | None = None

    def observation_space(self, agent: str) -> Box[np.float32]:
        """What an agent is told."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> Box[np.float32]:
        """What an agent may do."""
        return self.action_spaces[agent]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[dict[str, Observation], Told]:
        """Begin an episode where the last one was left; a seed, or options={"reborn": True}, begins a new world.

        Seed k is world k of a run of the scenario; other options are left alone, as PettingZoo's tests want it.
        """
        if seed is not None:
            self._random = seeding.np_random(seed)[0]
        if self._worlds is None or seed is not None or (options or {}).get("reborn"):
            born = int(self._random.integers(WORLDS_MAX)) if seed is None else seed
            self._worlds = HourlyWorlds(self.setting, born, 1, tuple(self.codes.values()))
        self._worlds.begin()
        self.agents = list(self.possible_agents)
        return self._observed(), self._told()

    def step(
        self, actions: Mapping[str, Action]
    ) -> tuple[dict[str, Observation], dict[str, float], dict[str, bool], dict[str, bool], Told]:
        """Live through an hour with everybody's multipliers; raises UsageError where one is missing or wrong."""
        if self._worlds is None or not self.agents:
            raise UsageError("step: no episode goes on; reset the environment first")
        self._worlds.live({self.codes[name]: self._asked(name, actions) for name in self.agents})
        cut, players = self._worlds.over, self.agents
        rewards = {name: float(self._worlds.told[self.codes[name]].takings.reward_usd[0]) for name in players}
        self.agents = [] if cut else players
        return self._observed(), rewards, dict.fromkeys(players, False), dict.fromkeys(players, cut), self._told()

    def _asked(self, name: str, actions: Mapping[str, Action]) -> NDArray[np.float64]:
        if name not in actions:
            raise UsageError(f"step: no action of {name!r}; one of each of {', '.join(self.agents)} is needed")
        return parted(self.setting, np.asarray(actions[name], dtype=np.float64)[None], actions[name])[0]

    def _observed(self) -> dict[str, Observation]:
        assert self._worlds is not None
        return {name: self._worlds.observed(code)[0] for name, code in self.codes.items()}

    def _told(self) -> Told:
        assert self._worlds is not None
        return {
            name: {what: column[0].item() for what, column in self._worlds.summary(code).items()}
            for name, code in self.codes.items()
        }
