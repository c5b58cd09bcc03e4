"""Linkage graded against the truth, which no linker sees: pairs, users, and whether probabilities are what they say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gaelp_sim.events import Floats, Ints


@dataclass(frozen=True)
class Quality:
    """How well users are people."""

    people: int
    aliases: int
    users: int
    true_pairs: int
    linked_pairs: int
    right_pairs: int
    b_cubed_precision: float
    """Of an alias's user, the share that is the same person's; the mean over aliases"""
    b_cubed_recall: float
    """Of an alias's person, the share that is in the same user"""
    largest: int
    """Aliases of the largest user"""
    over_merges: int
    """Users made of more than one person"""
    under_merges: int
    """People spread over more than one user"""

    @property
    def precision(self) -> float:
        """Right pairs among those linked; 1 where none was."""
        return self.right_pairs / self.linked_pairs if self.linked_pairs else 1.0

    @property
    def recall(self) -> float:
        """Right pairs among the true ones; 1 where there are none."""
        return self.right_pairs / self.true_pairs if self.true_pairs else 1.0

    def f(self, beta: float) -> float:
        """van Rijsbergen's F: beta under 1 weighs precision more."""
        below = beta * beta * self.precision + self.recall
        return (1 + beta * beta) * self.precision * self.recall / below if below else 0.0


def quality(user: Ints, person: Ints) -> Quality:
    """Grade users, (aliases,), by the people behind the aliases, (aliases,).

    >>> found = quality(np.array([0, 0, 2, 2]), np.array([7, 7, 7, 8]))
    >>> found.precision, found.recall, found.over_merges, found.under_merges
    (0.5, 0.3333333333333333, 1, 1)
    """
    _, user_at, user_size = np.unique(user, return_inverse=True, return_counts=True)
    _, person_at, person_size = np.unique(person, return_inverse=True, return_counts=True)
    both, both_at, both_size = np.unique(
        user_at.astype(np.int64) << 32 | person_at, return_inverse=True, return_counts=True
    )
    share = both_size[both_at]
    return Quality(
        len(person_size), len(user), len(user_size), _pairs(person_size), _pairs(user_size), _pairs(both_size),
        float((share / user_size[user_at]).mean()), float((share / person_size[person_at]).mean()),
        int(user_size.max(initial=0)), int((np.bincount(both >> 32) > 1).sum()),
        int((np.bincount(both & 0xFFFFFFFF) > 1).sum()),
    )


def _pairs(sizes: Ints) -> int:
    return int((sizes * (sizes - 1) // 2).sum())


@dataclass(frozen=True)
class Bucket:
    """Pairs of about one probability."""

    low: float
    high: float
    pairs: int
    said: float
    """Their mean probability"""
    true: float
    """The share that is one person's"""


EDGES = (0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0)


def calibration(probability: Floats, right: Ints, edges: tuple[float, ...] = EDGES) -> list[Bucket]:
    """What pairs of each range of probability turned out to be; ranges without a pair are left out."""
    found = []
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        here = (probability >= low) & ((probability < high) | (high == edges[-1]))
        if here.any():
            said, true = float(probability[here].mean()), float(right[here].mean())
            found.append(Bucket(low, high, int(here.sum()), said, true))
    return found
