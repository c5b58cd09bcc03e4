"""What informed policies of our own house know: notes of users, and for oracles the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.errors import UsageError
from gaelp_sim.events import NONE, Ints, Opportunities
from gaelp_sim.market.bidder import Informed, Known, Truth, informed
from gaelp_sim.observe import features
from gaelp_sim.observe.features import Context, Standing, observe
from gaelp_sim.observe.memory import SLOTS
from gaelp_sim.units import SECONDS_PER_HOUR
from gaelp_sim.world.model import Model
from gaelp_sim.world.policies import from_outside

if TYPE_CHECKING:
    from gaelp_sim.world.slots import Slots
    from gaelp_sim.world.stack import Stack

Notes = NDArray[np.float32]


def informed_policy(model: Model) -> Informed | None:
    """Our policy, where it is an informed one; an outsider's never is."""
    return None if from_outside(model.us) else informed(model.us)


def no_notes(model: Model, people: int) -> Notes:
    """Nothing known of anybody: (people x SLOTS, notes).

    Raises UsageError where users may be joined and parted by evidence, as notes can't be.
    """
    policy = informed_policy(model)
    width = policy.notes if policy is not None else 0
    if width and model.scenario.identity.mode == "linked":
        raise UsageError(f"--policy {model.us.name}: it keeps notes of users, which linking would mix up; "
                         "set identity.mode to devices or perfect")
    return np.zeros((people * SLOTS if width else 0, width), dtype=np.float32)


def known_of(stack: Stack, policy: Informed, slots: Slots, *, before: bool) -> Known:
    """What a policy may know of a round; before: its bids are asked for, so that it may look at features, too."""
    rows, people = slots.opportunities.row, stack.people
    truth = None
    if policy.sees_truth:
        truth = Truth(slots.segment, slots.stage, slots.level, people.decided_s[rows] != NONE)
    seen = observed(stack, slots) if before and policy.observes else None
    return Known(slots.user, people.on_list[rows], stack.notes, truth, seen)


def observed(stack: Stack, slots: Slots) -> NDArray[np.float32]:
    """(n, 41): the features of a round's opportunities, as they are logged with its decisions."""
    return features_of(stack, slots.opportunities, slots.user)


def features_of(
    stack: Stack, one: Opportunities, user: Ints, people: features.Truth | None = None
) -> NDArray[np.float32]:
    """(n, 41): the features of some of this hour's opportunities, of users as `Stack.users_of` tells.

    people: what they are, for mode "full"; without it latent features are the advertiser's estimates
    """
    assert stack.orders is not None and stack.market is not None
    rows, places = np.divmod(user, SLOTS)
    told: dict[str, Any] = {"seasonality": stack.market.season, **stack.orders.standing}
    standing = Standing(**told)
    context = Context(
        rows=rows, slots=places, second=one.second + stack.model.start_s, channel=one.channel, signal=one.signal,
        device=one.device, on_list=stack.people.on_list[one.row] > 0, standing_row=one.unit, standing=standing,
        utc_offset_s=stack.model.scenario.utc_offset_hours * SECONDS_PER_HOUR, truth=people,
    )
    return observe(stack.memory, context, full=people is not None)


def merge_notes(notes: Notes, into: Ints, others: Ints) -> None:
    """Keep of two users who turn out to be one the notes that hold until later; users are all different."""
    if not notes.size:
        return
    later = notes[others, -1] > notes[into, -1]
    notes[into[later]] = notes[others[later]]
    notes[others] = 0.0
