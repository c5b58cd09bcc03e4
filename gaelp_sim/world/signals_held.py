"""Processes that are started deaf to Ctrl-C and SIGTERM: whoever started them ends them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import Any

_STOPS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def signals_held_back() -> Iterator[None]:
    """Processes started inside never hear Ctrl-C or SIGTERM, which reach a whole group: the parent ends them.

    A worker that only ignored them once it runs would still die of one that comes while it imports.
    """
    resource_tracker.ensure_running()  # starting it with the first worker would let the signals through again
    came: list[int] = []
    before = _replaced_responses(lambda number, frame: came.append(number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)  # what workers inherit; other threads still hear them
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, response in before.items():
            signal.signal(number, response)
        for number in came[:1]:
            signal.raise_signal(number)


def _replaced_responses(response: Any) -> dict[int, Any]:
    """Put one response in place of those to _STOPS, and return those; nothing outside the main thread."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    return {number: signal.signal(number, response) for number in _STOPS}
