"""What estimators take: decisions of users by time, with what was done, how likely that was, and what a target would do.

A value is what a user is worth on average, in dollars: rewards summed over the user's decisions in the log, averaged over
users.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.events import Bools, Floats, Ints


@dataclass(frozen=True)
class Steps:
    """Decisions of users, each user's together and by time."""

    begins: Ints
    """(users + 1,): where each user's decisions begin"""
    cluster: Ints
    """(users,): users who share luck, numbered from 0"""
    action: Ints
    """(n,): an index of `target`'s columns"""
    propensity: Floats
    """(n,): the logging policy's chance of that action"""
    target: Floats
    """(n, actions): the target policy's chances; rows sum to 1"""
    reward: Floats
    """(n,): dollars"""
    features: NDArray[np.float32]
    """(n, features)"""
    state: Ints
    """(n,): a coarse state, numbered from 0, for estimators that count"""

    @property
    def users(self) -> int:
        """How many there are."""
        return len(self.begins) - 1

    def __len__(self) -> int:
        return len(self.action)

    @cached_property
    def user(self) -> Ints:
        """(n,): whose decision it is."""
        return np.repeat(np.arange(self.users), np.diff(self.begins))

    @cached_property
    def weight(self) -> Floats:
        """(n,): the target's chance of what was done, over the logging policy's."""
        return self.target[np.arange(len(self)), self.action] / self.propensity

    @cached_property
    def path_weight(self) -> Floats:
        """(n,): product of the weights of the user's decisions up to this one."""
        with np.errstate(divide="ignore"):
            logs = np.concatenate([[0.0], np.cumsum(np.log(np.maximum(self.weight, 1e-300)))])
        product = np.exp(logs[1:] - logs[self.begins[:-1]][self.user])
        never = np.concatenate([[0], np.cumsum(self.weight <= 0.0)])
        return np.where(never[1:] > never[self.begins[:-1]][self.user], 0.0, product)

    @property
    def last(self) -> Bools:
        """(n,): whether it is the user's last decision."""
        found = np.zeros(len(self), dtype=np.bool_)
        found[self.begins[1:] - 1] = True
        return found

    def by_user(self, column: Floats) -> Floats:
        """(users,): sums of a column (n,)."""
        return np.add.reduceat(column, self.begins[:-1]) if len(column) else np.zeros(self.users)

    def of_users(self, chosen: Ints) -> Steps:
        """The decisions of some users, each as often as it is named."""
        lengths = np.diff(self.begins)[chosen]
        begins = np.concatenate([[0], np.cumsum(lengths)])
        rows = np.repeat(self.begins[:-1][chosen] - begins[:-1], lengths) + np.arange(begins[-1])
        return Steps(
            begins, self.cluster[chosen], self.action[rows], self.propensity[rows], self.target[rows], self.reward[rows],
            self.features[rows], self.state[rows],
        )

    def under(self, target: Floats) -> Steps:
        """The same decisions with another target policy's chances."""
        return replace(self, target=target)


class Found(NamedTuple):
    """An estimate with how much each user moves it."""

    value: float
    """USD a user"""
    influence: Floats
    """(users,): mean zero; the estimate's error is about their mean"""
    weights: Floats
    """Importance weights that it rests on, by decision or by user; ones where it uses none"""


def summed(steps: Steps, by_step: Floats, weights: Floats) -> Found:
    """An estimate that is the mean over users of a sum over their decisions."""
    each = steps.by_user(by_step)
    value = float(each.mean())
    return Found(value, each - value, weights)
