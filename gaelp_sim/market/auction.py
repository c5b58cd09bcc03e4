"""Auctions over columns: rank, price and charge a whole round at once, exact in integers.

Bids compete by score = bid x quality (ppm). A ranked slot costs the least that would have held it: ceil(next score /
own quality), clamped to [reserve, own bid]; in a first-price auction it costs the bid. Ties are drawn uniformly.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.compiled import compiled, inlined
from gaelp_sim.draws import Words
from gaelp_sim.events import NONE, Bools, Charge, Ints, Mechanism
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import PER_MILLE, PPM, micros

Codes = NDArray[np.int16]

_MECHANISMS = {
    "first_price": Mechanism.FIRST_PRICE, "second_price": Mechanism.SECOND_PRICE, "gsp": Mechanism.GSP,
}


class Rules(NamedTuple):
    """Each channel's auction: columns by channel code."""

    first_price: Bools
    per_click: Bools
    quality_ranked: Bools
    tells_min_to_win: Bools
    slots: Ints
    reserve_micros: Ints

    @staticmethod
    def of(scenario: Scenario) -> Rules:
        """Compile the scenario's channels."""
        channels = scenario.channels
        return Rules(
            np.array([_MECHANISMS[c.mechanism] == Mechanism.FIRST_PRICE for c in channels]),
            np.array([c.charge.upper() == Charge.CPC.name for c in channels]),
            np.array([c.quality_ranked for c in channels]),
            np.array([c.tells_min_bid_to_win for c in channels]),
            np.array([c.slots for c in channels], dtype=np.int64),
            np.array([micros(c.reserve_usd) for c in channels], dtype=np.int64),
        )


class Offers(NamedTuple):
    """Bids of everybody for a round of opportunities; a bid of 0, or under the reserve, stays out."""

    bid_micros: Ints
    """(bidders, n)"""
    quality_ppm: Ints
    """(bidders, n)"""
    channel: Codes
    """(n,)"""
    ties: Words
    """(n,): luck where scores are equal"""


class Cleared(NamedTuple):
    """Who holds which slot at what price: (slots, n)."""

    winner: Codes
    """Bidder index, or NONE where the slot stays empty."""
    price_micros: Ints
    """Per click or per thousand impressions, as the channel charges."""


@compiled
def clear(offers: Offers, rules: Rules) -> Cleared:
    """Clear one auction per column.

    Invariants: reserve <= price <= winner's bid; empty slots have price 0.
    Source: second price and GSP as Edelman, Ostrovsky, Schwarz (2007); scores as quality-weighted GSP.
    """
    n = len(offers.channel)
    cleared = empty_slots(rules, offers.channel)
    score = np.empty(len(offers.bid_micros), dtype=np.int64)
    for i in range(n):
        sell(offers, rules, i, score, cleared)
    return cleared


@compiled
def empty_slots(rules: Rules, channel: Codes) -> Cleared:
    """Nothing sold yet: as many slots as the widest of these channels has."""
    widest = 1
    for code in channel:
        widest = max(widest, rules.slots[code])
    winner = np.full((widest, len(channel)), NONE, dtype=np.int16)
    return Cleared(winner, np.zeros((widest, len(channel)), dtype=np.int64))


@inlined
def sell(offers: Offers, rules: Rules, i: int, score: Ints, cleared: Cleared) -> None:
    """Clear auction `i` into `cleared`; score: (bidders,), any content."""
    channel = offers.channel[i]
    reserve = rules.reserve_micros[channel]
    for bidder in range(len(score)):
        bid = offers.bid_micros[bidder, i]
        score[bidder] = bid * offers.quality_ppm[bidder, i] if bid >= reserve else 0
    best, tied = _best(score)
    for slot in range(rules.slots[channel]):
        cleared.winner[slot, i], cleared.price_micros[slot, i] = NONE, 0
        if best <= 0:
            continue
        held = _pick(score, best, int(offers.ties[i] * 2.0**-32 * tied))
        score[held] = 0
        best, tied = _best(score)
        bid = offers.bid_micros[held, i]
        price = bid
        if not rules.first_price[channel]:
            price = min(max(-(-best // offers.quality_ppm[held, i]), reserve), bid)
        cleared.winner[slot, i], cleared.price_micros[slot, i] = held, price


@inlined
def _best(score: Ints) -> tuple[int, int]:
    """The highest score, and how many share it."""
    best, tied = score[0], 1
    for value in score[1:]:
        if value > best:
            best, tied = value, 1
        elif value == best:
            tied += 1
    return best, tied


@inlined
def _pick(score: Ints, best: int, which: int) -> int:
    """Index of the `which`-th bidder with that score."""
    for bidder in range(len(score)):
        if score[bidder] == best:
            if which == 0:
                return bidder
            which -= 1
    return NONE


@inlined
def charge_of(price_micros: int, clicked: bool, per_click: bool) -> int:
    """What a sold slot costs: the price on a click, or ceil(price / 1000) for an impression.

    >>> charge_of(2_500_000, False, False), charge_of(3_000_001, True, False), charge_of(3_000_001, False, True)
    (2500, 3001, 0)
    """
    if per_click:
        return price_micros if clicked else 0
    return -(-price_micros // PER_MILLE)


def full_quality(bidders: int, n: int) -> Ints:
    """The quality of bidders who are all alike: 1,000,000 ppm, (bidders, n)."""
    return np.full((bidders, n), PPM, dtype=np.int64)
