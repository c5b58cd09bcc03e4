"""A stored run's decisions as estimators take them; of sales, only those of which the advertiser had heard."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.errors import UsageError
from gaelp_sim.evaluate.marginal import coarse
from gaelp_sim.evaluate.steps import Steps
from gaelp_sim.events import NONE, Bools, Floats, Ints
from gaelp_sim.learn.logged import Logged, read_logged
from gaelp_sim.observe.table import COLUMN
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.store import RunRecord, Store
from gaelp_sim.units import SECONDS_PER_DAY, SECONDS_PER_HOUR
from gaelp_sim.world.stored_scenario import is_imported, stored_scenario

WORLDS_MIN = 10
"""From so many worlds on they are the clusters"""
_SLOPES = ("stage_considering", "stage_intent", "goodwill")
_DAYS_LEFT = (2.0, 7.0, 16.0)
"""Edges of the classes of time left that states are told in"""


@dataclass(frozen=True)
class RunLog:
    """What a run's log tells an advertiser."""

    logged: Logged
    scenario: Scenario | None
    """None for an imported log"""
    end_s: int
    """When it was cut"""

    @property
    def supported(self) -> Bools:
        """(signals, triples): whether the log took the triple on the signal."""
        return self._taken > 0

    @cached_property
    def _taken(self) -> Ints:
        found = np.zeros((int(self.signal.max()) + 1, len(self.logged.triples)), dtype=np.int64)
        np.add.at(found, (self.signal, self.logged.action), 1)
        return found

    @property
    def signal(self) -> Ints:
        """(n,): signal of each decision; of imported logs the channel."""
        logged = self.logged
        return np.where(logged.signal == NONE, logged.channel, logged.signal)

    @cached_property
    def multiples(self) -> Floats:
        """(triples,): the bid of each triple over the sheet's price, as its decisions tell; 0 for staying out."""
        logged = self.logged
        known = (logged.bid_micros > 0) & (logged.price_micros > 0)
        ratio = np.where(known, logged.bid_micros / np.maximum(logged.price_micros, 1), np.nan)
        found = np.zeros(len(logged.triples))
        for triple in range(len(found)):
            here = ratio[(logged.action == triple) & known]
            found[triple] = float(np.median(here)) if len(here) and logged.triples[triple, 0] else 0.0
        return found

    @property
    def days_left(self) -> Floats:
        """(n,): days from each decision to the log's end."""
        return (self.end_s - self.logged.second) / SECONDS_PER_DAY

    def steps(self, target: Floats) -> Steps:
        """Decisions beside a target's chances, (n, triples + 1): the last column is what the log has no triple for."""
        logged = self.logged
        return Steps(
            logged.begins, self._clusters(), logged.action, logged.propensity, target, logged.reward_usd, self.columns,
            self._states(),
        )

    @property
    def slopes(self) -> Ints:
        """Which of `columns` an action's worth may depend on."""
        return np.array([self._names.index(name) for name in (*_SLOPES, "log_price")])

    @cached_property
    def columns(self) -> NDArray[np.float32]:
        """(n, ...): the features, codes of signals as columns of their own, the price, and the time left."""
        logged, plain = self.logged, [COLUMN[name] for name in self._names if name in COLUMN]
        price = np.log(np.maximum(logged.price_micros, 1) / 1e6)
        signals = (self.signal[:, None] == np.arange(int(self.signal.max()) + 1)).astype(np.float32)
        extra = np.stack([price, self.days_left], axis=1).astype(np.float32)
        return np.concatenate([logged.observation[:, plain], extra, signals], axis=1)

    @property
    def _names(self) -> list[str]:
        coded = ("channel", "signal", "daily_remaining_usd", "monthly_remaining_usd")
        return [name for name in COLUMN if name not in coded] + ["log_price", "days_left"]

    def _states(self) -> Ints:
        seen = self.logged.observation
        return coarse([
            self.signal, (seen[:, COLUMN["clicks"]] > 0).astype(np.int64),
            np.digitize(seen[:, COLUMN["impressions"]], (1, 4, 10)), np.digitize(self.days_left, _DAYS_LEFT),
        ])

    def _clusters(self) -> Ints:
        logged = self.logged
        world = logged.person[logged.begins[:-1]] >> 32
        _, cluster = np.unique(world, return_inverse=True)
        return cluster if cluster.max() + 1 >= WORLDS_MIN else np.arange(len(world))


def read_log(store: Store, run: RunRecord, settled_days: float = 0.0, *, reported_only: bool = True) -> RunLog:
    """A finished run's log; settled_days: only users first met at least so long before its end.

    Raises UsageError as `learn.logged.read_logged` does, for two identical decisions, and where nobody is left.
    """
    logged = read_logged(store, run, reported_only=reported_only)
    check_once(logged)
    end_s = run.start_s + run.end_hour * SECONDS_PER_HOUR
    if settled_days > 0:
        old = np.flatnonzero(logged.second[logged.begins[:-1]] <= end_s - settled_days * SECONDS_PER_DAY)
        if not len(old):
            raise UsageError(f"--settled-days {settled_days:g}: nobody in run {run.run_id} was met so long before its "
                             "end; ask for fewer")
        logged = of_users(logged, old)
        logged = replace(logged, user=np.repeat(np.arange(len(old)), np.diff(logged.begins)))
    return RunLog(logged, None if is_imported(run) else stored_scenario(run), end_s)


def of_users(logged: Logged, users: Ints) -> Logged:
    """The decisions of some users, each as often as it is named."""
    lengths = np.diff(logged.begins)[users]
    begins = np.concatenate([[0], np.cumsum(lengths)])
    rows = np.repeat(logged.begins[:-1][users] - begins[:-1], lengths) + np.arange(begins[-1])
    names = ("second", "channel", "signal", "bid_micros", "price_micros", "action", "propensity", "reward_usd", "days",
             "observation", "person")
    return replace(
        logged, user=np.repeat(users, lengths), begins=begins, bought=logged.bought[users],
        **{name: getattr(logged, name)[rows] for name in names},
    )


def check_once(logged: Logged) -> None:
    """Raise UsageError where the same decision stands twice."""
    key = np.stack([logged.user, logged.second, logged.person, logged.signal, logged.action])
    key = np.concatenate([key, logged.observation.view(np.uint32).T.astype(np.int64)[:6]])
    _, times = np.unique(key, axis=1, return_counts=True)
    twice = int((times > 1).sum())
    if twice:
        raise UsageError(f"run {logged.run_id}: {twice:,} decisions stand in it more than once (same user, second, signal "
                         "and features); next: remove the copies and import it again")
