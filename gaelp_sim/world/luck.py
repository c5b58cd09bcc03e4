"""All the luck of a round of opportunities in one keyed call: words by what they are for."""

from __future__ import annotations

from typing import NamedTuple

from gaelp_sim.draws import Draws, Purpose, Who, Words

_RESPONSE_BLOCKS = 2


class RoundLuck(NamedTuple):
    """Words of each opportunity: (n,) columns, and one row a bidder."""

    bids: Words
    """(bidders, n)"""
    ties: Words
    decay: Words
    """(2, n): four halves, for the levels' decay"""
    examined: Words
    account: Words
    """Log-in (high half) and sign-up (low half)."""
    click: Words
    effect: Words
    extra: Words


def round_words(draws: Draws, who: Who, bidders: int) -> Words:
    """Every word that opportunities of these people at these seconds may need."""
    bid_blocks = -(-(bidders + 1) // 4)
    return draws.blocks(Purpose.OPPORTUNITY, who, slots=bid_blocks + _RESPONSE_BLOCKS)


def parted(words: Words, bidders: int) -> RoundLuck:
    """Words of a round by what they are for: one a bidder, one for ties, then the response's two blocks."""
    response = words[-4 * _RESPONSE_BLOCKS :]
    return RoundLuck(words[:bidders], words[bidders], response[:2], *response[2:7])
