"""Baselines and their dials: each bids, scaled bids are multiples, a CPA controller meets its target, Thompson takes the
better arm."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gaelp_sim.evaluate.candidates import BASELINES, Dials
from gaelp_sim.evaluate.priced import priced, scaled
from gaelp_sim.evaluate.target_cpa import MULTIPLE_MAX, MULTIPLE_MIN, TargetCpa, moved
from gaelp_sim.evaluate.thompson import Arms, Thompson, _judged
from gaelp_sim.evaluate.touch_values import LAST, LINEAR, credits
from gaelp_sim.events import DecisionStatus, Opportunities
from gaelp_sim.market.bidder import BID_MICROS_MAX, Bidder, Known, Moment, informed
from gaelp_sim.market.rule_policy import LEVEL_MULTIPLES, RulePolicy
from gaelp_sim.observe.table import COLUMN
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.scenario.schema import Scenario
from tests.checks.bidders import moment, opportunities

DAY = 86_400
DIALS = Dials((0.5, 2.0), (40.0, 120.0), (50.0, 5_000.0))


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return load_scenario("short", ["population.people=900", "identity.mode=perfect", "days=12"])


def _bids(bidder: Bidder, slots: Opportunities, now: Moment, roi: float = 0.5) -> np.ndarray:
    knowing = informed(bidder)
    if knowing is None:
        return bidder.bid(slots, now).bid_micros
    n = len(slots)
    seen = np.zeros((n, 41), dtype=np.float32)
    seen[:, COLUMN["current_roi"]] = roi
    notes = np.zeros((n, knowing.notes), dtype=np.float32)
    return knowing.bid_knowing(slots, now, Known(np.arange(n), np.zeros(n, dtype=bool), notes, None, seen)).bid_micros


@pytest.mark.parametrize("name", BASELINES)
def test_every_baseline_has_a_dial_that_bids(name: str, scenario: Scenario) -> None:
    """Settings are told apart, bids are sound, propensities are probabilities, arguments stay as they are."""
    offered = list(BASELINES[name](scenario, DIALS, 1))
    assert len({one.told for one in offered}) == len(offered) >= 2
    slots, now = opportunities(scenario), moment(scenario)
    before = [column.copy() for column in vars(slots).values()]
    for one in offered:
        assert not isinstance(one.bidder, str)
        bid = _bids(one.bidder, slots, now)
        assert bid.dtype == np.int64 and (bid >= 0).all() and (bid <= BID_MICROS_MAX).all()
    assert all(np.array_equal(a, b) for a, b in zip(before, vars(slots).values(), strict=True))
    if name not in ("target_cpa", "dual_pacing"):  # their dial is not a price
        low, high = (_bids(one.bidder, slots, now).sum() for one in (offered[0], offered[-1]))
        assert low < high
    budgets = {one.scenario.us.budget.usd_day for one in offered}
    assert (len(budgets) > 1) == (name == "dual_pacing")
    assert all((one.scenario.us.policy.pacing == "dual") == (name == "dual_pacing") for one in offered)


def test_scaled_bids_are_multiples_and_nothing_else_changes(scenario: Scenario) -> None:
    slots, now = opportunities(scenario), moment(scenario)
    rule = RulePolicy.of(scenario)
    one, three = rule.bid(slots, now), scaled(rule, 3.0).bid(slots, now)
    assert (three.bid_micros == 3 * one.bid_micros).all() and (three.propensity == one.propensity).all()
    assert (three.level == one.level).all() and (three.creative == one.creative).all()
    assert (scaled(rule, 1e12).bid(slots, now).bid_micros <= BID_MICROS_MAX).all()


def test_a_cpa_controller_meets_its_target() -> None:
    """A market in which the CPA grows with bids: the multiple settles where it is the target, from either side."""
    for start in (0.3, 3.0):
        state = np.array([start, 0.0, 0.0])
        for _ in range(200):
            state = moved(state, 100.0, 60.0 * state[0] ** 0.5)
        assert 60.0 * state[0] ** 0.5 == pytest.approx(100.0, rel=0.05)
    for cpa in (1e-6, 1e9):
        state = np.array([1.0, 0.0, 0.0])
        for _ in range(50):
            state = moved(state, 100.0, cpa)
        assert MULTIPLE_MIN <= state[0] <= MULTIPLE_MAX


def test_target_cpa_moves_once_a_day_by_unit(scenario: Scenario) -> None:
    """Dear sales lower the next day's bids; the same day's stay; a world that reports nothing is left alone."""
    slots = opportunities(scenario)
    bidder = TargetCpa(priced(scenario, RulePolicy.of(scenario).price_micros), 180.0, 60.0)
    first = _bids(bidder, slots, moment(scenario, hour=30), roi=0.0)
    dear = _bids(bidder, slots, moment(scenario, hour=60), roi=0.2)
    again = _bids(bidder, slots, moment(scenario, hour=61), roi=0.2)
    assert 0 < dear.max() < first.max() and again.max() == dear.max()
    silent = _bids(bidder, slots, moment(scenario, hour=90), roi=-1.0)
    assert silent.max() == dear.max()


def test_thompson_takes_the_arm_that_earned_more(scenario: Scenario) -> None:
    """Known arms: the better one nearly always; unknown ones as often as beliefs overlap; staying out where all lose."""
    rule = RulePolicy.of(scenario)
    signals, levels = len(rule.price_micros), len(LEVEL_MULTIPLES)
    mean, error = np.full((signals, levels), -1.0), np.full((signals, levels), 0.01)
    mean[:, 4] = 0.5
    mean[:, 7] = 0.2
    slots, now = opportunities(scenario), moment(scenario)
    sure = Thompson.of(rule, Arms(mean, error), 1.0).bid(slots, now)
    assert (sure.level == 4).all() and (sure.propensity == 1.0).all()
    error[:, [4, 7]] = 1.0
    torn = Thompson.of(rule, Arms(mean, error), 1.0).bid(slots, now)
    assert set(np.unique(torn.level)) >= {4, 7} and ((torn.propensity > 0) & (torn.propensity < 1)).all()
    hopeless = Thompson.of(rule, Arms(np.full_like(mean, -1.0), error * 0), 1.0).bid(slots, now)
    assert (hopeless.level == 0).all() and (hopeless.bid_micros == 0).all()


def test_arms_are_judged_by_credit_less_charge(scenario: Scenario) -> None:
    """Two tries of one arm, one won before a sale: half a lifetime value on average, less the charge."""
    won, lost = int(DecisionStatus.WON), int(DecisionStatus.LOST)
    tries = np.array([[7, 8], [DAY, DAY], [1, 1], [4, 4], [won, lost], [2_000_000, 0]])
    arms = _judged(scenario, tries, np.array([[7], [2 * DAY]]))
    ltv = float(scenario.economics.ltv_usd)
    assert arms.mean_usd[1, 4] == pytest.approx((ltv - 2.0) / 2)
    assert (arms.mean_usd[0] < -1e5).all(), "never tried, never taken"


@pytest.mark.parametrize("rule", [LAST, LINEAR])
def test_credits_sum_to_sales(rule: str) -> None:
    rng = np.random.default_rng(3)
    touches = np.stack([rng.integers(0, 20, 200), rng.integers(0, 60, 200) * DAY])
    touches = touches[:, np.lexsort([touches[1], touches[0]])]
    sales = np.stack([rng.integers(0, 25, 40), rng.integers(0, 70, 40) * DAY])
    due = sum(
        bool(((touches[0] == who) & (touches[1] <= when) & (touches[1] >= when - 30 * DAY)).any()) for who, when in sales.T
    )
    assert credits(touches, sales, rule).sum() == pytest.approx(due)


def test_levels_out_of_reach_of_a_throttle_are_not_mistaken(scenario: Scenario) -> None:
    """Thompson's bids follow the sheet's pace, as everybody's do."""
    slots, now = opportunities(scenario), moment(scenario)
    rule = RulePolicy.of(scenario)
    arms = Arms(np.tile(np.linspace(0, 1, len(LEVEL_MULTIPLES)), (len(rule.price_micros), 1)), np.zeros((1, 1)))
    bidder = Thompson.of(rule, Arms(arms.mean_usd, np.zeros_like(arms.mean_usd)), 1.0)
    half = replace(now, multiplier_ppm=now.multiplier_ppm // 2)
    assert np.abs(bidder.bid(slots, half).bid_micros * 2 - bidder.bid(slots, now).bid_micros).max() <= 2
