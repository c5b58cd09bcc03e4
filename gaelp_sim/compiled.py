"""Functions compiled to machine code: the loops over people that numpy could only do in many passes.

A compiled function is plain Python over arrays and numbers, compiled by numba on its first call on a machine and kept in
a cache; `.py_func` is the Python it was made from. No fast-math: results are those of IEEE arithmetic, in the order
written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from numba import njit

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function on its first call; the machine code is cached beside the source, else in the user's cache."""
    made: Callable[P, R] = njit(cache=True, error_model="numpy")(function)
    return made


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """A small step of compiled loops, woven into each caller: bundles of arrays are then not handed over at each turn."""
    made: Callable[P, R] = njit(cache=True, error_model="numpy", inline="always")(function)
    return made
