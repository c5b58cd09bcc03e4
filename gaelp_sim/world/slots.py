"""Proposals that come true become opportunities: who, when, where, on which device, with which signal."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.compiled import compiled, inlined
from gaelp_sim.draws import Words
from gaelp_sim.events import Bools, Column, Ints, Opportunities, Proposals
from gaelp_sim.population.kinds import Rates, rate_of
from gaelp_sim.population.people import GOODWILL, People
from gaelp_sim.population.sessions import Chain, next_device, signal_of
from gaelp_sim.units import SECONDS_PER_HOUR
from gaelp_sim.world.luck import RoundLuck, parted, round_words
from gaelp_sim.world.sales import read_levels
from gaelp_sim.world.stack import Stack

Codes = NDArray[np.int16]


@dataclass(frozen=True)
class Slots:
    """One round up for auction: opportunities in clearing order within each unit, and who stands behind them."""

    opportunities: Opportunities
    luck: RoundLuck
    segment: Column
    stage: Column
    level: Column
    """(LEVELS, n), read at the opportunity's second"""
    user: Ints
    """Whom we take them for, as `Stack.users_of` tells"""
    waiting: bool = False
    """Somebody waits for the next round, as another of the same user is in this one"""

    def __len__(self) -> int:
        return len(self.opportunities)


def round_of(stack: Stack, pending: Proposals) -> Slots | None:
    """Each person's first proposal that comes true after the last round's; None if there is none.

    Opportunities stand in the order (second, unit, person).
    """
    people, model = stack.people, stack.model
    proposed = (pending.row, pending.second, pending.kind, pending.mark)
    at, key = _true(people, proposed, model.kinds.rates, model.goodwill_needed, stack.played_s)
    if not len(at):
        return None
    at = at[np.argsort(key)]
    row, second, kind = pending.row[at], pending.second[at], pending.kind[at]
    words = round_words(model.draws, stack.who(row, second), model.bidders)
    level = read_levels(stack, row, second, parted(words, model.bidders).decay)
    before, waiting = None if stack.linkage is None else stack.played_s[row], False
    chosen = _first_of_each((row, second), level, model.goodwill_needed[kind], stack.played_s)
    if before is not None:
        later = chosen & ~_first_of_users(stack, row, pending.luck_device[at], chosen)
        chosen &= ~later
        waiting = bool(later.any())
        stack.played_s[row[later]] = before[later]
    if not chosen.all():
        at = at[chosen]
        # In the usual layout: compiled code is made anew for every other one.
        words, level = np.ascontiguousarray(words[:, chosen]), np.ascontiguousarray(level[:, chosen])
    return replace(_slots(stack, Proposals(**pending.take(at)), words, level), waiting=waiting) if len(at) else None


@inlined
def sort_key(second: int, row: int, place: int) -> int:
    """Sorts an hour's proposals by (second, row); the place in the day's draw breaks one person's ties."""
    return ((second % SECONDS_PER_HOUR) << 51) | (row << 26) | place


@compiled
def _true(
    people: People, proposed: tuple[Ints, Ints, Codes, NDArray[np.float64]], rates: Rates, needed: NDArray[np.int8],
    played_s: Ints,
) -> tuple[Ints, Ints]:
    """Proposals of opportunities whose mark lies below the present rate, with keys that sort by (second, row)."""
    row, second, kind, mark = proposed
    at, key = np.empty(len(row), dtype=np.int64), np.empty(len(row), dtype=np.int64)
    found = 0
    for i in range(len(row)):
        person = row[i]
        # Levels only decay between touches, so a stored level below the need settles it without a draw.
        if (
            kind[i] < len(needed)
            and second[i] > played_s[person]
            and people.level[GOODWILL, person] >= needed[kind[i]]
            and mark[i] < rate_of(rates, kind[i], people.segment[person], people.stage[person])
        ):
            at[found] = i
            key[found] = sort_key(second[i], person, i)
            found += 1
    return at[:found], key[:found]


@compiled
def _first_of_each(where: tuple[Ints, Ints], level: Column, needed: NDArray[np.int8], played_s: Ints) -> Bools:
    """True at each person's first opportunity whose need of goodwill is met; they are noted in `played_s`."""
    row, second = where
    chosen = np.zeros(len(row), dtype=np.bool_)
    before = played_s[row]
    for i in range(len(row)):
        if level[GOODWILL, i] >= needed[i] and played_s[row[i]] == before[i]:
            chosen[i] = True
            played_s[row[i]] = second[i]
    return chosen


def _first_of_users(stack: Stack, row: Ints, luck: Words, chosen: Bools) -> Bools:
    """True at the first of each user's chosen opportunities: a user that is several people has one a round."""
    first, some = np.zeros(len(row), dtype=np.bool_), np.flatnonzero(chosen)
    device = _devices_to_be(stack.people, row[some], stack.model.chain, luck[some])
    _, place = np.unique(stack.users_of(row[some], device), return_index=True)
    first[some[place]] = True
    return first


@compiled
def _devices_to_be(people: People, row: Ints, chain: Chain, luck: Words) -> NDArray[np.int8]:
    device = np.empty(len(row), dtype=np.int8)
    for i in range(len(row)):
        person = row[i]
        device[i] = next_device(chain, people.device[person], people.owned[person], people.stage[person], luck[i])
    return device


class _Session(NamedTuple):
    """What each opportunity shows of its session."""

    segment: NDArray[np.int8]
    stage: NDArray[np.int8]
    device: Codes
    signal: Codes
    unit: Ints


@compiled
def _sessions(people: People, row: Ints, channel: Codes, chain: Chain, luck: tuple[Words, Words]) -> _Session:
    n = len(row)
    segment, stage = np.empty(n, dtype=np.int8), np.empty(n, dtype=np.int8)
    device, signal = np.empty(n, dtype=np.int16), np.empty(n, dtype=np.int16)
    unit = np.empty(n, dtype=np.int64)
    for i in range(n):
        person = row[i]
        segment[i], stage[i], unit[i] = people.segment[person], people.stage[person], people.unit[person]
        next_one = next_device(chain, people.device[person], people.owned[person], stage[i], luck[0][i])
        people.device[person] = next_one
        device[i] = next_one
        signal[i] = signal_of(chain, channel[i], segment[i], stage[i], luck[1][i])
    return _Session(segment, stage, device, signal, unit)


@compiled
def devices_of(people: People, row: Ints, chain: Chain, luck: Words) -> NDArray[np.int8]:
    """The device of each person's next session; they are on it from now on."""
    device = np.empty(len(row), dtype=np.int8)
    for i in range(len(row)):
        person = row[i]
        device[i] = next_device(chain, people.device[person], people.owned[person], people.stage[person], luck[i])
        people.device[person] = device[i]
    return device


def _slots(stack: Stack, chosen: Proposals, words: Words, level: Column) -> Slots:
    luck = (chosen.luck_device, chosen.luck_query)
    session = _sessions(stack.people, chosen.row, chosen.kind, stack.model.chain, luck)
    opportunities = Opportunities(
        chosen.row, session.unit, chosen.second, chosen.kind, session.signal, session.device
    )
    user = stack.users_of(chosen.row, session.device)
    return Slots(opportunities, parted(words, stack.model.bidders), session.segment, session.stage, level, user)
