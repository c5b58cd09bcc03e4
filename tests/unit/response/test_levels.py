"""Levels decay as the binomial says; lag quantiles and brand shares are their closed forms; market noise is normal."""

from __future__ import annotations

from math import comb, erf, exp, log, sqrt

import numpy as np
import pytest

from gaelp_sim.draws import Draws, Purpose
from gaelp_sim.events import NONE
from gaelp_sim.response.levels import Held, levels_at
from gaelp_sim.response.sale import Sales, advertisers, lag_table
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.scenario.schema import LagPart, Scenario
from gaelp_sim.units import SECONDS_PER_DAY, SECONDS_PER_HOUR
from gaelp_sim.world.model import model_of
from gaelp_sim.world.stack import world_conditions

N = 200_000
CRITICAL = {1: 10.83, 2: 13.82, 3: 16.27}
"""Chi-square at p = 1e-3 by degrees of freedom."""


@pytest.fixture(scope="module")
def flagship() -> Scenario:
    """The flagship's constants."""
    return load_scenario("parental_controls")


def _keyed(n: int) -> np.ndarray:
    return Draws(seed=8).words(Purpose.SALE, 0, np.arange(n), 0)[:2]


def decayed(level: np.ndarray, elapsed_s: np.ndarray, words: np.ndarray, half_life_s: float = 86_400.0) -> np.ndarray:
    """One level of everybody, read after some time with the first half of the words."""
    held = Held(level[None], np.zeros(len(level), dtype=np.int64))
    return levels_at(held, np.arange(len(level)), elapsed_s, np.array([half_life_s]), words)[0]


@pytest.mark.parametrize("level", [0, 1, 2, 3])
@pytest.mark.parametrize("half_lives", [0.0, 0.2, 1.0, 3.0, 50.0])
def test_what_is_left_is_binomial(level: int, half_lives: float) -> None:
    """Chi-square against C(level, k) p^k (1 - p)^(level - k) with p = 2^-half-lives, on keyed 16-bit luck."""
    elapsed = np.full(N, round(half_lives * SECONDS_PER_DAY))
    left = decayed(np.full(N, level, dtype=np.int8), elapsed, _keyed(N))
    alive = 2.0**-half_lives
    expected = np.array([comb(level, k) * alive**k * (1 - alive) ** (level - k) for k in range(level + 1)]) * N
    counts = np.bincount(left, minlength=level + 1)
    assert len(counts) == level + 1 and left.dtype == np.int8
    likely = expected > 5
    if likely.sum() > 1:
        assert ((counts - expected)[likely] ** 2 / expected[likely]).sum() < CRITICAL[int(likely.sum()) - 1]
    assert (counts[~likely] <= 20).all()


def test_decay_is_monotone() -> None:
    """More luck or more time never leaves more; nothing is gained, nothing is below zero."""
    words = np.zeros((2, 1_000), dtype=np.uint32)
    words[0] = np.linspace(0, 2**32, 1_001)[:-1].astype(np.uint32)
    for level in range(4):
        before = np.full(1_000, level, dtype=np.int8)
        by_time = np.stack([decayed(before, np.full(1_000, s), words, 1e5) for s in range(0, 10**6, 50_000)])
        by_time = by_time.astype(int)
        assert (np.diff(by_time, axis=0) <= 0).all() and (np.diff(by_time, axis=1) <= 0).all()
        assert by_time.min() >= 0 and by_time.max() <= level
        assert (by_time[0] == level).all(), "no time, no decay"


def test_reading_twice_is_reading_once() -> None:
    """Survival over a then b days has the distribution of a + b days: lazy reading changes nothing in law."""
    words, start = _keyed(3 * N), np.full(N, 3, dtype=np.int8)
    once = decayed(start, np.full(N, 100_000), words[:, :N])
    halfway = decayed(start, np.full(N, 40_000), words[:, N : 2 * N])
    twice = decayed(halfway, np.full(N, 60_000), words[:, 2 * N :])
    one, two = np.bincount(once, minlength=4), np.bincount(twice, minlength=4)
    assert ((one - two) ** 2 / (one + two)).sum() < CRITICAL[3]


@pytest.mark.parametrize("days", [2.0, 30.0])
def test_lag_quantiles_are_the_truncated_mixture_s(days: float, flagship: Scenario) -> None:
    """P(lag <= table entry) under the closed form is the entry's rank, to 2e-4; nothing beyond the cut."""
    parts, longest = flagship.conversion.purchase_lag, days * SECONDS_PER_DAY
    table = lag_table(parts, longest)
    assert (np.diff(table) >= 0).all() and table[0] >= 1 and table[-1] <= longest
    for rank in (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99):
        second = float(table[round(rank * len(table))])
        at, after = _lag_cdf(parts, second, longest), _lag_cdf(parts, second + 1, longest)
        assert at - 2e-4 < rank < after + 2e-4


def _lag_cdf(parts: list[LagPart], seconds: float, longest: float) -> float:
    def below(part: LagPart, at: float) -> float:
        return 0.5 * (1 + erf((log(at) - log(part.median_hours * SECONDS_PER_HOUR)) / part.sigma / sqrt(2)))

    return sum(part.weight * below(part, seconds) / below(part, longest) for part in parts) / sum(p.weight for p in parts)


@pytest.mark.parametrize("goodwill", [0, 1, 3])
@pytest.mark.parametrize("rival_goodwill", [0, 2])
def test_brand_shares_are_the_closed_form(flagship: Scenario, goodwill: int, rival_goodwill: int) -> None:
    """P(us) = e^(b0 + bg g) / (e^(b0 + bg g) + rivals + e^(br r) - 1); the rival seen last has the extra weight."""
    sales, response, rivals = Sales.of(flagship), flagship.response, len(flagship.rivals)
    luck = Draws(seed=6).words(Purpose.SALE, 0, np.arange(N), 0)[0]
    level = lambda value: np.full(N, value, dtype=np.int8)  # noqa: E731
    chosen = advertisers(sales, level(goodwill), level(rival_goodwill), level(3), luck)
    ours = exp(response.brand_base + response.brand_goodwill * goodwill)
    extra = exp(response.brand_rival_goodwill * rival_goodwill) - 1
    weights = np.array([ours] + [1.0] * rivals)
    weights[3] += extra
    expected = weights / weights.sum() * N
    counts = np.bincount(chosen, minlength=rivals + 1)
    assert len(counts) == rivals + 1
    assert ((counts - expected) ** 2 / expected).sum() < 20.5, "chi-square of 5 degrees of freedom at p = 1e-3"


def test_without_a_rival_seen_the_others_share_alike(flagship: Scenario) -> None:
    """Rivals' goodwill without a last rival adds no weight to any; the rest of the mass is spread evenly."""
    sales = Sales.of(flagship)
    luck = Draws(seed=6).words(Purpose.SALE, 0, np.arange(N), 0)[0]
    nobody = np.full(N, NONE, dtype=np.int8)
    counts = np.bincount(advertisers(sales, np.zeros(N, np.int8), np.zeros(N, np.int8), nobody, luck))[1:]
    assert ((counts - counts.mean()) ** 2 / counts.mean()).sum() < 18.47


def test_without_rivals_the_rest_buys_nothing(flagship: Scenario) -> None:
    """An outside option takes the mass that rivals would."""
    sales = Sales.of(flagship.model_copy(update={"rivals": []}))
    luck = Draws(seed=6).words(Purpose.SALE, 0, np.arange(N), 0)[0]
    chosen = advertisers(sales, np.full(N, 2, np.int8), np.zeros(N, np.int8), np.full(N, NONE, np.int8), luck)
    assert set(np.unique(chosen)) == {NONE, 0}


def test_market_noise_is_normal(flagship: Scenario) -> None:
    """Across 20,000 worlds: mean 1, deviation .1, and the normal's quantiles."""
    n = 20_000
    noise, shift = world_conditions(model_of(flagship, seed=2), np.arange(n))
    assert abs(noise.mean() - 1.0) < 4 * 0.1 / sqrt(n)
    assert abs(noise.std() - 0.1) < 4 * 0.1 / sqrt(2 * n)
    for share, z in ((0.05, -1.6449), (0.25, -0.6745), (0.5, 0.0), (0.75, 0.6745), (0.95, 1.6449)):
        assert abs(np.quantile(noise, share) - (1 + 0.1 * z)) < 0.005
    assert (abs(shift) <= flagship.variation.season_shift_days_max).all()
