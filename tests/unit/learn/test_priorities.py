"""The sum tree: draws by priority as a search over plain sums finds them, weights that undo the priorities, exact sums."""

from __future__ import annotations

import numpy as np
import pytest

from gaelp_sim.draws import Draws, Purpose, uniform
from gaelp_sim.learn.priorities import SumTree


def _luck(n: int, turn: int) -> np.ndarray:
    return uniform(Draws(1).words(Purpose.LESSON, 9, np.arange(n), turn)[0])


@pytest.mark.parametrize("size", [1, 2, 7, 1_000])
def test_draws_come_in_proportion_to_priorities(size: int) -> None:
    """Chi-square over its degrees of freedom is near 1, or less, as strata lower it; what has none never comes."""
    rng = np.random.default_rng(size)
    priorities = rng.gamma(1.0, size=size) * (rng.random(size) < 0.8) + np.eye(size)[0]
    tree = SumTree.of(size)
    tree.put(np.arange(size), priorities * 0 + 5.0)
    tree.put(np.arange(size), priorities)
    assert tree.total == pytest.approx(priorities.sum())
    drawn = np.concatenate([tree.draw(_luck(256, turn)) for turn in range(400)])
    counts, expected = np.bincount(drawn, minlength=size), len(drawn) * priorities / priorities.sum()
    assert (counts[priorities == 0] == 0).all()
    often = expected > 5
    chi2 = ((counts[often] - expected[often]) ** 2 / expected[often]).sum() / max(often.sum() - 1, 1)
    assert chi2 < 1.2


def test_weights_undo_the_priorities() -> None:
    """The weighted mean of what is drawn is the plain mean over all entries; without weights it is far off."""
    rng = np.random.default_rng(3)
    value = rng.gamma(2.0, size=500)
    tree = SumTree.of(500)
    tree.put(np.arange(500), value**2)
    drawn = np.concatenate([tree.draw(_luck(256, turn)) for turn in range(300)])
    weights = tree.weights(drawn, 1.0)
    assert weights.max() == 1.0
    assert (value[drawn] * weights).sum() / weights.sum() == pytest.approx(value.mean(), rel=0.02)
    assert value[drawn].mean() > 1.3 * value.mean()


def test_sums_stay_exact_after_many_changes() -> None:
    rng = np.random.default_rng(4)
    tree, plain = SumTree.of(300), np.zeros(300)
    for _ in range(2_000):
        entries, values = rng.integers(0, 300, 5), rng.random(5) * 10.0 ** rng.integers(-6, 6, 5)
        tree.put(entries, values)
        for entry, value in zip(entries.tolist(), values.tolist(), strict=True):
            plain[entry] = value
    assert (tree.priorities(np.arange(300)) == plain).all()
    assert tree.total == pytest.approx(plain.sum(), rel=1e-12)


@pytest.mark.parametrize("size", [1, 3, 64, 1_000])
def test_each_draw_is_where_the_plain_sums_put_it(size: int) -> None:
    """Whole numbers as priorities, so that no sum is rounded: the k-th of n draws falls into the k-th n-th of the sum."""
    rng = np.random.default_rng(size)
    priorities = rng.integers(0, 50, size) + (np.arange(size) == 0)
    tree = SumTree.of(size)
    tree.put(np.arange(size), priorities.astype(float))
    for turn in range(50):
        luck = _luck(256, turn)
        share = (np.arange(256) + luck) / 256 * priorities.sum()
        assert (tree.draw(luck) == np.searchsorted(np.cumsum(priorities), share, side="right")).all()


def test_a_hundred_thousand_are_drawn_from_as_their_priorities_say() -> None:
    """Sums over blocks of entries, as each entry alone comes too seldom: stratified, they miss by less than luck would."""
    size, blocks = 100_000, 50
    priorities = np.random.default_rng(5).gamma(0.5, size=size)
    tree = SumTree.of(size)
    tree.put(np.arange(size), priorities)
    drawn = np.concatenate([tree.draw(_luck(256, turn)) for turn in range(200)])
    counts = np.bincount(drawn * blocks // size, minlength=blocks)
    expected = priorities.reshape(blocks, -1).sum(1) / priorities.sum() * len(drawn)
    assert ((counts - expected) ** 2 / expected).sum() / (blocks - 1) < 1.2
    alone = np.concatenate([tree.draw(_luck(1, turn)) for turn in range(20_000)])
    counts = np.bincount(alone * blocks // size, minlength=blocks)
    chi2 = ((counts - expected / len(drawn) * len(alone)) ** 2 / (expected / len(drawn) * len(alone))).sum() / (blocks - 1)
    assert 0.5 < chi2 < 1.6, "draws one at a time have the luck of independent ones"
