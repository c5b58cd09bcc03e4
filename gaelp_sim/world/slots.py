"""Proposals that come true become opportunities: who, when, where, on which device, with which signal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gaelp_sim.events import Column, Ints, Opportunities, Proposals
from gaelp_sim.population.people import GOODWILL
from gaelp_sim.world.luck import RoundLuck, round_luck
from gaelp_sim.world.sales import first_of_each, read_levels
from gaelp_sim.world.stack import Stack


@dataclass(frozen=True)
class Slots:
    """One round up for auction: opportunities in clearing order, and who stands behind them."""

    opportunities: Opportunities
    luck: RoundLuck
    segment: Column
    stage: Column
    level: Column
    """(LEVELS, n), read at the opportunity's second"""
    memory_slot: Ints

    def __len__(self) -> int:
        return len(self.opportunities)


def round_of(stack: Stack, pending: Proposals) -> Slots | None:
    """Each person's first proposal that comes true, in the order (unit, second, person); None if there is none."""
    people, model = stack.people, stack.model
    row = pending.row
    needed = model.goodwill_needed[pending.kind]
    true = pending.mark < model.kinds.present_rate(pending.kind, people.segment[row], people.stage[row])
    # Levels only decay between touches, so a stored level below the need settles it without a draw.
    true &= people.level[GOODWILL, row] >= needed
    at = np.flatnonzero(true)
    at = at[np.argsort(stack.clearing_key(row[at], pending.second[at]), kind="stable")]
    row, second = row[at], pending.second[at]
    if not len(at):
        return None
    luck = round_luck(model.draws, people.world[row], people.person[row], second, model.bidders)
    level = read_levels(stack, row, second, luck.decay)
    first = np.flatnonzero(level[GOODWILL] >= needed[at])
    first = first[first_of_each(row[first], stack.scratch)]
    if len(first) < len(at):
        at, luck, level = at[first], luck.take(first), level[:, first]
    return _slots(stack, Proposals(**pending.take(at)), luck, level) if len(at) else None


def _slots(stack: Stack, chosen: Proposals, luck: RoundLuck, level: Column) -> Slots:
    people, sessions = stack.people, stack.model.sessions
    row = chosen.row
    segment, stage = people.segment[row], people.stage[row]
    device = sessions.device(people.device[row], people.owned[row], stage, chosen.luck_device)
    people.device[row] = device
    signal = sessions.signal(chosen.kind, segment, stage, chosen.luck_query)
    opportunities = Opportunities(
        row, people.unit[row].astype(np.int64), chosen.second, chosen.kind, signal, device.astype(np.int16)
    )
    return Slots(opportunities, luck, segment, stage, level, stack.slot_of(row, device))


def after(stack: Stack, pending: Proposals, slots: Slots) -> Proposals:
    """What is left for the next round: later proposals of the people who just had an opportunity."""
    played = stack.scratch
    played[pending.row] = np.iinfo(np.int64).max
    played[slots.opportunities.row] = slots.opportunities.second
    return Proposals(**pending.take(np.flatnonzero(pending.second > played[pending.row])))
