"""Money, luck and repetition: what must hold of every charge, every budget and every stream of luck."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np

from gaelp_sim.analyse.market_lab import UNIT, Check, Lab, of_winners, rows_that
from gaelp_sim.draws import uniform
from gaelp_sim.events import NONE, US, Column, Floats, Ints, Mechanism
from gaelp_sim.market.auction import Offers, Rules, Sale
from gaelp_sim.market.budgets import Account, Budgets, Round, Spent
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.store import Store, rowhash
from gaelp_sim.units import PER_MILLE, PPM
from gaelp_sim.world.crew import Crew
from gaelp_sim.world.simulate import RunRequest, run

BIDDERS, PERIODS, CLICKED = 6, 24, 0.25
FINE = 100
"""Greatest bid, in micros, where budgets are small enough that a single micro decides."""
ONE_BY_ONE, UNITS = 3_000, 50
DEAREST = 60
"""The least budget pays the greatest bid in one of so many auctions: about half of the six run out."""
WORKERS = (1, 2)
SMALL = ("quickstart", ["population.people=200", "cells=2", "days=2"])
RowHash = Callable[[int], str]


class Market(NamedTuple):
    """Channels of every mechanism and charge, bidders of all qualities, and n opportunities."""

    rules: Rules
    offers: Offers
    this: Round


def book_checks(lab: Lab) -> Iterator[Check]:
    """Prices within bids, spend within budgets, books that agree, exact drops."""
    yield from _every_row(lab)
    yield _exact_drops(lab)


def _every_row(lab: Lab) -> Iterator[Check]:
    """A day of 24 periods, budgets that run out during it, each row looked at."""
    broken, books = np.zeros(4), 0
    market = market_of(lab, lab.auctions, UNIT)
    budgets = _budgets(lab.auctions * UNIT // DEAREST, 1)
    for rows in np.array_split(np.arange(lab.auctions), PERIODS):
        part = _rows_of(market, slice(int(rows[0]), int(rows[-1]) + 1))
        before = budgets.left_micros.copy()
        asked = part.offers.bid_micros.copy()
        spent = lab.clear_within_budgets(budgets, part.offers, part.this, part.rules)
        broken += _violations(part, asked, spent, before[0])
        # Gross less net is what was drawn from the accounts; revenue is what was charged in the slots.
        drawn_down, revenue = int((before - budgets.left_micros).sum()), int(spent.charge_micros.sum())
        books += abs(drawn_down - revenue)
    names = ("price above the bid", "price under the reserve", "charge unlike price and click", "spend above the budget")
    for name, rows_broken in zip(names, broken.tolist(), strict=True):
        yield Check(f"{name}: rows", 0.0, rows_broken, 0.0)
    yield Check("sum of gross less net less revenue over periods, micros", 0.0, float(books), 0.0)
    # Budgets that never run out would show nothing.
    yield Check(f"budgets that ran out, of {BIDDERS}", 3.0, rows_that(budgets.dropped), 2.0)


def market_of(lab: Lab, n: int, top: int) -> Market:
    """Every mechanism by click and by thousand; bids uniform below `top` micros, qualities from a half to two."""
    sales = [
        Sale(mechanism, 3 if mechanism in (Mechanism.GSP, Mechanism.VCG) else 1, top // 10, per_click)
        for mechanism in Mechanism for per_click in (False, True)
    ]
    drawn, other = lab.drawn(BIDDERS, n=n), lab.drawn(BIDDERS, tick=1, n=n)
    quality = PPM // 2 + other.values * 3 // 2 // (UNIT // PPM)
    channel = (other.ties % len(sales)).astype(np.int16)
    clicks = np.stack([uniform(words) < CLICKED for words in (drawn.clicks, other.clicks, other.ties)])
    bids = drawn.values * top // UNIT if top < UNIT else drawn.values.copy()
    this = Round(np.zeros(n, dtype=np.int64), np.arange(n), clicks, ~clicks, np.zeros(n, dtype=np.bool_))
    return Market(Rules.of_sales(sales), Offers(bids, quality, channel, drawn.ties), this)


def _rows_of(market: Market, rows: slice) -> Market:
    offers, this = market.offers, market.this
    return Market(
        market.rules,
        Offers(
            np.ascontiguousarray(offers.bid_micros[:, rows]), np.ascontiguousarray(offers.quality_ppm[:, rows]),
            offers.channel[rows].copy(), offers.ties[rows].copy(),
        ),
        Round(
            this.unit[rows].copy(), this.second[rows].copy(), np.ascontiguousarray(this.clicks_us[:, rows]),
            np.ascontiguousarray(this.clicks_rival[:, rows]), this.blank[rows].copy(),
        ),
    )


def _budgets(limit_micros: int, units: int) -> Budgets:
    """An account for each bidder of each unit, the first with the least money, over all channels."""
    accounts = [Account(bidder, NONE, False, limit_micros * (bidder + 1)) for bidder in range(BIDDERS)]
    budgets = Budgets.of(accounts, units, 2 * len(Mechanism))
    budgets.left_micros[:] = [account.limit_micros for account in accounts]
    return budgets


def _violations(part: Market, asked: Ints, spent: Spent, left: Ints) -> Floats:
    """Rows that break each rule: price and bid, price and reserve, charge, budget at any moment."""
    reserve = part.rules.reserve_micros[part.offers.channel]
    per_click = part.rules.per_click[part.offers.channel]
    broken = np.zeros(4)
    paid = np.zeros_like(asked)
    for slot, (winner, price) in enumerate(zip(spent.winner, spent.price_micros, strict=True)):
        sold = winner != NONE
        clicked = sold & np.where(winner == US, part.this.clicks_us[slot], part.this.clicks_rival[slot])
        charge = np.where(per_click, price * clicked, -(-price // PER_MILLE))
        broken[0] += rows_that(price > of_winners(asked, winner))
        broken[1] += rows_that(sold & (price < reserve)) + rows_that(~sold & (price != 0))
        broken[2] += rows_that(spent.charge_micros[slot] != charge)
        paid[np.maximum(winner, 0), np.arange(len(winner))] += spent.charge_micros[slot]
    broken[3] = rows_that(np.cumsum(paid, axis=1) > left.reshape(-1, 1))
    return broken


def _exact_drops(lab: Lab) -> Check:
    """Against auctions held one by one, in Python: the same sales and the same micros left, a drop where it is due."""
    market, budgets = market_of(lab, ONE_BY_ONE, FINE), _budgets(ONE_BY_ONE * FINE // DEAREST // UNITS, UNITS)
    market.this.unit[:] = np.arange(ONE_BY_ONE) % UNITS
    winners, left = _one_by_one(lab, _rows_of(market, slice(None)), budgets.left_micros.tolist())
    spent = lab.clear_within_budgets(budgets, market.offers, market.this, market.rules)
    differ = rows_that((spent.winner != winners).any(axis=0)) + rows_that(budgets.left_micros != left)
    return Check("budgets: rows unlike auctions held one by one", 0.0, differ, 0.0)


def _one_by_one(lab: Lab, market: Market, left: list[list[int]]) -> tuple[Ints, list[list[int]]]:
    """Winners, (slots, n), and what is left, by unit and bidder; who can't pay is out, and the auction is held again."""
    out: list[list[int]] = [[] for _ in left]
    slots = int(market.rules.slots.max())
    winners = np.full((slots, len(market.offers.channel)), NONE)
    for i, unit in enumerate(market.this.unit.tolist()):
        while True:
            offers = _rows_of(market, slice(i, i + 1)).offers
            offers.bid_micros[out[unit]] = 0
            cleared = lab.clear(offers, market.rules)
            cost = _costs(market, i, cleared.winner[:, 0].tolist(), cleared.price_micros[:, 0].tolist())
            broke = [bidder for bidder in range(BIDDERS) if cost[bidder] > left[unit][bidder]]
            if not broke:
                break
            out[unit].append(broke[0])
        left[unit] = [before - cost[bidder] for bidder, before in enumerate(left[unit])]
        winners[: len(cleared.winner), i] = cleared.winner[:, 0]
    return winners, left


def _costs(market: Market, i: int, winner: list[int], price: list[int]) -> list[int]:
    cost, per_click = [0] * BIDDERS, bool(market.rules.per_click[market.offers.channel[i]])
    for slot, holder in enumerate(winner):
        if holder != NONE:
            clicked = market.this.clicks_us[slot, i] if holder == US else market.this.clicks_rival[slot, i]
            cost[holder] += price[slot] * int(clicked) if per_click else -(-price[slot] // PER_MILLE)
    return cost


def luck_checks(lab: Lab) -> Iterator[Check]:
    """Luck of the same row in successive ticks has nothing in common, and neither have prices."""
    now, then = (lab.drawn(5, tick) for tick in (0, 1))
    second = [lab.sold(Sale(Mechanism.SECOND_PRICE), drawn.values, drawn.ties).price_micros[0] for drawn in (now, then)]
    streams: dict[str, list[tuple[Column, Column]]] = {
        "values": list(zip(now.values, then.values, strict=True)), "ties": [(now.ties, then.ties)],
        "clicks": [(now.clicks, then.clicks)], "prices": [(second[0], second[1])],
    }
    for name, pairs in streams.items():
        worst = max((float(np.corrcoef(*pair)[0, 1]) for pair in pairs), key=abs)
        yield Check(f"{name} of a row in two ticks: correlation", 0.0, worst, 4 / lab.auctions**0.5)


def repeat_check(row_hash: RowHash) -> Check:
    """The same seed with one worker and with two gives the same SQL rows: how many different row hashes there are."""
    found = {row_hash(workers) for workers in WORKERS}
    return Check("row hashes of one seed with 1 and 2 workers", 1.0, float(len(found)), 0.0)


def row_hash_with(seed: int) -> RowHash:
    """Row hashes of a small world of this seed, by workers; simulated into a temporary file."""

    def row_hash(workers: int) -> str:
        name, sets = SMALL
        with TemporaryDirectory(prefix="gaelp-market-") as folder:
            url = f"sqlite:///{Path(folder) / 'market.db'}"
            run(RunRequest(load_scenario(name, sets), url, seed=seed, crew=Crew(workers)))
            with Store.open(url, must_exist=True) as store:
                return rowhash.row_hash(store, store.find_run("@last"))

    return row_hash
