"""Integer levels that decay in clock time, read lazily.

Each unit of a level dies independently with a half-life, so what is left of x units after a time is binomial; one
uniform inverts it. A level nobody reads costs nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.compiled import compiled, inlined
from gaelp_sim.draws import Words, quarter
from gaelp_sim.events import Floats, Ints


class Held(NamedTuple):
    """Everybody's levels as they held when they were last written."""

    level: NDArray[np.int8]
    """(levels, people)"""
    level_s: Ints
    """(people,)"""


@inlined
def survivors(level: int, alive: float, luck: float) -> int:
    """What is left of a level 0..3 whose units have each survived with probability `alive`.

    luck: uniform in [0, 1); more luck never leaves more
    Source: the binomial's upper tails.
    """
    if level == 0:
        return 0
    dead = 1.0 - alive
    if level == 1:
        return int(luck < alive)
    two = alive * alive
    if level == 2:
        return int(luck < 1.0 - dead * dead) + int(luck < two)
    return int(luck < 1.0 - dead * dead * dead) + int(luck < two * (3.0 - 2.0 * alive)) + int(luck < two * alive)


@inlined
def survival(elapsed_s: int, half_life_s: float) -> float:
    """Probability that one unit survives: 2**(-elapsed / half-life)."""
    return float(2.0 ** (-elapsed_s / half_life_s))


@compiled
def levels_at(held: Held, rows: Ints, second: Ints, half_life_s: Floats, luck: Words) -> NDArray[np.int8]:
    """What is left of the levels of these people at these seconds: int8 (levels, n); nothing is written.

    half_life_s: (levels,); luck: (2, n), a half word a level
    Invariant: 0 <= result <= level held.
    """
    left = np.zeros((held.level.shape[0], len(rows)), dtype=np.int8)
    for i in range(len(rows)):
        for level in range(held.level.shape[0]):
            units = held.level[level, rows[i]]
            if units:
                alive = survival(second[i] - held.level_s[rows[i]], half_life_s[level])
                left[level, i] = survivors(units, alive, quarter(luck, level, i))
    return left
