"""Sums of floats that come out the same bits in every process, however many cores its machine has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch works on one core for a while: with more, sums are cut otherwise; and where rounds are small, a second thread
    waits more than it works.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
