"""At our defaults a bidder that spares people beats one that buys everything: wear-out is strong enough to matter.

RecSim's long-term satisfaction fails this at its defaults: its clickbait always wins.
"""

from __future__ import annotations

import numpy as np

from gaelp_sim.events import US
from gaelp_sim.scenario.loading import load_scenario
from tests.worlds.scenarios import day_tables, shard_of

WORLDS = 30
WEARLESS = ("response.fatigue_per_exposure=0", "response.overexposure_harm=0")


def profits(policy: str, *settings: str) -> np.ndarray:
    """Profit of each small flagship, in dollars: 180 for each sale of ours, less spend."""
    money = ["us.budget.usd_day=null", "us.budget.usd_month=null", "us.policy.pacing=none"]
    sets = [f"worlds={WORLDS}", "population.people=1000", "days=20", "log=wins", *money, *settings]
    scenario = load_scenario("parental_controls", sets)
    profit = np.zeros(WORLDS)
    for tables in day_tables(shard_of(scenario, f"tests.worlds.appetite:{policy}"), scenario.days):
        if "conversion" in tables:
            ours = tables["conversion"]["world_id"][tables["conversion"]["advertiser"] == US]
            profit += scenario.economics.ltv_usd * np.bincount(ours, minlength=WORLDS)
        if "ledger" in tables:
            ledger = tables["ledger"]
            profit -= np.bincount(ledger["world_id"], weights=ledger["amount_micros"] / 1e6, minlength=WORLDS)
    return profit


def advantage(*settings: str) -> tuple[float, float]:
    """Of sparing people over buying everything, a world, with its standard error."""
    more = profits("Sparing", *settings) - profits("Greedy", *settings)
    return float(more.mean()), float(more.std(ddof=1) / np.sqrt(WORLDS))


def test_far_sighted_beats_myopic_at_our_defaults() -> None:
    mean, error = advantage()
    assert mean > 3 * error > 0


def test_without_wear_out_the_myopic_would_win() -> None:
    """So the advantage comes from what too many ads do to people, not from spending less."""
    mean, error = advantage(*WEARLESS)
    assert mean < -3 * error
