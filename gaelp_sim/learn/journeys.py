"""Decisions as journeys: a user's decisions in order, padded to the longest of a batch of journeys of like length."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gaelp_sim.draws import Draws, Purpose
from gaelp_sim.events import Floats, Ints

Kept = dict[str, np.ndarray]
STEPS_MAX = 128
"""Longer journeys are cut there: what comes later is learned from as a journey without a past."""


@dataclass(frozen=True)
class Journeys:
    """Decisions in the order (user, time), and where each journey begins."""

    columns: Kept
    begins: Ints
    """(journeys + 1,)"""
    weight: Floats
    """(journeys,): one over the probability with which the journey was kept"""

    @staticmethod
    def of(kept: Kept, weight: Floats | None = None) -> Journeys:
        """Group decisions by user; they stand in the order of deciding. weight: (n,) of each decision's user"""
        order = np.argsort(kept["user"], kind="stable")
        user = kept["user"][order]
        fresh = np.diff(user, prepend=-1) != 0
        place = np.arange(len(user)) - np.flatnonzero(fresh)[np.cumsum(fresh) - 1]
        begins = np.flatnonzero(fresh | (place % STEPS_MAX == 0))
        each = np.ones(len(user)) if weight is None else weight[order]
        return Journeys({name: column[order] for name, column in kept.items()}, np.append(begins, len(user)), each[begins])

    def only(self, journeys: Ints) -> Journeys:
        """Some of them, in that order."""
        lengths = self.lengths[journeys]
        begins = np.concatenate([[0], np.cumsum(lengths)])
        rows = np.arange(begins[-1]) + np.repeat(self.begins[journeys] - begins[:-1], lengths)
        return Journeys({name: column[rows] for name, column in self.columns.items()}, begins, self.weight[journeys])

    @property
    def lengths(self) -> Ints:
        """(journeys,)"""
        return np.diff(self.begins)

    def __len__(self) -> int:
        return len(self.begins) - 1

    def batches(self, steps: int, names: tuple[str, ...], turn: int) -> Iterator[tuple[Ints, dict[str, Tensor], Tensor]]:
        """Batches of about so many decisions: journeys, columns (journeys, longest, ...), and which places are decisions.

        Journeys of like length go together; batches come in an order drawn for the turn.
        """
        order = np.argsort(self.lengths, kind="stable")
        ends = np.cumsum(self.lengths[order])
        cuts = np.searchsorted(ends, np.arange(steps, ends[-1] + steps, steps), side="left") + 1
        parts = [part for part in np.split(order, cuts[:-1]) if len(part)]
        words = Draws(turn).words(Purpose.LESSON, 1, np.arange(len(parts)), turn)
        for place in np.argsort(words[0], kind="stable").tolist():
            yield self.padded(parts[place], names)

    def padded(self, journeys: Ints, names: tuple[str, ...]) -> tuple[Ints, dict[str, Tensor], Tensor]:
        """Some journeys as one padded batch."""
        lengths = self.lengths[journeys]
        place = np.arange(int(lengths.max()))
        here = place < lengths[:, None]
        at = np.where(here, self.begins[journeys][:, None] + place, 0)
        columns = {name: torch.from_numpy(self.columns[name][at]) for name in names}
        return journeys, columns, torch.from_numpy(here)


def sampled(kept: Kept, share: Floats, draws: Draws, turn: int) -> tuple[Kept, Floats]:
    """Keep whole users, each with the probability of its segment; the decisions kept and one over that probability.

    share: (segments,); a user whose segment changes counts as it was first met
    """
    users, first = np.unique(kept["user"], return_index=True)
    chance = share[kept["segment"][first]]
    words = draws.words(Purpose.LESSON, 2, users, turn)
    taken = words[0].astype(np.float64) / 2**32 < chance
    at = np.searchsorted(users, kept["user"])
    rows = taken[at]
    return {name: column[rows] for name, column in kept.items()}, 1.0 / chance[at][rows]
