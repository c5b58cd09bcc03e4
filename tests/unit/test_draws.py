"""Keyed draws: the published answers, independence of order and batch, and statistics that a bad key would spoil."""

from __future__ import annotations

import itertools
from statistics import NormalDist

import numpy as np
import pytest
from numpy.typing import NDArray

from gaelp_sim.draws import Draws, Purpose, below, normal_quantile, philox4x32, uniform

# Random123's kat_vectors, philox4x32 with 10 rounds: counter, key, answer, lowest word first.
KNOWN_ANSWERS = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]
SAMPLE = 200_000
Z_LIMIT = 4.5
"""Standard errors allowed: a chance of 7e-6 for each of the few hundred figures here, which are fixed by their seeds."""


def _words(text: str) -> list[int]:
    return [int(word, 16) for word in text.split()]


def _key(text: str) -> int:
    low, high = _words(text)
    return high << 32 | low


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN_ANSWERS)
@pytest.mark.parametrize("copies", [1, 5, 13, 100, 9_000])
def test_philox_gives_the_published_answers(counter: str, key: str, answer: str, copies: int) -> None:
    """Random123's known answers, alone and in batches of every size class."""
    counters = np.tile(np.array(_words(counter), dtype=np.uint64)[:, None], copies)
    got = philox4x32(counters, _key(key))
    assert got.dtype == np.uint32 and got.shape == (4, copies)
    assert (got == np.array(_words(answer), dtype=np.uint32)[:, None]).all()


def _philox_in_python(counter: list[int], key: list[int]) -> list[int]:
    """Ten rounds straight from the paper's definition."""
    c, k = list(counter), list(key)
    for _ in range(10):
        high_0, low_0 = divmod(0xD2511F53 * c[0], 2**32)
        high_1, low_1 = divmod(0xCD9E8D57 * c[2], 2**32)
        c = [high_1 ^ c[1] ^ k[0], low_1, high_0 ^ c[3] ^ k[1], low_0]
        k = [(k[0] + 0x9E3779B9) % 2**32, (k[1] + 0xBB67AE85) % 2**32]
    return c


@pytest.mark.parametrize("size", [1, 12, 13, 20_000])
def test_every_way_of_computing_is_the_same_function(size: int) -> None:
    """Few counters and many take different paths; both are the definition."""
    rng = np.random.default_rng(size)
    counters = rng.integers(0, 2**32, (4, size), dtype=np.uint64)
    key = int(rng.integers(0, 2**63))
    got = philox4x32(counters, key)
    for place in {0, size // 2, size - 1}:
        expected = _philox_in_python(counters[:, place].tolist(), [key & 0xFFFFFFFF, key >> 32])
        assert got[:, place].tolist() == expected


def test_the_arguments_are_not_changed() -> None:
    """Counters are read only, in every size class."""
    for size in (3, 30):
        counters = np.arange(4 * size, dtype=np.uint64).reshape(4, size)
        before = counters.copy()
        philox4x32(counters, 7)
        assert (counters == before).all()


def test_a_draw_depends_on_its_key_alone() -> None:
    """Any order, any batch, any company: the same words."""
    rng = np.random.default_rng(1)
    n = 3_000
    keys = [rng.integers(0, limit, n) for limit in (100, 2**32, 2**32, 2**24)]
    draws = Draws(seed=2**62 + 5)
    whole = draws.words(Purpose.OPPORTUNITY, *keys)
    order = rng.permutation(n)
    assert (draws.words(Purpose.OPPORTUNITY, *[key[order] for key in keys]) == whole[:, order]).all()
    for size in (1, 7, 12, 13, 500):
        parts = [draws.words(Purpose.OPPORTUNITY, *[key[at : at + size] for key in keys]) for at in range(0, n, size)][:40]
        joined = np.concatenate(parts, axis=1)
        assert (joined == whole[:, : joined.shape[1]]).all()


def test_scalars_broadcast_against_columns() -> None:
    """A scalar stands for a column of it, and no rows give no draws."""
    draws = Draws(seed=3)
    people = np.arange(20)
    whole = draws.words(Purpose.SALE, np.zeros(20, dtype=np.int64), people, np.full(20, 9), np.full(20, 2))
    assert (draws.words(Purpose.SALE, 0, people, 9, 2) == whole).all()
    assert (draws.words(Purpose.SALE, 0, [4], 9, 2)[:, 0] == whole[:, 4]).all()
    assert draws.words(Purpose.SALE, 0, np.zeros(0, dtype=np.int64), 9).shape == (4, 0)


def test_every_part_of_the_key_counts() -> None:
    """Seed (both halves), purpose, world, entity, time and slot: neighbours in any of them share no block."""
    base = {"world": 1, "entity": 2, "time": 3, "slot": 4}
    seeds = (5, 6, 5 + 2**32, 5 + 2**62)
    blocks = {tuple(Draws(seed).words(Purpose.SALE, *base.values())[:, 0].tolist()) for seed in seeds}
    for purpose in Purpose:
        blocks.add(tuple(Draws(5).words(purpose, *base.values())[:, 0].tolist()))
    for name in base:
        changed = {**base, name: base[name] + 1}
        blocks.add(tuple(Draws(5).words(Purpose.SALE, *changed.values())[:, 0].tolist()))
    assert len(blocks) == 4 + len(Purpose) - 1 + len(base)


def test_purposes_are_fixed_numbers() -> None:
    """A purpose's number is part of every stored run: it never changes and fits its byte."""
    assert [(purpose.name, int(purpose)) for purpose in Purpose][:15] == [
        ("WORLD", 1), ("HOUSEHOLD", 2), ("PERSON_START", 3), ("PERSON_TRAITS", 4), ("ALIAS", 5), ("DAY_COUNTS", 6),
        ("QUIET_PROPOSAL", 7), ("ACTIVE_PROPOSAL", 8), ("OPPORTUNITY", 9), ("LOWER_SLOT", 10), ("NATURAL", 11),
        ("SALE", 12), ("WORLD_CRISIS", 13), ("CRISIS_TURN", 14), ("RIVAL_STATE", 15),
    ]
    assert max(Purpose) < 256


def _streams() -> dict[str, NDArray[np.float64]]:
    """Uniforms along every axis that a simulation walks: people, seconds, days, slots, worlds, seeds."""
    n = SAMPLE
    row = np.arange(n)
    draws = Draws(seed=1)
    return {
        "people": uniform(draws.words(Purpose.PERSON_START, 0, row, 0)[0]),
        "seconds": uniform(draws.words(Purpose.OPPORTUNITY, 0, 7, row)[0]),
        "slots": uniform(draws.words(Purpose.OPPORTUNITY, 0, 7, 100, row)[0]),
        "worlds": uniform(draws.words(Purpose.WORLD, row, 0, 0)[0]),
        "second word": uniform(draws.words(Purpose.PERSON_START, 0, row, 0)[1]),
        "fourth word": uniform(draws.words(Purpose.PERSON_START, 0, row, 0)[3]),
        "another purpose": uniform(draws.words(Purpose.PERSON_TRAITS, 0, row, 0)[0]),
        "another world": uniform(draws.words(Purpose.PERSON_START, 1, row, 0)[0]),
        "the next day": uniform(draws.words(Purpose.PERSON_START, 0, row, 1)[0]),
        "another seed": uniform(Draws(seed=2).words(Purpose.PERSON_START, 0, row, 0)[0]),
        "a high seed": uniform(Draws(seed=1 + 2**32).words(Purpose.PERSON_START, 0, row, 0)[0]),
    }


STREAMS = _streams()


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Correlation in standard errors: about normal(0, 1) for independent uniforms."""
    return float(((a - 0.5) * (b - 0.5)).mean() * 12 * np.sqrt(len(a)))


@pytest.mark.parametrize("name", STREAMS)
def test_draws_are_uniform(name: str) -> None:
    """Chi-square over 256 cells, mean and variance."""
    values = STREAMS[name]
    counts = np.bincount((values * 256).astype(int), minlength=256)
    chi = ((counts - SAMPLE / 256) ** 2 / (SAMPLE / 256)).sum()
    assert abs(chi - 255) < Z_LIMIT * np.sqrt(2 * 255)
    assert abs(values.mean() - 0.5) * np.sqrt(12 * SAMPLE) < Z_LIMIT
    assert abs(values.var() - 1 / 12) * np.sqrt(180 * SAMPLE) < Z_LIMIT
    assert values.min() >= 0.0 and values.max() < 1.0


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("lag", [1, 2, 24, 60, 3_600])
def test_neighbouring_keys_are_uncorrelated(name: str, lag: int) -> None:
    """Serial correlation along an axis: neighbours, a day of hours, a minute, an hour of seconds."""
    values = STREAMS[name]
    assert abs(_correlation(values[:-lag], values[lag:])) < Z_LIMIT


def test_streams_of_different_keys_are_uncorrelated() -> None:
    """Every pair of axes, purposes, worlds, days and seeds."""
    worst = max(abs(_correlation(STREAMS[a], STREAMS[b])) for a, b in itertools.combinations(STREAMS, 2))
    assert worst < Z_LIMIT


def test_single_bits_are_fair() -> None:
    """Each of a block's 128 bits is set half the time: consumers cut words into halves."""
    words = Draws(seed=4).words(Purpose.SALE, 0, np.arange(50_000), 0)
    ones = np.unpackbits(words.view(np.uint8), axis=1).reshape(4, 50_000, 32).mean(axis=1)
    assert (abs(ones - 0.5) * 2 * np.sqrt(50_000)).max() < Z_LIMIT


def test_pairs_fill_the_square() -> None:
    """Chi-square over 32 x 32 cells of (this person, next person): no lattice."""
    values = STREAMS["people"]
    cells = (values[:-1] * 32).astype(int) * 32 + (values[1:] * 32).astype(int)
    expected = len(cells) / 1_024
    chi = ((np.bincount(cells, minlength=1_024) - expected) ** 2 / expected).sum()
    assert abs(chi - 1_023) < Z_LIMIT * np.sqrt(2 * 1_023)


def test_below_holds_its_probability() -> None:
    """0 never, 1 always, and in between in proportion."""
    words = Draws(seed=5).words(Purpose.SALE, 0, np.arange(SAMPLE), 0)[0]
    assert not below(words, 0.0).any() and below(words, 1.0).all()
    for probability in (0.001, 0.3, 0.97):
        error = (below(words, probability).mean() - probability) / np.sqrt(probability * (1 - probability) / SAMPLE)
        assert abs(error) < Z_LIMIT


def test_normal_quantile_is_the_standard_library_s() -> None:
    """Against statistics.NormalDist, which uses the same published algorithm, from 1e-300 to 1 - 1e-16."""
    tails = 10.0 ** -np.arange(1.0, 301.0, 7.0), 1 - 10.0 ** -np.arange(1.0, 16.0)
    probability = np.concatenate([*tails, np.linspace(0.001, 0.999, 999)])
    exact = np.array([NormalDist().inv_cdf(float(p)) for p in probability])
    assert np.allclose(normal_quantile(probability), exact, rtol=1e-14, atol=1e-15)
    assert normal_quantile(0.5) == 0.0
    assert normal_quantile(0.975) == pytest.approx(1.9599639845400545, rel=1e-15)


def test_normal_quantile_is_odd_and_ascending() -> None:
    """Mirrored about a half, and never falling."""
    p = np.linspace(1e-6, 0.5, 10_001)
    assert np.allclose(normal_quantile(p), -normal_quantile(1 - p), rtol=1e-9, atol=1e-9)
    assert (np.diff(normal_quantile(p)) > 0).all()
