"""A world in Gymnasium's form: a step is an hour, an action a bid multiplier for each channel, the reward profit.

It is the real engine: people, rivals, budgets and memory are those of any run. Users live on from episode to episode, as
they do for an advertiser; `reset(options={"reborn": True})` begins a new world. The end of an episode's days is a
truncation, never an end: people go on to buy.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import register, registry
from gymnasium.spaces import Box
from numpy.typing import NDArray

from gaelp_sim.errors import UsageError
from gaelp_sim.events import US, Bids, Floats, Opportunities, Outcomes, Statistics
from gaelp_sim.market.bidder import Moment
from gaelp_sim.market.rule_policy import RulePolicy
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import HOURS_PER_DAY, MICROS_PER_UNIT
from gaelp_sim.world.shard import Shard, Task
from gaelp_sim.world.stack import Place

MULTIPLIER_MAX = 4.0
"""Of the market's price, in each channel."""
PER_CHANNEL = ("opportunities", "wins", "clicks", "spend_usd")
"""What is told of each channel's last hour, by the logarithm of one more."""
OVERALL = ("hour_sin", "hour_cos", "day_done", "episode_done", "spend_today_usd", "reported_sales")
BIDDING = "gaelp/Bidding-v0"
Observation = NDArray[np.float32]


@dataclass
class Dial:
    """Our seat: the rule's creatives, at the market's price times the hour's multiplier of the channel."""

    name: str
    rule: RulePolicy
    multiplier: Floats
    """(channels,)"""
    met: Floats
    """(channels,): opportunities of the hour"""

    def bid(self, opportunities: Opportunities, moment: Moment) -> Bids:
        """Bids for a round."""
        bids = self.rule.bid(opportunities, moment)
        np.add.at(self.met, opportunities.channel, 1.0)
        asked = self.rule.price_micros[opportunities.signal] * self.multiplier[opportunities.channel]
        return replace(bids, bid_micros=np.rint(asked).astype(np.int64))

    def observe(self, opportunities: Opportunities, outcomes: Outcomes) -> Statistics:
        """Nothing: the agent learns outside."""
        return Statistics(np.zeros(0, dtype=np.int64))

    def update(self, statistics: Statistics) -> None:
        """Nothing to update."""


@dataclass
class _Hour:
    """What an hour brought."""

    wins: Floats
    clicks: Floats
    spend_usd: Floats
    """(channels,) each"""
    sales: int = 0
    """Decided in the hour"""
    sold: list[int] = field(default_factory=list)
    """When their reports come, seconds"""


class BiddingEnv(gymnasium.Env[Observation, NDArray[np.float32]]):
    """One world of a scenario. Observation: PER_CHANNEL for each channel, then OVERALL; see `observation_names`.

    Action: float32 (channels,), the multiplier of the market's price in each, 0 to MULTIPLIER_MAX. Reward: dollars, the
    value of our sales decided in the hour less what was spent in it; info has `spend_usd`, `sales`, `reported_sales`.

    >>> env = BiddingEnv("short", people=50)
    >>> observation, info = env.reset(seed=1)
    >>> observation.shape == env.observation_space.shape
    True
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - as Gymnasium declares it

    def __init__(self, scenario: str | Scenario = "short", people: int | None = None, days: int | None = None) -> None:
        """A scenario by name or file, with so many people (budgets stay) and days an episode, else its own.

        Raises ScenarioError for a scenario that can't be loaded, UsageError for one with intervals or several cells.
        """
        base = load_scenario(scenario) if isinstance(scenario, str) else scenario
        if base.intervals or base.cells != 1:
            raise UsageError(f"{base.name}: an environment is one world of one cell, without intervals")
        changes: dict[str, Any] = {"worlds": 1, "log": "wins"}
        if people is not None:
            changes["population"] = base.population.model_copy(update={"people": people})
        self.scenario = base.model_copy(update=changes)
        self.hours = (days or base.days) * HOURS_PER_DAY
        self.channels = len(base.channels)
        size = len(PER_CHANNEL) * self.channels + len(OVERALL)
        self.observation_space = Box(-1.0, np.inf, (size,), np.float32)
        self.action_space = Box(0.0, MULTIPLIER_MAX, (self.channels,), np.float32)
        self._shard: Shard | None = None
        self._begun_hour = self._hour = 0
        self._due: list[int] = []
        """When reports of sales come, seconds"""

    @property
    def observation_names(self) -> list[str]:
        """Names of the observation's columns."""
        names = [channel.name for channel in self.scenario.channels]
        return [f"{name}.{what}" for name in names for what in PER_CHANNEL] + list(OVERALL)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode where the last one was left; a seed, or options={"reborn": True}, begins a new world."""
        super().reset(seed=seed)
        unknown = sorted(set(options or {}) - {"reborn"})
        if unknown:
            raise UsageError(f"reset: no option {unknown[0]!r}; there is 'reborn'")
        if self._shard is None or seed is not None or (options or {}).get("reborn"):
            self._be_born(int(self.np_random.integers(2**31)))
        self._begun_hour = self._hour
        nothing = np.zeros(self.channels)
        return self._observed(_Hour(nothing, nothing, nothing)), self._told(_Hour(nothing, nothing, nothing))

    def step(self, action: NDArray[np.float32]) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Live through an hour with these multipliers; raises UsageError for others than the action space has."""
        if self._shard is None:
            raise UsageError("step: reset the environment first")
        asked = np.asarray(action, dtype=np.float64)
        if asked.shape != (self.channels,) or not np.isfinite(asked).all():
            need = f"{self.channels} multipliers from 0 to {MULTIPLIER_MAX:g} are needed"
            raise UsageError(f"step: action {action!r}; {need}")
        self._dial.multiplier, self._dial.met = np.clip(asked, 0.0, MULTIPLIER_MAX), np.zeros(self.channels)
        hour = self._hour_of(self._shard.advance(self._hour + 1))
        self._hour += 1
        if self._hour % HOURS_PER_DAY == 1:
            self._today_usd = 0.0
        self._today_usd += float(hour.spend_usd.sum())
        self._due += hour.sold
        value = hour.sales * float(self.scenario.economics.ltv_usd)
        truncated = self._hour - self._begun_hour >= self.hours
        return self._observed(hour), value - float(hour.spend_usd.sum()), False, truncated, self._told(hour)

    def _be_born(self, seed: int) -> None:
        rule = RulePolicy.of(self.scenario)
        self._dial = Dial(self.scenario.us.name, rule, np.ones(self.channels), np.zeros(self.channels))
        place = Place(range(1), range(1))
        self._shard = Shard(Task(self.scenario, seed, "rule", place, 0, None), us=self._dial)
        self._hour, self._today_usd, self._due, self._reported = 0, 0.0, [], 0

    def _hour_of(self, tables: dict[str, dict[str, Any]]) -> _Hour:
        hour = _Hour(np.zeros(self.channels), np.zeros(self.channels), np.zeros(self.channels))
        if "outcome" in tables:
            won = tables["outcome"]
            ours = won["advertiser"] == US
            channel = won["channel"][ours]
            np.add.at(hour.wins, channel, 1.0)
            np.add.at(hour.clicks, channel, won["clicked"][ours])
            np.add.at(hour.spend_usd, channel, won["charge_micros"][ours] / MICROS_PER_UNIT)
        if "conversion" in tables:
            sold = tables["conversion"]
            ours = sold["advertiser"] == US
            hour.sales = int(ours.sum())
            assert self._shard is not None
            hour.sold = (sold["reported_s"][ours] - self._shard.model.start_s).tolist()
        return hour

    def _observed(self, hour: _Hour) -> Observation:
        now_s = self._hour * 3_600
        self._reported += sum(second <= now_s for second in self._due)
        self._due = [second for second in self._due if second > now_s]
        each = np.stack([self._dial.met, hour.wins, hour.clicks, hour.spend_usd], axis=1)
        angle = 2 * np.pi * (self._hour % HOURS_PER_DAY) / HOURS_PER_DAY
        overall = [
            np.sin(angle), np.cos(angle), self._hour % HOURS_PER_DAY / HOURS_PER_DAY,
            (self._hour - self._begun_hour) / self.hours, np.log1p(self._today_usd), np.log1p(self._reported),
        ]
        return np.concatenate([np.log1p(each).ravel(), overall]).astype(np.float32)

    def _told(self, hour: _Hour) -> dict[str, Any]:
        spend_usd = float(hour.spend_usd.sum())
        return {"spend_usd": spend_usd, "sales": hour.sales, "reported_sales": self._reported, "hour": self._hour}


if BIDDING not in registry:
    register(BIDDING, entry_point="gaelp_sim.env.bidding_env:BiddingEnv")
