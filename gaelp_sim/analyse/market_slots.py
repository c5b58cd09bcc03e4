"""What must hold in every single auction: who gets which slot, at what price, by definition."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gaelp_sim.analyse.market_lab import UNIT, Check, Drawn, Lab, mean, of_winners, rows_that
from gaelp_sim.draws import Words
from gaelp_sim.events import NONE, Floats, Ints, Mechanism
from gaelp_sim.market.auction import Cleared, Sale
from gaelp_sim.units import MICROS_PER_UNIT, PPM

VALUES = np.array([10, 4, 2]) * MICROS_PER_UNIT
"""Three bidders' values of a click, of the worked example of two positions."""
CLICKS = {"200 and 100": (200, 100), "200 and 199": (200, 199)}
LIES = range(0, 12 * MICROS_PER_UNIT, MICROS_PER_UNIT // 10)
TIES, TIED = 100_000, (2, 3, 5)
CHI_SQUARE = {2: 10.828, 3: 13.816, 5: 18.467}
"""The value that chi-square with k - 1 degrees of freedom exceeds with probability .001, by k: with fair ties one seed in
some three hundred misses one of them by chance."""
ORDERED = tuple(Sale(mechanism, slots) for mechanism, slots in zip(Mechanism, (1, 1, 4, 4), strict=True))
"""Each mechanism, with as many slots as it may have up to four."""


def slot_checks(lab: Lab) -> Iterator[Check]:
    """Worked examples, agreement of mechanisms, prices by definition, ties, order of bidders."""
    yield from _two_positions(lab)
    yield from _lies(lab)
    yield _one_slot(lab)
    yield _lone(lab)
    yield _least_to_hold(lab)
    yield from _ties(lab)
    yield _order(lab)


def _two_positions(lab: Lab) -> Iterator[Check]:
    """Edelman, Ostrovsky, Schwarz (2007): truthful bids, revenue an hour."""
    clicks = CLICKS["200 and 100"]
    for mechanism, expected in ((Mechanism.GSP, 1_000.0), (Mechanism.VCG, 800.0)):
        sold = _positions(lab, mechanism, clicks, VALUES.reshape(-1, 1))
        revenue = float(sold.price_micros[:, 0] @ np.array(clicks)) / MICROS_PER_UNIT
        yield Check(f"{mechanism.name} revenue, clicks 200 and 100, values 10, 4, 2", expected, revenue, 0.0)


def _lies(lab: Lab) -> Iterator[Check]:
    """GSP rewards the lie of the bidder worth 10; under VCG no bid of a grid beats anybody's truth."""
    clicks = CLICKS["200 and 199"]
    for bid, expected in ((10, 1_200.0), (3, 1_592.0)):
        earned = _earned(lab, Mechanism.GSP, clicks, 0, [bid * MICROS_PER_UNIT])
        yield Check(f"GSP, clicks 200 and 199: earned by bidding {bid} for 10", expected, float(earned[0]), 0.0)
    best = max(
        float((_earned(lab, Mechanism.VCG, clicks, who, LIES) - _earned(lab, Mechanism.VCG, clicks, who, [value])).max())
        for clicks in CLICKS.values() for who, value in enumerate(VALUES)
    )
    yield Check("VCG, the same values: most gained by any lie of a grid", 0.0, best, 0.0)


def _positions(lab: Lab, mechanism: Mechanism, clicks: tuple[int, int], bids: Ints) -> Cleared:
    relative = tuple(count / clicks[0] for count in clicks)
    return lab.sold(Sale(mechanism, 2, per_click=True, slot_clicks=relative), bids, _no_luck(bids.shape[1]))


def _earned(lab: Lab, mechanism: Mechanism, clicks: tuple[int, int], who: int, bids: range | list[int]) -> Floats:
    """What a bidder earns by each of its bids while the others tell the truth."""
    offered = np.repeat(VALUES.reshape(-1, 1), len(bids), axis=1)
    offered[who] = bids
    sold = _positions(lab, mechanism, clicks, offered)
    gain = np.array(clicks).reshape(-1, 1) * (VALUES[who] - sold.price_micros)
    earned: Floats = np.where(sold.winner == who, gain, 0).sum(axis=0) / MICROS_PER_UNIT
    return earned


def _one_slot(lab: Lab) -> Check:
    """Qualities, a reserve and many ties: the three mechanisms sell one slot alike, bit by bit."""
    drawn, quality = _mixed(lab)
    bids, quality = drawn.values * 20 // UNIT, quality // (PPM // 2) * (PPM // 2)
    sales = [Sale(one, 1, 3, per_click=True) for one in (Mechanism.SECOND_PRICE, Mechanism.GSP, Mechanism.VCG)]
    second, *others = (lab.sold(sale, bids, drawn.ties, quality) for sale in sales)
    unlike = [(other.winner != second.winner) | (other.price_micros != second.price_micros) for other in others]
    differ = sum(map(rows_that, unlike))
    return Check("one slot: GSP, VCG unlike second price, rows", 0.0, differ, 0.0)


def _lone(lab: Lab) -> Check:
    """Alone, a bidder pays the reserve under every mechanism but first price."""
    bids = np.full((1, 3), UNIT)
    sales = [Sale(one, reserve_micros=UNIT // 4) for one in Mechanism if one != Mechanism.FIRST_PRICE]
    prices = [mean(lab.sold(sale, bids, _no_luck(3)).price_micros[0]) for sale in sales]
    return Check("price of a lone bidder, reserve .25", 0.25, float(np.mean(prices)), 0.0)


def _least_to_hold(lab: Lab) -> Check:
    """A GSP price is the least that keeps the slot: one micro less would fall below the next score or the reserve."""
    drawn, quality = _mixed(lab)
    reserve, slots = UNIT // 10, 3
    sold = lab.sold(Sale(Mechanism.GSP, slots, reserve, per_click=True), drawn.values, drawn.ties, quality)
    score = np.where(drawn.values >= reserve, drawn.values * quality, 0)
    score.sort(axis=0)
    wrong = 0.0
    for slot in range(slots):
        winner, price, following = sold.winner[slot], sold.price_micros[slot], score[-2 - slot]
        own = of_winners(quality, winner)
        holds = (price >= reserve) & (price * own >= following)
        least = (price == reserve) | ((price - 1) * own < following)
        wrong += rows_that((winner != NONE) != (score[-1 - slot] > 0)) + rows_that((winner != NONE) & ~(holds & least))
    return Check("GSP by quality: slots not at the least that holds them", 0.0, wrong, 0.0)


def _ties(lab: Lab) -> Iterator[Check]:
    """k bidders tie, another bids less: everybody wins a k-th of the auctions."""
    for tied in TIED:
        drawn = lab.drawn(tied + 1, n=TIES)
        bids = np.full_like(drawn.values, UNIT)
        bids[1] //= 2
        sold = lab.sold(Sale(Mechanism.SECOND_PRICE), bids, drawn.ties)
        won = np.bincount(np.maximum(sold.winner[0], 0), minlength=tied + 1)[[0, *range(2, tied + 1)]]
        chi_square = float(((won - TIES / tied) ** 2).sum() / (TIES / tied))
        yield Check(f"ties of {tied}: chi-square of the wins", tied - 1, chi_square, CHI_SQUARE[tied] - (tied - 1))


def _order(lab: Lab) -> Check:
    """The same bidders in another order get the same slots at the same prices."""
    drawn, _ = _mixed(lab)
    # No two bids alike: their last digits name the bidder.
    bids = drawn.values // 10 * 10 + np.arange(len(drawn.values)).reshape(-1, 1)
    order = np.array([3, 0, 5, 1, 4, 2])
    differ = 0.0
    for sale in ORDERED:
        here, there = (lab.sold(sale, each, drawn.ties) for each in (bids, np.ascontiguousarray(bids[order])))
        same = np.where(there.winner == NONE, NONE, order[there.winner]) == here.winner
        differ += rows_that(~same | (here.price_micros != there.price_micros))
    return Check("bidders in another order: slots that differ", 0.0, differ, 0.0)


def _mixed(lab: Lab) -> tuple[Drawn, Ints]:
    """Six bidders in a fifth of the auctions, qualities from a half to two."""
    n = lab.auctions // 5
    drawn, other = lab.drawn(6, n=n), lab.drawn(6, tick=1, n=n)
    return drawn, PPM // 2 + other.values * 3 // 2 // (UNIT // PPM)


def _no_luck(n: int) -> Words:
    return np.zeros(n, dtype=np.uint32)
