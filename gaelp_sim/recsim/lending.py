"""numpy's global generator lent to outside user models: seeded by keyed words, and put back as it was.

RecSim's models draw from it whenever they like. Seeded anew before every call, one person's luck cannot shift another's;
put back afterwards, whoever else uses the generator does not notice. Nothing else in the package touches it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from gaelp_sim.draws import Words


@contextmanager
def generator_put_back() -> Iterator[None]:
    """Whatever is drawn or seeded inside, the global generator goes on afterwards as if it had not been."""
    before = np.random.get_state()
    try:
        yield
    finally:
        np.random.set_state(before)


def lend(words: Words) -> None:
    """Seed the global generator with keyed words; only inside `generator_put_back`."""
    np.random.seed(words)


def own_generator(words: Words) -> Any:
    """A generator for a sampler that keeps one: the same words give the same state."""
    return np.random.RandomState(words)


def normal(mean: float, sd: float) -> float:
    """One draw of the lent generator, for user models that stand in this package."""
    return float(np.random.normal(mean, sd))


def uniform(low: float, high: float, size: int) -> Any:
    """(size,) draws of the lent generator, for user models that stand in this package."""
    return np.random.uniform(low, high, size)
