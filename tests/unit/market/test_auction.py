"""Auctions against one written auction by auction, against their invariants, and against theory."""

from __future__ import annotations

import random

import numpy as np
import pytest

from gaelp_sim.events import NONE, Ints, Mechanism
from gaelp_sim.market.auction import Offers, Rules, Sale, charge_of, clear, full_quality
from gaelp_sim.units import PPM

CHANNELS = 6


def rules_of(mechanisms: list[str], slots: list[int], reserves: list[int]) -> Rules:
    """Rules by channel."""
    each = zip(mechanisms, slots, reserves, strict=True)
    return Rules.of_sales([Sale(Mechanism[name.upper()], several, reserve) for name, several, reserve in each])


def one_by_one(bids: list[int], quality: list[int], rule: tuple[int, int, bool], luck: int) -> list[tuple[int, int]]:
    """(winner, price) of each slot of one auction, as the definition reads; rule: slots, reserve, first price."""
    slots, reserve, first_price = rule
    entered = [b for b in range(len(bids)) if bids[b] > 0 and bids[b] >= reserve]
    sold = []
    for _ in range(slots):
        if not entered:
            sold.append((NONE, 0))
            continue
        best = max(bids[b] * quality[b] for b in entered)
        tied = [b for b in entered if bids[b] * quality[b] == best]
        winner = tied[luck * len(tied) >> 32]
        entered.remove(winner)
        following = max((bids[b] * quality[b] for b in entered), default=0)
        held_by = -(-following // quality[winner])
        sold.append((winner, bids[winner] if first_price else min(max(held_by, reserve), bids[winner])))
    return sold


@pytest.mark.parametrize("seed", range(20))
def test_every_slot_is_what_the_definition_says(seed: int) -> None:
    """Random integer bids, qualities, reserves, slots and mechanisms; few distinct values, so that ties are common."""
    rng, luck = np.random.default_rng(seed), random.Random(seed)
    mechanisms = [luck.choice(["first_price", "second_price", "gsp"]) for _ in range(CHANNELS)]
    slots = [luck.randint(1, 4) if name == "gsp" else 1 for name in mechanisms]
    reserves = [luck.choice([0, 1, 3, 1_000]) for _ in range(CHANNELS)]
    rules = rules_of(mechanisms, slots, reserves)
    bidders, n = luck.randint(1, 7), 500
    bids = rng.integers(0, luck.choice([3, 12, 5_000]), (bidders, n))
    quality = np.where(rng.random((bidders, n)) < 0.5, PPM, rng.integers(1, 3 * PPM, (bidders, n)))
    channel = rng.integers(0, CHANNELS, n).astype(np.int16)
    ties = rng.integers(0, 2**32, n, dtype=np.uint32)
    got = clear(Offers(bids, quality, channel, ties), rules)
    for row in range(n):
        here = channel[row]
        expected = one_by_one(
            bids[:, row].tolist(), quality[:, row].tolist(),
            (slots[here], reserves[here], mechanisms[here] == "first_price"), int(ties[row]),
        )
        depth = len(got.winner)
        expected += [(NONE, 0)] * (depth - len(expected))
        assert list(zip(got.winner[:, row].tolist(), got.price_micros[:, row].tolist(), strict=True)) == expected[:depth]


def _uniform_bids(bidders: int, n: int, seed: int = 0) -> Ints:
    return np.random.default_rng(seed).integers(1, 10**6 + 1, (bidders, n))


def _cleared(bids: Ints, mechanism: str = "second_price", *, slots: int = 1, reserve: int = 0) -> tuple[Ints, Ints]:
    n = bids.shape[1]
    rules = rules_of([mechanism], [slots], [reserve])
    ties = np.random.default_rng(9).integers(0, 2**32, n, dtype=np.uint32)
    got = clear(Offers(bids, full_quality(len(bids), n), np.zeros(n, dtype=np.int16), ties), rules)
    return got.winner.astype(np.int64), got.price_micros


@pytest.mark.parametrize("mechanism", ["first_price", "second_price", "gsp", "vcg"])
@pytest.mark.parametrize("reserve", [0, 400_000])
def test_price_lies_between_reserve_and_bid(mechanism: str, reserve: int) -> None:
    """In every row of a hundred thousand auctions, with qualities."""
    n = 100_000
    bids = _uniform_bids(4, n)
    rules = rules_of([mechanism], [3 if mechanism in ("gsp", "vcg") else 1], [reserve])
    quality = np.random.default_rng(1).integers(1, 2 * PPM, bids.shape)
    got = clear(Offers(bids, quality, np.zeros(n, dtype=np.int16), np.zeros(n, dtype=np.uint32)), rules)
    for winner, price in zip(got.winner, got.price_micros, strict=True):
        sold = winner != NONE
        own = bids[winner[sold], np.flatnonzero(sold)]
        assert (price[sold] <= own).all() and (price[sold] >= reserve).all() and (own >= reserve).all()
        assert (price[~sold] == 0).all()


def test_a_lone_bidder_pays_the_reserve() -> None:
    """Nobody to beat but the reserve; under it nothing is sold; a zero reserve is free."""
    bids = np.array([[5, 4, 3, 0]])
    winner, price = _cleared(bids, reserve=4)
    assert winner[0].tolist() == [0, 0, NONE, NONE] and price[0].tolist() == [4, 4, 0, 0]
    assert _cleared(bids)[1][0].tolist() == [0, 0, 0, 0]
    assert _cleared(bids, "first_price", reserve=4)[1][0].tolist() == [5, 4, 0, 0]


@pytest.mark.parametrize("tied", [2, 3, 5])
def test_ties_are_drawn_uniformly(tied: int) -> None:
    """A hundred thousand ties of k among k + 1 bidders: chi-square at p > 1e-3."""
    n = 100_000
    bids = np.full((tied + 1, n), 7)
    bids[1] = 3
    winner, price = _cleared(bids)
    counts = np.bincount(winner[0], minlength=tied + 1)
    assert counts[1] == 0 and (price == 7).all()
    shares = counts[counts > 0] - n / tied
    critical = {2: 10.83, 3: 13.82, 5: 18.47}[tied]
    assert (shares**2).sum() / (n / tied) < critical


def test_tied_slots_hold_everybody_once() -> None:
    """GSP with ties: no bidder holds two slots."""
    winner, price = _cleared(np.full((4, 20_000), 5), "gsp", slots=3)
    assert all(len({*column}) == 3 for column in winner.T.tolist())
    assert (price == 5).all()


def test_bidders_order_changes_nothing_without_ties() -> None:
    """Permuted bidders, distinct bids: the same prices and the same people, bit by bit."""
    n = 5_000
    rng = np.random.default_rng(3)
    bids = np.argsort(rng.random((6, n)), axis=0) * 1_000 + rng.integers(1, 900, (6, n))
    order = rng.permutation(6)
    for mechanism, slots in (("first_price", 1), ("second_price", 1), ("gsp", 4), ("vcg", 4)):
        winner, price = _cleared(bids, mechanism, slots=slots)
        permuted, prices = _cleared(bids[order], mechanism, slots=slots)
        assert (order[permuted] == winner).all() and (prices == price).all()


@pytest.mark.parametrize("mechanism", ["gsp", "vcg"])
def test_one_slot_is_second_price(mechanism: str) -> None:
    """Bit-equal on the same draws."""
    bids = _uniform_bids(5, 20_000)
    assert all((a == b).all() for a, b in zip(_cleared(bids, mechanism), _cleared(bids), strict=True))


# Theory: values uniform on [0, 1], a million auctions (notes: tolerances are about four standard errors).
N = 1_000_000


@pytest.mark.parametrize(("bidders", "exact", "within"), [(2, 1 / 3, 0.00095), (5, 2 / 3, 0.0007)])
def test_revenue_of_first_and_second_price(bidders: int, exact: float, within: float) -> None:
    """Second price truthful (n-1)/(n+1); first price at b = v (n-1)/n the same; revenue equivalence on the same values."""
    values = _uniform_bids(bidders, N)
    second = _cleared(values)[1][0].mean() / 1e6
    shaded = np.maximum(values * (bidders - 1) // bidders, 1)
    first = _cleared(shaded, "first_price")[1][0].mean() / 1e6
    assert abs(second - exact) < within and abs(first - exact) < 0.0005 + 1e-6
    assert abs(second - first) < 0.0011


@pytest.mark.parametrize(("bidders", "exact", "within"), [(2, 1 / 6, 0.0009), (5, 1 / 30, 0.0004)])
def test_surplus_per_bidder(bidders: int, exact: float, within: float) -> None:
    """1 / (n (n + 1)) under truthful second price."""
    values = _uniform_bids(bidders, N)
    winner, price = _cleared(values)
    surplus = (values[winner[0], np.arange(N)] - price[0]).sum() / N / bidders / 1e6
    assert abs(surplus - exact) < within


@pytest.mark.parametrize(("bidders", "revenue", "sold"), [(2, 0.416667, 0.75), (5, 0.671875, 0.96875)])
def test_second_price_with_a_reserve_of_a_half(bidders: int, revenue: float, sold: float) -> None:
    """(n-1)/(n+1) + r^n (1 - 2nr/(n+1)), and 1 - r^n sold."""
    winner, price = _cleared(_uniform_bids(bidders, N), reserve=500_000)
    assert abs(price[0].mean() / 1e6 - revenue) < 0.001
    assert abs((winner[0] != NONE).mean() - sold) < 0.0018


def test_the_best_reserve_for_uniform_values_is_a_half() -> None:
    """Scan .3 to .7 by .05 with two bidders."""
    values = _uniform_bids(2, N // 4)
    reserves = range(300_000, 700_001, 50_000)
    revenue = [_cleared(values, reserve=reserve)[1][0].sum() for reserve in reserves]
    assert abs(list(reserves)[int(np.argmax(revenue))] - 500_000) <= 50_000


def _payoff(values: Ints, bids: Ints, mechanism: str) -> float:
    winner, price = _cleared(bids, mechanism)
    mine = winner[0] == 0
    return float((values[0][mine] - price[0][mine]).sum())


@pytest.mark.parametrize("bidders", [2, 5])
def test_truth_is_the_best_bid_in_second_price(bidders: int) -> None:
    """Multipliers .5 to 1.5 by .05 against truthful rivals, on the same draws: 1.00 exactly."""
    values = _uniform_bids(bidders, N // 4)
    multipliers = [round(0.5 + 0.05 * step, 2) for step in range(21)]
    payoff = []
    for multiplier in multipliers:
        bids = values.copy()
        bids[0] = (values[0] * multiplier).astype(np.int64)
        payoff.append(_payoff(values, bids, "second_price"))
    assert multipliers[int(np.argmax(payoff))] == 1.0


@pytest.mark.parametrize(("bidders", "best"), [(2, 0.50), (5, 0.80)])
def test_shading_is_the_best_reply_in_first_price(bidders: int, best: float) -> None:
    """Against rivals at the equilibrium b = v (n-1)/n, steps of .01: the equilibrium again."""
    values = _uniform_bids(bidders, N // 2)
    multipliers = [best + 0.01 * step for step in range(-5, 6)]
    bids = values * (bidders - 1) // bidders
    payoff = []
    for multiplier in multipliers:
        bids[0] = (values[0] * multiplier).astype(np.int64)
        payoff.append(_payoff(values, bids, "first_price"))
    assert abs(multipliers[int(np.argmax(payoff))] - best) <= 0.01 + 1e-9


def test_gsp_of_two_positions() -> None:
    """Clicks 200 and 100, values 10, 4, 2, truthful: revenue 4 x 200 + 2 x 100 = 1000."""
    bids = np.array([[10], [4], [2]])
    winner, price = _cleared(bids, "gsp", slots=2)
    assert winner[:, 0].tolist() == [0, 1] and price[:, 0].tolist() == [4, 2]
    assert int((price[:, 0] * [200, 100]).sum()) == 1_000


def test_gsp_is_not_truthful() -> None:
    """Clicks 200 and 199: the bidder worth 10 earns 1200 by the truth and 1592 by bidding 3."""
    clicks = np.array([200, 199])
    earned = []
    for bid in (10, 3):
        winner, price = _cleared(np.array([[bid], [4], [2]]), "gsp", slots=2)
        place = winner[:, 0].tolist().index(0)
        earned.append(int((10 - price[place, 0]) * clicks[place]))
    assert earned == [1_200, 1_592]


def test_charges_by_click_and_by_impression() -> None:
    """A click costs the price, no click nothing; a thousandth of an impression's price is rounded up."""
    price = np.array([0, 1, 999, 1_000, 1_001, 2_500_000])
    clicked = np.array([True, False, True, False, True, True])
    sold = list(zip(price.tolist(), clicked.tolist(), strict=True))
    charges = [[charge_of(*each, per_click) for each in sold] for per_click in (True, False)]
    assert charges[0] == [0, 0, 999, 0, 1_001, 2_500_000]
    assert charges[1] == [0, 1, 1, 1, 2, 2_500]
