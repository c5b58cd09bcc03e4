"""What an agent from outside bids each hour: heard a moment ago, or kept from another life of these worlds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from gaelp_sim.events import NONE, Ints

Missing = Literal["rule", "last", "nothing"]


@dataclass(frozen=True)
class Sheets:
    """A stored run's bid sheets."""

    first_hour: int
    worlds: Ints
    """(worlds,): ids, ascending"""
    bid_micros: Ints
    """(worlds, hours, signals)"""

    def at(self, hour: int, worlds: Ints) -> Ints | None:
        """(worlds, signals) of these worlds; None for an hour that is not there."""
        place = hour - self.first_hour
        if not 0 <= place < self.bid_micros.shape[1]:
            return None
        return self.bid_micros[np.searchsorted(self.worlds, worlds), place]


@dataclass
class Heard:
    """The sheets of a process's worlds, as an agent from outside wrote them."""

    worlds: Ints
    missing: Missing
    """What is bid where no answer came"""
    kept: Sheets | None = None
    _answers: tuple[int, Ints] | None = None
    """Hour, and (worlds, signals) with NONE where nothing was answered"""
    _last: Ints | None = field(default=None, repr=False)

    def hear(self, hour: int, worlds: Ints, bid_micros: Ints) -> None:
        """Take an hour's answers, (worlds, signals), before the hour begins; NONE where there is none."""
        self._answers = hour, bid_micros[np.searchsorted(worlds, self.worlds)]

    def sheet(self, hour: int, ruled: Ints) -> Ints:
        """(worlds, signals): the hour's bids; no columns where nobody was asked. ruled: what the rule would bid."""
        sheet = self.kept.at(hour, self.worlds) if self.kept is not None else None
        if sheet is None and self._answers is not None and self._answers[0] == hour:
            answers = self._answers[1]
            sheet = np.where(answers == NONE, self.default(hour, ruled), answers)
        if sheet is None:
            # After the end of a stored run there is nothing to bid by; where nobody was ever asked, the policy says so.
            return np.zeros((len(self.worlds), 0 if self.kept is None else ruled.shape[1]), dtype=np.int64)
        self._last = sheet
        return sheet

    def default(self, hour: int, ruled: Ints) -> Ints:
        """(worlds, signals): what is bid where no answer comes; a run's first hour knows no other, and takes the rule's."""
        if self.missing == "nothing":
            return np.zeros_like(ruled)
        if self.missing == "rule":
            return ruled
        before = self._last
        if before is None and self.kept is not None:  # resumed on the very hour of a state: none was lived through again
            before = self.kept.at(hour - 1, self.worlds)
        return ruled if before is None else before
