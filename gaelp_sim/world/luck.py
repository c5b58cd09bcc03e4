"""All the luck of a round of opportunities in one keyed call: words by what they are for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gaelp_sim.draws import Draws, Purpose, Words
from gaelp_sim.events import Floats, Ints

_RESPONSE_WORDS = 8


@dataclass(frozen=True)
class RoundLuck:
    """Words of each opportunity: (words, n); one a bidder, one for ties, then the response's."""

    bids: Words
    """(bidders, n)"""
    ties: Words
    decay: Floats
    """(4, n), uniform, for the levels' decay"""
    examined: Words
    account: Words
    """Log-in (high half) and sign-up (low half)."""
    click: Words
    effect: Words
    extra: Words

    def take(self, rows: Ints) -> RoundLuck:
        """The luck of some opportunities."""
        return RoundLuck(
            self.bids[:, rows], self.ties[rows], self.decay[:, rows], self.examined[rows], self.account[rows],
            self.click[rows], self.effect[rows], self.extra[rows],
        )


def round_luck(draws: Draws, world: Ints, person: Ints, second: Ints, bidders: int) -> RoundLuck:
    """Draw every word that opportunities at these (person, second) may need."""
    bid_blocks = -(-(bidders + 1) // 4)
    blocks = bid_blocks + _RESPONSE_WORDS // 4
    n = len(person)
    slot = np.repeat(np.arange(blocks), n)
    words = draws.words(
        Purpose.OPPORTUNITY, np.tile(world, blocks), np.tile(person, blocks), np.tile(second, blocks), slot
    )
    # Block b's word w stands at row 4 b + w.
    table = words.reshape(4, blocks, n).transpose(1, 0, 2).reshape(4 * blocks, n)
    response = table[4 * bid_blocks :]
    return RoundLuck(
        table[:bidders], table[bidders], halves(response[0], response[1]), response[2], response[3], response[4],
        response[5], response[6],
    )


def halves(first: Words, second: Words) -> Floats:
    """Two words as four uniforms of 16 bits: (4, n)."""
    low = np.uint32(0xFFFF)
    high = np.uint32(16)
    return np.stack([first >> high, first & low, second >> high, second & low]) * 2.0**-16
