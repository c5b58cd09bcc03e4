"""A person's whole state as one number: what of a person can change what our next ad is worth."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gaelp_sim.events import Ints
from gaelp_sim.response.touch import FATIGUE_MAX, GOODWILL_MAX, RIVAL_GOODWILL_MAX

LIVE = 4
"""Stages of those who have not bought"""
INTENT = 3
OFFER, TEACH = 1, FATIGUE_MAX + 1
"""Steps between the states of a person one look at a family more or less tired of it"""
RIVAL = TEACH * (FATIGUE_MAX + 1)
GOODWILL = RIVAL * (RIVAL_GOODWILL_MAX + 1)
STAGE = GOODWILL * (GOODWILL_MAX + 1)
SEGMENT = STAGE * LIVE


class States(NamedTuple):
    """Every state of a live person who has not decided to buy yet, in the order of their numbers: (states,) columns."""

    listed: Ints
    """1 on our e-mail list"""
    segment: Ints
    stage: Ints
    goodwill: Ints
    rival_goodwill: Ints
    teach: Ints
    """Recent looks at the teaching family"""
    offer: Ints

    @staticmethod
    def all(lists: int, segments: int) -> States:
        """All of them; lists: 2 where the e-mail list counts.

        >>> states = States.all(2, 4)
        >>> number = number_of(states.listed * 4 + states.segment, states.stage, states.goodwill, states.rival_goodwill)
        >>> bool((number + states.teach * TEACH + states.offer * OFFER == np.arange(2 * 4 * SEGMENT)).all())
        True
        """
        sizes = (lists, segments, LIVE, GOODWILL_MAX + 1, RIVAL_GOODWILL_MAX + 1, FATIGUE_MAX + 1, FATIGUE_MAX + 1)
        return States(*(column.ravel() for column in np.indices(sizes)))


def number_of(group: Ints, stage: Ints, goodwill: Ints, rival_goodwill: Ints) -> Ints:
    """Numbers of the states of people tired of nothing; group: listed x segments + segment."""
    return group * SEGMENT + stage * STAGE + goodwill * GOODWILL + rival_goodwill * RIVAL
