"""What every attribution model keeps to, ours and users' own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gaelp_sim.attribution.models import Options, credited
from gaelp_sim.attribution.paths import Paths


def random_paths(seed: int, *, n: int = 200, channels: int = 5, longest: int = 6) -> Paths:
    """Random paths: a third of them sell; some are walked many times."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, longest + 1, n)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    second = np.cumsum(rng.integers(1, 200_000, starts[-1]))
    sold, times = rng.random(n) < 1 / 3, rng.integers(1, 5, n).astype(np.float64)
    return Paths(
        starts, rng.integers(0, channels, starts[-1]), second, second[starts[1:] - 1] + rng.integers(0, 100_000, n),
        np.where(sold, times, 0.0), np.where(sold, rng.integers(0, 2, n), times).astype(np.float64), channels,
    )


def check_credit(model: str, options: Options | None = None) -> None:
    """Shares are 0 or more and sum to 1 a path, credits sum to the sales, and the order of paths changes nothing.

    A channel that is in no path that sold gets nothing, but from the chain: it knows what a channel leads to.
    """
    options = options or Options()
    for seed in range(5):
        paths = random_paths(seed)
        credits = credited(paths, model, options)
        assert (credits.shares >= 0).all() and (credits.by_channel >= 0).all()
        np.testing.assert_allclose(np.add.reduceat(credits.shares, paths.starts[:-1]), 1.0, rtol=0, atol=1e-12)
        np.testing.assert_allclose(credits.by_channel.sum(), paths.total_sales, rtol=1e-12)
        backwards = credited(reordered(paths, np.arange(len(paths))[::-1]), model, options)
        np.testing.assert_allclose(backwards.by_channel, credits.by_channel, rtol=0, atol=1e-9)
        if model != "markov":
            _check_bystander(paths, model, options)


def _check_bystander(paths: Paths, model: str, options: Options) -> None:
    touched = np.repeat(paths.sales > 0, paths.lengths)
    channel = np.where((paths.channel == 0) & touched, 1, paths.channel)
    credits = credited(replace(paths, channel=channel), model, options)
    assert credits.by_channel[0] == 0.0


def reordered(paths: Paths, order: np.ndarray) -> Paths:
    """The same paths in another order."""
    lengths = paths.lengths[order]
    starts = np.concatenate([[0], np.cumsum(lengths)])
    touch = np.concatenate([np.arange(paths.starts[i], paths.starts[i + 1]) for i in order])
    return Paths(
        starts, paths.channel[touch], paths.second[touch], paths.ended_s[order], paths.sales[order], paths.nulls[order],
        paths.channels,
    )
