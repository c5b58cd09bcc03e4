"""The memory of journeys: they are whole, surprising ones come more often, the oldest are forgotten first."""

from __future__ import annotations

import numpy as np
import pytest

from gaelp_sim.draws import Draws
from gaelp_sim.observe.table import COLUMN

torch = pytest.importorskip("torch")

from gaelp_sim.learn.journeys import Journeys  # noqa: E402 - only where torch is there
from gaelp_sim.learn.replay_memory import ReplayMemory  # noqa: E402

NAMES = ("observation", "days", "lift", "user")


def _journeys(users: int, steps: int, seed: int) -> Journeys:
    rng = np.random.default_rng(seed)
    user = np.repeat(np.arange(users) + 1_000 * seed, steps)
    n = len(user)
    seen = rng.random((n, 41)).astype(np.float32)
    kept = {
        "observation": seen, "days": rng.random(n).astype(np.float32), "user": user,
        "lift": seen[:, [COLUMN["attention"], COLUMN["urgency"]]],
    }
    return Journeys.of(kept)


def test_journeys_are_whole_and_the_oldest_go() -> None:
    memory = ReplayMemory.of(25, NAMES)
    for seed in range(4):
        memory.add(_journeys(10, 3, seed))
    assert len(memory) == 25
    slots, drawn = memory.draw(Draws(1), 0, 200)
    assert (drawn.lengths == 3).all() and len(drawn) == 200
    users = drawn.columns["user"].reshape(-1, 3)
    assert (users == users[:, :1]).all()
    assert set(np.unique(users).tolist()) == {1_005 + k for k in range(5)} | {2_000 + k for k in range(10)} | {
        3_000 + k for k in range(10)
    }
    memory.surprised(slots, np.where(users[:, 0] == 2_003, 20.0, 0.0))
    _, again = memory.draw(Draws(1), 1, 200)
    assert (again.columns["user"][::3] == 2_003).mean() > 0.9
    assert again.weight.min() < 1.0 == again.weight.max()
    assert set(memory.chunks) == {1, 2, 3}


def test_new_journeys_have_the_largest_priority_so_far() -> None:
    """So that each is rehearsed soon; the largest is remembered when the journey that had it is forgotten."""
    memory = ReplayMemory.of(20, NAMES)
    memory.add(_journeys(10, 3, 0))
    memory.surprised(np.arange(2), np.array([50.0, 0.0]))
    highest = float(memory.tree.priorities(np.arange(2))[0])
    for seed in (1, 2):
        memory.add(_journeys(10, 3, seed))
    assert (memory.tree.priorities(np.arange(20)) == highest).all() and highest > 1.0
