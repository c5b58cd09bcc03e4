"""Small random scenarios, lively enough for everything to happen to a few dozen people in a few days."""

from __future__ import annotations

import random
from typing import Any

from gaelp_sim.events import Column
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import HOURS_PER_DAY
from gaelp_sim.world.shard import Shard, Task
from gaelp_sim.world.stack import Place

Tables = dict[str, dict[str, Column]]
CRISIS_SHARES = {1: [1.0], 2: [0.1, 0.9], 3: [0.2, 0.1, 0.7]}
STRATEGIES = ("lognormal", "rule", "random", "q_learning", "policy_gradient", "value")
PACINGS = ("none", "even", "throttle", "pid", "dual")
STAGES = ("unaware", "aware", "considering", "intent")


def random_scenario(seed: int) -> Scenario:
    """A scenario of 2-60 people and 1-4 days; budgets from one that binds at the first auction to none at all."""
    luck = random.Random(seed)
    rounds = luck.choice([1, 1, 2, 3])
    cells = luck.choice([1, 1, 2, 3])
    channels = [_channel(luck, number) for number in range(luck.randint(1, 3))]
    creatives = [_creative(luck, number) for number in range(luck.randint(1, 3))]
    parts = {
        "name": f"random-{seed}", "start": luck.choice(["2025-09-01", "2025-01-30", "2024-02-28", "2025-12-30"]),
        "utc_offset_hours": luck.choice([0, -5, 9]), "days": luck.randint(1, 4), "seed": luck.randrange(2**63),
        "cells": cells, "log": "all", "population": _population(luck, rounds, cells),
        "curves": {
            "hour": [round(luck.uniform(0.2, 2), 3) for _ in range(24)],
            "weekday": [round(luck.uniform(0.5, 1.5), 3) for _ in range(7)], "season_amplitude": luck.choice([0.0, 0.3]),
        },
        "channels": channels, "creatives": creatives, "conversion": _conversion(luck),
    } | _players(luck, channels, creatives) | _options(luck)
    _season(luck, parts)
    _seat(luck, parts["us"])
    _turns(luck, parts)
    return Scenario.model_validate(parts, strict=False)


def _seat(luck: random.Random, us: dict[str, Any]) -> None:
    """Caps that bind within the hour, the day or the run, and bids by device."""
    if luck.random() < 0.5:
        us["frequency_cap"] = {"impressions": luck.randint(1, 4), "days": luck.choice([0.05, 0.5, 2.0])}
    if luck.random() < 0.5:
        us["policy"]["device_adjustments"] = {"mobile": luck.choice([0.0, 0.8, 1.7]), "desktop": luck.choice([0.5, 1.1])}


def _turns(luck: random.Random, parts: dict[str, Any]) -> None:
    """Ways to choose creatives, and days on which they are made anew."""
    parts["us"]["policy"] |= {
        "creatives": luck.choice(["fit", "rotate", "rotate", "thompson"]), "rotate_after": luck.choice([0.3, 0.9]),
        "returning_moves_up": luck.choice([0.0, 0.8]),
    }
    for creative in parts["creatives"]:
        creative["refresh_days"] = luck.sample(range(4), luck.randint(0, 2))


def _season(luck: random.Random, parts: dict[str, Any]) -> None:
    """Events around each of the start days, and worlds that stray from the calendar."""
    if luck.random() < 0.5:
        spans = {"summer": ("08-01", "09-02"), "winter": ("12-31", "01-31"), "leap": ("02-29", "03-01")}
        parts["curves"]["events"] = [
            {"name": name, "first_day": first, "last_day": last, "traffic": luck.choice([0.5, 1.5]),
             "prices": luck.choice([0.7, 2.0])}
            for name, (first, last) in spans.items()
        ]
    if luck.random() < 0.5:
        parts["variation"] |= {"day_noise_sd": 0.3, "price_drift_sd_per_day": 0.2, "volume_drift_sd_per_day": 0.1}


def _creative(luck: random.Random, number: int) -> dict[str, Any]:
    match = {stage: round(luck.uniform(0.3, 3), 2) for stage in STAGES}
    return {"name": f"creative{number}", "family": luck.choice(["teach", "offer"]), "match": match,
            "signup_on_click": luck.choice([0.0, 0.4])}


def _population(luck: random.Random, rounds: int, cells: int) -> dict[str, Any]:
    split = luck.choice([0.0, 0.3, 0.7])
    segments = [
        _segment(luck, "crisis", split, crisis=True, crisis_per_day=0.0),
        _segment(luck, "calm", 1 - split, crisis=False, crisis_per_day=luck.choice([0.0, 0.3])),
    ]
    if luck.random() < 0.5:
        segments[1] |= {"drift_per_day": 0.2, "drift_to": "crisis"}
    return {
        "people": luck.randint(2 if cells == 1 else 12, 60), "segments": segments, "opportunities_per_hour_max": rounds,
        "devices": {"login_on_click": luck.choice([0.0, 0.5]), "stays_on_device": luck.choice([0.0, 0.75, 1.0])},
        "forgetting_half_life_days": {"aware": 3.0, "considering": 2.0, "intent": 1.0},
        "visits_per_day": {"unaware": 0.0, "aware": 0.3, "considering": 1.0, "intent": 2.0},
    }


def _segment(luck: random.Random, name: str, share: float, *, crisis: bool, crisis_per_day: float) -> dict[str, Any]:
    return {
        "name": name, "share": share, "crisis": crisis, "crisis_per_day": crisis_per_day,
        "start": {"unaware": 0.4, "aware": 0.3, "considering": 0.2, "intent": 0.1},
        "up_per_day": {"unaware": 0.2, "aware": 0.3, "considering": 0.4}, "purchase_per_day": luck.choice([0.1, 1.0]),
        "purchase_per_click": luck.choice([0.0, 0.4]), "search_rate_factor": round(luck.uniform(0.5, 2), 2),
        "click_rate_factor": round(luck.uniform(0.5, 1.5), 2), "attention": luck.choice([0.3, 0.8, 1.0]),
    }


def _channel(luck: random.Random, number: int) -> dict[str, Any]:
    mechanism = luck.choice(["first_price", "second_price", "gsp", "vcg"])
    slots = luck.randint(1, 4) if mechanism in ("gsp", "vcg") else 1
    rate = luck.choice([1.0, 3.0, 6.0])
    signals = luck.randint(1, 3)
    return {
        "name": f"channel{number}", "mechanism": mechanism, "charge": luck.choice(["cpc", "cpm"]), "slots": slots,
        "slot_factors": luck.choice([[], [1.0, 0.7, 0.35, 0.35][:slots]]), "reserve_usd": luck.choice([0.0, 0.0, 1.5]),
        "quality_ranked": luck.random() < 0.5, "tells_min_bid_to_win": luck.random() < 0.5,
        "opportunities_per_day": {stage: round(rate * luck.uniform(0.3, 1), 3) for stage in STAGES},
        "click_rate": {stage: round(luck.uniform(0.1, 0.6), 3) for stage in STAGES}, "examined": luck.choice([0.4, 0.9]),
        "click_moves_up": {"unaware": 0.6, "aware": 0.4, "considering": 0.3},
        "view_moves_up": {"unaware": 0.2, "aware": 0.1, "considering": 0.1}, "view_adds_goodwill": 0.2,
        "goodwill_needed": luck.choice([0, 0, 1, 2]) if number else 0, "search_like": luck.random() < 0.5,
        "signals": [
            {"name": f"signal{n}", "price_median_usd": luck.choice([0.5, 3.0, 20.0]),
             "share": {stage: round(1 / signals, 6) for stage in STAGES},
             "crisis_share": dict.fromkeys(STAGES, CRISIS_SHARES[signals][n]), "branded": luck.choice(["none", "rival"])}
            for n in range(signals)
        ],
    }


def _conversion(luck: random.Random) -> dict[str, Any]:
    return {
        "purchase_lag": [{"weight": 0.5, "median_hours": hours, "sigma": 1.0} for hours in (0.2, 24.0)],
        "purchase_lag_max_days": luck.choice([2.0, 30.0]), "report_delay_max_hours": luck.choice([0.0, 24.0]),
    }


def _budget(luck: random.Random) -> float | None:
    """None, or dollars: 0 and a micro bind at the first auction, the others within a day or never."""
    return luck.choice([None, 0.0, 1e-6, 0.01, 0.5, 3.0, 20.0, 1e6])


def _players(luck: random.Random, channels: list[dict[str, Any]], creatives: list[dict[str, Any]]) -> dict[str, Any]:
    names = [creative["name"] for creative in creatives]
    campaigns = [
        {"name": f"campaign{n}", "channel": channel["name"], "budget_usd_day": _budget(luck),
         "creatives": luck.sample(names, luck.randint(1, len(names)))}
        for n, channel in enumerate(channels) if n == 0 or luck.random() < 0.8
    ]
    luck.shuffle(campaigns)
    rivals = [
        {"name": f"rival{n}", "strategy": luck.choice(STRATEGIES),
         "level": round(luck.uniform(0.5, 2), 2), "sigma": luck.choice([0.0, 0.6]),
         "budget_usd_day": _budget(luck), "budget_usd_month": _budget(luck)}
        for n in range(luck.choice([0, 1, 2, 5]))
    ]
    us = {
        "name": "us", "campaigns": campaigns,
        "budget": {"usd_day": _budget(luck), "usd_month": _budget(luck), "mode": luck.choice(["hard", "google"])},
        "policy": {"exploration": luck.choice([0.1, 1.0]), "pacing": luck.choice(PACINGS),
                   "bid_multiplier": luck.choice([0.7, 1.4])},
    }
    return {"us": us, "rivals": rivals, "rivals_learn": luck.random() < 0.6}


def _options(luck: random.Random) -> dict[str, Any]:
    options: dict[str, Any] = {
        "identity": {"mode": luck.choice(["devices", "perfect"])},
        "timeout": {"days": luck.choice([0.2, 1.0, 14.0]), "since": luck.choice(["last_touch", "first_touch"])},
        "variation": {"market_noise_sd": 0.1, "season_shift_days_max": 20, "rival_budget_sd": luck.choice([0.0, 0.5]),
                      "rival_value_sd": luck.choice([0.0, 0.3])},
        "response": {"fatigue_half_life_days": 0.5, "goodwill_half_life_days": 2.0, "click_adds_goodwill": 0.8},
    }
    if luck.random() < 0.6:
        options["email"] = {"per_day": 4.0, "cost_usd": luck.choice([0.002, 0.3]), "open_rate": 0.6, "click_rate": 0.3}
    if luck.random() < 0.4:
        options["crises"] = [{"name": "news", "on_day": luck.randint(0, 2), "segments": ["calm"], "turns_crisis": 0.5}]
    return options


def shard_of(scenario: Scenario, policy: str = "rule") -> Shard:
    """The whole run in one process, newly born."""
    return Shard(Task(scenario, scenario.seed, policy, Place(range(scenario.worlds), range(scenario.cells)), 0, None))


def day_tables(shard: Shard, days: int) -> list[Tables]:
    """The rows of each day; the last one's with people, ids and journeys."""
    tables = [shard.advance((day + 1) * HOURS_PER_DAY) for day in range(days)]
    tables[-1].update(shard.finish(days * 86_400))
    return tables


def whole_run(scenario: Scenario, policy: str = "rule") -> Tables:
    """Every row of a run, by table, days joined; without a store."""
    from gaelp_sim.world.log import joined_columns

    days = day_tables(shard_of(scenario, policy), scenario.days)
    names = sorted({name for tables in days for name in tables} - {"journey"})
    whole = {name: joined_columns([tables[name] for tables in days if name in tables]) for name in names}
    return {**whole, "journey": days[-1]["journey"]}
