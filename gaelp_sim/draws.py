"""The only source of randomness: keyed draws, each a pure function of who, what for and when.

A draw is Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC'11) of the key
(run seed) and the counter (entity, time, purpose and slot, world). No generator holds a state: order, batching,
workers and other people can't change a draw, resuming needs nothing saved, and a person keeps the same luck under
every policy. `time` is a second, hour or day since the root run's start. Keys never contain a count of anything that
a policy influences.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gaelp_sim.compiled import compiled, inlined

Words = NDArray[np.uint32]
Ints = NDArray[np.int64]
Counter = tuple[np.uint64, np.uint64, np.uint64, np.uint64]
Key = tuple[np.uint64, np.uint64]

_MULTIPLIER_0 = np.uint64(0xD2511F53)
_MULTIPLIER_1 = np.uint64(0xCD9E8D57)
_WEYL_0 = np.uint64(0x9E3779B9)
_WEYL_1 = np.uint64(0xBB67AE85)
_LOW_32 = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_ROUNDS = 10


class Purpose(IntEnum):
    """What a draw is for; a new purpose gets a new number and changes no other draw."""

    WORLD = 1
    HOUSEHOLD = 2
    PERSON_START = 3
    PERSON_TRAITS = 4
    ALIAS = 5
    DAY_COUNTS = 6
    QUIET_PROPOSAL = 7
    ACTIVE_PROPOSAL = 8
    OPPORTUNITY = 9
    """Slots 0.. : one word a bidder and one for ties, then the response's words (see `world/luck.py`)."""
    LOWER_SLOT = 10
    NATURAL = 11
    SALE = 12
    WORLD_CRISIS = 13
    CRISIS_TURN = 14
    RIVAL_STATE = 15
    OUTSIDE_START = 16
    """A person's first state under an outside user model."""
    OUTSIDE_USER = 17
    """Slots 0..2: an outside user model's response, its update, its choices of an item."""
    MARKET_DAY = 20
    """A world's day: words for the day's noise of prices, and the steps of the walks of prices and of volume."""
    CREATIVE_PICK = 21
    HABIT = 22
    """A person's own hours of activity, as requests show them."""
    ADDRESS = 23
    """A household's network address and place."""
    SIGHTING = 24
    """Requests of a device on a day: slot 0 how many, then one slot each."""
    TOUCH_SAMPLE = 27
    """Which touches are tried one by one for what they brought about."""
    RESAMPLE = 28
    """Clusters drawn again with replacement, for intervals."""
    WORLD_PARAMETER = 29
    """A world's own value of a parameter that the scenario writes as an interval."""
    WEIGHTS = 30
    """A network's first weights."""
    LESSON = 31
    """Which journeys are learned from, and in which order."""
    ACTING = 32
    """What a policy does with an opportunity outside of any world."""
    ASSIGNMENT = 33
    """Who and what gets which policy in an experiment; and the toys that formulas of experiments are tried on."""


class Who(NamedTuple):
    """Whose draws, and for when: equal-length int64 columns."""

    world: Ints
    entity: Ints
    time: Ints


def philox4x32(counters: NDArray[np.uint64], key: int) -> Words:
    """Philox4x32-10 of each counter under one key.

    counters: uint64, (4, n), each below 2**32
    key: 64 bits
    Returns uint32 (4, n).
    Source: Salmon et al., SC'11; the published known answers are in the tests.
    """
    out = np.empty(counters.shape, dtype=np.uint32)
    _philox_all(counters, _halves(key), out)
    return out


def _halves(key: int) -> Key:
    return np.uint64(key & 0xFFFFFFFF), np.uint64(key >> 32 & 0xFFFFFFFF)


@compiled
def _philox_all(counters: NDArray[np.uint64], key: Key, out: Words) -> None:
    for i in range(counters.shape[1]):
        counter = (counters[0, i], counters[1, i], counters[2, i], counters[3, i])
        out[0, i], out[1, i], out[2, i], out[3, i] = _philox(counter, key)


@compiled
def _philox_blocks(who: Who, front: np.uint64, key: Key, out: Words) -> None:
    for block in range(out.shape[0] // 4):
        row, third = 4 * block, front + np.uint64(block)
        for i in range(out.shape[1]):
            counter = (np.uint64(who.entity[i]), np.uint64(who.time[i]), third, np.uint64(who.world[i]))
            out[row, i], out[row + 1, i], out[row + 2, i], out[row + 3, i] = _philox(counter, key)


@inlined
def _philox(counter: Counter, key: Key) -> Counter:
    c0, c1, c2, c3 = counter
    key_0, key_1 = key
    for _ in range(_ROUNDS):
        product_0, product_1 = c0 * _MULTIPLIER_0, c2 * _MULTIPLIER_1
        c0, c1 = (product_1 >> _HALF) ^ c1 ^ key_0, product_1 & _LOW_32
        c2, c3 = (product_0 >> _HALF) ^ c3 ^ key_1, product_0 & _LOW_32
        key_0, key_1 = (key_0 + _WEYL_0) & _LOW_32, (key_1 + _WEYL_1) & _LOW_32
    return c0, c1, c2, c3


@dataclass(frozen=True)
class Draws:
    """Keyed draws of one run: `seed` is the root run's."""

    seed: int

    def words(self, purpose: Purpose, world: ArrayLike, entity: ArrayLike, time: ArrayLike, slot: ArrayLike = 0) -> Words:
        """Four independent 32-bit words for each (world, entity, time, slot).

        world < 2**32, entity < 2**32, time in [0, 2**32), slot < 2**24; arrays broadcast to one length n.
        Returns uint32 (4, n).
        >>> Draws(seed=1).words(Purpose.SALE, 0, [7], 3600)[:, 0].tolist()
        [1536544487, 1111724348, 4213484890, 325580617]
        """
        sizes = [np.size(part) for part in (world, entity, time, slot)]
        n = 0 if 0 in sizes else max(sizes)
        counters = np.empty((4, n), dtype=np.uint64)
        counters[0] = entity
        counters[1] = time
        counters[2] = slot
        counters[2] += np.uint64(int(purpose) << 24)
        counters[3] = world
        return philox4x32(counters, self.seed)

    def blocks(self, purpose: Purpose, who: Who, *, slots: int) -> Words:
        """Four words of each slot 0..slots - 1 for everybody in `who`: uint32 (4 x slots, n), a slot's words together.

        >>> at = Who(np.array([0]), np.array([7]), np.array([3600]))
        >>> Draws(seed=1).blocks(Purpose.SALE, at, slots=2)[:4, 0].tolist()
        [1536544487, 1111724348, 4213484890, 325580617]
        """
        out = np.empty((4 * slots, len(who.entity)), dtype=np.uint32)
        _philox_blocks(who, np.uint64(int(purpose) << 24), _halves(self.seed), out)
        return out


def uniform(words: Words) -> NDArray[np.float64]:
    """Map 32-bit words to [0, 1): word / 2**32, exact.

    >>> uniform(np.array([0, 2**31], dtype=np.uint32)).tolist()
    [0.0, 0.5]
    """
    place: NDArray[np.float64] = words * np.float64(2.0**-32)
    return place


@inlined
def quarter(words: Words, which: int, place: int) -> float:
    """One of four uniforms of 16 bits in pairs of words, (2, n), at `place`: high, low, high, low."""
    word = words[which >> 1, place]
    return float((word & 0xFFFF if which & 1 else word >> 16) * 2.0**-16)


def below(words: Words, probability: ArrayLike) -> NDArray[np.bool_]:
    """True with the given probability, by comparing the word with probability * 2**32 (0 never, 1 always)."""
    return words < np.asarray(probability, dtype=np.float64) * 2.0**32


def normal_quantile(probability: ArrayLike) -> NDArray[np.float64]:
    """The standard normal's quantile function, for probabilities in (0, 1); relative error below 1e-15.

    Source: Wichura (1988), Algorithm AS 241, PPND16.
    >>> float(normal_quantile(0.975).round(6))
    1.959964
    """
    p = np.atleast_1d(np.asarray(probability, dtype=np.float64))
    q = p - 0.5
    central = np.abs(q) <= 0.425
    r = np.where(central, 0.180625 - q * q, np.sqrt(-np.log(np.minimum(p, 1 - p))))
    tail = np.where(r <= 5.0, _ratio(r - 1.6, _MIDDLE), _ratio(r - 5.0, _FAR))
    result = np.where(central, q * _ratio(r, _CENTRE), np.copysign(tail, q))
    return result if np.ndim(probability) else result[0]


def _ratio(r: NDArray[np.float64], coefficients: tuple[tuple[float, ...], tuple[float, ...]]) -> NDArray[np.float64]:
    numerator, denominator = coefficients
    return np.polyval(numerator, r) / np.polyval(denominator, r)


# Coefficients of AS 241, highest power first.
_CENTRE = (
    (2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4, 4.5921953931549871457e4,
     1.3731693765509461125e4, 1.9715909503065514427e3, 1.3314166789178437745e2, 3.3871328727963666080e0),
    (5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4, 2.1213794301586595867e4,
     5.3941960214247511077e3, 6.8718700749205790830e2, 4.2313330701600911252e1, 1.0),
)
_MIDDLE = (
    (7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1, 1.27045825245236838258e0,
     3.64784832476320460504e0, 5.76949722146069140550e0, 4.63033784615654529590e0, 1.42343711074968357734e0),
    (1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.48103976427480074590e-1,
     6.89767334985100004550e-1, 1.67638483018380384940e0, 2.05319162663775882187e0, 1.0),
)
_FAR = (
    (2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3, 2.65321895265761230930e-2,
     2.96560571828504891230e-1, 1.78482653991729133580e0, 5.46378491116411436990e0, 6.65790464350110377720e0),
    (2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5, 7.86869131145613259100e-4,
     1.48753612908506148525e-2, 1.36929880922735805310e-1, 5.99832206555887937690e-1, 1.0),
)
