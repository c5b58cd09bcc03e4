"""What the agent sees of each opportunity: the 41 features, from memory, market and budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gaelp_sim.events import Column, Ints
from gaelp_sim.observe.features import Context, Standing, observe
from gaelp_sim.units import SECONDS_PER_HOUR
from gaelp_sim.world.stack import Stack

if TYPE_CHECKING:
    from gaelp_sim.world.rounds import Slots


def features_of(stack: Stack, hour: int, slots: Slots, at: Ints | None = None) -> Column:
    """Features of a round's opportunities (or of those at `at`): float32 (n, 41)."""
    opportunities, model = slots.opportunities, stack.model
    rows = slice(None) if at is None else at
    context = Context(
        rows=opportunities.row[rows], slots=slots.memory_slot[rows], second=opportunities.second[rows] + model.start_s,
        channel=opportunities.channel[rows], signal=opportunities.signal[rows], device=opportunities.device[rows],
        on_list=stack.people.on_list[opportunities.row[rows]], standing_row=opportunities.unit[rows],
        standing=standing_of(stack), utc_offset_s=model.scenario.utc_offset_hours * SECONDS_PER_HOUR,
    )
    return observe(stack.memory, context)


def standing_of(stack: Stack) -> Standing:
    """How market and budget stand this hour, a row per unit."""
    assert stack.orders is not None
    return Standing(seasonality=stack.traffic.copy(), **stack.orders.standing)  # type: ignore[arg-type]


