"""Auctions over columns: rank, price and charge a whole round at once, exact in integers.

Bids compete by score = bid x quality (ppm). A ranked slot costs the least that would have held it: ceil(next score /
own quality), clamped to [reserve, own bid]; in a first-price auction it costs the bid, under VCG what its holder's
presence costs the others. Ties are drawn uniformly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.compiled import compiled, inlined
from gaelp_sim.draws import Words
from gaelp_sim.events import NONE, Bools, Charge, Ints, Mechanism
from gaelp_sim.scenario.schema import Channel, Scenario
from gaelp_sim.units import PER_MILLE, PPM, micros

Codes = NDArray[np.int16]

NEXT_SLOT_CLICKS = 0.8
"""Where a channel does not say how many clicks its slots get: each this share of the one above."""


class Sale(NamedTuple):
    """How one channel sells its slots."""

    mechanism: Mechanism
    slots: int = 1
    reserve_micros: int = 0
    per_click: bool = False
    quality_ranked: bool = False
    tells_min_to_win: bool = False
    slot_clicks: tuple[float, ...] = ()
    """Clicks of each slot relative to the top one, non-increasing; empty: each `NEXT_SLOT_CLICKS` of the one above"""

    @staticmethod
    def of(channel: Channel) -> Sale:
        """The sale of a scenario's channel."""
        return Sale(
            Mechanism[channel.mechanism.upper()], channel.slots, micros(channel.reserve_usd),
            channel.charge.upper() == Charge.CPC.name, channel.quality_ranked, channel.tells_min_bid_to_win,
            tuple(channel.slot_factors),
        )

    def worth_ppm(self) -> list[int]:
        """What an ad in each slot is worth to its payer, top slot PPM: its clicks, or one impression like the other."""
        if not self.per_click:
            return [PPM] * self.slots
        return [round(share * PPM) for share in self.slot_clicks or [NEXT_SLOT_CLICKS**k for k in range(self.slots)]]


class Rules(NamedTuple):
    """Each channel's auction: columns by channel code."""

    first_price: Bools
    vcg: Bools
    per_click: Bools
    quality_ranked: Bools
    tells_min_to_win: Bools
    slots: Ints
    reserve_micros: Ints
    worth_ppm: Ints
    """(channels, most slots + 1): worth of each slot to whoever pays for it, relative to the top one; 0 after the last"""

    @staticmethod
    def of(scenario: Scenario) -> Rules:
        """Compile the scenario's channels."""
        return Rules.of_sales([Sale.of(channel) for channel in scenario.channels])

    @staticmethod
    def of_sales(sales: Sequence[Sale]) -> Rules:
        """Compile sales, one a channel."""
        worth = np.zeros((len(sales), max(sale.slots for sale in sales) + 1), dtype=np.int64)
        for code, sale in enumerate(sales):
            worth[code, : sale.slots] = sale.worth_ppm()
        return Rules(
            np.array([sale.mechanism == Mechanism.FIRST_PRICE for sale in sales]),
            np.array([sale.mechanism == Mechanism.VCG for sale in sales]),
            np.array([sale.per_click for sale in sales]),
            np.array([sale.quality_ranked for sale in sales]),
            np.array([sale.tells_min_to_win for sale in sales]),
            np.array([sale.slots for sale in sales], dtype=np.int64),
            np.array([sale.reserve_micros for sale in sales], dtype=np.int64),
            worth,
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
    Source: second price, GSP and VCG as Edelman, Ostrovsky, Schwarz (2007); scores as quality-weighted GSP; VCG with a
    reserve as Myerson's payment: each step of worth at the bid from which it would be held.
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
    if rules.vcg[channel]:
        _price_by_harm(offers, rules, i, best, cleared)


# Called, not woven in: its code, idle or not, more than doubled the time of every other mechanism (measured).
@compiled
def _price_by_harm(offers: Offers, rules: Rules, i: int, unsold: int, cleared: Cleared) -> None:
    """VCG prices of auction `i`, whose highest unsold score is `unsold` (not above 0 where nobody is left).

    The holder of slot k with quality q pays ceil(sum over j > k of (w[j-1] - w[j]) max(score_j, reserve q) / (w[k] q)).
    64 bits would not hold the sum: scores are divided by q first, score = whole q + rest, and their parts summed apart.
    """
    channel = offers.channel[i]
    reserve, slots = rules.reserve_micros[channel], rules.slots[channel]
    for slot in range(slots):
        held = cleared.winner[slot, i]
        if held == NONE:
            break
        quality, worth = offers.quality_ppm[held, i], rules.worth_ppm[channel, slot]
        least, wholes, rests = reserve * quality, np.int64(0), np.int64(0)
        for below in range(slot + 1, slots + 1):
            step = rules.worth_ppm[channel, below - 1] - rules.worth_ppm[channel, below]
            score = least
            if step > 0 and below == slots:
                score = max(unsold, least)
            elif step > 0 and cleared.winner[below, i] != NONE:
                other = cleared.winner[below, i]
                score = max(offers.bid_micros[other, i] * offers.quality_ppm[other, i], least)
            wholes += step * (score // quality)
            rests += step * (score % quality)
        price = wholes // worth - (-(wholes % worth * quality + rests) // (worth * quality))
        cleared.price_micros[slot, i] = min(max(price, reserve), offers.bid_micros[held, i])


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
