"""Accounts apart: each half of a market spends its own half of our money, to the micro, in one market."""

from __future__ import annotations

import numpy as np

from gaelp_sim.events import US, Ints
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.units import HOURS_PER_DAY, micros
from gaelp_sim.world.apart import AccountsApart, shares
from gaelp_sim.world.control import Orders, Report
from gaelp_sim.world.dealing import Dealt
from gaelp_sim.world.policies import policy_named
from gaelp_sim.world.shard import Shard, Task
from gaelp_sim.world.stack import Place

DAYS, USD_DAY = 4, 40


class _Watched:
    """A controller whose reports are kept."""

    def __init__(self, control: object) -> None:
        self.control, self.spent = control, []  # type: ignore[var-annotated]

    def begin_hour(self, hour: int) -> Orders:
        return self.control.begin_hour(hour)  # type: ignore[attr-defined, no-any-return]

    def end_hour(self, report: Report) -> None:
        self.spent.append(report.spent_micros[:, US].sum(axis=1))
        self.control.end_hour(report)  # type: ignore[attr-defined]


def _spent(policies: tuple[str, str], *, apart: bool) -> tuple[Ints, Shard]:
    """(days, units) micros of ours: the second policy in each world's second half."""
    scenario = load_scenario("short", [
        "population.people=2000", "cells=2", f"days={DAYS}", f"us.budget.usd_day={USD_DAY}", "identity.mode=perfect"])
    us = Dealt(*(policy_named(name, scenario) for name in policies), lambda one, user: one.unit % 2 == 1)
    shard = Shard(Task(scenario, 3, "rule", Place(range(2), range(2)), 0, None), us=us)
    assert shard.own is not None
    watched = _Watched(AccountsApart(shard.own, shard.stack) if apart else shard.own)
    shard.clock.control = watched
    for day in range(1, DAYS + 1):
        shard.advance(day * HOURS_PER_DAY)
    return np.array(watched.spent).reshape(DAYS, HOURS_PER_DAY, 4).sum(axis=1), shard


def test_halves_spend_their_own_money() -> None:
    """Each stops at its half, and so together at the whole; what is left is too little for a dear click."""
    spent, shard = _spent(("rule", "rule"), apart=True)
    assert shard.own is not None
    half = shares(np.full((2, 1), micros(USD_DAY)), np.array([0, 0, 1, 1]), shard.stack.unit_people())[:, 0]
    assert (half.reshape(2, 2).sum(axis=1) == micros(USD_DAY)).all()
    assert (spent <= half).all() and (spent.sum(axis=0) > 0.5 * DAYS * half).all()
    assert np.array_equal(spent.sum(axis=0).reshape(2, 2).sum(axis=1), shard.own.controller.spent_total_micros)
    assert (shard.own.controller.left_micros[:, 0] >= 0).all()


def test_a_shared_account_is_spent_by_whoever_bids() -> None:
    """What one half leaves, the other one takes; with accounts apart it can't: the interference that they remove."""
    apart, _ = _spent(("silent", "rule"), apart=True)
    shared, _ = _spent(("silent", "rule"), apart=False)
    assert (apart[:, ::2] == 0).all() and (shared[:, ::2] == 0).all()
    assert shared[:, 1::2].sum() > 1.3 * apart[:, 1::2].sum()


def test_shares_of_accounts_add_up() -> None:
    """Uneven people, indivisible micros."""
    limit = np.array([[10**12 + 1, 7], [100, 2**62]])
    given = shares(limit, np.array([0, 0, 0, 1, 1]), np.array([1, 1, 1, 3, 4]))
    assert np.array_equal(given[:3].sum(axis=0), limit[0]) and np.array_equal(given[3:].sum(axis=0), limit[1])
    assert given[:3].max(axis=0).tolist() == [333_333_333_334, 3] and given[3, 0] in (42, 43)
