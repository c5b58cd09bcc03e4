"""Paths: what people met before they bought, or without buying, laid end to end in columns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from gaelp_sim.events import Column, Floats, Ints


@dataclass(frozen=True)
class Paths:
    """n paths of touches in time order; path i holds touches `starts[i]` to `starts[i + 1]`, at least one.

    A path may stand for many equal ones: walked `sales[i]` times with a sale at its end and `nulls[i]` times without.
    """

    starts: Ints
    """(n + 1,): first touch of each path, then the number of touches"""
    channel: Ints
    """(touches,): 0 to channels - 1, or any other grouping that credit is asked by"""
    second: Ints
    """(touches,): when, ascending within a path"""
    ended_s: Ints
    """(n,): when the sale was made, no earlier than the last touch; anything for a path without sales"""
    sales: Floats
    """(n,)"""
    nulls: Floats
    """(n,)"""
    channels: int

    def __len__(self) -> int:
        return len(self.sales)

    @property
    def lengths(self) -> Ints:
        """(n,): touches of each path."""
        return np.diff(self.starts)

    @property
    def total_sales(self) -> float:
        """Sales of all paths together: what the credits of a model sum to."""
        return float(self.sales.sum())

    def per_touch(self, values: Column) -> Column:
        """One value a path, repeated for each of its touches."""
        return np.repeat(values, self.lengths)

    def by_channel(self, per_touch: Floats) -> Floats:
        """(channels,): values per touch summed by channel."""
        return np.bincount(self.channel, weights=per_touch, minlength=self.channels).astype(np.float64)


def paths_from_texts(rows: Iterable[tuple[str, float, float]]) -> tuple[Paths, list[str]]:
    """Paths written as "search > display", with their sales and nulls; returns them with the channels in order of name.

    The touches of a path count as a day apart, the last one as the moment of the sale.

    >>> paths, channels = paths_from_texts([("a > b", 1, 0), ("b", 0, 2)])
    >>> channels, paths.channel.tolist(), paths.starts.tolist()
    (['a', 'b'], [0, 1, 1], [0, 2, 3])
    """
    rows = list(rows)
    words = [[word.strip() for word in text.split(">")] for text, _, _ in rows]
    channels = sorted({word for path in words for word in path})
    code = {channel: index for index, channel in enumerate(channels)}
    lengths = np.array([len(path) for path in words], dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    day = np.arange(starts[-1]) - np.repeat(starts[:-1], lengths)
    return Paths(
        starts, np.array([code[word] for path in words for word in path], dtype=np.int64), day * 86_400,
        (lengths - 1) * 86_400, np.array([row[1] for row in rows], dtype=np.float64),
        np.array([row[2] for row in rows], dtype=np.float64), len(channels),
    ), channels
