"""The person's account with us: log-ins that join devices, and the e-mail list."""

from __future__ import annotations

import numpy as np

from gaelp_sim.events import Column, Ints
from gaelp_sim.observe.memory import SLOTS, merge_on_login
from gaelp_sim.world.knowing import merge_notes
from gaelp_sim.world.stack import Stack


def log_in(stack: Stack, rows: Ints, device: Column, second: Ints) -> None:
    """Join devices to their people's accounts: what we remember of the device becomes the account's."""
    if not len(rows):
        return
    people = stack.people
    new = (people.logged_in[rows] >> device & 1) == 0
    rows, device, second = rows[new], device[new], second[new]
    if not len(rows):
        return
    if stack.linkage is not None:  # known at once, and told to the linker with the hour's evidence
        stack.linkage.logins += zip(rows.tolist(), device.tolist(), strict=True)
    elif stack.model.scenario.identity.mode != "perfect":
        slots = device.astype(np.int64) + 1
        merge_on_login(stack.memory, rows, slots)
        merge_notes(stack.notes, rows * SLOTS, rows * SLOTS + slots)
        if stack.frequency is not None:
            stack.frequency.merge(rows * SLOTS, rows * SLOTS + slots)
    people.logged_in[rows] |= np.left_shift(1, device).astype(np.int8)
    stack.login_s[rows, device] = second


def sign_up(stack: Stack, rows: Ints) -> None:
    """Put people on the e-mail list."""
    stack.people.on_list[rows] = True
