"""VCG prices against the definition in big integers, and against theory: harm done, and no lie that pays."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from math import ceil

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some

from gaelp_sim.events import NONE, Ints, Mechanism
from gaelp_sim.market.auction import Offers, Rules, Sale, clear
from gaelp_sim.market.bidder import BID_MICROS_MAX
from gaelp_sim.units import PPM

QUALITY_MAX = 10 * PPM
CLICKS = Sale(Mechanism.VCG, slots=2, per_click=True, slot_clicks=(1.0, 0.5))


def sold(sale: Sale, bids: list[int], quality: list[int], luck: int = 0) -> tuple[list[int], list[int]]:
    """Winner and price of each slot of one auction."""
    column = np.array([bids], dtype=np.int64).T, np.array([quality], dtype=np.int64).T
    got = clear(Offers(*column, np.zeros(1, dtype=np.int16), np.array([luck], dtype=np.uint32)), Rules.of_sales([sale]))
    return got.winner[:, 0].tolist(), got.price_micros[:, 0].tolist()


def by_definition(sale: Sale, bids: list[int], quality: list[int], winner: list[int]) -> list[int]:
    """What each holder takes away from those below it, in fractions, for slots held as given."""
    worth = [*sale.worth_ppm(), 0]
    entered = [b for b in range(len(bids)) if bids[b] > 0 and bids[b] >= sale.reserve_micros]
    left = [b for b in entered if b not in winner]
    scores = [bids[b] * quality[b] if b != NONE else 0 for b in winner]
    scores.append(max((bids[b] * quality[b] for b in left), default=0))
    prices = []
    for slot, holder in enumerate(winner):
        if holder == NONE:
            prices.append(0)
            continue
        harm = sum(
            (worth[j - 1] - worth[j]) * max(scores[j], sale.reserve_micros * quality[holder])
            for j in range(slot + 1, sale.slots + 1)
        )
        exact = ceil(Fraction(harm, worth[slot] * quality[holder]))
        prices.append(min(max(exact, sale.reserve_micros), bids[holder]))
    return prices


factors = some.lists(some.integers(1_000, PPM), min_size=0, max_size=7).map(
    lambda below: (1.0, *(ppm / PPM for ppm in sorted(below, reverse=True)))
)
bidders = some.lists(
    some.tuples(
        some.one_of(some.integers(0, BID_MICROS_MAX), some.integers(0, 5), some.just(BID_MICROS_MAX)),
        some.one_of(some.integers(1, QUALITY_MAX), some.just(PPM), some.integers(1, 3), some.just(QUALITY_MAX)),
    ),
    min_size=1, max_size=10,
)


@settings(max_examples=1_500, deadline=None)
@given(clicks=factors, offers=bidders, reserve=some.integers(0, BID_MICROS_MAX) | some.integers(0, 3), cpc=some.booleans())
@example(clicks=(1.0,) * 8, offers=[(BID_MICROS_MAX, QUALITY_MAX)] * 10, reserve=0, cpc=True)
@example(clicks=(1.0, 0.001), offers=[(BID_MICROS_MAX, 1), (1, 1)], reserve=BID_MICROS_MAX, cpc=True)
def test_prices_are_the_definition_in_big_integers(
    clicks: tuple[float, ...], offers: list[tuple[int, int]], reserve: int, cpc: bool
) -> None:
    """Up to the greatest bids and qualities: no sum leaves 64 bits, nothing is rounded but the last step, up."""
    sale = Sale(Mechanism.VCG, len(clicks), reserve, cpc, slot_clicks=clicks)
    bids, quality = [bid for bid, _ in offers], [score for _, score in offers]
    winner, price = sold(sale, bids, quality)
    assert price == by_definition(sale, bids, quality, winner)
    entered = [bid for bid in bids if bid >= max(reserve, 1)]
    assert sum(holder != NONE for holder in winner) == min(len(entered), len(clicks))


def test_a_rounding_in_the_middle_would_be_seen() -> None:
    """The definition with each step's price rounded by itself gives another price: the comparison above can fail."""
    sale = Sale(Mechanism.VCG, 3, 0, True, slot_clicks=(1.0, 0.7, 0.3))
    bids, quality = [90, 50, 7, 4], [3, 2, 7, 1]
    winner, price = sold(sale, bids, quality)
    worth, ranked = [*sale.worth_ppm(), 0], [bids[b] * quality[b] for b in winner] + [4]
    steps = [(worth[j - 1] - worth[j]) * -(-ranked[j] // quality[winner[0]]) for j in range(1, 4)]
    assert price == by_definition(sale, bids, quality, winner)
    assert price[0] != -(-sum(steps) // worth[0])


def test_two_positions() -> None:
    """Clicks 200 and 100, values 10, 4, 2: VCG earns (4 x 100 + 2 x 100) + 2 x 100 = 800, where GSP earns 1000."""
    winner, price = sold(CLICKS, [10, 4, 2], [PPM] * 3)
    assert (winner, price) == ([0, 1], [3, 2])
    assert price[0] * 200 + price[1] * 100 == 800


def test_impressions_are_alike() -> None:
    """Charged by impression, every slot is worth the same, so all pay the first excluded score."""
    sale = Sale(Mechanism.VCG, 3, slot_clicks=(1.0, 0.5, 0.1))
    assert sold(sale, [10, 9, 8, 5, 1], [PPM] * 5) == ([0, 1, 2], [5, 5, 5])
    assert sold(sale, [10, 9, 8], [PPM] * 3)[1] == [0, 0, 0]


def test_an_empty_position_counts_as_the_reserve() -> None:
    """Two bidders for three slots: .2 x 50 + .16 x 20 + .64 x 20 over 1, then the reserve."""
    sale = Sale(Mechanism.VCG, 3, 20, True)
    assert sold(sale, [100, 50], [PPM] * 2) == ([0, 1, NONE], [26, 20, 0])
    assert sold(sale, [100], [PPM]) == ([0, NONE, NONE], [20, 0, 0])


@pytest.mark.parametrize("reserve", [0, 3_000_000])
@pytest.mark.parametrize("clicks", [(1.0, 0.995), (1.0, 0.8, 0.64), (1.0, 0.5, 0.5, 0.05)])
def test_no_bid_earns_more_than_the_truth(clicks: tuple[float, ...], reserve: int) -> None:
    """Every bidder, every bid of a grid, random values and qualities: a micro a click (rounding up) is the most to gain."""
    draw = np.random.default_rng(5)
    sale = Sale(Mechanism.VCG, len(clicks), reserve, True, slot_clicks=clicks)
    for _ in range(25):
        values = draw.integers(1, 10_000_000, 5).tolist()
        quality = draw.integers(PPM // 2, 2 * PPM, 5).tolist()
        for liar in range(5):
            truth = _earned(sale, values, quality, liar)
            for bid in range(0, 12_000_000, 400_000):
                lie = [*values[:liar], bid, *values[liar + 1 :]]
                won, paid = sold(sale, lie, quality)
                clicks_won = sale.worth_ppm()[won.index(liar)] / PPM if liar in won else 0.0
                gain = clicks_won * (values[liar] - paid[won.index(liar)]) if liar in won else 0.0
                assert gain <= truth + 1.0


def _earned(sale: Sale, values: list[int], quality: list[int], who: int) -> float:
    won, paid = sold(sale, values, quality)
    if who not in won:
        return 0.0
    place = won.index(who)
    return sale.worth_ppm()[place] / PPM * (values[who] - paid[place])


def test_lower_slots_are_never_dearer_for_equal_bidders() -> None:
    """Qualities alike: prices fall from slot to slot, and never exceed those of GSP."""
    bids = np.random.default_rng(2).integers(1, 10**6, (6, 5_000))
    price = _prices(bids, Mechanism.VCG)
    assert all((above >= below).all() for above, below in pairwise(price))
    assert (price <= _prices(bids, Mechanism.GSP)).all()


def _prices(bids: Ints, mechanism: Mechanism) -> Ints:
    n = bids.shape[1]
    offers = Offers(bids, np.full_like(bids, PPM), np.zeros(n, dtype=np.int16), np.zeros(n, dtype=np.uint32))
    return clear(offers, Rules.of_sales([Sale(mechanism, 4, per_click=True)])).price_micros
