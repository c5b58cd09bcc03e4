"""Worlds lived through hour by hour, in one pass of the engine, with seats that agents outside hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.env.dials import Dial, RivalDial
from gaelp_sim.errors import UsageError
from gaelp_sim.events import NONE, US, Floats, Ints
from gaelp_sim.market.bidder import Bidder
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import HOURS_PER_DAY, MICROS_PER_UNIT, SECONDS_PER_HOUR, micros
from gaelp_sim.world.log import Table
from gaelp_sim.world.policies import DEFAULT_POLICY
from gaelp_sim.world.shard import Shard, Tables, Task
from gaelp_sim.world.stack import Place

PER_CHANNEL = ("opportunities", "wins", "clicks", "spend_usd")
"""What is told of each channel's last hour, by the logarithm of one more."""
OVERALL = ("hour_sin", "hour_cos", "day_done", "episode_done", "spend_today_usd", "reported_sales")
WORLDS_MAX = 2**31
"""A seed is a world of the scenario's own run; those from here on are worlds of the runs with the next seeds."""
Observation = NDArray[np.float32]


@dataclass(frozen=True)
class Setting:
    """What an environment plays: a scenario made for it, how many hours an episode has, the budget to be shared out."""

    scenario: Scenario
    hours: int
    shared_micros: int
    """A day, between channels; NONE where channels have no budgets of the agent's"""

    @staticmethod
    def of(scenario: str | Scenario, people: int | None, days: int | None, budgets: bool | float = False) -> Setting:
        """A scenario by name or file, with so many people (budgets stay) and days an episode, else its own.

        budgets: True shares out the scenario's daily budget between channels, a number so many dollars a day
        Raises ScenarioError for a scenario that can't be loaded, UsageError for one with intervals or several cells, and
        where there is no budget to share out.
        """
        base = load_scenario(scenario) if isinstance(scenario, str) else scenario
        if base.intervals or base.cells != 1:
            raise UsageError(f"{base.name}: an environment is one world of one cell, without intervals")
        if days is not None and days < 1:
            raise UsageError(f"{base.name}: days={days}; an episode has one day or more")
        changes: dict[str, Any] = {"worlds": 1, "log": "wins"}
        if people is not None:
            changes["population"] = base.population.model_copy(update={"people": people})
        shared_usd = _shared_usd(base, budgets)
        if shared_usd is not None:
            changes["us"] = _with_accounts(base, shared_usd)
        hours = (days or base.days) * HOURS_PER_DAY
        return Setting(base.model_copy(update=changes), hours, NONE if shared_usd is None else micros(shared_usd))

    @property
    def channels(self) -> int:
        """Number of auction channels."""
        return len(self.scenario.channels)

    @property
    def width(self) -> int:
        """Columns of an observation."""
        return len(PER_CHANNEL) * self.channels + len(OVERALL)

    @property
    def observation_names(self) -> list[str]:
        """Names of the observation's columns."""
        names = [channel.name for channel in self.scenario.channels]
        return [f"{name}.{what}" for name in names for what in PER_CHANNEL] + list(OVERALL)

    def place_of(self, seed: int, worlds: int = 1) -> tuple[int, range]:
        """The run's seed, and so many worlds of it from the environment's seed on."""
        more, first = divmod(seed, WORLDS_MAX)
        return self.scenario.seed + more, range(first, first + worlds)


def _shared_usd(scenario: Scenario, budgets: bool | float) -> float | None:
    if budgets is False:
        return None
    if budgets is not True:
        if not (np.isfinite(budgets) and budgets > 0):
            raise UsageError(f"budgets={budgets}: not a daily budget; give dollars above 0, or True for the scenario's own")
        return float(budgets)
    own = scenario.us.budget.usd_day
    campaigns = [each.budget_usd_day for each in scenario.us.campaigns if each.budget_usd_day is not None]
    if own is None and not campaigns:
        raise UsageError(f"{scenario.name}: budgets=True, but it has no daily budget; next: give dollars, budgets=100.0")
    return float(own if own is not None else sum(campaigns))


def _with_accounts(scenario: Scenario, usd_day: float) -> Any:
    """Us with a day's budget over all, and an account for each campaign's channel, which the agent limits."""
    campaigns = [campaign.model_copy(update={"budget_usd_day": usd_day}) for campaign in scenario.us.campaigns]
    budget = scenario.us.budget.model_copy(update={"usd_day": usd_day})
    return scenario.us.model_copy(update={"campaigns": campaigns, "budget": budget})


@dataclass
class Takings:
    """What an hour brought one advertiser."""

    wins: Floats
    """(worlds, channels)"""
    clicks: Floats
    spend_usd: Floats
    """(worlds, channels)"""
    spent_micros: Ints
    """(worlds,): all charges of the hour, our e-mails too"""
    sales: Ints
    """(worlds,): decided in the hour"""
    value_micros: Floats
    """(worlds,): of our sales; of a rival's wins"""

    @staticmethod
    def none(worlds: int, channels: int) -> Takings:
        """Nothing."""
        each, whole = np.zeros((worlds, channels)), np.zeros(worlds, dtype=np.int64)
        return Takings(each, each.copy(), each.copy(), whole, whole.copy(), np.zeros(worlds))

    @property
    def reward_usd(self) -> Floats:
        """(worlds,): value less spend."""
        return (self.value_micros - self.spent_micros) / MICROS_PER_UNIT


@dataclass
class Told:
    """What an agent has been told of its seat since the world began."""

    takings: Takings
    """Of the last hour"""
    today_usd: Floats
    """(worlds,)"""
    reported: Ints
    """(worlds,): sales"""
    due: list[tuple[int, int]]
    """Sales decided and not yet reported: (world's place, second of the report)"""

    def take_in(self, takings: Takings, sold: list[tuple[int, int]], hour: int) -> None:
        """An hour has passed; hour: of the world, since its birth."""
        if hour % HOURS_PER_DAY == 1:
            self.today_usd = np.zeros_like(self.today_usd)
        self.takings, self.today_usd = takings, self.today_usd + takings.spent_micros / MICROS_PER_UNIT
        self.due += sold
        for world, second in self.due:
            self.reported[world] += second <= hour * SECONDS_PER_HOUR
        self.due = [(world, second) for world, second in self.due if second > hour * SECONDS_PER_HOUR]


class HourlyWorlds:
    """Worlds from their birth on; `live` passes an hour of all of them."""

    def __init__(self, setting: Setting, seed: int, worlds: int = 1, codes: Sequence[int] = (US,)) -> None:
        """`worlds` of them, born for the environment's seed and those after it; codes: advertisers that agents play."""
        self.setting, self.hour, self.begun_hour = setting, 0, 0
        run_seed, self.worlds = setting.place_of(seed, worlds)
        scenario, n, channels = setting.scenario, len(self.worlds), setting.channels
        self.dials: dict[int, Dial | RivalDial] = {
            code: Dial.of(scenario, n) if code == US else RivalDial.of(scenario, code, run_seed, self.worlds)
            for code in codes
        }
        self.told = {
            code: Told(Takings.none(n, channels), np.zeros(n), np.zeros(n, dtype=np.int64), []) for code in codes
        }
        rivals: dict[int, Bidder] = {code: dial for code, dial in self.dials.items() if code != US}
        task = Task(scenario, run_seed, DEFAULT_POLICY, Place(self.worlds, range(1)), 0, None)
        self.shard = Shard(task, us=self.dials.get(US), rivals=rivals)

    def begin(self) -> None:
        """Begin an episode at this hour: its last hour is told no more."""
        self.begun_hour = self.hour
        for code, told in self.told.items():
            told.takings = Takings.none(len(self.worlds), self.setting.channels)
            self.dials[code].met = np.zeros_like(self.dials[code].met)

    @property
    def over(self) -> bool:
        """The episode's hours have passed."""
        return self.hour - self.begun_hour >= self.setting.hours

    def live(self, multiplier: Mapping[int, Floats], shares: Floats | None = None) -> None:
        """Pass an hour. multiplier: (worlds, channels) by advertiser; shares: (worlds, channels) of the daily budget."""
        for code, dial in self.dials.items():
            dial.turn(multiplier[code])
        if shares is not None:
            self._limit(np.floor(shares * self.setting.shared_micros).astype(np.int64))
        tables = self.shard.advance(self.hour + 1)
        self.hour += 1
        for code, told in self.told.items():
            told.take_in(self._takings(tables, code), self._sold(tables, code), self.hour)

    def _limit(self, limit_micros: Ints) -> None:
        """Set what each of our channels may spend today: (worlds, channels); who had run out bids again with more."""
        assert self.shard.own is not None
        controller = self.shard.own.controller
        fresh = self.hour % HOURS_PER_DAY == 0
        for place, account in enumerate(controller.model.accounts):
            if account.advertiser != US or account.monthly or account.channel == NONE:
                continue
            limit = limit_micros[:, account.channel]
            spent = 0 if fresh else controller.spent_day_micros[:, US, account.channel]
            controller.exhausted[:, place] &= limit <= controller.limit_micros[:, place]
            controller.limit_micros[:, place] = limit
            controller.left_micros[:, place] = np.maximum(limit - spent, 0)

    def _takings(self, tables: Tables, code: int) -> Takings:
        found = Takings.none(len(self.worlds), self.setting.channels)
        outcome = tables.get("outcome")
        if outcome is not None:
            own = outcome["advertiser"] == code
            where = outcome["world_id"][own] - self.worlds.start, outcome["channel"][own]
            np.add.at(found.wins, where, 1.0)
            np.add.at(found.clicks, where, outcome["clicked"][own])
            np.add.at(found.spend_usd, where, outcome["charge_micros"][own] / MICROS_PER_UNIT)
            np.add.at(found.spent_micros, where[0], outcome["charge_micros"][own])
        return self._valued(tables, code, found)

    def _valued(self, tables: Tables, code: int, found: Takings) -> Takings:
        """The same with sales, and with what they or the wins are worth."""
        sales, world = self._of_world(tables, "conversion", code)
        np.add.at(found.sales, world, 1)
        dial = self.dials[code]
        if isinstance(dial, RivalDial):
            value = dial.value_micros(tables["outcome"], self.shard.model) if dial.values else found.value_micros
            return replace(found, value_micros=value)
        np.add.at(found.value_micros, world, sales["value_micros"] if len(world) else 0.0)
        if "ledger" in tables:
            found.spent_micros[:] = 0
            ledger = tables["ledger"]
            np.add.at(found.spent_micros, ledger["world_id"] - self.worlds.start, ledger["amount_micros"])
        return found

    def _sold(self, tables: Tables, code: int) -> list[tuple[int, int]]:
        """(world's place, second of the report) of an advertiser's sales of the hour."""
        sales, world = self._of_world(tables, "conversion", code)
        second = (sales["reported_s"] - self.shard.model.start_s).tolist() if len(world) else []
        return list(zip(world.tolist(), second, strict=True))

    def _of_world(self, tables: Tables, table: str, code: int) -> tuple[Table, Ints]:
        if table not in tables:
            return {}, np.zeros(0, dtype=np.int64)
        own = np.flatnonzero(tables[table]["advertiser"] == code)
        rows = {name: column[own] for name, column in tables[table].items()}
        return rows, rows["world_id"] - self.worlds.start

    def observed(self, code: int) -> Observation:
        """(worlds, columns): how an advertiser's last hour went, and the clock."""
        told, n = self.told[code], len(self.worlds)
        last = told.takings
        each = np.stack([self.dials[code].met, last.wins, last.clicks, last.spend_usd], axis=2)
        of_day = self.hour % HOURS_PER_DAY / HOURS_PER_DAY
        done = (self.hour - self.begun_hour) / self.setting.hours
        clock = np.tile([np.sin(2 * np.pi * of_day), np.cos(2 * np.pi * of_day), of_day, done], (n, 1))
        today = np.log1p(np.stack([told.today_usd, told.reported], axis=1))
        return np.concatenate([np.log1p(each).reshape(n, -1), clock, today], axis=1).astype(np.float32)

    def summary(self, code: int) -> dict[str, Any]:
        """(worlds,) each: dollars spent and sales of the last hour, sales reported so far, the world's hour."""
        told, n = self.told[code], len(self.worlds)
        return {
            "spend_usd": told.takings.spent_micros / MICROS_PER_UNIT, "sales": told.takings.sales.copy(),
            "reported_sales": told.reported.copy(), "hour": np.full(n, self.hour),
        }
