"""The journeys that recurrent learners are compared on: sizes, the same for all of them."""

from __future__ import annotations

USERS, STEPS, ACTIONS, FEATURES = 64, 128, 10, 41
PASSES, MINIBATCHES, HIDDEN = 4, 4, 128
MINIBATCH = USERS * STEPS // MINIBATCHES
JOURNEY_STEPS = 30
"""On average; each step is the last one with a chance of one over it."""
