"""Budgets that bind exactly in clearing order.

An account is a limit of one advertiser over a day or a month, on one channel or on all. Opportunities clear
one after the other; at the first one at which an advertiser would overspend an account, it is dropped from there on
until the account refills, and that auction is held again. Units don't touch each other's accounts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gaelp_sim.compiled import compiled, inlined
from gaelp_sim.events import NONE, US, Bools, Ints
from gaelp_sim.market.auction import Codes, Offers, Rules, charge_of, empty_slots, sell
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


class Budgets(NamedTuple):
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
    refused_micros: Ints
    """(units, accounts): the charge of this hour that the account could not pay, 0 where it could pay all"""

    @staticmethod
    def of(accounts: list[Account], units: int, channels: int) -> Budgets:
        """Empty accounts: the controller fills them by leases."""
        shape = (units, len(accounts))
        covers = np.array([[a.channel in (NONE, c) for c in range(channels)] for a in accounts]).reshape(-1, channels)
        return Budgets(
            np.array([a.advertiser for a in accounts], dtype=np.int64), covers.astype(bool),
            np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=bool), np.full(shape, NONE, dtype=np.int64),
            np.zeros(shape, dtype=np.int64),
        )


class Round(NamedTuple):
    """A round to be cleared, in clearing order within each unit."""

    unit: Ints
    second: Ints
    clicks_us: Bools
    """(slots, n): our ad would be clicked there"""
    clicks_rival: Bools
    blank: Bools
    """(n,): where we win, our ad is withheld: its place stays blank, unclicked and uncharged"""


class Spent(NamedTuple):
    """Winner, price, charge and click of every slot: (slots, n)."""

    winner: Codes
    price_micros: Ints
    charge_micros: Ints
    clicked: Bools


@compiled
def clear_within_budgets(budgets: Budgets, offers: Offers, this: Round, rules: Rules) -> Spent:
    """Clear a round so that no account is ever overspent by a micro, and book the charges.

    Bids of dropped bidders are set to 0 in `offers`. Where a sale would overspend an account, its owner is dropped
    from there on and the auction is held again without them.
    """
    cleared = empty_slots(rules, offers.channel)
    spent = Spent(
        cleared.winner, cleared.price_micros, np.zeros_like(cleared.price_micros),
        np.zeros(cleared.winner.shape, dtype=np.bool_),
    )
    score = np.empty(len(offers.bid_micros), dtype=np.int64)
    for i in range(len(offers.channel)):
        unit, channel = this.unit[i], offers.channel[i]
        for account in range(len(budgets.advertiser)):
            if budgets.dropped[unit, account] and budgets.covers[account, channel]:
                offers.bid_micros[budgets.advertiser[account], i] = 0
        while True:
            sell(offers, rules, i, score, cleared)
            _charge(spent, this, i, rules.per_click[channel])
            broke = _first_overspent(budgets, spent, i, unit, channel)
            if broke == NONE:
                break
            budgets.dropped[unit, broke] = True
            budgets.exhausted_s[unit, broke] = this.second[i]
            budgets.refused_micros[unit, broke] = _cost(spent, i, budgets.advertiser[broke])
            offers.bid_micros[budgets.advertiser[broke], i] = 0
        for account in range(len(budgets.advertiser)):
            if budgets.covers[account, channel]:
                budgets.left_micros[unit, account] -= _cost(spent, i, budgets.advertiser[account])
    return spent


@inlined
def _charge(spent: Spent, this: Round, i: int, per_click: bool) -> None:
    for slot in range(len(spent.winner)):
        winner = spent.winner[slot, i]
        clicks = this.clicks_us[slot, i] if winner == US else this.clicks_rival[slot, i]
        withheld = winner == US and this.blank[i]
        spent.clicked[slot, i] = winner != NONE and clicks and not withheld
        charge = charge_of(spent.price_micros[slot, i], spent.clicked[slot, i], per_click)
        spent.charge_micros[slot, i] = 0 if withheld else charge


@inlined
def _cost(spent: Spent, i: int, advertiser: int) -> int:
    """What an advertiser pays for its slots at opportunity `i`."""
    cost = 0
    for slot in range(len(spent.winner)):
        if spent.winner[slot, i] == advertiser:
            cost += spent.charge_micros[slot, i]
    return cost


@inlined
def _first_overspent(budgets: Budgets, spent: Spent, i: int, unit: int, channel: int) -> int:
    """The first account that opportunity `i` would overspend, or NONE."""
    for account in range(len(budgets.advertiser)):
        if budgets.covers[account, channel]:
            if _cost(spent, i, budgets.advertiser[account]) > budgets.left_micros[unit, account]:
                return account
    return NONE
