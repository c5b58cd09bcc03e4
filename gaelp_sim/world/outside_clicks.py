"""Clicks by an outside user model: foreseen for our ad and for a rival's before the auction, learned from after it.

A slow path, one Python call after the other; rounds of scenarios that name no user model never come here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gaelp_sim.draws import Purpose, Words
from gaelp_sim.events import NONE, US, Ints
from gaelp_sim.market.budgets import Spent
from gaelp_sim.recsim.adapter import LUCK_WORDS, Answer
from gaelp_sim.world.meeting import Clicks, Round
from gaelp_sim.world.stack import Stack

_LOOKS_AWAY = np.uint32(0xFFFFFFFF)
"""The word of somebody who looks at nothing short of certainty."""


@dataclass(frozen=True)
class Foreseen:
    """A round as the outside model will have it."""

    this: Round
    clicks: Clicks
    answers: list[tuple[Answer | None, Answer | None]]
    """Of each opportunity: to our ad, and to a rival's; None where it can't be shown or nobody looks"""
    words: Words
    """(LUCK_WORDS, n)"""


def foreseen(stack: Stack, this: Round, clicks: Clicks, bids: Ints) -> Foreseen:
    """Ask the model of everybody who would look: what with our ad, and what with a rival's; bids: (bidders, n).

    Invariant: as in the compiled rounds, only those who look click, and whoever wins, the luck is the same.
    """
    assert stack.outside is not None
    users, who = stack.outside, stack.who(this.row, this.second)
    words = stack.model.draws.blocks(Purpose.OUTSIDE_USER, who, slots=LUCK_WORDS // 4)
    looks = this.examined * 2.0**-32 < stack.model.effects.examined[this.channel]
    examined, answers = this.examined.copy(), []
    us, rival = np.zeros_like(clicks.us), np.zeros_like(clicks.rival)
    offered = np.stack([bids[US] > 0, (bids[1:] > 0).any(axis=0)])
    for i, row in enumerate(this.row.tolist()):
        pair: list[Answer | None] = [None, None]
        if looks[i] and not users.looks(row, int(this.second[i])):
            examined[i] = _LOOKS_AWAY
        elif looks[i]:
            for side in (0, 1):
                if offered[side, i]:
                    number = users.document_of(int(this.channel[i]), int(this.creative[i]), US if side == 0 else NONE)
                    pair[side] = users.answer(row, number, words[:, i])
        answers.append((pair[0], pair[1]))
        us[0, i], rival[0, i] = (answer is not None and answer.clicked != NONE for answer in pair)
    # What a click would have left behind is now known instead of expected.
    clicks = clicks._replace(us=us, rival=rival, rate=rival.astype(np.float64))
    return Foreseen(this._replace(examined=examined), clicks, answers, words)


def learn(stack: Stack, asked: Foreseen, spent: Spent) -> None:
    """Let those who looked at the ad that won learn from it; an unsold slot changes nobody."""
    assert stack.outside is not None
    for i, (ours, theirs) in enumerate(asked.answers):
        winner = spent.winner[0, i]
        answer = ours if winner == US else theirs
        if winner != NONE and answer is not None:
            stack.outside.learn(int(asked.this.row[i]), answer, asked.words[:, i])
