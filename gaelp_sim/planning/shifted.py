"""Worlds that are not what a policy was made for: click rates, prices, sales or decay off by a factor, told or drawn."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np

from gaelp_sim.draws import Draws, Purpose, uniform
from gaelp_sim.errors import UsageError
from gaelp_sim.scenario.parts import Part
from gaelp_sim.scenario.schema import Scenario

FACTOR_MIN, FACTOR_MAX = 0.1, 10.0
P = TypeVar("P", bound=Part)


def shifted(scenario: Scenario, factors: Mapping[str, float]) -> Scenario:
    """The scenario with what the names say scaled: clicks, prices, sales, decay.

    Shares end at 1. Raises UsageError for another name, and for a factor outside 0.1 to 10.
    """
    for name, factor in factors.items():
        if name not in SHIFTS:
            raise UsageError(f"--shift {name}: no such shift; known: {', '.join(SHIFTS)}")
        if not (math.isfinite(factor) and FACTOR_MIN <= factor <= FACTOR_MAX):
            raise UsageError(f"--shift {name}={factor:g}: a factor lies in {FACTOR_MIN:g} to {FACTOR_MAX:g}")
        scenario = SHIFTS[name](scenario, factor)
    return scenario


def drawn_factors(seed: int, turn: int, most: float) -> dict[str, float]:
    """A factor for each of SHIFTS, even in the logarithm from 1 / most to most; keyed by the seed and the turn.

    >>> sorted(drawn_factors(1, 2, 1.0).values())
    [1.0, 1.0, 1.0, 1.0]
    """
    luck = uniform(Draws(seed).words(Purpose.LESSON, 7, np.arange(len(SHIFTS)), turn)[0])
    return {name: float(most ** (2.0 * part - 1.0)) for name, part in zip(SHIFTS, luck, strict=True)}


def _clicks(scenario: Scenario, factor: float) -> Scenario:
    """Click rates of every channel and stage."""
    channels = [_with(one, click_rate=_scaled(one.click_rate, factor, most=1.0)) for one in scenario.channels]
    return _with(scenario, channels=channels)


def _prices(scenario: Scenario, factor: float) -> Scenario:
    """Prices to beat, of every signal."""
    channels = [
        _with(one, signals=[_with(signal, price_median_usd=signal.price_median_usd * factor) for signal in one.signals])
        for one in scenario.channels
    ]
    return _with(scenario, channels=channels)


def _sales(scenario: Scenario, factor: float) -> Scenario:
    """Rates of deciding to buy, by time and by click."""
    segments = [
        _with(
            one, purchase_per_day=one.purchase_per_day * factor,
            purchase_per_click=min(one.purchase_per_click * factor, 1.0),
        )
        for one in scenario.population.segments
    ]
    return _with(scenario, population=_with(scenario.population, segments=segments))


def _decay(scenario: Scenario, factor: float) -> Scenario:
    """Half-lives of all that is forgotten: stages, goodwill, tiredness."""
    names = ("fatigue_half_life_days", "goodwill_half_life_days", "rival_goodwill_half_life_days")
    response = _with(scenario.response, **{name: getattr(scenario.response, name) * factor for name in names})
    forgetting = _scaled(scenario.population.forgetting_half_life_days, factor)
    population = _with(scenario.population, forgetting_half_life_days=forgetting)
    return _with(scenario, response=response, population=population)


SHIFTS: dict[str, Callable[[Scenario, float], Scenario]] = {
    "clicks": _clicks, "prices": _prices, "sales": _sales, "decay": _decay,
}


def _with(part: P, **changes: Any) -> P:
    return part.model_copy(update=changes)


def _scaled(part: P, factor: float, most: float = math.inf) -> P:
    return _with(part, **{name: min(float(value) * factor, most) for name, value in part.model_dump().items()})
