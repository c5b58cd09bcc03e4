"""Auctions over columns: rank, price and charge a whole round at once, exact in integers.

Bids compete by score = bid x quality (ppm). A ranked slot costs the least that would have held it: ceil(next score /
own quality), clamped to [reserve, own bid]; in a first-price auction it costs the bid. Ties are drawn uniformly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.draws import Words, uniform
from gaelp_sim.events import NONE, Bools, Charge, Ints, Mechanism
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import PER_MILLE, PPM, micros

Codes = NDArray[np.int16]

_MECHANISMS = {
    "first_price": Mechanism.FIRST_PRICE, "second_price": Mechanism.SECOND_PRICE, "gsp": Mechanism.GSP,
}


@dataclass(frozen=True)
class Rules:
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
            np.array([c.slots for c in channels]),
            np.array([micros(c.reserve_usd) for c in channels]),
        )


@dataclass(frozen=True)
class Cleared:
    """Who holds which slot at what price: (slots, n); `next_score` is the best score left below each slot."""

    winner: Codes
    """Bidder index, or NONE where the slot stays empty."""
    price_micros: Ints
    """Per click or per thousand impressions, as the channel charges."""


def clear(bids: Ints, quality_ppm: Ints, channel: Codes, rules: Rules, luck: Words) -> Cleared:
    """Clear one auction per column.

    bids, quality_ppm: int64, (bidders, n); a bid of 0, or under the reserve, stays out
    luck: uint32, (n,), for ties
    Invariants: reserve <= price <= winner's bid; empty slots have price 0.
    Source: second price and GSP as Edelman, Ostrovsky, Schwarz (2007); scores as quality-weighted GSP.
    """
    reserve = rules.reserve_micros[channel]
    score = bids * quality_ppm
    np.multiply(score, bids >= reserve, out=score)
    slots = int(rules.slots[channel].max(initial=1))
    n = bids.shape[1]
    columns = np.arange(n)
    winner = np.full((slots, n), NONE, dtype=np.int16)
    price = np.zeros((slots, n), dtype=np.int64)
    for slot in range(slots):
        held, sold = _top(score, luck)
        if slot:
            sold &= rules.slots[channel] > slot
        own_bid, own_quality = bids[held, columns], quality_ppm[held, columns]
        score[held, columns] = np.where(sold, 0, score[held, columns])
        ranked = -(-score.max(axis=0) // own_quality)
        pays = np.where(rules.first_price[channel], own_bid, np.clip(ranked, reserve, own_bid))
        winner[slot] = np.where(sold, held, NONE)
        price[slot] = np.where(sold, pays, 0)
    return Cleared(winner, price)


def _top(score: Ints, luck: Words) -> tuple[Codes, Bools]:
    """Index of the highest score of each column, ties drawn uniformly, and whether there is one above 0."""
    best = score.max(axis=0)
    held = score.argmax(axis=0)
    tied = (score == best).sum(axis=0)
    rows = np.flatnonzero((tied > 1) & (best > 0))
    for column in rows:
        equal = np.flatnonzero(score[:, column] == best[column])
        held[column] = equal[int(uniform(luck[column]) * len(equal))]
    return held, best > 0


def charges(price_micros: Ints, clicked: Bools, per_click: Bools) -> Ints:
    """What each sold slot costs: the price on a click, or ceil(price / 1000) for an impression.

    >>> charges(np.array([2_500_000, 3_000_001]), np.array([False, True]), np.array([False, False])).tolist()
    [2500, 3001]
    """
    return np.where(per_click, price_micros * clicked, -(-price_micros // PER_MILLE))


def full_quality(bidders: int, n: int) -> Ints:
    """The quality of bidders who are all alike: 1,000,000 ppm, (bidders, n)."""
    return np.full((bidders, n), PPM, dtype=np.int64)
