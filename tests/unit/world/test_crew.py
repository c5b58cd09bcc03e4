"""Pure work dealt out to processes: answers in order, a worker that dies is one line, an error ends them at once."""

from __future__ import annotations

import os
import time

import pytest

from gaelp_sim.errors import StoreBusyError, UsageError
from gaelp_sim.world.crew import ALONE, Crew, Hands, each, shared_out


def _slow_square(number: int) -> int:
    time.sleep(0.02 * (3 - number))
    return number * number


def _refused(number: int) -> int:
    if number == 1:
        raise UsageError("one")
    time.sleep(number)
    return number


@pytest.mark.parametrize("crew", [ALONE, Crew(2), Crew(5)])
def test_answers_stand_in_the_order_of_the_questions(crew: Crew) -> None:
    assert each(crew, _slow_square, [0, 1, 2]) == [0, 1, 4]


def test_processes_stay_for_the_next_call() -> None:
    with Hands(Crew(2)) as hands:
        found = {pid for _ in range(3) for pid in hands.each(_pid, range(4))}
    assert os.getpid() not in found and len(found) <= 2


def _pid(number: int) -> int:
    time.sleep(0.05)
    return os.getpid()


def test_a_dead_worker_is_one_line() -> None:
    with pytest.raises(StoreBusyError, match="a worker process died, of memory perhaps; next: the same command again"):
        each(Crew(2), os._exit, [3, 3])


def test_an_error_does_not_wait_for_the_others() -> None:
    began_s = time.monotonic()
    with pytest.raises(UsageError, match="one"):
        each(Crew(2), _refused, [1, 60])
    assert time.monotonic() - began_s < 50


def test_a_range_is_cut_in_order() -> None:
    for count in range(1, 30):
        for shares in range(1, count + 1):
            parts = shared_out(range(5, 5 + count), shares)
            assert [number for part in parts for number in part] == list(range(5, 5 + count))
            assert max(map(len, parts)) - min(map(len, parts)) <= 1
