"""Accounts with a planted truth: simulated worlds of a scenario with known levers, written as a platform's export."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from gaelp_sim.analyse.account_levers import CLICKS, PRICE, SALES, VOLUME, Key, Setting
from gaelp_sim.analyse.account_match import Match
from gaelp_sim.analyse.account_worlds import Counting, Days, simulated_days
from gaelp_sim.calibrate.account import Account
from gaelp_sim.calibrate.account_formats import ACCOUNT_FORMATS, METRICS
from gaelp_sim.calibrate.account_reader import read_account
from gaelp_sim.scenario.loading import load_scenario, parse_scenario
from gaelp_sim.scenario.resolved import resolved_text, yaml_text
from gaelp_sim.scenario.schema import Scenario

BASE = "quickstart"
PLANTED: Mapping[Key, float] = {
    (VOLUME, "search"): 1.3, (VOLUME, "social"): 0.9, (CLICKS, "search"): 1.2, (CLICKS, "social"): 1.5,
    (PRICE, "search"): 0.8, (PRICE, "social"): 1.25, (SALES, ""): 2.0,
}
"""Factors on the base scenario's own values."""
TYPES = {"search": "Search", "social": "Demand Gen"}
CHANNELS = {"Demand Gen": "social"}


@dataclass(frozen=True)
class Planted:
    """Worlds whose levers are known, and the base that a fit starts from."""

    base: Scenario
    scenario: Scenario
    days: Days


def planted(people: int, days: int, worlds: int, seed: int) -> Planted:
    """Simulate accounts: one world each."""
    base = load_scenario(BASE)
    fragment = Setting(people, PLANTED).fragment(base, [channel.name for channel in base.channels])
    fragment |= {"days": days, "worlds": worlds, "seed": seed}
    scenario = parse_scenario(resolved_text(base), "planted", [], [(yaml_text(fragment), "levers")])
    return Planted(base, scenario, simulated_days(scenario, Counting(), lambda day: None))


def export(planted: Planted, world: int, path: Path) -> Account:
    """One world as a Google Ads export, read back."""
    lines = ["Campaign report", '"made"', "Day,Campaign,Campaign type,Currency code,Impr.,Clicks,Cost,Conversions"]
    for day in range(planted.scenario.days):
        date = planted.scenario.start + timedelta(days=day)
        for code, channel in enumerate(planted.scenario.channels):
            shown, clicks, cost, sales = (planted.days.metrics[metric][world, code, day] for metric in METRICS)
            kind = TYPES[channel.name]
            lines.append(f'{date},{kind} 1,{kind},USD,"{shown:,.0f}",{clicks:.0f},"{cost:,.2f}",{sales:.1f}')
    path.write_text("\n".join(lines) + "\nTotal: Account,,,,,,,\n")
    return read_account(path, ACCOUNT_FORMATS["google_ads"], CHANNELS)


def true_factor(planted: Planted, match: Match, key: Key) -> float:
    """What a lever should have been found to be: volumes also stand in the number of people."""
    truth = PLANTED[key]
    if key[0] == VOLUME:
        truth *= planted.scenario.population.people / (match.setting.people * match.weight)
    return truth
