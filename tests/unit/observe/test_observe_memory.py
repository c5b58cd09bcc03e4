"""What an advertiser remembers: hand-worked events, merging on log-in, snapshots."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaelp_sim.events import NONE
from gaelp_sim.observe.beliefs import Beliefs
from gaelp_sim.observe.memory import (
    RECORD,
    SLOTS,
    Emails,
    Impressions,
    Losses,
    Memory,
    from_arrays,
    merge_on_login,
    remember_emails,
    remember_impressions,
    remember_losses,
    to_arrays,
)

T0 = 1_756_684_800
DAY = 86_400
COUNTS = ("impressions", "clicks", "emails", "losses", "spend_micros")
DECAYING = ("recent_teach", "recent_offer", "recent_clicks", "goodwill")


def _ints(*values: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.array(values, np.int64)


def show(memory: Memory, row: int, slot: int, **given_values: int) -> None:
    """One impression; by default at T0 on channel 0, signal 0, of the teaching family, free and not clicked."""
    values = {"second": T0, "channel": 0, "signal": 0, "family": 0, "charge_micros": 0, "clicked": 0} | given_values
    clicked = np.array([bool(values.pop("clicked"))])
    columns = {name: _ints(value) for name, value in values.items()}
    remember_impressions(memory, Impressions(_ints(row), _ints(slot), clicked=clicked, **columns))


def lose(memory: Memory, row: int, slot: int, second: int = T0) -> None:
    """One lost auction on channel 1, signal 1."""
    remember_losses(memory, Losses(_ints(row), _ints(slot), _ints(second), _ints(1), _ints(1)))


def mail(memory: Memory, row: int, slot: int, *, second: int = T0, clicked: bool = False) -> None:
    """One e-mail of 2,000 micros on channel code 5."""
    sent = Emails(_ints(row), _ints(slot), _ints(second), _ints(5), _ints(2_000), np.array([clicked]))
    remember_emails(memory, sent)


def test_a_record_is_small() -> None:
    """A slot takes at most 100 bytes: a million people fit into 400 MB."""
    assert RECORD.itemsize == 96


def test_nothing_is_remembered_at_first(beliefs: Beliefs) -> None:
    """Counts are 0, times NONE."""
    memory = Memory.empty(3, beliefs)
    assert memory["first_s"].shape == (3, SLOTS) and (memory["first_s"] == NONE).all()
    assert not any(memory[name].any() for name in (*COUNTS, *DECAYING, "last_channels"))


def test_two_impressions_by_hand(beliefs: Beliefs) -> None:
    """Counts, money, times and the half-life of 3 days for an unclicked and then a clicked impression."""
    memory = Memory.empty(2, beliefs)
    show(memory, 1, 2, channel=0, charge_micros=1_800_000)
    show(memory, 1, 2, channel=1, signal=1, second=T0 + 3 * DAY, family=1, charge_micros=200_000, clicked=1)
    record = memory.records[1, 2]
    assert [record[name] for name in COUNTS] == [2, 1, 0, 0, 2_000_000]
    assert (record["first_s"], record["last_s"], record["last_click_s"]) == (T0, T0 + 3 * DAY, T0 + 3 * DAY)
    assert record["last_channels"].tolist() == [2, 1, 0] and record["last_signal"] == 1
    assert record["recent_teach"] == pytest.approx(0.8 / 2)
    assert (record["recent_offer"], record["recent_clicks"]) == (1, 1)
    assert record["goodwill"] == pytest.approx(0.8 * 0.1 * 2 ** (-3 / 14) + 0.55, rel=1e-6)
    untouched = np.ones((2, SLOTS), bool)
    untouched[1, 2] = False
    assert (memory["recent_s"][untouched] == NONE).all()


def test_a_loss_is_no_touch(beliefs: Beliefs) -> None:
    """A lost auction counts and tells of the stage, but starts no journey."""
    memory = Memory.empty(1, beliefs)
    lose(memory, 0, 0)
    record = memory.records[0, 0]
    assert (record["losses"], record["first_s"], record["journey_s"]) == (1, NONE, NONE)
    assert record["last_signal"] == 1 and record["evidence"][2] > record["evidence"][0] > 0


def test_an_email_touches(beliefs: Beliefs) -> None:
    """An e-mail counts, costs and starts a journey; without a channel it leaves the sequence alone."""
    memory = Memory.empty(1, beliefs)
    mail(memory, 0, 0, clicked=True)
    record = memory.records[0, 0]
    assert [record[name] for name in COUNTS] == [0, 1, 1, 0, 2_000]
    assert record["last_channels"].tolist() == [6, 0, 0] and record["journey_s"] == T0
    silent = Emails(_ints(0), _ints(0), _ints(T0 + 1), _ints(NONE), _ints(0), np.array([False]))
    remember_emails(memory, silent)
    assert memory.records[0, 0]["last_channels"].tolist() == [6, 0, 0]


def test_silence_starts_a_new_journey(beliefs: Beliefs) -> None:
    """After more than 14 silent days the journey's start moves; the first touch stays."""
    memory = Memory.empty(1, beliefs)
    for day in (0, 14, 29):
        show(memory, 0, 0, second=T0 + day * DAY)
    record = memory.records[0, 0]
    assert (record["first_s"], record["journey_s"]) == (T0, T0 + 29 * DAY)


def test_a_batch_equals_one_by_one(beliefs: Beliefs) -> None:
    """A record depends on its own events alone, to the last bit."""
    rng = np.random.default_rng(5)
    batch, single = Memory.empty(40, beliefs), Memory.empty(40, beliefs)
    for hour in range(6):
        shown = Impressions(
            rows=rng.permutation(40),
            slots=rng.integers(0, SLOTS, 40),
            second=T0 + hour * 7 * 3600 + rng.integers(0, 3600, 40),
            channel=rng.integers(0, 2, 40),
            signal=rng.integers(0, 2, 40),
            family=rng.integers(0, 2, 40),
            charge_micros=rng.integers(0, 10**6, 40),
            clicked=rng.random(40) < 0.3,
        )
        remember_impressions(batch, shown)
        for i in range(40):
            remember_impressions(single, Impressions(**shown.take(slice(i, i + 1))))  # type: ignore[arg-type]
    assert batch.records.tobytes() == single.records.tobytes()


EVENTS = st.lists(
    st.tuples(st.sampled_from(["show", "click", "lose", "mail"]), st.integers(0, 1), st.integers(0, 40 * DAY)),
    max_size=12,
)


def _live(memory: Memory, events: list[tuple[str, int, int]], *, one_slot: bool) -> None:
    for kind, device, offset in sorted(events, key=lambda event: event[2]):
        slot, second = (0 if one_slot else 2 * device), T0 + offset
        if kind == "lose":
            lose(memory, 0, slot, second)
        elif kind == "mail":
            mail(memory, 0, slot, second=second)
        else:
            show(memory, 0, slot, second=second, channel=device, charge_micros=7, clicked=int(kind == "click"))


@settings(max_examples=60, deadline=None)
@given(events=EVENTS)
def test_merging_equals_having_known_all_along(beliefs: Beliefs, events: list[tuple[str, int, int]]) -> None:
    """Account and device merged hold what one account would: counts, money, times exactly; levels but for rounding."""
    merged, known = Memory.empty(1, beliefs), Memory.empty(1, beliefs)
    _live(merged, events, one_slot=False)
    _live(known, events, one_slot=True)
    merge_on_login(merged, _ints(0), _ints(2))
    for name in (*COUNTS, "first_s", "last_s", "last_click_s", "recent_s"):
        assert merged[name][0, 0] == known[name][0, 0], name
    for name in DECAYING:
        assert merged[name][0, 0] == pytest.approx(known[name][0, 0], rel=1e-4, abs=1e-6), name
    assert merged["last_channels"][0, 0, 0] == known["last_channels"][0, 0, 0] or _tied(events)
    assert (merged["last_channels"][0, 0] > 0).sum() == (known["last_channels"][0, 0] > 0).sum()
    assert merged.records[0, 2] == Memory.empty(1, beliefs).records[0, 2]


def _tied(events: list[tuple[str, int, int]]) -> bool:
    last = max((second for kind, _, second in events if kind != "lose"), default=0)
    return sum(second == last and kind != "lose" for kind, _, second in events) > 1


def test_merging_twice_or_with_the_account_changes_nothing(beliefs: Beliefs) -> None:
    """A device that is already merged is empty; slot 0 is the account itself."""
    memory = Memory.empty(2, beliefs)
    show(memory, 0, 1, clicked=1)
    show(memory, 1, 0)
    merge_on_login(memory, _ints(0, 1), _ints(1, 0))
    once = memory.records.copy()
    merge_on_login(memory, _ints(0, 1), _ints(1, 0))
    assert memory.records.tobytes() == once.tobytes()
    assert memory["impressions"][:, 0].tolist() == [1, 1]


def test_merging_joins_journeys_that_follow_closely(beliefs: Beliefs) -> None:
    """Within the timeout the journey began at the earlier touch; after it, at the later one."""
    memory = Memory.empty(2, beliefs)
    for row, gap_days in ((0, 10), (1, 20)):
        show(memory, row, 3, second=T0)
        show(memory, row, 0, second=T0 + gap_days * DAY)
    merge_on_login(memory, _ints(0, 1), _ints(3, 3))
    assert memory["journey_s"][:, 0].tolist() == [T0, T0 + 20 * DAY]


def test_snapshots_round_trip(beliefs: Beliefs) -> None:
    """What to_arrays takes apart, from_arrays puts together, byte for byte; only what is remembered is stored."""
    memory = Memory.empty(50, beliefs)
    show(memory, 7, 1, clicked=1)
    lose(memory, 49, 0)
    arrays = to_arrays(memory)
    assert arrays["at"].tolist() == [7 * SLOTS + 1, 49 * SLOTS]
    assert from_arrays(arrays, beliefs).records.tobytes() == memory.records.tobytes()
