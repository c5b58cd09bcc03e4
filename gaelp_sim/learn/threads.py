"""Sums of floats that come out the same bits in every process, however many cores its machine has.

Products of large matrices are cut between threads, and a sum that is cut otherwise differs in its last bits.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
import torch

_SET, _GET = "scipy_openblas_set_num_threads64_", "scipy_openblas_get_num_threads64_"


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch and numpy's own OpenBLAS work on one core for a while; a numpy built with another BLAS is left alone."""
    torch_before, blas = torch.get_num_threads(), _blas()
    blas_before = blas[0]() if blas else 1
    _limit(blas, 1, 1)
    try:
        yield
    finally:
        _limit(blas, torch_before, blas_before)


def _limit(blas: tuple[Callable[..., int], ...], torch_threads: int, blas_threads: int) -> None:
    torch.set_num_threads(torch_threads)
    if blas:
        blas[1](blas_threads)


@cache
def _blas() -> tuple[Callable[..., int], ...]:
    """How many threads the OpenBLAS of numpy's wheels works with, and how to say how many; empty where there is none."""
    package = Path(np.__file__).parent
    for file in [*package.parent.glob("numpy.libs/*openblas*"), *package.glob(".dylibs/*openblas*")]:
        library = ctypes.CDLL(str(file))
        if hasattr(library, _SET) and hasattr(library, _GET):
            return getattr(library, _GET), getattr(library, _SET)
    return ()
