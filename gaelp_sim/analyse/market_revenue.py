"""Auctions against auction theory: values uniform on [0, 1], independent, n bidders alike.

Source of every expectation: Krishna, "Auction Theory" (2nd ed., 2010), chapters 2 and 3, worked out for uniform values.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from gaelp_sim.analyse.market_lab import TOLERANCE_AUCTIONS, UNIT, Check, Drawn, Lab, gained, mean, shaded
from gaelp_sim.events import NONE, Ints, Mechanism
from gaelp_sim.market.auction import Sale

FIRST, SECOND = Sale(Mechanism.FIRST_PRICE), Sale(Mechanism.SECOND_PRICE)
HALF = 50
"""Percent of the greatest value: the reserve that is tried, and the best one for every n."""


class Within(NamedTuple):
    """Tolerances at a million auctions."""

    second: float
    first: float
    surplus: float
    reserved: float
    sold: float


WITHIN = {2: Within(0.00095, 0.0005, 0.0009, 0.001, 0.0018), 5: Within(0.0007, 0.0005, 0.0004, 0.0008, 0.0007)}
EQUIVALENCE_WITHIN = 0.0011
PIECE = 20_000


def revenue_checks(lab: Lab) -> Iterator[Check]:
    """Revenue, equivalence, surplus, best bids and reserves with 2 and with 5 bidders."""
    for bidders in WITHIN:
        drawn = lab.drawn(bidders)
        yield from _revenues(lab, drawn)
        yield from _reserved(lab, drawn)
        yield _best_truth(lab, drawn)
        yield _best_shading(lab, drawn)
    yield _best_reserve(lab, lab.drawn(2))


def equilibrium(values: Ints) -> Ints:
    """First-price equilibrium bids v (n - 1) / n of all n bidders, (bidders, n)."""
    return values * (len(values) - 1) // len(values)


def _revenues(lab: Lab, drawn: Drawn) -> Iterator[Check]:
    n, within = len(drawn.values), WITHIN[len(drawn.values)]
    second = lab.sold(SECOND, drawn.values, drawn.ties)
    first = lab.sold(FIRST, equilibrium(drawn.values), drawn.ties)
    expected, got = (n - 1) / (n + 1), [mean(sold.price_micros[0]) for sold in (second, first)]
    yield Check(f"second-price revenue, {n} bidders", expected, got[0], lab.within(within.second))
    yield Check(f"first-price revenue at equilibrium, {n} bidders", expected, got[1], lab.within(within.first))
    what = f"revenue equivalence, {n} bidders: second less first price"
    yield Check(what, 0.0, got[0] - got[1], lab.within(EQUIVALENCE_WITHIN))
    surplus = sum(mean(gained(drawn.values[bidder], second, bidder)) for bidder in range(n)) / n
    yield Check(f"surplus a bidder, {n} bidders", 1 / (n * (n + 1)), surplus, lab.within(within.surplus))


def _reserved(lab: Lab, drawn: Drawn) -> Iterator[Check]:
    """(n-1)/(n+1) + r^n (1 - 2nr/(n+1)) earned, 1 - r^n sold."""
    n, within, reserve = len(drawn.values), WITHIN[len(drawn.values)], HALF / 100
    sold = lab.sold(SECOND._replace(reserve_micros=UNIT * HALF // 100), drawn.values, drawn.ties)
    revenue = (n - 1) / (n + 1) + reserve**n * (1 - 2 * n * reserve / (n + 1))
    got = mean(sold.price_micros[0])
    yield Check(f"second-price revenue, reserve .5, {n} bidders", revenue, got, lab.within(within.reserved))
    share = float((sold.winner[0] != NONE).mean())
    yield Check(f"share sold, reserve .5, {n} bidders", 1 - reserve**n, share, lab.within(within.sold))


def _best_truth(lab: Lab, drawn: Drawn) -> Check:
    """Against truthful rivals the truth is the best multiple: draw by draw, so that some auctions are enough."""
    n, percents, few = len(drawn.values), range(50, 155, 5), _some(drawn)
    best = _best_percent(lab, SECOND, (few, few.values), percents)
    return Check(f"second price: best bid over value, {n} bidders", 1.0, best / 100, 0.0)


def _best_shading(lab: Lab, drawn: Drawn) -> Check:
    """Against rivals at the equilibrium the equilibrium is best: by fives on some auctions, then by ones on all."""
    n, rivals, few = len(drawn.values), equilibrium(drawn.values), _some(drawn)
    about = _best_percent(lab, FIRST, (few, equilibrium(few.values)), range(5, 105, 5))
    best = _best_percent(lab, FIRST, (drawn, rivals), range(about - 5, about + 6))
    # The top of a smooth hill is found to the third root of the number of tries: half as well with an eighth of them.
    within = 0.01 * max(1.0, (TOLERANCE_AUCTIONS / lab.auctions) ** (1 / 3)) + 1e-9
    return Check(f"first price: best bid over value, {n} bidders", (n - 1) / n, best / 100, within)


def _some(drawn: Drawn) -> Drawn:
    """A fifth of the auctions."""
    some = slice(0, len(drawn.ties) // 5)
    return Drawn(drawn.values[:, some], drawn.ties[some], drawn.clicks[some])


def _best_percent(lab: Lab, sale: Sale, market: tuple[Drawn, Ints], percents: Sequence[int]) -> int:
    """The multiple, in percent, with which bidder 0 gains most on these draws against rivals who stay as they are."""
    drawn, rivals = market
    gains = np.zeros(len(percents), dtype=np.int64)
    # In pieces that stay in the processor's cache.
    for start in range(0, len(drawn.ties), PIECE):
        rows = slice(start, start + PIECE)
        values, ties, bids = drawn.values[0, rows], drawn.ties[rows], rivals[:, rows].copy()
        for place, percent in enumerate(percents):
            bids[0] = shaded(values, percent)
            gains[place] += gained(values, lab.sold(sale, bids, ties), 0).sum()
    return percents[int(np.argmax(gains))]


def _best_reserve(lab: Lab, drawn: Drawn) -> Check:
    """Scan .3 to .7 by .05: the best is a half."""
    percents = range(30, 75, 5)
    sales = [SECOND._replace(reserve_micros=UNIT * percent // 100) for percent in percents]
    revenues = [int(lab.sold(sale, drawn.values, drawn.ties).price_micros.sum()) for sale in sales]
    return Check("best reserve, 2 bidders", HALF / 100, percents[int(np.argmax(revenues))] / 100, 0.05 + 1e-9)
