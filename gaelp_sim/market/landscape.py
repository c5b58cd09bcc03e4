"""The price to beat as an advertiser learns of it, under censoring, beside what it really was.

The price to beat of an opportunity is the least bid of ours that would have won a slot: the score of the rival whose
place we would have taken over our own quality, or the reserve. Where quality ranks, prices are counted as for an ad of
quality 1 (ad platforms tell an advertiser its quality score): at our own quality they would hang on the creative we chose,
and being censored by bids that are chosen with it, no estimate would be right. What we see depends on the auction's end:

- exactly, where we won the last slot in an auction that charges it, or where the mechanism tells the minimum bid to win;
- that it was above our bid, where we lost (right-censored);
- that it was at most our bid or price, where we won otherwise (left-censored).

Prices are counted in buckets relative to the signal's market price; counts are integers and add up over cells.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.compiled import compiled, inlined
from gaelp_sim.events import US, Bools, Floats, Ints
from gaelp_sim.market.auction import Codes, Rules
from gaelp_sim.units import PPM

BUCKETS = 64
PER_DOUBLING = 8
"""Buckets per factor of two; the first and the last hold all that lies beyond 1/16 and 16 times the market's price."""
EXACT, ABOVE, BELOW, TRUE = range(4)
"""Kinds of counts: the price was in the bucket; above, or at most, the bid next to the bucket's lower edge; the truth.

A bid is rounded to the nearest edge: bids are few and round, and half a bucket would shift every quantile.
"""
QUARTILES = (0.25, 0.5, 0.75)
_SEARCH_STEPS = BUCKETS.bit_length()


def bucket_edges(market_price_micros: Ints) -> Ints:
    """Upper edges of all buckets but the last, for each signal: (signals, BUCKETS - 1) micros."""
    ratio = 2.0 ** ((np.arange(1, BUCKETS) - BUCKETS // 2) / PER_DOUBLING)
    return np.rint(np.maximum(market_price_micros, 1)[:, None] * ratio).astype(np.int64)


def bucket_middles(market_price_micros: Ints) -> Ints:
    """Where a bid is nearer to a bucket's upper edge than to its lower one: (signals, BUCKETS - 1) micros."""
    ratio = 2.0 ** ((np.arange(BUCKETS - 1) + 0.5 - BUCKETS // 2) / PER_DOUBLING)
    return np.rint(np.maximum(market_price_micros, 1)[:, None] * ratio).astype(np.int64)


class Watched(NamedTuple):
    """A round as our side watches it: (n,) columns."""

    unit: Ints
    channel: Codes
    signal: Codes
    bid_micros: Ints
    """(bidders, n), as they stood in the auction"""
    quality_ppm: Ints
    """(bidders, n)"""
    winner: Codes
    """(slots, n)"""
    price_micros: Ints


class Places(NamedTuple):
    """Where to watch: tables of the scenario."""

    edges: Ints
    """(signals, BUCKETS - 1)"""
    middles: Ints
    """(signals, BUCKETS - 1)"""
    ours: Bools
    """(channels,): we run a campaign there"""
    rules: Rules


@compiled
def prices_to_beat(watched: Watched, rules: Rules) -> Ints:
    """The least bid of ours that would have won a slot, in micros: (n,); the reserve where nobody stood in the way."""
    n, bidders = len(watched.channel), len(watched.bid_micros)
    price, score = np.empty(n, dtype=np.int64), np.empty(bidders, dtype=np.int64)
    for i in range(n):
        channel = watched.channel[i]
        reserve = rules.reserve_micros[channel]
        for bidder in range(bidders):
            bid = watched.bid_micros[bidder, i]
            score[bidder] = bid * watched.quality_ppm[bidder, i] if bidder != US and bid >= reserve else 0
        best = 0
        for _ in range(rules.slots[channel]):
            at = np.argmax(score)
            best = score[at]
            score[at] = 0
        price[i] = max(-(-best // watched.quality_ppm[US, i]), reserve)
    return price


@compiled
def watch(counts: NDArray[np.int32], watched: Watched, places: Places, price_to_beat: Ints) -> None:
    """Count a round's prices, as seen and as they were; counts: (units, signals, BUCKETS, 4)."""
    rules, slots = places.rules, len(watched.winner)
    for i in range(len(watched.unit)):
        channel, signal = watched.channel[i], watched.signal[i]
        if not places.ours[channel]:
            continue
        here = counts[watched.unit[i], signal]
        edges, middles = places.edges[signal], places.middles[signal]
        quality = watched.quality_ppm[US, i]
        to_beat = price_to_beat[i] * quality // PPM
        here[_bucket(edges, to_beat), TRUE] += 1
        bid = watched.bid_micros[US, i]
        if bid <= 0:
            continue
        own = -1
        for slot in range(slots):
            if watched.winner[slot, i] == US:
                own = slot
        if rules.tells_min_to_win[channel]:
            here[_bucket(edges, to_beat), EXACT] += 1
        elif own < 0:
            here[_bucket(middles, bid * quality // PPM), ABOVE] += 1
        elif rules.first_price[channel] or own < rules.slots[channel] - 1:
            here[_bucket(middles, watched.price_micros[own, i] * quality // PPM), BELOW] += 1
        else:
            here[_bucket(edges, watched.price_micros[own, i] * quality // PPM), EXACT] += 1


@inlined
def _bucket(edges: Ints, price: int) -> int:
    """The bucket of a price: how many edges lie at or under it."""
    low, high = 0, len(edges)
    for _ in range(_SEARCH_STEPS):
        if low < high:
            middle = (low + high) // 2
            if edges[middle] <= price:
                low = middle + 1
            else:
                high = middle
    return low


class Survival(NamedTuple):
    """Probability that the price to beat lies above each bucket's upper edge, with 95 % bounds: (BUCKETS,)."""

    above: Floats
    low: Floats
    high: Floats


@compiled
def kaplan_meier(exact: Ints, above: Ints) -> Survival:
    """The product-limit estimate over buckets; who is censored at a bucket's lower edge is not at risk in it.

    exact, above: (BUCKETS,) counts; the bounds are Greenwood's on the log(-log) scale. After the last bucket with anybody
    at risk the estimate stays where it is.
    Source: Kaplan & Meier (1958); Kalbfleisch & Prentice, The Statistical Analysis of Failure Time Data, ch. 1.
    """
    survival, low, high = np.ones(BUCKETS), np.ones(BUCKETS), np.ones(BUCKETS)
    at_risk, now, variance = float(exact.sum() + above.sum()), 1.0, 0.0
    for bucket in range(BUCKETS):
        exposed = at_risk - above[bucket]
        if exposed > 0.0 and exact[bucket] > 0:
            hazard = min(exact[bucket] / exposed, 1.0)
            now *= 1.0 - hazard
            if hazard < 1.0:
                variance += hazard / (exposed * (1.0 - hazard))
        at_risk -= exact[bucket] + above[bucket]
        survival[bucket] = low[bucket] = high[bucket] = now
        if 0.0 < now < 1.0:
            wide = 1.96 * np.sqrt(variance) / np.log(now)
            low[bucket], high[bucket] = now ** np.exp(-wide), now ** np.exp(wide)
    return Survival(survival, low, high)


@compiled
def above_market(counts: Floats) -> Floats:
    """Kaplan-Meier's probability that the price to beat is above the market's, (worlds,); counts: (worlds, BUCKETS, 2)."""
    found = np.ones(len(counts))
    for world in range(len(counts)):
        at_risk = counts[world].sum()
        for bucket in range(BUCKETS // 2):
            at_risk -= counts[world, bucket, ABOVE]
            if at_risk > 0.0:
                found[world] *= 1.0 - min(counts[world, bucket, EXACT] / at_risk, 1.0)
            at_risk -= counts[world, bucket, EXACT]
    return found


@compiled
def quantile_bucket(above: Floats, share: float) -> float:
    """Where a survival curve falls to 1 - share, in buckets from the first one's lower edge; NaN where it never does.

    Between edges the curve is taken as straight.
    """
    before = 1.0
    for bucket in range(len(above)):
        if above[bucket] <= 1.0 - share:
            fallen = (before - (1.0 - share)) / max(before - above[bucket], 1e-12)
            return bucket + min(fallen, 1.0)
        before = above[bucket]
    return np.nan


@compiled
def estimated_places(counts: NDArray[np.int32]) -> Floats:
    """Kaplan-Meier's quartiles and the median's 95 % bounds, (cells, 5) places; counts: (cells, BUCKETS, 4)."""
    places = np.empty((len(counts), 5))
    for cell in range(len(counts)):
        curve = kaplan_meier(counts[cell, :, EXACT].astype(np.int64), counts[cell, :, ABOVE].astype(np.int64))
        for at, share in enumerate(QUARTILES):
            places[cell, at] = quantile_bucket(curve.above, share)
        places[cell, 3], places[cell, 4] = quantile_bucket(curve.low, 0.5), quantile_bucket(curve.high, 0.5)
    return places


@compiled
def true_places(counts: NDArray[np.int32]) -> Floats:
    """Quartiles of the prices as they were, (cells, 3) places; counts: (cells, BUCKETS, 4)."""
    places, above = np.empty((len(counts), 3)), np.empty(BUCKETS)
    for cell in range(len(counts)):
        total, passed = counts[cell, :, TRUE].sum(), 0
        for bucket in range(BUCKETS):
            passed += counts[cell, bucket, TRUE]
            above[bucket] = 1.0 - passed / max(total, 1)
        for at, share in enumerate(QUARTILES):
            places[cell, at] = quantile_bucket(above, share)
    return places


def prices_at(market_price_micros: Ints, places: Floats) -> Ints:
    """The prices at places on the scale of buckets, micros; -1 for NaN and for the open buckets at both ends.

    >>> prices_at(np.array([1_000_000]), np.array([[32.0, 40.0, np.nan]])).tolist()
    [[1000000, 2000000, -1]]
    """
    inside = (places > 1.0) & (places < BUCKETS - 1.0)
    power = np.where(inside, places, BUCKETS // 2) - BUCKETS // 2
    prices = np.rint(market_price_micros[:, None] * 2.0 ** (power / PER_DOUBLING))
    return np.where(inside, prices, -1).astype(np.int64)
