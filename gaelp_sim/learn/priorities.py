"""A sum tree: entries drawn in proportion to their priorities, in the logarithm of their number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gaelp_sim.compiled import compiled
from gaelp_sim.events import Floats, Ints


@dataclass
class SumTree:
    """Priorities of `size` entries, all 0 at first."""

    size: int
    sums: Floats
    """(2 leaves,): node k's children are 2k and 2k + 1; leaves, a power of two, stand last"""

    @staticmethod
    def of(size: int) -> SumTree:
        """A tree of so many entries."""
        leaves = 1 << max(size - 1, 0).bit_length()
        return SumTree(size, np.zeros(2 * leaves))

    @property
    def total(self) -> float:
        """Sum of all priorities."""
        return float(self.sums[1])

    def priorities(self, entries: Ints) -> Floats:
        """(n,)"""
        return np.asarray(self.sums[len(self.sums) // 2 + entries])

    def put(self, entries: Ints, priorities: Floats) -> None:
        """Set priorities, (n,) each, all >= 0; of an entry named twice the last one stands."""
        _put(self.sums, np.asarray(entries, dtype=np.int64), np.asarray(priorities, dtype=np.float64))

    def draw(self, luck: Floats) -> Ints:
        """(n,): an entry for each number in [0, 1), stratified: the k-th falls into the k-th of n equal parts of the sum.

        >>> tree = SumTree.of(3)
        >>> tree.put(np.arange(3), np.array([1.0, 0.0, 3.0]))
        >>> tree.draw(np.array([0.5, 0.0, 0.5, 0.99])).tolist()
        [0, 2, 2, 2]
        """
        return _drawn(self.sums, self.size, (np.arange(len(luck)) + luck) / len(luck))

    def weights(self, entries: Ints, exponent: float) -> Floats:
        """(n,): importance weights (1 / (N p)) ** exponent over their largest; N counts entries with a priority.

        Source: Schaul et al. (2016).
        """
        leaves = self.sums[len(self.sums) // 2 :]
        chance = self.priorities(entries) / self.total
        raw = np.asarray((1.0 / (np.count_nonzero(leaves) * chance)) ** exponent)
        return np.asarray(raw / raw.max())


@compiled
def _put(sums: Floats, entries: Ints, priorities: Floats) -> None:
    leaves = len(sums) // 2
    for i in range(len(entries)):
        node = leaves + entries[i]
        sums[node] = priorities[i]
        node >>= 1
        # Sums are taken anew: differences would gather rounding.
        while node:
            sums[node] = sums[2 * node] + sums[2 * node + 1]
            node >>= 1


@compiled
def _drawn(sums: Floats, size: int, shares: Floats) -> Ints:
    leaves = len(sums) // 2
    found = np.empty(len(shares), dtype=np.int64)
    for i in range(len(shares)):
        left, node = shares[i] * sums[1], 1
        while node < leaves:
            node *= 2
            if left >= sums[node] and sums[node + 1] > 0.0:
                left -= sums[node]
                node += 1
        found[i] = min(node - leaves, size - 1)
    return found
