"""A small scenario with two channels of two signals, and the beliefs that an advertiser draws from it."""

from __future__ import annotations

import pytest

from gaelp_sim.observe.beliefs import Beliefs
from gaelp_sim.scenario.schema import (
    Campaign,
    Channel,
    Conversion,
    Creative,
    Curves,
    LagPart,
    Population,
    Scenario,
    Segment,
    Signal,
    StageMatch,
    StageRates,
    StageShares,
    TouchEffects,
    UpRates,
    Us,
)

EFFECTS = TouchEffects(unaware=0.6, aware=0.35, considering=0.25)


def _rates(unaware: float, aware: float, considering: float, intent: float) -> StageRates:
    return StageRates(unaware=unaware, aware=aware, considering=considering, intent=intent)


def _channel(name: str, *, examined: float, search_like: bool) -> Channel:
    return Channel(
        name=name,
        opportunities_per_day=_rates(0.015, 0.08, 0.3, 0.7),
        click_rate=_rates(0.01, 0.024, 0.052, 0.085),
        examined=examined,
        click_moves_up=EFFECTS,
        view_moves_up=EFFECTS,
        view_adds_goodwill=0.1,
        search_like=search_like,
        signals=[
            Signal(name="generic", price_median_usd=2.5, share=_rates(0.9, 0.6, 0.2, 0.1)),
            Signal(
                name="urgent",
                price_median_usd=22.0,
                share=_rates(0.1, 0.4, 0.8, 0.9),
                crisis_share=_rates(0.6, 0.7, 0.9, 0.95),
            ),
        ],
    )


def _segment(name: str, *, share: float, urgency: float, crisis: bool = False) -> Segment:
    return Segment(
        name=name,
        share=share,
        start=StageShares(unaware=0.7, aware=0.2, considering=0.1, intent=0.0),
        up_per_day=UpRates(unaware=0.01, aware=0.03, considering=0.08),
        purchase_per_day=0.2,
        purchase_per_click=0.1,
        search_rate_factor=1.5 if crisis else 1.0,
        urgency=urgency,
        crisis=crisis,
    )


@pytest.fixture(scope="session")
def scenario() -> Scenario:
    """Two segments, channels "search" (examined 0.8) and "social" (examined 0.5), signals "generic" and "urgent"."""
    creative = Creative(name="guide", family="teach", match=StageMatch(unaware=1, aware=1, considering=1, intent=1))
    return Scenario(
        name="observed",
        population=Population(
            people=100,
            segments=[_segment("crisis", share=0.1, urgency=0.9, crisis=True), _segment("calm", share=0.9, urgency=0.1)],
        ),
        curves=Curves(hour=[1.0] * 24),
        channels=[
            _channel("search", examined=0.8, search_like=True),
            _channel("social", examined=0.5, search_like=False),
        ],
        creatives=[creative],
        us=Us(name="Aura", campaigns=[Campaign(name="brand", channel="search", creatives=["guide"])]),
        rivals=[],
        conversion=Conversion(purchase_lag=[LagPart(weight=1.0, median_hours=2.0, sigma=1.0)]),
    )


@pytest.fixture(scope="session")
def beliefs(scenario: Scenario) -> Beliefs:
    """What an advertiser can work out from the scenario."""
    return Beliefs.of(scenario)
