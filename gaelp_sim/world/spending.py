"""How fast accounts are spent: the controller's memory of traffic, and the pace of every account that is paced."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np

from gaelp_sim.events import NONE, US, Floats, Ints
from gaelp_sim.market.pacing import Mode, Pace, Passed, Traffic, step
from gaelp_sim.units import HOURS_PER_DAY
from gaelp_sim.world.model import Model


@dataclass
class Spending:
    """Pace of our accounts and of rivals', which stand after ours."""

    model: Model
    traffic: Traffic
    ours: Pace
    rivals: Pace
    first: int
    """Number of our accounts"""
    mode: Mode
    rivals_paced: bool

    @staticmethod
    def of(model: Model, worlds: int) -> Spending:
        """Before the first hour."""
        first = sum(account.advertiser == US for account in model.accounts)
        return Spending(
            model, Traffic.of(worlds), Pace.of(worlds, first), Pace.of(worlds, len(model.accounts) - first), first,
            model.scenario.us.policy.pacing, model.scenario.rivals_learn,
        )

    @property
    def active(self) -> bool:
        """Whether anything is paced by what is learned here."""
        return self.mode not in ("none", "even") or (self.rivals_paced and self.rivals.factor.shape[1] > 0)

    def learn(self, hour: int, opportunities: Ints, limits: Ints, money: tuple[Ints, Ints]) -> None:
        """Learn from the hour that has passed.

        opportunities: (worlds,); limits, money = (left at the hour's end, used in it): (worlds, accounts)
        """
        self.traffic.note(hour % HOURS_PER_DAY, opportunities)
        if not self.active:
            return
        passed = self._passed(hour, limits, money)
        step(self.mode, self.ours, Passed(*(np.ascontiguousarray(part[:, : self.first]) for part in passed)))
        if self.rivals_paced:
            step("dual", self.rivals, Passed(*(np.ascontiguousarray(part[:, self.first :]) for part in passed)))

    def _passed(self, hour: int, limits: Ints, money: tuple[Ints, Ints]) -> Passed:
        left, used = money
        day, of_day = divmod(hour, HOURS_PER_DAY)
        monthly = np.array([account.monthly for account in self.model.accounts], dtype=bool)
        days, into = self._period(day)
        curve = self.traffic.curve()
        gone = curve[:, : of_day + 1].sum(axis=1)[:, None]
        now, following = curve[:, of_day, None], curve[:, (of_day + 1) % HOURS_PER_DAY, None]
        limit = np.maximum(limits, 1)
        last = of_day == HOURS_PER_DAY - 1
        renewed = np.where(monthly, last and into == days - 1, last)
        return Passed(
            (limits - left) / limit, used / limit, np.where(monthly, (into + gone) / days, gone),
            np.where(monthly, now / days, now), np.where(monthly, following / days, following),
            np.broadcast_to(renewed, limits.shape).astype(float),
        )

    def _period(self, day: int) -> tuple[int, int]:
        """Length in days of the month's account, from its filling to the month's end, and how far into it a day is."""
        start = self.model.scenario.start
        date = start + timedelta(days=day)
        first = max(0, day - (date.day - 1))
        began = start + timedelta(days=first)
        return calendar.monthrange(began.year, began.month)[1] - began.day + 1, day - first

    def by_channel(self) -> tuple[Floats, Floats]:
        """(worlds, channels) each: the factor on our bids and the share to take part in; the tightest account sets them."""
        worlds = len(self.ours.factor)
        factor, share = (np.ones((worlds, self.model.channels)) for _ in range(2))
        for place, account in enumerate(self.model.accounts[: self.first]):
            covered = slice(None) if account.channel == NONE else slice(account.channel, account.channel + 1)
            factor[:, covered] = np.minimum(factor[:, covered], self.ours.factor[:, place, None])
            share[:, covered] = np.minimum(share[:, covered], self.ours.share[:, place, None])
        return factor, share

    def by_rival(self) -> Floats:
        """(worlds, rivals): the factor that each rival's tightest budget puts on its bids."""
        factor = np.ones((len(self.rivals.factor), self.model.bidders - 1))
        for place, account in enumerate(self.model.accounts[self.first :]):
            seat = factor[:, account.advertiser - 1]
            np.minimum(seat, self.rivals.factor[:, place], out=seat)
        return factor

    def arrays(self) -> dict[str, np.ndarray]:
        """The state to resume from."""
        parts: dict[str, Any] = {"traffic": self.traffic, "ours": self.ours, "rivals": self.rivals}
        return {f"pace.{front}.{n}": a.copy() for front, part in parts.items() for n, a in part._asdict().items()}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take up a state given by `arrays`."""
        def part(front: str) -> dict[str, np.ndarray]:
            head = f"pace.{front}."
            return {name[len(head) :]: array.copy() for name, array in arrays.items() if name.startswith(head)}

        self.traffic, self.ours, self.rivals = Traffic(**part("traffic")), Pace(**part("ours")), Pace(**part("rivals"))
