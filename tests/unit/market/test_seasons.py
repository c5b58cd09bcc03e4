"""The calendar's factors fall on their days, and worlds stray from it as they should."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from gaelp_sim.draws import Draws
from gaelp_sim.market import seasons
from gaelp_sim.market.seasons import DRIFT_MAX, Seasons
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.scenario.schema import Scenario, SeasonEvent, Variation

EVENTS = [
    SeasonEvent(name="gifts", first_day="12-20", last_day="01-02", traffic=1.5, prices=1.25),
    SeasonEvent(name="party", first_day="12-31", last_day="12-31", traffic=0.5),
    SeasonEvent(name="leap", first_day="02-29", last_day="02-29", prices=3.0),
]
WORLDS = np.arange(4_000)
UNSHIFTED = np.zeros(len(WORLDS), dtype=np.int64)


def _scenario(events: list[SeasonEvent], variation: Variation, start: date = date(2023, 12, 1)) -> Scenario:
    scenario = load_scenario("quickstart")
    curves = scenario.curves.model_copy(update={"events": events, "weekday": [1.0] * 7})
    return scenario.model_copy(update={"curves": curves, "variation": variation, "start": start})


def _seasons(events: list[SeasonEvent] | None = None, **variation: float) -> Seasons:
    return Seasons.of(_scenario(events or [], Variation(**variation)), Draws(3))


def _by_hand(today: date) -> tuple[float, float]:
    """Traffic and prices of EVENTS, written out."""
    gifts = (today.month, today.day) >= (12, 20) or (today.month, today.day) <= (1, 2)
    traffic = (1.5 if gifts else 1.0) * (0.5 if (today.month, today.day) == (12, 31) else 1.0)
    return traffic, (1.25 if gifts else 1.0) * (3.0 if (today.month, today.day) == (2, 29) else 1.0)


def test_events_come_back_each_year_on_their_days() -> None:
    """Two years from December 2023, a leap year among them: over New Year, on one day, and where two overlap."""
    calendar, one = _seasons(EVENTS), np.zeros(1, dtype=np.int64)
    for day in range(800):
        market = calendar.day(day, one, one)
        assert (market.traffic[0], market.prices[0]) == _by_hand(date(2023, 12, 1) + timedelta(days=day)), day
        assert market.season[0] == market.traffic[0]


def test_a_shifted_world_has_its_events_as_many_days_apart() -> None:
    calendar, worlds = _seasons(EVENTS), np.zeros(2, dtype=np.int64)
    for day in range(60):
        factor = calendar.day(day, worlds, np.array([0, 7])).traffic
        assert tuple(factor) == tuple(_by_hand(date(2023, 12, 1) + timedelta(days=day + late))[0] for late in (0, 7))


def test_weekday_and_events_multiply() -> None:
    """On a weekday twice as busy as the mean, an event of 1.5 makes it three times."""
    scenario = _scenario([SeasonEvent(name="all year", first_day="01-01", last_day="12-31", traffic=1.5)], Variation())
    curves = scenario.curves.model_copy(update={"weekday": [2.0, 1.0, 0.5, 1.0, 1.0, 1.0, 0.5]})
    calendar = Seasons.of(scenario.model_copy(update={"curves": curves}), Draws(3))
    monday = (7 - date(2023, 12, 1).weekday()) % 7
    assert calendar.day(monday, WORLDS[:1], UNSHIFTED[:1]).traffic[0] == pytest.approx(3.0)


def test_without_variation_no_world_strays() -> None:
    """Exactly 1, so that older scenarios keep their figures to the last micro."""
    for day in (0, 1, 400):
        market = _seasons().day(day, WORLDS, UNSHIFTED)
        assert (market.prices == 1.0).all() and (market.traffic == market.season).all()


def variance_by_day(days: list[int], **variation: float) -> list[tuple[float, float]]:
    """Variance over worlds of the logarithms of prices and traffic."""
    calendar = _seasons(**variation)
    markets = [calendar.day(day, WORLDS, UNSHIFTED) for day in days]
    return [(float(np.log(m.prices).var()), float(np.log(m.traffic).var())) for m in markets]


def test_drift_s_variance_grows_linearly() -> None:
    """sd**2 a day from 0 on day 0, within four standard errors of a variance of 4,000 worlds."""
    days = [0, 1, 5, 20, 60]
    found = variance_by_day(days, price_drift_sd_per_day=0.02, volume_drift_sd_per_day=0.01)
    for day, (prices, volume) in zip(days, found, strict=True):
        assert prices == pytest.approx(0.02**2 * day, rel=4 * np.sqrt(2 / len(WORLDS)))
        assert volume == pytest.approx(0.01**2 * day, rel=4 * np.sqrt(2 / len(WORLDS)))


def test_a_walk_that_forgets_its_steps_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted fault: each day's factor is one step from 1."""
    honest = seasons._walk
    monkeypatch.setattr(seasons, "_walk", lambda words, sd: honest(np.stack([words[0], words[-1]]), sd))
    assert variance_by_day([20], price_drift_sd_per_day=0.02)[0][0] < 0.02**2 * 2


def test_walks_go_step_by_step_and_keep_apart() -> None:
    """Steps are independent of each other and of the other walk; the walk of a day is the sum of the days before."""
    calendar = _seasons(price_drift_sd_per_day=0.02, volume_drift_sd_per_day=0.02)
    markets = [calendar.day(day, WORLDS, UNSHIFTED) for day in (9, 10, 11)]
    prices, volume = (np.diff(np.log([getattr(m, name) for m in markets]), axis=0) for name in ("prices", "traffic"))
    for one, other in ((prices[0], prices[1]), (prices[0], volume[0]), (prices[1], volume[1])):
        assert abs(np.corrcoef(one, other)[0, 1]) < 4 / np.sqrt(len(WORLDS))
    assert prices[0].std() == pytest.approx(0.02, rel=0.05)


def test_noise_is_new_every_day() -> None:
    """Of the same size each day, and nothing of it is left on the next."""
    calendar = _seasons(day_noise_sd=0.1)
    first, second = (np.log(calendar.day(day, WORLDS, UNSHIFTED).prices) for day in (40, 41))
    assert first.std() == pytest.approx(0.1, rel=0.05) and second.std() == pytest.approx(0.1, rel=0.05)
    assert abs(np.corrcoef(first, second)[0, 1]) < 4 / np.sqrt(len(WORLDS))


def test_no_walk_leaves_the_market() -> None:
    """However long it goes on."""
    prices = _seasons(price_drift_sd_per_day=0.2).day(600, WORLDS[:50], UNSHIFTED[:50]).prices
    assert prices.max() == pytest.approx(DRIFT_MAX) and prices.min() == pytest.approx(1 / DRIFT_MAX)


def test_a_world_s_day_does_not_depend_on_its_company() -> None:
    """Any subset of worlds, on any day, to the last bit."""
    calendar = _seasons(day_noise_sd=0.1, price_drift_sd_per_day=0.02, volume_drift_sd_per_day=0.02)
    whole = calendar.day(30, WORLDS[:40], UNSHIFTED[:40])
    part = calendar.day(30, WORLDS[7:9], UNSHIFTED[7:9])
    assert np.array_equal(whole.prices[7:9], part.prices) and np.array_equal(whole.traffic[7:9], part.traffic)
