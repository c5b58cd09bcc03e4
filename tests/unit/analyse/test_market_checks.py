"""The market's checks pass for the auctions that we ship, and each fails where its fault is planted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest

from gaelp_sim.analyse.market_books import book_checks, luck_checks, repeat_check
from gaelp_sim.analyse.market_checks import SUBJECTS
from gaelp_sim.analyse.market_lab import Check, Lab
from gaelp_sim.analyse.market_learners import best_reply_check, self_play_check
from gaelp_sim.analyse.market_revenue import revenue_checks
from gaelp_sim.analyse.market_slots import slot_checks
from gaelp_sim.draws import Draws, Purpose, Who, Words
from gaelp_sim.events import Floats
from gaelp_sim.market.auction import Cleared, Offers, Rules, clear
from gaelp_sim.market.budgets import Budgets, Round, Spent, clear_within_budgets
from gaelp_sim.units import PPM

LAB = Lab(100_000, Draws(seed=0))
Subject = Callable[[Lab], Iterator[Check]]


def failed(lab: Lab, *subjects: Subject) -> set[str]:
    """The checks of these subjects that a lab's auctions fail."""
    return {check.check for subject in subjects for check in subject(lab) if not check.passed}


@pytest.mark.parametrize("seed", [0, 1, 3])
def test_our_auctions_pass(seed: int) -> None:
    """Whatever the luck; each check has its own name and figures that JSON can hold."""
    checks = [check for subject in SUBJECTS for check in subject(Lab(100_000, Draws(seed)))]
    assert [check for check in checks if not check.passed] == []
    assert len({check.check for check in checks}) == len(checks) > 40
    assert all(np.isfinite([check.expected, check.got, check.tolerance]).all() for check in checks)


def _pays_the_bid(offers: Offers, rules: Rules) -> Cleared:
    return clear(offers, rules._replace(first_price=np.ones_like(rules.first_price)))


def _pays_the_next_bid(offers: Offers, rules: Rules) -> Cleared:
    return clear(offers, rules._replace(first_price=np.zeros_like(rules.first_price)))


def _favours_the_first_index(offers: Offers, rules: Rules) -> Cleared:
    return clear(offers._replace(ties=np.zeros_like(offers.ties)), rules)


def _ignores_the_reserve(offers: Offers, rules: Rules) -> Cleared:
    return clear(offers, rules._replace(reserve_micros=np.zeros_like(rules.reserve_micros)))


def _sells_under_the_reserve(offers: Offers, rules: Rules) -> Cleared:
    bids = np.maximum(offers.bid_micros, rules.reserve_micros[offers.channel])
    return clear(offers._replace(bid_micros=bids), rules)


def _forgets_quality_in_prices(offers: Offers, rules: Rules) -> Cleared:
    sold = clear(offers, rules)
    alike = clear(offers._replace(quality_ppm=np.full_like(offers.quality_ppm, PPM)), rules)
    return sold._replace(price_micros=alike.price_micros)


def _prices_vcg_as_gsp(offers: Offers, rules: Rules) -> Cleared:
    return clear(offers, rules._replace(vcg=np.zeros_like(rules.vcg)))


def _prices_gsp_as_vcg(offers: Offers, rules: Rules) -> Cleared:
    return clear(offers, rules._replace(vcg=~rules.first_price))


def _favours_bidder_0(offers: Offers, rules: Rules) -> Cleared:
    quality = offers.quality_ppm.copy()
    quality[0] += quality[0] // 50
    return clear(offers._replace(quality_ppm=quality), rules)


def _rounds_down(offers: Offers, rules: Rules) -> Cleared:
    sold = clear(offers, rules)
    lower = np.maximum(sold.price_micros - 1, rules.reserve_micros[offers.channel])
    return sold._replace(price_micros=np.where(sold.price_micros > 0, lower, 0))


def _leaves_a_lone_bidder_out(offers: Offers, rules: Rules) -> Cleared:
    alone = (offers.bid_micros > 0).sum(axis=0) < 2
    return clear(offers._replace(bid_micros=np.where(alone, 0, offers.bid_micros)), rules)


AUCTION_FAULTS = [
    (_pays_the_bid, revenue_checks, "second-price revenue, 2 bidders"),
    (_pays_the_bid, revenue_checks, "revenue equivalence, 5 bidders: second less first price"),
    (_pays_the_bid, revenue_checks, "second price: best bid over value, 5 bidders"),
    (_pays_the_bid, revenue_checks, "surplus a bidder, 2 bidders"),
    (_pays_the_bid, slot_checks, "GSP revenue, clicks 200 and 100, values 10, 4, 2"),
    (_pays_the_bid, slot_checks, "price of a lone bidder, reserve .25"),
    (_pays_the_next_bid, revenue_checks, "first-price revenue at equilibrium, 5 bidders"),
    (_pays_the_next_bid, revenue_checks, "first price: best bid over value, 2 bidders"),
    (_pays_the_next_bid, revenue_checks, "first price: best bid over value, 5 bidders"),
    (_favours_the_first_index, slot_checks, "ties of 2: chi-square of the wins"),
    (_favours_the_first_index, slot_checks, "ties of 3: chi-square of the wins"),
    (_favours_the_first_index, slot_checks, "ties of 5: chi-square of the wins"),
    (_ignores_the_reserve, revenue_checks, "second-price revenue, reserve .5, 2 bidders"),
    (_ignores_the_reserve, revenue_checks, "share sold, reserve .5, 5 bidders"),
    (_ignores_the_reserve, revenue_checks, "best reserve, 2 bidders"),
    (_ignores_the_reserve, slot_checks, "price of a lone bidder, reserve .25"),
    (_sells_under_the_reserve, revenue_checks, "share sold, reserve .5, 2 bidders"),
    (_forgets_quality_in_prices, slot_checks, "GSP by quality: slots not at the least that holds them"),
    (_prices_vcg_as_gsp, slot_checks, "VCG revenue, clicks 200 and 100, values 10, 4, 2"),
    (_prices_vcg_as_gsp, slot_checks, "VCG, the same values: most gained by any lie of a grid"),
    (_prices_gsp_as_vcg, slot_checks, "GSP, clicks 200 and 199: earned by bidding 10 for 10"),
    (_prices_gsp_as_vcg, slot_checks, "GSP by quality: slots not at the least that holds them"),
    (_favours_bidder_0, slot_checks, "bidders in another order: slots that differ"),
    (_rounds_down, slot_checks, "GSP by quality: slots not at the least that holds them"),
    (_leaves_a_lone_bidder_out, slot_checks, "price of a lone bidder, reserve .25"),
]


@pytest.mark.parametrize(("fault", "subject", "check"), AUCTION_FAULTS, ids=lambda part: getattr(part, "__name__", part))
def test_a_faulty_auction_is_caught(fault: Callable[[Offers, Rules], Cleared], subject: Subject, check: str) -> None:
    """The check that this fault concerns fails, and not all of them do."""
    caught = failed(replace(LAB, clear=fault), subject)
    assert check in caught
    assert len(caught) < sum(1 for _ in subject(LAB))


def test_mechanisms_that_differ_with_one_slot_are_caught() -> None:
    """GSP a micro dearer than second price."""

    def dearer(offers: Offers, rules: Rules) -> Cleared:
        sold = clear(offers, rules)
        second = rules.slots.max() == 1 and not rules.per_click.any()
        return sold if second else sold._replace(price_micros=sold.price_micros + rules.vcg[offers.channel])

    assert "one slot: GSP, VCG unlike second price, rows" in failed(replace(LAB, clear=dearer), slot_checks)


Fault = Callable[[Budgets, Offers, Round, Rules], Spent]


def _a_micro_too_rich(budgets: Budgets, offers: Offers, this: Round, rules: Rules) -> Spent:
    budgets.left_micros[:] += 1
    spent = clear_within_budgets(budgets, offers, this, rules)
    budgets.left_micros[:] -= 1
    return spent


def _boundless(budgets: Budgets, offers: Offers, this: Round, rules: Rules) -> Spent:
    budgets.left_micros[:] += 10**15
    spent = clear_within_budgets(budgets, offers, this, rules)
    budgets.left_micros[:] -= 10**15
    return spent


def _drops_for_the_whole_round(budgets: Budgets, offers: Offers, this: Round, rules: Rules) -> Spent:
    trial = Budgets(*[column.copy() for column in budgets])
    clear_within_budgets(trial, offers._replace(bid_micros=offers.bid_micros.copy()), this, rules)
    budgets.dropped[:] = trial.dropped
    return clear_within_budgets(budgets, offers, this, rules)


def _changed(change: Callable[[Spent, Round], Spent]) -> Fault:
    def fault(budgets: Budgets, offers: Offers, this: Round, rules: Rules) -> Spent:
        return change(clear_within_budgets(budgets, offers, this, rules), this)

    return fault


BOOK_FAULTS: dict[str, tuple[Fault, str]] = {
    "a micro too rich": (_a_micro_too_rich, "budgets: rows unlike auctions held one by one"),
    "never runs out": (_boundless, "spend above the budget: rows"),
    "drops for the whole round": (_drops_for_the_whole_round, "budgets: rows unlike auctions held one by one"),
    "charges more than the account is drawn": (
        _changed(lambda spent, _: spent._replace(charge_micros=spent.charge_micros + (spent.charge_micros > 0))),
        "sum of gross less net less revenue over periods, micros",
    ),
    "charges without a click": (
        _changed(lambda spent, _: spent._replace(charge_micros=spent.charge_micros + spent.price_micros // 1_000)),
        "charge unlike price and click: rows",
    ),
    "a price above the bid": (
        _changed(lambda spent, _: spent._replace(price_micros=spent.price_micros * 2)), "price above the bid: rows",
    ),
    "a price under the reserve": (
        _changed(lambda spent, _: spent._replace(price_micros=spent.price_micros // 2)), "price under the reserve: rows",
    ),
}


@pytest.mark.parametrize("fault", BOOK_FAULTS)
def test_faulty_books_are_caught(fault: str) -> None:
    within_budgets, check = BOOK_FAULTS[fault]
    assert check in failed(replace(LAB, clear_within_budgets=within_budgets), book_checks)


@dataclass(frozen=True)
class SameEveryTick(Draws):
    """Luck that forgets the time, as if a generator were seeded anew in every tick."""

    def blocks(self, purpose: Purpose, who: Who, *, slots: int) -> Words:
        """Words of the same rows at time 0."""
        return super().blocks(purpose, who._replace(time=np.zeros_like(who.time)), slots=slots)


def test_luck_that_repeats_is_caught() -> None:
    """Every stream of it, and the prices that follow."""
    assert len(failed(replace(LAB, draws=SameEveryTick(0)), luck_checks)) == 4


def test_rows_that_depend_on_the_workers_are_caught() -> None:
    assert repeat_check(lambda workers: "7f3a").passed
    assert not repeat_check(lambda workers: f"7f3{workers}").passed


class Stubborn:
    """A learner that never learns."""

    def __init__(self, multiple: float) -> None:
        self.multiple = multiple

    def choose(self, luck: Words) -> Floats:
        """Always the same."""
        return np.full(len(luck), self.multiple)

    def learn(self, gains: Floats) -> None:
        """Nothing."""

    def settled(self) -> Floats:
        """The same again."""
        return np.array([self.multiple])


def test_learners_that_do_not_learn_are_caught() -> None:
    """A reply far from the best; bidders who shade as little as before."""
    assert best_reply_check(LAB, Stubborn(0.8)).passed
    assert not best_reply_check(LAB, Stubborn(0.75)).passed
    assert not best_reply_check(LAB, Stubborn(0.85)).passed
    assert not self_play_check(LAB, 2, lambda: Stubborn(0.9)).passed
    assert not self_play_check(LAB, 2, lambda: Stubborn(0.55)).passed
