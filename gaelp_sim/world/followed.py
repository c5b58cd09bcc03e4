"""Rivals as they were: what each had learned hour by hour in one life of a world, for another life to meet unchanged.

Their budgets still run out as they come: what is followed is what they bid by, not what is left to them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gaelp_sim.events import Floats, Ints
from gaelp_sim.market.learning import Minds


@dataclass(frozen=True)
class Followed:
    """Minds and paces of rivals at the start of every hour and at the end of the last; (hours + 1, worlds, ...) arrays."""

    first_hour: int
    worlds: Ints
    """(worlds,): ids, ascending"""
    minds: dict[str, np.ndarray]
    """Fields of `Minds`"""
    pace: Floats
    """(hours + 1, worlds, rivals): what their budgets made of their bids"""

    def at(self, hour: int, worlds: Ints) -> tuple[Minds, Floats]:
        """Minds and paces of these worlds in an hour."""
        place, of = hour - self.first_hour, np.searchsorted(self.worlds, worlds)
        return Minds(**{name: part[place, of].copy() for name, part in self.minds.items()}), self.pace[place, of].copy()


class Noting:
    """Takes down what rivals begin each hour with."""

    def __init__(self) -> None:
        self._hours: list[tuple[Minds, Floats]] = []

    def note(self, minds: Minds, pace: Floats) -> None:
        """An hour begins, or the last one has ended."""
        self._hours.append((Minds(*(part.copy() for part in minds)), pace.copy()))

    def followed(self, first_hour: int, worlds: Ints) -> Followed:
        """All hours so far."""
        minds = {name: np.stack([getattr(minds, name) for minds, _ in self._hours]) for name in Minds._fields}
        return Followed(first_hour, worlds, minds, np.stack([pace for _, pace in self._hours]))


def together(parts: list[Followed]) -> Followed:
    """Worlds noted apart, in ascending order of their ids, over the same hours."""
    minds = {name: np.concatenate([part.minds[name] for part in parts], axis=1) for name in Minds._fields}
    worlds = np.concatenate([part.worlds for part in parts])
    return Followed(parts[0].first_hour, worlds, minds, np.concatenate([part.pace for part in parts], axis=1))
