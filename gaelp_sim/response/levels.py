"""Integer levels that decay in clock time, read lazily.

Each unit of a level dies independently with a half-life, so what is left of x units after a time is binomial; one
uniform inverts it. A level nobody reads costs nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.events import Floats, Ints


def decayed(level: NDArray[np.int8], elapsed_s: Ints, half_life_s: Floats, luck: Floats) -> NDArray[np.int8]:
    """What is left of levels 0..3 after some time.

    level, elapsed_s, luck: equal shapes; half_life_s broadcasts; luck uniform in [0, 1)
    Invariant: 0 <= result <= level; more luck never leaves more.
    Source: binomial survival with p = 2**(-elapsed / half-life).
    >>> decayed(np.array([3]), np.array([0]), np.array([86400.0]), np.array([0.99])).tolist()
    [3]
    """
    alive = np.exp2(-elapsed_s / half_life_s)
    dead = 1.0 - alive
    two = alive * alive
    at_least_1 = 1.0 - dead ** level.astype(np.float64)
    at_least_2 = np.where(level == 3, two * (3.0 - 2.0 * alive), two) * (level >= 2)
    at_least_3 = two * alive * (level == 3)
    left = (luck < at_least_1).astype(np.int8)
    left += luck < at_least_2
    left += luck < at_least_3
    return left
