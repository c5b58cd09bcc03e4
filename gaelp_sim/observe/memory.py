"""What an advertiser remembers of each resolved user: one 96-byte record per (person, slot).

Slot 0 is the logged-in account; slots 1..3 are the person's devices (by `DeviceKind`) before a log-in. In identity
mode "perfect" all goes to slot 0. Records are laid out row by row because an hour touches few rows, each in most of
its fields. Every update is elementwise, so a record depends on its own events alone, never on the batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.compiled import compiled, inlined
from gaelp_sim.events import NONE, Bools, Column, Columns, FatigueFamily, Ints
from gaelp_sim.observe.beliefs import EVIDENCE_MAX, Beliefs, Singles

SLOTS = 4
ACCOUNT = 0

RECORD = np.dtype(
    [
        ("spend_micros", "<i8"),
        ("first_s", "<i8"),
        ("last_s", "<i8"),
        ("last_click_s", "<i8"),
        ("journey_s", "<i8"),
        ("recent_s", "<i8"),
        ("impressions", "<i4"),
        ("clicks", "<i4"),
        ("emails", "<i4"),
        ("losses", "<i4"),
        ("recent_teach", "<f4"),
        ("recent_offer", "<f4"),
        ("recent_clicks", "<f4"),
        ("goodwill", "<f4"),
        ("evidence", "<f4", (3,)),
        ("last_channels", "i1", (3,)),
        ("last_signal", "i1"),
    ]
)
WORDS = RECORD.itemsize // 8
TIMES = ("first_s", "last_s", "last_click_s", "journey_s", "recent_s")
SUMS = ("spend_micros", "impressions", "clicks", "emails", "losses", "recent_teach", "recent_offer", "recent_clicks")
_TEACH = int(FatigueFamily.TEACH)
Records = NDArray[np.void]
Codes = NDArray[np.signedinteger[Any]]


@dataclass(frozen=True)
class Memory:
    """Records of shape (people, SLOTS); `memory["clicks"]` is a field of all of them, a view of that shape."""

    beliefs: Beliefs
    records: Records = field(repr=False)

    @staticmethod
    def empty(people: int, beliefs: Beliefs) -> Memory:
        """Nothing remembered of anybody."""
        return Memory(beliefs, _blank(people * SLOTS).reshape(people, SLOTS))

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, name: str) -> Column:
        return self.records[name]

    def take(self, at: Ints) -> Records:
        """Copies of the records at indices row x SLOTS + slot, (n,)."""
        return self._words().take(at, axis=0).view(RECORD)[:, 0]

    def put(self, at: Ints, records: Records) -> None:
        """Write records back to where `take` found them; indices are unique."""
        self._words()[at] = records.view(np.int64).reshape(-1, WORDS)

    def _words(self) -> Ints:
        # Numpy moves rows of integers some ten times faster than structured records.
        return self.records.view(np.int64).reshape(-1, WORDS)


@dataclass(frozen=True)
class Impressions(Columns):
    """Ads of ours that were shown, in the order in which they count; a user may be among them more than once."""

    rows: Ints
    slots: Ints
    second: Ints
    channel: Codes
    signal: Codes
    family: Codes
    """`FatigueFamily` of the creative."""
    charge_micros: Ints
    clicked: Bools


@dataclass(frozen=True)
class Losses(Columns):
    """Opportunities that we saw and did not win, in the order in which they count."""

    rows: Ints
    slots: Ints
    second: Ints
    channel: Codes
    signal: Codes


@dataclass(frozen=True)
class Emails(Columns):
    """E-mails of ours, in the order in which they count. Opens are not told; a channel of NONE leaves no trace."""

    rows: Ints
    slots: Ints
    second: Ints
    channel: Codes
    charge_micros: Ints
    clicked: Bools


def recent_looks(memory: Memory, rows: Ints, slots: Ints, second: Ints) -> Singles:
    """Looks at our creatives that have not worn off at these seconds, as we reckon: float32 (2, n), by `FatigueFamily`."""
    return _recent_looks(memory.records, (rows, slots), second, memory.beliefs.decay_per_second)


@compiled
def _recent_looks(records: Records, where: tuple[Ints, Ints], second: Ints, decay_per_second: Singles) -> Singles:
    looks = np.empty((2, len(second)), dtype=np.float32)
    for i in range(len(second)):
        record = records[where[0][i], where[1][i]]
        left = np.exp(np.float32(max(second[i] - record.recent_s, 0)) * decay_per_second[0, 0])
        looks[0, i], looks[1, i] = record.recent_teach * left, record.recent_offer * left
    return looks


def forget_wear(memory: Memory, family: int) -> None:
    """Start everybody's looks at a family of creatives anew: it has been refreshed."""
    memory["recent_teach" if family == _TEACH else "recent_offer"][...] = 0.0


def remember_impressions(memory: Memory, shown: Impressions) -> None:
    """Add impressions, with their charges and clicks, to the memory in place."""
    beliefs = memory.beliefs
    clicked = np.asarray(shown.clicked, dtype=np.bool_)
    touches = _Touches(shown.rows, shown.slots, shown.second, _codes(shown.channel), shown.charge_micros, clicked)
    tables = _Tables(beliefs.examined, beliefs.goodwill, beliefs.evidence, beliefs.decay_per_second)
    _remember_ads(memory.records, touches, (_codes(shown.family), _codes(shown.signal)), tables, beliefs.timeout_s)


def remember_losses(memory: Memory, lost: Losses) -> None:
    """Add opportunities that went to somebody else to the memory in place; they are no touches of ours."""
    beliefs = memory.beliefs
    where = (lost.rows, lost.slots)
    _remember_losses(memory.records, where, (lost.second, _codes(lost.signal)), beliefs.decay_per_second, beliefs.evidence)


def remember_emails(memory: Memory, sent: Emails) -> None:
    """Add e-mails, with their costs and clicks, to the memory in place."""
    beliefs = memory.beliefs
    clicked = np.asarray(sent.clicked, dtype=np.bool_)
    touches = _Touches(sent.rows, sent.slots, sent.second, _codes(sent.channel), sent.charge_micros, clicked)
    _remember_mails(memory.records, touches, beliefs.goodwill_email, beliefs.decay_per_second, beliefs.timeout_s)


class _Touches(NamedTuple):
    """What an impression and an e-mail have in common."""

    rows: Ints
    slots: Ints
    second: Ints
    channel: NDArray[np.int64]
    charge_micros: Ints
    clicked: Bools


class _Tables(NamedTuple):
    """Beliefs about an impression."""

    examined: Singles
    goodwill: Singles
    evidence: Singles
    decay_per_second: Singles


def _codes(column: Codes) -> Ints:
    return column.astype(np.int64, copy=False)


@inlined
def _age_one(record: Any, second: int, decay_per_second: Singles) -> None:
    """Bring the decaying values to `second`; an event that comes late counts as of the latest one."""
    now = max(record.recent_s, second)
    elapsed_s = np.float32(now - record.recent_s)
    fatigue = np.exp(elapsed_s * decay_per_second[0, 0])
    record.recent_teach *= fatigue
    record.recent_offer *= fatigue
    record.recent_clicks *= fatigue
    record.goodwill *= np.exp(elapsed_s * decay_per_second[1, 0])
    evidence = np.exp(elapsed_s * decay_per_second[2, 0])
    for ratio in range(3):
        record.evidence[ratio] *= evidence
    record.recent_s = now


@inlined
def _touch_one(record: Any, touches: _Touches, i: int, decay_per_second: Singles, timeout_s: int) -> None:
    """Times, money, click and channel."""
    second, clicked = touches.second[i], touches.clicked[i]
    _age_one(record, second, decay_per_second)
    # NONE as the last touch is 56 years of silence.
    if second - record.last_s > timeout_s:
        record.journey_s = second
    record.first_s = second if record.first_s == NONE else min(record.first_s, second)
    record.last_s = max(record.last_s, second)
    record.spend_micros += touches.charge_micros[i]
    record.clicks += clicked
    record.recent_clicks += np.float32(clicked)
    if clicked:
        record.last_click_s = max(record.last_click_s, second)
    if touches.channel[i] >= 0:
        record.last_channels[2] = record.last_channels[1]
        record.last_channels[1] = record.last_channels[0]
        record.last_channels[0] = touches.channel[i] + 1


@compiled
def _remember_ads(
    records: Records, touches: _Touches, told: tuple[Ints, Ints], tables: _Tables, timeout_s: int
) -> None:
    """An impression also wears out, and adds goodwill and evidence in expectation."""
    family, signal = told
    for i in range(len(touches.rows)):
        record, clicked = records[touches.rows[i], touches.slots[i]], int(touches.clicked[i])
        _touch_one(record, touches, i, tables.decay_per_second, timeout_s)
        record.impressions += 1
        seen = tables.examined[clicked, touches.channel[i]]
        if family[i] == _TEACH:
            record.recent_teach += seen
        else:
            record.recent_offer += seen
        record.goodwill += tables.goodwill[clicked, touches.channel[i]]
        _weigh_one(record, tables.evidence, clicked, signal[i])


@compiled
def _remember_mails(
    records: Records, touches: _Touches, goodwill: Singles, decay_per_second: Singles, timeout_s: int
) -> None:
    for i in range(len(touches.rows)):
        record = records[touches.rows[i], touches.slots[i]]
        _touch_one(record, touches, i, decay_per_second, timeout_s)
        record.emails += 1
        record.goodwill += goodwill[int(touches.clicked[i])]


@compiled
def _remember_losses(
    records: Records, where: tuple[Ints, Ints], told: tuple[Ints, Ints], decay_per_second: Singles, evidence: Singles
) -> None:
    for i in range(len(where[0])):
        record = records[where[0][i], where[1][i]]
        _age_one(record, told[0][i], decay_per_second)
        record.losses += 1
        _weigh_one(record, evidence, 0, told[1][i])


@inlined
def _weigh_one(record: Any, evidence: Singles, clicked: int, signal: int) -> None:
    """Add what an opportunity's signal and click tell of the stage."""
    for ratio in range(3):
        total = record.evidence[ratio] + evidence[clicked, signal, ratio]
        record.evidence[ratio] = min(max(total, np.float32(-EVIDENCE_MAX)), np.float32(EVIDENCE_MAX))
    record.last_signal = signal


def merge_on_login(memory: Memory, rows: Ints, device_slots: Ints) -> None:
    """Move each device's memory into the person's account (slot 0) and empty the device's; rows are unique."""
    moving = device_slots != ACCOUNT
    account_at = rows[moving] * SLOTS
    merge(memory, account_at, account_at + device_slots[moving])


def merge(memory: Memory, into: Ints, others: Ints) -> None:
    """Move the records at `others` into those at `into` (row x SLOTS + slot) and empty them; all are different.

    Sums add up, the earliest first and the latest last survive, decayed values add up at the later of their times.
    The joint order of the last three channels is not stored: the one touched later gives its own, the other fills up.
    """
    memory.put(into, _joined(memory.take(into), memory.take(others), memory.beliefs))
    memory.put(others, _blank(len(others)))


def to_arrays(memory: Memory) -> dict[str, Column]:
    """Snapshot: `people` (1,), `at` (k,), where something is remembered, and each field's values there."""
    at = np.flatnonzero(memory["recent_s"].reshape(-1) != NONE)
    records = memory.take(at)
    fields = {name: np.ascontiguousarray(records[name]) for name in RECORD.names or ()}
    return {"people": np.array([len(memory)]), "at": at, **fields}


def from_arrays(arrays: Mapping[str, Column], beliefs: Beliefs) -> Memory:
    """The memory that `to_arrays` took apart."""
    memory = Memory.empty(int(arrays["people"][0]), beliefs)
    records = _blank(len(arrays["at"]))
    for name in RECORD.names or ():
        records[name] = arrays[name]
    memory.put(arrays["at"].astype(np.int64), records)
    return memory


def decay(elapsed_s: Ints, beliefs: Beliefs) -> Singles:
    """Factors by which recent touches, goodwill and evidence shrink in `elapsed_s` seconds, float32 (3, n)."""
    factors: Singles = np.exp(elapsed_s.astype(np.float32) * beliefs.decay_per_second)
    return factors


def _blank(count: int) -> Records:
    record = np.zeros((), RECORD)
    for name in (*TIMES, "last_signal"):
        record[name] = NONE
    words = np.empty((count, WORDS), np.int64)
    words[:] = record[None].view(np.int64)
    return words.view(RECORD)[:, 0]


def _age(records: Records, second: Ints, beliefs: Beliefs) -> None:
    """Bring the decaying values to `second`; an event that comes late counts as of the latest one."""
    now = np.maximum(records["recent_s"], second)
    fatigue, goodwill, evidence = decay(now - records["recent_s"], beliefs)
    for name in ("recent_teach", "recent_offer", "recent_clicks"):
        records[name] *= fatigue
    records["goodwill"] *= goodwill
    records["evidence"] *= evidence[:, None]
    records["recent_s"] = now


def _earliest(a: Ints, b: Ints) -> Ints:
    # As unsigned numbers NONE is the greatest of all, so the minimum skips it.
    return np.minimum(a.astype(np.uint64), b.astype(np.uint64)).astype(np.int64)


def _joined(account: Records, other: Records, beliefs: Beliefs) -> Records:
    """One record for what two records hold; both were copies and are spoiled."""
    signal = np.where(other["recent_s"] > account["recent_s"], other["last_signal"], account["last_signal"])
    now = np.maximum(account["recent_s"], other["recent_s"])
    channels, journey_s = _joined_channels(account, other), _joined_journey(account, other, beliefs.timeout_s)
    for records in (account, other):
        _age(records, now, beliefs)
    for name in (*SUMS, "goodwill"):
        account[name] += other[name]
    account["evidence"] = np.clip(account["evidence"] + other["evidence"], -EVIDENCE_MAX, EVIDENCE_MAX)
    account["first_s"] = _earliest(account["first_s"], other["first_s"])
    for name in ("last_s", "last_click_s"):
        account[name] = np.maximum(account[name], other[name])
    account["journey_s"], account["last_channels"], account["last_signal"] = journey_s, channels, signal
    return account


def _joined_channels(account: Records, other: Records) -> Column:
    newer = (other["last_s"] > account["last_s"])[:, None]
    mine, theirs = account["last_channels"], other["last_channels"]
    both = np.concatenate([np.where(newer, theirs, mine), np.where(newer, mine, theirs)], axis=1)
    known = (both[:, :3] > 0).sum(1)[:, None]
    place = np.arange(3)
    return np.take_along_axis(both, np.where(place < known, place, 3 + place - known), axis=1)


def _joined_journey(account: Records, other: Records, timeout_s: int) -> Ints:
    """Start of the running journey: the earlier start where the two overlap or follow closely, else the later."""
    later = np.maximum(account["journey_s"], other["journey_s"])
    earlier = np.minimum(account["journey_s"], other["journey_s"])
    earlier_last = np.where(account["journey_s"] <= other["journey_s"], account["last_s"], other["last_s"])
    joined: Ints = np.where((earlier >= 0) & (later - earlier_last <= timeout_s), earlier, later)
    return joined
