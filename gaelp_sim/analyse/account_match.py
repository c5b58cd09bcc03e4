"""Match a scenario to an ad account: pilot worlds are simulated and levers moved until sums agree (method of moments)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from gaelp_sim.analyse.account_levers import CLICKS, FACTORS, PRICE, SALES, VOLUME, Key, Setting
from gaelp_sim.analyse.account_worlds import Counting, simulated_days
from gaelp_sim.calibrate.account import Account
from gaelp_sim.calibrate.account_fit import Figure, fit_account, weekday_factors
from gaelp_sim.calibrate.daily_rates import WEEK, Z_95, ratio_over_days
from gaelp_sim.errors import UsageError
from gaelp_sim.events import Floats
from gaelp_sim.scenario.loading import parse_scenario
from gaelp_sim.scenario.resolved import resolved_text, yaml_text
from gaelp_sim.scenario.schema import Scenario

PEOPLE = (100, 10_000)
"""How many people worlds are made of, at least and (by default) at most."""
EVENTS_LEAST = 3
"""Events that a lever needs on both sides to be moved."""
UNKNOWN = (0.5, 2.0)
"""Factors that a lever is drawn from where the account does not tell it."""
ROUNDS = 4
STEP_MAX = 3.0
OnStep = Callable[[float], None]


@dataclass(frozen=True)
class Effort:
    """How much is simulated for a match."""

    people_max: int = PEOPLE[1]
    worlds: int = 8
    workers: int = 1


@dataclass(frozen=True)
class Lever:
    """One lever after matching: the factor on the scenario's own value with its 95 % interval."""

    lever: str
    channel: str
    factor: float
    low: float
    high: float
    log_se_known: float
    """Standard error of the logarithm as far as days and pilots tell, without the luck of who the people are"""
    actual: float
    simulated: float
    identified: bool
    note: str = ""


@dataclass(frozen=True)
class Match:
    """A scenario matched to an account."""

    base: Scenario
    account: Account
    setting: Setting
    levers: list[Lever]
    figures: list[Figure]
    weight: float
    """Real people that one simulated person stands for; 1 where the worlds are as large as the account"""
    counting: Counting

    def with_intervals(self, *, predictive: bool) -> Setting:
        """The setting with an interval for every lever; wide ones where the account does not tell it.

        predictive: for worlds whose own people bring the luck of who they are; else for what the true value may be
        """
        bounds = {}
        for one in self.levers:
            half = float(np.exp(Z_95 * one.log_se_known)) if one.identified else 0.0
            known = predictive and one.identified
            bounds[one.lever, one.channel] = (one.factor / half, one.factor * half) if known else (one.low, one.high)
        return replace(self.setting, bounds=bounds)

    def scenario(self, setting: Setting, days: int, worlds: int) -> Scenario:
        """The base under a setting, from the account's first day on."""
        return placed(self.base, self.account, setting, (days, worlds))


def placed(base: Scenario, account: Account, setting: Setting, size: tuple[int, int]) -> Scenario:
    """The base scenario under a setting; size: days and worlds."""
    told: dict[str, Any] = setting.fragment(base, account.channels)
    told |= {"start": account.first_day.isoformat(), "days": size[0], "worlds": size[1]}
    if account.currency:
        told["currency"] = account.currency
    return parse_scenario(resolved_text(base), base.name, [], [(yaml_text(told), "fitted values")])


def counting_of(account: Account) -> Counting:
    """How the account's platform counts sales."""
    return Counting(account.format.window_days, account.format.sales_by_click)


def match_account(base: Scenario, account: Account, effort: Effort, on_step: OnStep) -> Match:
    """Move the scenario's levers until its pilot worlds sum to the account's sums.

    Levers: volume, click rate and price by channel, sales together; each has an elasticity near 1 on its own figure, and
    rounds take up what they do to each other. on_step: called with the share of the work done.
    Raises UsageError where the account has a channel that the scenario lacks or where we have no campaign.
    """
    _check_channels(base, account)
    figures = fit_account(account)
    people = min(max(base.population.people, PEOPLE[0]), effort.people_max)
    pilots = _Pilots(base, account, effort, on_step)
    setting = Setting(people, {}, {}, _curves(figures, account))
    setting, weight = _sized(setting, pilots.simulated(setting), account, effort.people_max)
    gaps: list[_Gap] = []
    for _ in range(ROUNDS):
        setting = replace(setting, factors=_moved(setting.factors, gaps))
        gaps = _gaps(base, account, pilots.simulated(setting), weight)
    levers = [_lever(gap, setting.factors.get(gap.key, 1.0), weight, effort.worlds) for gap in gaps]
    return Match(base, account, setting, levers, figures, weight, counting_of(account))


class _Pilots:
    """Worlds under a setting, simulated and counted; knows how much of the work is done."""

    def __init__(self, base: Scenario, account: Account, effort: Effort, on_step: OnStep) -> None:
        self.base, self.account, self.effort, self.on_step = base, account, effort, on_step
        self.names = [channel.name for channel in base.channels]
        self.rounds = 0

    def simulated(self, setting: Setting) -> dict[str, Floats]:
        """(worlds, channels of the account) of each metric, summed over its days."""
        days, before = self.account.days, self.rounds
        scenario = placed(self.base, self.account, setting, (days, self.effort.worlds))
        seen = simulated_days(
            scenario, counting_of(self.account), lambda day: self.on_step((before + day / days) / (ROUNDS + 1)),
            self.effort.workers,
        )
        self.rounds += 1
        at = [self.names.index(name) for name in self.account.channels]
        return {metric: table[:, at] for metric, table in seen.summed(slice(None)).items()}


class _Gap(NamedTuple):
    """How far pilot worlds are from the account in one figure."""

    key: Key
    log_gap: float
    actual: float
    simulated: float
    data_se: float
    """Standard error of the account's logarithm, as its days and weeks tell"""
    world_sd: float
    """Of the logarithm from world to world: the luck of who the people are, and of all they do"""
    identified: bool
    note: str


def _sized(
    setting: Setting, pilots: Mapping[str, Floats], account: Account, people_max: int
) -> tuple[Setting, float]:
    """As many people as give the account's volume, within bounds; and how many real people one of them stands for."""
    metric = volume_of(account)
    simulated = float(pilots[metric].sum(axis=1).mean())
    if simulated <= 0:
        raise UsageError(f"{account.name}: the scenario's worlds have no {metric} on its channels; take another --scenario")
    wanted = setting.people * float(account.metrics[metric].sum()) / simulated
    people = round(min(max(wanted, PEOPLE[0]), people_max))
    return replace(setting, people=people), wanted / people


def volume_of(account: Account) -> str:
    """The metric whose size a volume is fitted to: impressions, or clicks where the export has none."""
    found = next((metric for metric in ("impressions", "clicks") if metric in account.metrics), None)
    if found is None:
        raise UsageError(f"{account.name}: neither impressions nor clicks are in the export; {account.format.asks}")
    return found


def _gaps(base: Scenario, account: Account, pilots: Mapping[str, Floats], weight: float) -> list[_Gap]:
    days: dict[str, Floats] = {metric: account.by_day(metric) for metric in account.metrics}
    weekday, volume = weekday_factors(account), volume_of(account)
    gaps = []
    for code, name in enumerate(account.channels):
        charge = next(channel.charge for channel in base.channels if channel.name == name)
        sold = "clicks" if charge == "cpc" or "impressions" not in days else "impressions"
        one = {metric: table[code] for metric, table in days.items()}
        two = {metric: table[:, code] for metric, table in pilots.items()}
        ones = {**one, "day": weekday}
        twos = {**two, "day": np.full(len(two[volume]), weekday.sum() / weight)}
        for lever, above, below in ((VOLUME, volume, "day"), (CLICKS, "clicks", "impressions"), (PRICE, "cost", sold)):
            if above in ones and below in ones and (lever != CLICKS or volume == "impressions"):
                gaps.append(_gap((lever, name), (ones[above], ones[below]), (twos[above], twos[below])))
    if "conversions" in days and "clicks" in days:
        ours = days["conversions"].sum(axis=0), days["clicks"].sum(axis=0)
        theirs = pilots["conversions"].sum(axis=1), pilots["clicks"].sum(axis=1)
        gaps.append(_gap((SALES, ""), ours, theirs))
    return gaps


def _gap(key: Key, ours: tuple[Floats, Floats], theirs: tuple[Floats, Floats]) -> _Gap:
    """A ratio in the account, summed over days, beside the same ratio in worlds."""
    (above, below), (sim_above, sim_below) = ours, theirs
    counted = key[0] != PRICE
    actual = ratio_over_days(above, below, counted=counted)
    events = (above if counted else below).sum(), (sim_above if counted else sim_below).mean()
    simulated = float(sim_above.sum() / sim_below.sum()) if sim_below.sum() > 0 else 0.0
    if min(events) < EVENTS_LEAST or actual.value <= 0 or simulated <= 0:
        note = f"too few events ({events[0]:,.0f} in the file, {events[1]:,.0f} in a world; {EVENTS_LEAST} are needed)"
        return _Gap(key, 0.0, actual.value, simulated, np.inf, np.inf, False, note)
    logs = np.log(np.maximum(sim_above, 0.5) / np.maximum(sim_below, 0.5))
    return _Gap(key, float(np.log(actual.value / simulated)), actual.value, simulated, actual.log_se,
                float(logs.std(ddof=1)) if len(logs) > 1 else 0.0, True, "")


def _moved(factors: Mapping[Key, float], gaps: list[_Gap]) -> dict[Key, float]:
    """Each lever moved by its own gap, at most threefold a round."""
    moved = dict(factors)
    for gap in gaps:
        step = float(np.exp(np.clip(gap.log_gap, -np.log(STEP_MAX), np.log(STEP_MAX))))
        moved[gap.key] = min(max(factors.get(gap.key, 1.0) * step, FACTORS[0]), FACTORS[1])
    return moved


def _lever(gap: _Gap, factor: float, weight: float, worlds: int) -> Lever:
    """The lever's interval: days and weeks or who the people are, whichever says more, and the pilots' own luck."""
    if not gap.identified:
        low, high = (factor * one for one in UNKNOWN)
        return Lever(*gap.key, factor, low, high, np.inf, gap.actual, gap.simulated, False, gap.note)
    pilot = gap.world_sd**2 / worlds
    known = float(np.sqrt(gap.data_se**2 + pilot))
    half = float(np.exp(Z_95 * np.sqrt(max(gap.data_se**2, gap.world_sd**2 / max(weight, 1.0)) + pilot)))
    at_bound = factor in FACTORS
    note = f"at the bound of what is tried ({FACTORS[0]:g} to {FACTORS[1]:g})" if at_bound else ""
    return Lever(*gap.key, factor, factor / half, factor * half, known, gap.actual, gap.simulated, not at_bound, note)


def _curves(figures: list[Figure], account: Account) -> dict[str, list[float]]:
    """Fitted curves: weekdays from two weeks on, hours where the export has them; phases without events count as mean."""
    told = {}
    for quantity, enough in (("weekday", account.days >= 2 * WEEK), ("hour", True)):
        points = [figure.rate.value for figure in figures if figure.quantity == quantity]
        if points and enough:
            told[quantity] = [max(round(value, 4), 1e-4) for value in points]
    return told


def _check_channels(base: Scenario, account: Account) -> None:
    known = [campaign.channel for campaign in base.us.campaigns]
    for name in account.channels:
        if name not in known:
            raise UsageError(
                f"{account.name}: its channel '{name}' is none that we run in {base.name} ({', '.join(known)}); "
                f"say --channel '{name}=NAME', or take another --scenario"
            )
