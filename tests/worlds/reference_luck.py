"""The luck of the plain world: words by what they are for, and levels that die unit by unit."""

from __future__ import annotations

from collections.abc import Callable
from math import comb

from gaelp_sim.draws import Purpose
from tests.worlds.reference_nouns import Chance, Person

HALF = 2**16


def chance_of(words: Callable[[Purpose, int], list[int]], bidders: int) -> Chance:
    """All words of one opportunity; words: by purpose and slot."""
    blocks = -(-(bidders + 1) // 4)
    drawn = [word for slot in range(blocks + 2) for word in words(Purpose.OPPORTUNITY, slot)]
    rest = drawn[4 * blocks :]
    lower = [words(Purpose.LOWER_SLOT, slot) for slot in range(1, 4)]
    response = [(rest[4], rest[5], rest[6])] + [(w[0], w[1], w[2]) for w in lower]
    return Chance(drawn[:bidders], drawn[bidders], quarters(rest[0], rest[1]), rest[2], rest[3], response)


def levels_read(person: Person, second: int, half_lives: list[float], luck: list[float]) -> list[int]:
    """Levels as they stand at a second: each unit has survived with probability 2**(-elapsed / half-life)."""
    left = []
    for level, half_life, place in zip(person.level, half_lives, luck, strict=True):
        alive = 2.0 ** (-(second - person.level_s) / half_life)
        tails = [
            sum(comb(level, i) * alive**i * (1 - alive) ** (level - i) for i in range(j, level + 1))
            for j in range(1, level + 1)
        ]
        left.append(sum(place < tail for tail in tails))
    return left


def quarters(first: int, second: int) -> list[float]:
    """Four halves of two words, in [0, 1)."""
    return [half / HALF for half in (first >> 16, first & 0xFFFF, second >> 16, second & 0xFFFF)]
