"""Models of what actions earn, fitted on some users and asked about others: ridge regressions on features and actions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.draws import Draws, Purpose, uniform
from gaelp_sim.evaluate.steps import Steps
from gaelp_sim.events import Floats, Ints

FOLDS = 3
_RIDGE = 1e-4
_AT_ONCE = 20_000


@dataclass(frozen=True)
class Inputs:
    """What the regressions see: features, each alone, and of each action its own part and its slope in a few of them."""

    plain: NDArray[np.float64]
    """(n, columns), standardised, a column of ones first"""
    slopes: NDArray[np.float64]
    """(n, few): what an action's worth may depend on"""
    actions: int

    @staticmethod
    def of(steps: Steps, slopes: Ints) -> Inputs:
        """Inputs of decisions; slopes: which features an action's worth may depend on."""
        columns = steps.features.astype(np.float64)
        spread = columns.std(axis=0)
        kept = spread > 1e-9
        scaled = (columns - columns.mean(axis=0)) / np.where(kept, spread, 1.0)
        plain = np.concatenate([np.ones((len(columns), 1)), scaled[:, kept]], axis=1)
        return Inputs(plain, np.concatenate([np.ones((len(columns), 1)), scaled[:, slopes]], axis=1), steps.target.shape[1])

    @property
    def width(self) -> int:
        """How many columns a regression has."""
        return self.plain.shape[1] + self.actions * self.slopes.shape[1]

    def at(self, rows: Ints, action: Ints) -> NDArray[np.float64]:
        """(rows, width): the regression's row for decisions and actions."""
        few = self.slopes.shape[1]
        found = np.zeros((len(rows), self.width))
        found[:, : self.plain.shape[1]] = self.plain[rows]
        place = self.plain.shape[1] + action[:, None] * few + np.arange(few)
        np.put_along_axis(found, place, self.slopes[rows], axis=1)
        return found

    def expected(self, rows: Ints, target: Floats) -> NDArray[np.float64]:
        """(rows, width): the mean of the regression's rows over a policy's chances, (rows, actions)."""
        each = (target[:, :, None] * self.slopes[rows][:, None, :]).reshape(len(rows), -1)
        return np.concatenate([self.plain[rows], each], axis=1)

    def all_actions(self, beta: Floats) -> Floats:
        """(n, actions): what a regression says of every action."""
        wide, few = self.plain.shape[1], self.slopes.shape[1]
        own = beta[wide:].reshape(self.actions, few)
        return (self.plain @ beta[:wide])[:, None] + self.slopes @ own.T


def folds(steps: Steps, seed: int) -> Iterator[tuple[Ints, Ints]]:
    """(rows to fit on, rows to ask about), by cluster, so that nobody is asked about what they taught."""
    draw = uniform(Draws(seed).words(Purpose.RESAMPLE, 1, np.arange(int(steps.cluster.max()) + 1), 0)[0])
    fold = np.minimum((draw * FOLDS).astype(np.int64), FOLDS - 1)[steps.cluster][steps.user]
    for k in range(FOLDS):
        yield np.flatnonzero(fold != k), np.flatnonzero(fold == k)


def rewards(steps: Steps, inputs: Inputs, seed: int) -> Floats:
    """(n, actions): what each action earns by itself, as users of other folds tell; it does not depend on the target."""
    found = np.zeros(steps.target.shape)
    for taught, asked in folds(steps, seed):
        gram, moment = _ridge(inputs), np.zeros(inputs.width)
        for rows in _parts(taught):
            here = inputs.at(rows, steps.action[rows])
            gram += here.T @ here
            moment += here.T @ steps.reward[rows]
        beta = np.asarray(np.linalg.solve(gram, moment), dtype=np.float64)
        found[asked] = inputs.all_actions(beta)[asked]
    return found


def worths(steps: Steps, inputs: Inputs, seed: int) -> Floats:
    """(n, actions): what each action and following the target afterwards is worth, as users of other folds tell.

    The fixed point of fitted Q evaluation by regression, solved for at once.
    Source: Lagoudakis & Parr (2003), LSTD-Q.
    """
    found, last = np.zeros(steps.target.shape), steps.last
    for taught, asked in folds(steps, seed):
        system, moment = _ridge(inputs), np.zeros(inputs.width)
        for rows in _parts(taught):
            here, following = inputs.at(rows, steps.action[rows]), np.minimum(rows + 1, len(steps) - 1)
            after = inputs.expected(following, steps.target[following])
            after[last[rows]] = 0.0
            system += here.T @ (here - after)
            moment += here.T @ steps.reward[rows]
        beta = np.asarray(np.linalg.solve(system, moment), dtype=np.float64)
        found[asked] = inputs.all_actions(beta)[asked]
    return found


def _ridge(inputs: Inputs) -> NDArray[np.float64]:
    return np.eye(inputs.width) * (_RIDGE * len(inputs.plain))


def _parts(rows: Ints) -> Iterator[Ints]:
    for first in range(0, len(rows), _AT_ONCE):
        yield rows[first : first + _AT_ONCE]
