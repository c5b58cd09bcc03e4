"""A number written as an interval: each world draws its own value from it (domain randomisation).

`ltv_usd: {between: [150, 210]}` draws evenly between the bounds, `scale: log` evenly in the logarithm. Intervals with the
same `together` share their luck: where one of them is low in a world, all are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Self

from pydantic import PrivateAttr

from gaelp_sim.scenario.parts import Part

LINEAR, LOG = "linear", "log"
SCALES = (LINEAR, LOG)
_LUCK_BITS = 53


@dataclass(frozen=True, slots=True)
class Interval:
    """An interval in place of a number; 0 < low where the scale is log, and low < high.

    >>> Interval(("economics", "ltv_usd"), "economics.ltv_usd", (150.0, 210.0)).at(0.5)
    180.0
    """

    path: tuple[str | int, ...]
    """From the top of the scenario"""
    key: str
    """The path as users write it, list items by name"""
    between: tuple[float, float]
    scale: str = LINEAR
    together: str = ""
    """Name of the luck that it shares with other intervals; empty: its own"""

    def at(self, luck: float) -> float:
        """The value at a place between the bounds, 0 to 1."""
        low, high = self.between
        if self.scale == LOG:
            value = math.exp(math.log(low) + luck * (math.log(high) - math.log(low)))
        else:
            value = low + luck * (high - low)
        return min(max(value, low), high)

    def drawn(self, seed: int, world: int) -> float:
        """The value of one world of a run; `seed` is the root run's."""
        from gaelp_sim.draws import Draws, Purpose  # reading a scenario stays light

        name = f"together {self.together}" if self.together else self.key
        digest = int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little")
        word = Draws(seed).words(Purpose.WORLD_PARAMETER, world, digest >> 32, digest & 0xFFFFFFFF)[:, 0]
        bits = (int(word[0]) << 32 | int(word[1])) >> (64 - _LUCK_BITS)
        return self.at((bits + 0.5) / 2.0**_LUCK_BITS)

    def written(self) -> dict[str, Any]:
        """The interval as a scenario file says it."""
        told: dict[str, Any] = {"between": list(self.between), "scale": self.scale}
        return {**told, "together": self.together} if self.together else told


class Randomised(Part):
    """A part that may have been written with intervals; its own numbers then are their middles."""

    _intervals: tuple[Interval, ...] = PrivateAttr(default=())

    @property
    def intervals(self) -> tuple[Interval, ...]:
        """The intervals by key, however the file is ordered."""
        return self._intervals

    def with_intervals(self, intervals: tuple[Interval, ...]) -> Self:
        """The same part with these intervals."""
        copy = self.model_copy()
        copy._intervals = intervals
        return copy

    def written(self) -> dict[str, Any]:
        """All values as JSON, intervals in the places of their numbers."""
        values = self.model_dump(mode="json")
        for interval in self._intervals:
            put(values, interval.path, interval.written())
        return values

    def drawn(self, seed: int, world: int) -> Self:
        """This part as one world of a run lives it: every interval has become a number."""
        if not self._intervals:
            return self
        values = self.model_dump()
        for interval in self._intervals:
            put(values, interval.path, interval.drawn(seed, world))
        return type(self).model_validate(values)


def put(values: Any, path: tuple[str | int, ...], value: object) -> None:
    """Write a value at a path of plain dicts and lists, in place."""
    for step in path[:-1]:
        values = values[step]
    values[path[-1]] = value
