"""Accounts apart: parts of one world that spend their own share of our money, in a market that they share.

Each part is a cell. Rivals, prices and what the market tells are the world's; our money, its pace and the features that
speak of it are each part's own. So no part can spend what another was meant to.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gaelp_sim.events import NONE, US, Bools, Ints
from gaelp_sim.units import HOURS_PER_DAY
from gaelp_sim.world.control import Controller, Orders, Report
from gaelp_sim.world.log import Log
from gaelp_sim.world.shard import LocalControl
from gaelp_sim.world.stack import Stack


class AccountsApart:
    """A controller of whole worlds, with a controller of each part's own money beside it."""

    def __init__(self, whole: LocalControl, stack: Stack) -> None:
        """Every part begins with its share of each of our accounts, by people; shares add up to the account exactly."""
        self.whole, self.log = whole, whole.log
        controller = whole.controller
        self.ours: Bools = np.array([account.advertiser == US for account in controller.model.accounts], dtype=bool)
        units = np.arange(stack.units)
        self.parts = Controller.of(controller.model, stack.unit_world_id, (units, stack.unit_people()))
        self.parts.limit_micros = shares(controller.limit_micros, controller.unit_world, stack.unit_people())
        self.parts.left_micros = self.parts.limit_micros.copy()
        self._leased = self._own = np.zeros(0, dtype=np.int64)
        self._hour = 0

    def begin_hour(self, hour: int) -> Orders:
        """The world's orders, with each part's own money, pace and standing."""
        orders, own = self.whole.begin_hour(hour), self.parts.begin_hour(hour)
        self._leased, self._own, self._hour = orders.lease_micros.copy(), own.lease_micros.copy(), hour
        return replace(
            orders, lease_micros=np.where(self.ours, own.lease_micros, orders.lease_micros),
            again=np.where(self.ours, own.again, orders.again), multiplier_ppm=own.multiplier_ppm,
            participate_ppm=own.participate_ppm, standing=own.standing,
        )

    def end_hour(self, report: Report) -> None:
        """Parts learn of their own money; the world of all that was spent."""
        used = np.where(self.ours, self._own, self._leased) - report.left_micros
        self.parts.end_hour(report)
        self.whole.end_hour(replace(
            report, left_micros=self._leased - used, refused_micros=np.where(self.ours, 0, report.refused_micros),
            exhausted_s=np.where(self.ours, NONE, report.exhausted_s),
        ))
        if self._hour % HOURS_PER_DAY == HOURS_PER_DAY - 1:
            self.parts.end_day(self._hour // HOURS_PER_DAY, Log())  # the world's rows are the ones that count


def shares(limit_micros: Ints, unit_world: Ints, unit_people: Ints) -> Ints:
    """(units, accounts): each unit's share, by people, of its world's accounts; limit_micros: (worlds, accounts).

    What doesn't divide goes to the first units, a micro each, so that shares add up.
    """
    whole = np.bincount(unit_world, weights=unit_people, minlength=len(limit_micros)).astype(np.int64)[unit_world, None]
    limit, people = limit_micros[unit_world], unit_people[:, None]
    share = limit // whole * people + limit % whole * people // whole
    given = np.zeros_like(limit_micros)
    np.add.at(given, unit_world, share)
    first = np.searchsorted(unit_world, np.arange(len(limit_micros)))
    place = np.arange(len(unit_world)) - first[unit_world]
    return np.asarray(share + (place[:, None] < (limit_micros - given)[unit_world]), dtype=np.int64)
