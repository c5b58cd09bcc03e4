"""What an account's daily figures say of its market: volumes, curves, click rates, prices and conversion rates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gaelp_sim.calibrate.account import Account
from gaelp_sim.calibrate.daily_rates import WEEK, Z_95, Rate, curve, ratio_over_days
from gaelp_sim.events import Floats, Ints
from gaelp_sim.units import HOURS_PER_DAY, PER_MILLE

ALL = ""
"""The channel of figures that hold for all of them."""


@dataclass(frozen=True)
class Figure:
    """One fitted quantity of a channel; `at` is the hour, or the weekday from 0 (Monday), of a curve's point."""

    quantity: str
    channel: str
    rate: Rate
    at: int = -1
    note: str = ""


def fit_account(account: Account) -> list[Figure]:
    """Every figure that the export's columns allow."""
    figures = [*_weekdays(account), *_hours(account)]
    weekday = weekday_factors(account)
    days: dict[str, Floats] = {metric: account.by_day(metric) for metric in account.metrics}
    for code, channel in enumerate(account.channels):
        one = {metric: table[code] for metric, table in days.items()}
        figures += _rates(channel, one, weekday)
        figures += _spread(channel, one)
        figures += _market(channel, account)
    return figures


def weekdays_of(account: Account) -> Ints:
    """(days,): the weekday of each day, 0 for Monday."""
    return (account.first_day.toordinal() - 1 + np.arange(account.days)) % WEEK


def weekday_factors(account: Account) -> Floats:
    """(days,): the weekday curve at each day; 1 where less than two weeks are known."""
    if account.days < 2 * WEEK:
        return np.ones(account.days)
    values = np.array([figure.rate.value for figure in _weekdays(account)])
    return values[weekdays_of(account)]


def _volume(account: Account) -> str:
    """The metric that tells how much was going on."""
    return next(metric for metric in ("impressions", "clicks", "conversions", "cost") if metric in account.metrics)


def _weekdays(account: Account) -> list[Figure]:
    rates = curve(account.by_day(_volume(account)), weekdays_of(account), WEEK)
    return [Figure("weekday", ALL, rate, day) for day, rate in enumerate(rates)]


def _hours(account: Account) -> list[Figure]:
    if (account.hour < 0).any():
        return []
    cells = np.zeros((account.days, HOURS_PER_DAY))
    np.add.at(cells, (account.day - account.day.min(), account.hour), account.metrics[_volume(account)])
    rates = curve(cells, np.arange(HOURS_PER_DAY), HOURS_PER_DAY)
    return [Figure("hour", ALL, rate, hour) for hour, rate in enumerate(rates)]


def _rates(channel: str, days: dict[str, Floats], weekday: Floats) -> list[Figure]:
    """Volumes a day, and the ratios between the metrics that are there."""
    found = [
        Figure(f"{metric} a day", channel, ratio_over_days(days[metric], weekday, counted=metric != "cost"))
        for metric in days
    ]
    for quantity, above, below, factor in (
        ("click rate", "clicks", "impressions", 1), ("price of a click", "cost", "clicks", 1),
        ("price of a thousand impressions", "cost", "impressions", PER_MILLE),
        ("conversion rate", "conversions", "clicks", 1), ("cost of a conversion", "cost", "conversions", 1),
    ):
        if above in days and below in days and days[above].sum() > 0 and days[below].sum() > 0:
            rate = ratio_over_days(days[above] * factor, days[below], counted=above != "cost")
            found.append(Figure(quantity, channel, rate))
    return found


def _spread(channel: str, days: dict[str, Floats]) -> list[Figure]:
    """How far a day's mean price lies from the channel's: auctions' own luck is in it, which sums can't tell apart.

    By clicks or by impressions, whichever price is steadier: what is charged for.
    """
    found = []
    for metric in ("clicks", "impressions"):
        if "cost" not in days or metric not in days:
            continue
        known = (days[metric] > 0) & (days["cost"] > 0)
        if known.sum() < WEEK:
            continue
        logs = np.log(days["cost"][known] / days[metric][known])
        sd, freedom = float(logs.std(ddof=1)), int(known.sum()) - 1
        half = Z_95 / np.sqrt(2 * freedom)
        note = "upper bound of the market's daily noise; the spread among auctions is not identified by daily sums"
        rate = Rate(sd, sd * float(np.exp(-half)), sd * float(np.exp(half)), freedom + 1)
        found.append(Figure(f"spread of days' prices by {metric} (sd of logs)", channel, rate, note=note))
    return sorted(found, key=lambda one: one.rate.value)[:1]


def _market(channel: str, account: Account) -> list[Figure]:
    """Impressions that were to be had a day, by the share that we got of them; bounds where the share is one."""
    low, high = account.share
    here = np.array([name == channel for name in account.channel]) & ~np.isnan(low)
    if "impressions" not in account.metrics or not here.any():
        return []
    shown = account.metrics["impressions"][here]
    days = len(set(account.day[here].tolist()))
    most = shown[low[here] > 0] / low[here][low[here] > 0]
    least = shown / np.maximum(high[here], 1e-9)
    bounded = bool((low[here] != high[here]).any())
    open_ended = bool((low[here] == 0).any())
    value = float(least.sum()) / days
    rate = Rate(value, value, np.inf if open_ended else float(most.sum()) / days, days)
    note = "bounds: shares are told as < or >" if bounded else "as the shares of impressions tell"
    return [Figure("impressions to be had a day", channel, rate, note=note)]
