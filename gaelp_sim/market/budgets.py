"""Budgets that bind exactly in clearing order.

An account is a limit of one advertiser over a day or a month, on one channel or on all. Within a round opportunities
clear in order; at the first one at which an advertiser would overspend an account, it is dropped from there on until
the account refills, and the rest clears again. Worlds don't touch each other: each pass drops the first offender of
every unit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.events import NONE, US, Bools, Ints
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import micros

GOOGLE_DAY_FACTOR = 2
GOOGLE_MONTH_DAYS = 30.4
UNLIMITED = 2**62


@dataclass(frozen=True)
class Account:
    """One limit: whose, over which channel (NONE: all), for a day or a month."""

    advertiser: int
    channel: int
    monthly: bool
    limit_micros: int


def accounts_of(scenario: Scenario) -> list[Account]:
    """Every budget of the scenario; `google` budgets allow twice a day's and 30.4 days' money a month."""
    channels = [channel.name for channel in scenario.channels]
    google = scenario.us.budget.mode == "google"
    day_factor = GOOGLE_DAY_FACTOR if google else 1
    found = []
    for campaign in scenario.us.campaigns:
        if campaign.budget_usd_day is not None:
            limit = micros(campaign.budget_usd_day) * day_factor
            found.append(Account(US, channels.index(campaign.channel), False, limit))
    budget = scenario.us.budget
    if budget.usd_day is not None:
        found.append(Account(US, NONE, False, micros(budget.usd_day) * day_factor))
        if google:
            found.append(Account(US, NONE, True, int(micros(budget.usd_day) * GOOGLE_MONTH_DAYS)))
    if budget.usd_month is not None:
        found.append(Account(US, NONE, True, micros(budget.usd_month)))
    for code, rival in enumerate(scenario.rivals, start=1):
        if rival.budget_usd_day is not None:
            found.append(Account(code, NONE, False, micros(rival.budget_usd_day)))
        if rival.budget_usd_month is not None:
            found.append(Account(code, NONE, True, micros(rival.budget_usd_month)))
    return found


@dataclass
class Budgets:
    """What is left in each unit's accounts, and who has been dropped until they refill."""

    advertiser: Ints
    """(accounts,)"""
    covers: Bools
    """(accounts, channels)"""
    left_micros: Ints
    """(units, accounts)"""
    dropped: Bools
    """(units, accounts)"""
    exhausted_s: Ints
    """(units, accounts), NONE while not exhausted"""

    @property
    def channels(self) -> int:
        """Number of auction channels."""
        return self.covers.shape[1]

    @staticmethod
    def of(accounts: list[Account], units: int, channels: int) -> Budgets:
        """Empty accounts: the controller fills them by leases."""
        shape = (units, len(accounts))
        covers = np.array([[a.channel in (NONE, c) for c in range(channels)] for a in accounts]).reshape(-1, channels)
        return Budgets(
            np.array([a.advertiser for a in accounts], dtype=np.int64), covers.astype(bool),
            np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=bool), np.full(shape, NONE, dtype=np.int64),
        )


@dataclass(frozen=True)
class Round:
    """The round being cleared: its bids may lose those of dropped bidders."""

    unit: Ints
    channel: NDArray[np.int16]
    second: Ints
    bids: Ints
    """(bidders, n); changed in place"""


@dataclass(frozen=True)
class Spent:
    """Winner and charge of every slot, (slots, n), with whatever else the clearing function returned."""

    winner: NDArray[np.int16]
    charge_micros: Ints
    price_micros: Ints
    clicked: Bools


def clear_within_budgets(budgets: Budgets, this: Round, clear: Callable[[Ints], Spent]) -> tuple[Spent, Ints]:
    """Clear a round so that no account is ever overspent by a micro, and book the charges.

    clear: from bids (bidders, n) to winners and charges; called again after each drop
    Rows of `this` are in clearing order within each unit, units ascending.
    Returns the outcome and the charges by (unit, channel, bidder).
    """
    if budgets.dropped.any():
        _silence(budgets, this)
    while True:
        spent = clear(this.bids)
        sums = _sums(budgets, this, spent)
        drawn = (sums[:, :, budgets.advertiser] * budgets.covers.T).sum(axis=1)
        over = drawn > budgets.left_micros
        if not over.any():
            budgets.left_micros -= drawn
            return spent, sums
        _drop_first(budgets, this, spent, over)


def _silence(budgets: Budgets, this: Round) -> None:
    for unit, account in np.argwhere(budgets.dropped):
        _remove(budgets, this, account, (this.unit == unit))


def _remove(budgets: Budgets, this: Round, account: int, rows: Bools) -> None:
    covered = rows & budgets.covers[account][this.channel]
    this.bids[budgets.advertiser[account], covered] = 0


def _sums(budgets: Budgets, this: Round, spent: Spent) -> Ints:
    """Charges of the round by (unit, channel, bidder)."""
    units, channels, bidders = len(budgets.left_micros), budgets.channels, len(this.bids)
    # An unsold slot has winner -1 and charge 0: it adds nothing, wherever it lands.
    place = (this.unit * channels + this.channel) * bidders + np.maximum(spent.winner, 0)
    # Sums below 2**53 micros (9 billion units of money) are exact as floats.
    sums = np.bincount(place.ravel(), weights=spent.charge_micros.ravel(), minlength=units * channels * bidders)
    return sums.astype(np.int64).reshape(units, channels, bidders)


def _drop_first(budgets: Budgets, this: Round, spent: Spent, over: Bools) -> None:
    """Drop, in each unit, the (bidder, account) that would be the first to overspend."""
    first: dict[int, tuple[int, int]] = {}
    for unit, account in np.argwhere(over):
        mine = (this.unit == unit) & budgets.covers[account][this.channel]
        cost = np.where(spent.winner == budgets.advertiser[account], spent.charge_micros, 0).sum(axis=0)
        running = np.cumsum(np.where(mine, cost, 0))
        place = int(np.argmax(running > budgets.left_micros[unit, account]))
        first[unit] = min(first.get(unit, (place, account)), (place, account))
    order = np.arange(len(this.unit))
    for unit, (place, account) in first.items():
        budgets.dropped[unit, account] = True
        budgets.exhausted_s[unit, account] = this.second[place]
        _remove(budgets, this, account, (this.unit == unit) & (order >= place))
