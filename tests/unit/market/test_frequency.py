"""Chains of impressions against plain lists of seconds: who has reached the cap, after notes, merges and full pools."""

from __future__ import annotations

import random
from collections import defaultdict

import numpy as np
import pytest

from gaelp_sim.market import frequency
from gaelp_sim.market.frequency import Frequency
from gaelp_sim.scenario.schema import FrequencyCap

USERS = 40
Lists = dict[int, list[int]]


def _of(impressions: int, days: float) -> Frequency:
    made = Frequency.of(FrequencyCap(impressions=impressions, days=days), USERS)
    assert made is not None
    return made


def _is_like(chains: Frequency, lists: Lists, second: int) -> bool:
    users = np.arange(USERS)
    plain = [
        sum(second - chains.window_s < shown <= second for shown in lists[user]) >= chains.cap for user in users.tolist()
    ]
    return chains.reached(users, np.full(USERS, second)).tolist() == plain


def _lives(seed: int) -> tuple[Frequency, bool]:
    """Hours of impressions and merges; whether every answer on the way was that of plain lists."""
    luck = random.Random(seed)
    chains, lists = _of(luck.randint(1, 6), luck.choice([0.02, 0.2, 1.0])), defaultdict(list)
    same = True
    for hour in range(60):
        seconds = sorted(luck.randrange(3_600) for _ in range(luck.randint(0, 30)))
        for second in seconds:
            users = luck.sample(range(USERS), luck.randint(1, 6))
            at = [max([hour * 3_600 + second, *lists[user][-1:]]) for user in users]
            chains.note(np.array(users), np.array(at))
            for user, when in zip(users, at, strict=True):
                lists[user].append(when)
            same &= _is_like(chains, lists, hour * 3_600 + 3_599)
        if luck.random() < 0.3:
            one, other = luck.sample(range(USERS), 2)
            chains.merge(np.array([one]), np.array([other]))
            lists[one] = sorted(lists[one] + lists.pop(other, []))
            same &= _is_like(chains, lists, hour * 3_600 + 3_599)
    return chains, same


@pytest.mark.parametrize("seed", range(12))
def test_caps_are_those_of_plain_lists(seed: int) -> None:
    assert _lives(seed)[1]


def test_old_impressions_make_room() -> None:
    """Thousands of impressions pass through a pool that holds what the window holds."""
    chains = _of(3, 0.02)
    for second in range(0, 40_000, 2):
        chains.note(np.array([second % USERS]), np.array([second]))
    assert len(chains.chains.second) <= 8_192
    assert len(chains.rows(40_000)[0]) == sum(second > 40_000 - 1_728 for second in range(0, 40_000, 2))


def test_a_merge_that_forgets_the_order_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted fault: the other's chain is hung in front, whatever its times."""

    def careless(chains: frequency.Chains, users: np.ndarray, others: np.ndarray) -> None:
        for user, other in zip(users.tolist(), others.tolist(), strict=True):
            at = chains.newest[other]
            if at < 0:
                continue
            while chains.before[at] >= 0:
                at = chains.before[at]
            chains.before[at], chains.newest[user] = chains.newest[user], chains.newest[other]
            chains.newest[other] = -1

    monkeypatch.setattr(frequency, "_merge", careless)
    assert not all(_lives(seed)[1] for seed in range(12))


def test_the_window_is_open_at_its_far_end() -> None:
    """An impression exactly a window ago doesn't count any more, one a second younger does."""
    chains, day = _of(1, 1.0), 86_400
    chains.note(np.array([5]), np.array([100]))
    seconds = np.array([100, 99 + day, 100 + day])
    assert chains.reached(np.full(3, 5), seconds).tolist() == [True, True, False]


def test_rows_bring_it_back() -> None:
    """What `rows` lists answers like the memory that it was taken from, at any later time."""
    chains, _ = _lives(3)
    users, seconds = chains.rows(60 * 3_600)
    again = _of(chains.cap, chains.window_s / 86_400)
    again.note(users, seconds)
    for later in range(60 * 3_600, 90 * 3_600, 1_000):
        at = np.full(USERS, later)
        assert np.array_equal(chains.reached(np.arange(USERS), at), again.reached(np.arange(USERS), at))


def test_without_a_cap_nothing_is_kept() -> None:
    assert Frequency.of(None, USERS) is None
