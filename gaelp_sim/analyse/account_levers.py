"""Levers: what of a scenario is moved so that its account looks like the real one, and the fragment that moves it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gaelp_sim.scenario.schema import Channel, Scenario

VOLUME, CLICKS, PRICE, SALES = "volume", "click rate", "price", "sales"
FACTORS = (0.02, 50.0)
"""How far a lever may be moved from the scenario's own value."""
_DIGITS = 6
Key = tuple[str, str]
"""(lever, channel); sales have no channel"""
Bounds = tuple[float, float]


@dataclass(frozen=True)
class Setting:
    """Where all levers stand: the number of people, and a factor on the scenario's own values for each lever."""

    people: int
    factors: Mapping[Key, float] = field(default_factory=dict)
    bounds: Mapping[Key, Bounds] = field(default_factory=dict)
    """Of factors that are intervals"""
    curves: Mapping[str, list[float]] = field(default_factory=dict)

    def fragment(self, base: Scenario, channels: list[str]) -> dict[str, Any]:
        """The parts of the scenario that these levers change, as a fragment to be written over it.

        Budgets of ours are taken off, as what was spent is explained by volume and price; rivals' grow with the people.
        """
        size = self.people / base.population.people
        told: dict[str, Any] = {"population": {"people": self.people, "segments": self._segments(base)}}
        if self.curves:
            told["curves"] = dict(self.curves)
        told["channels"] = [self._channel(channel) for channel in base.channels if channel.name in channels]
        told["response"] = {"brand_base": self._shifted((SALES, ""), base.response.brand_base)}
        told["us"] = {
            "campaigns": [{"name": one.name, "budget_usd_day": None} for one in base.us.campaigns],
            "budget": {"usd_day": None, "usd_month": None},
        }
        told["rivals"] = [
            {"name": rival.name} | {
                name: _short(amount * size) for name in ("budget_usd_day", "budget_usd_month")
                if (amount := getattr(rival, name)) is not None
            }
            for rival in base.rivals
        ]
        told["variation"] = {"market_noise_sd": 0.0, "season_shift_days_max": 0}
        return told

    def _segments(self, base: Scenario) -> list[dict[str, Any]]:
        return [
            {
                "name": segment.name,
                "purchase_per_click": self._moved((SALES, ""), segment.purchase_per_click, 1.0),
            }
            for segment in base.population.segments
        ]

    def _channel(self, channel: Channel) -> dict[str, Any]:
        name = channel.name
        volume, clicks = channel.opportunities_per_day.model_dump(), channel.click_rate.model_dump()
        return {
            "name": name,
            "opportunities_per_day": {stage: self._moved((VOLUME, name), rate, 20.0) for stage, rate in volume.items()},
            "click_rate": {stage: self._moved((CLICKS, name), rate, 1.0) for stage, rate in clicks.items()},
            "signals": [
                {"name": signal.name, "price_median_usd": self._moved((PRICE, name), signal.price_median_usd, 1e6)}
                for signal in channel.signals
            ],
        }

    def _moved(self, key: Key, value: float, most: float) -> Any:
        """The scenario's value under the lever: a number, or an interval that shares its luck with the lever's others."""
        if key in self.bounds and value > 0:
            low, high = (min(value * factor, most) for factor in self.bounds[key])
            if low < high:
                return {"between": [_short(low), _short(high)], "scale": "log", "together": _together(key)}
        return _short(min(value * self.factors.get(key, 1.0), most))

    def _shifted(self, key: Key, logit: float) -> Any:
        """The scenario's logit under the lever, whose factor is one on odds."""
        if key in self.bounds:
            low, high = (_short(logit + math.log(factor)) for factor in self.bounds[key])
            if low < high:
                return {"between": [low, high], "scale": "linear", "together": _together(key)}
        return _short(logit + math.log(self.factors.get(key, 1.0)))


def _together(key: Key) -> str:
    """The luck that all intervals of a lever share."""
    return " ".join(word for word in key if word)


def _short(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
