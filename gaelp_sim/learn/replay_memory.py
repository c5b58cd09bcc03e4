"""Past journeys to rehearse from: whole ones, those that surprised more often, the oldest forgotten first."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from gaelp_sim.draws import Draws, Purpose, uniform
from gaelp_sim.events import Floats, Ints
from gaelp_sim.learn.journeys import Journeys
from gaelp_sim.learn.priorities import SumTree

BATCH = 256
"""Journeys drawn at once."""
SURPRISE = 0.6
"""Priorities are errors to this power: 0 draws evenly."""
CORRECTION = 0.4
"""Exponent of the importance weights: 1 corrects for priorities wholly."""
_LEAST = 1e-3


@dataclass
class ReplayMemory:
    """At most `capacity` journeys, each from its start."""

    capacity: int
    tree: SumTree
    names: tuple[str, ...]
    """Columns that are kept"""
    highest: float = 1.0
    """The largest priority so far, which new journeys get: everyone is rehearsed once"""
    added: int = 0
    chunks: dict[int, Journeys] = field(default_factory=dict)
    chunk_of: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    journey_of: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    @staticmethod
    def of(capacity: int, names: tuple[str, ...]) -> ReplayMemory:
        """An empty memory."""
        none = np.full(capacity, -1, dtype=np.int64)
        return ReplayMemory(capacity, SumTree.of(capacity), names, chunk_of=none, journey_of=none.copy())

    def __len__(self) -> int:
        return min(self.added, self.capacity)

    def add(self, journeys: Journeys) -> None:
        """Take journeys in; where there is no room the oldest go. Of more than fit, the last ones stay."""
        first = max(0, len(journeys) - self.capacity)
        which = np.arange(first, len(journeys))
        slots = (self.added + which) % self.capacity
        chunk = max(self.chunks, default=-1) + 1
        columns = {name: journeys.columns[name] for name in self.names}
        self.chunks[chunk] = Journeys(columns, journeys.begins, journeys.weight)
        self.chunk_of[slots], self.journey_of[slots] = chunk, which
        self.tree.put(slots, np.full(len(slots), self.highest))
        self.added += len(journeys)
        alive = set(np.unique(self.chunk_of).tolist())
        self.chunks = {key: one for key, one in self.chunks.items() if key in alive}

    def draw(self, draws: Draws, turn: int, batch: int = BATCH) -> tuple[Ints, Journeys]:
        """Slots and their journeys, drawn by priority; a journey's weight is its importance times its own."""
        luck = uniform(draws.words(Purpose.LESSON, 4, np.arange(batch), turn)[0])
        slots = self.tree.draw(luck)
        found = self._gathered(slots)
        return slots, Journeys(found.columns, found.begins, found.weight * self.tree.weights(slots, CORRECTION))

    def _gathered(self, slots: Ints) -> Journeys:
        rows: dict[str, list[np.ndarray]] = {name: [] for name in self.names}
        lengths, weight = [], []
        for slot in slots.tolist():
            chunk, which = self.chunks[int(self.chunk_of[slot])], int(self.journey_of[slot])
            part = slice(int(chunk.begins[which]), int(chunk.begins[which + 1]))
            for name in self.names:
                rows[name].append(chunk.columns[name][part])
            lengths.append(part.stop - part.start)
            weight.append(float(chunk.weight[which]))
        begins = np.concatenate([[0], np.cumsum(lengths)])
        return Journeys({name: np.concatenate(parts) for name, parts in rows.items()}, begins, np.array(weight))

    def arrays(self) -> dict[str, np.ndarray]:
        """All that is remembered, by name, slot by slot."""
        slots = np.arange(len(self))
        found = self._gathered(slots) if len(self) else Journeys({}, np.zeros(1, dtype=np.int64), np.zeros(0))
        told = {f"column.{name}": column for name, column in found.columns.items()}
        count = np.array([self.added], dtype=np.int64)
        return told | {"begins": found.begins, "weight": found.weight, "priority": self.tree.priorities(slots),
                       "added": count, "highest": np.array([self.highest])}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Remember what `arrays` told."""
        columns = {name: arrays[f"column.{name}"] for name in self.names if f"column.{name}" in arrays}
        journeys = Journeys(columns, arrays["begins"], arrays["weight"])
        self.added, self.highest = int(arrays["added"][0]), float(arrays["highest"][0])
        slots = np.arange(len(journeys))
        self.chunks = {0: journeys} if len(journeys) else {}
        self.chunk_of[slots], self.journey_of[slots] = 0, slots
        self.tree.put(slots, arrays["priority"])

    def surprised(self, slots: Ints, errors: Floats) -> None:
        """Tell how wrong the auxiliary head was about journeys that were drawn, (n,) each."""
        priorities = (np.abs(errors) + _LEAST) ** SURPRISE
        self.highest = max(self.highest, float(priorities.max()))
        self.tree.put(slots, priorities)
