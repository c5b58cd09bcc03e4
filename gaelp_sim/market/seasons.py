"""Seasons of a market: weekday curve, yearly wave, events that come back each year; and how worlds stray from them.

The calendar is known to everybody ahead. Noise and drift are a world's own: keyed by (world, day) alone, so they are the
same wherever a run is resumed and however its worlds are spread over processes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

import numpy as np

from gaelp_sim.draws import Draws, Purpose, Words, normal_quantile, uniform
from gaelp_sim.events import Floats, Ints
from gaelp_sim.scenario.schema import Scenario, SeasonEvent, Variation

DRIFT_MAX = 10.0
"""A walk never takes prices or volume beyond this factor, or below its inverse."""
_NOISE_WORD, _PRICE_WORD, _VOLUME_WORD = range(3)
_DAYS_OF_MONTH = 32
_YEAR = 13 * _DAYS_OF_MONTH


@dataclass(frozen=True)
class MarketDay:
    """How a day of the market stands in each unit, (units,) factors."""

    season: Floats
    """What the calendar does to opportunities"""
    traffic: Floats
    """The calendar, and how far the world's volume has drifted"""
    prices: Floats
    """On rivals' bids: events, drift and the day's own noise"""


@dataclass(frozen=True)
class Seasons:
    """The calendar of a scenario, and the spread of its worlds around it."""

    draws: Draws
    start: date
    weekday: Floats
    """(7,): Monday to Sunday, mean 1"""
    amplitude: float
    peak_day: int
    event_traffic: Floats
    """(416,): factor by month x 32 + day of the month"""
    event_prices: Floats
    variation: Variation

    @staticmethod
    def of(scenario: Scenario, draws: Draws) -> Seasons:
        """Compile a scenario's curves and events."""
        curves = scenario.curves
        traffic, prices = np.ones(_YEAR), np.ones(_YEAR)
        for event in curves.events:
            here = _days_of(event)
            traffic[here] *= event.traffic
            prices[here] *= event.prices
        return Seasons(
            draws, scenario.start, np.array(curves.weekday) / np.mean(curves.weekday), curves.season_amplitude,
            curves.season_peak_day, traffic, prices, scenario.variation,
        )

    def day(self, day: int, worlds: Ints, shift_days: Ints) -> MarketDay:
        """A day of the run, from 0, in units of these worlds whose season is shifted by whole days."""
        dates = np.datetime64(self.start, "D") + day + shift_days
        place, spread = _place_in_year(dates), self.variation
        season = self._wave(day, dates) * self.event_traffic[place]
        words = self._words(day, worlds)
        prices = self.event_prices[place] * _walk(words[_PRICE_WORD], spread.price_drift_sd_per_day)
        noise = np.exp(spread.day_noise_sd * _normal(words[_NOISE_WORD, -1]))
        return MarketDay(season, season * _walk(words[_VOLUME_WORD], spread.volume_drift_sd_per_day), prices * noise)

    def _wave(self, day: int, dates: np.ndarray) -> Floats:
        """Weekday curve x yearly wave; weekdays are not shifted."""
        weekly = self.weekday[(self.start.weekday() + day) % 7]
        of_year = (dates - dates.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64) + 1
        angle = 2 * np.pi * (of_year - self.peak_day) / 365.25
        wave: Floats = weekly * (1.0 + self.amplitude * np.cos(angle))
        return wave

    def _words(self, day: int, worlds: Ints) -> Words:
        """(4, days, units): words of the days up to this one; only of this one where no walk needs the others."""
        walks = self.variation.price_drift_sd_per_day > 0 or self.variation.volume_drift_sd_per_day > 0
        if not walks and self.variation.day_noise_sd == 0:
            return np.zeros((4, 1, len(worlds)), dtype=np.uint32)
        days = np.arange(0 if walks else day, day + 1)
        words = self.draws.words(
            Purpose.MARKET_DAY, np.tile(worlds, len(days)), 0, np.repeat(days, len(worlds))
        )
        return words.reshape(4, len(days), len(worlds))


def _days_of(event: SeasonEvent) -> np.ndarray:
    """(416,): True on the days of an event; one that ends earlier in the year than it begins runs over New Year."""
    first, last = (_month_and_day(text) for text in (event.first_day, event.last_day))
    place = np.arange(_YEAR)
    return (first <= place) & (place <= last) if first <= last else (place >= first) | (place <= last)


def _month_and_day(text: str) -> int:
    month, day = text.split("-")
    return int(month) * _DAYS_OF_MONTH + int(day)


def _place_in_year(dates: np.ndarray) -> Ints:
    months = dates.astype("datetime64[M]")
    month = months.astype(np.int64) % 12 + 1
    place: Ints = month * _DAYS_OF_MONTH + (dates - months.astype("datetime64[D]")).astype(np.int64) + 1
    return place


def _walk(words: Words, sd: float) -> Floats:
    """(units,): exp of a random walk with a normal step a day, standing still on day 0; words: (days, units)."""
    if sd == 0:
        return np.ones(words.shape[1])
    # A running sum, not a pairwise one: day by day it comes out the same to the last bit.
    reached = np.cumsum(sd * _normal(words[1:]), axis=0)[-1] if len(words) > 1 else np.zeros(words.shape[1])
    farthest = math.log(DRIFT_MAX)
    return np.exp(np.clip(reached, -farthest, farthest))


def _normal(words: Words) -> Floats:
    return normal_quantile(uniform(words) + 2.0**-33)
