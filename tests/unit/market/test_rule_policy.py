"""What the default rule bids and shows: device factors, and the creative by signal, by user and by wear."""

from __future__ import annotations

import numpy as np

from gaelp_sim.events import Bids, DeviceKind
from gaelp_sim.market.rule_policy import RulePolicy
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.scenario.schema import DeviceFactors, Policy, Scenario
from tests.checks.bidders import moment, opportunities

FLAGSHIP = load_scenario("parental_controls")


def _with(scenario: Scenario, **policy: object) -> Scenario:
    changed = Policy.model_validate({**scenario.us.policy.model_dump(), **policy})
    return scenario.model_copy(update={"us": scenario.us.model_copy(update={"policy": changed})})


def _bids(**policy: object) -> Bids:
    return RulePolicy.of(_with(FLAGSHIP, **policy)).bid(opportunities(FLAGSHIP), moment(FLAGSHIP))


def test_bids_are_adjusted_by_device() -> None:
    """Halved on the desktop, nothing on the tablet, as before on the mobile; the action and its propensity stay."""
    plain, adjusted = _bids(), _bids(device_adjustments=DeviceFactors(desktop=0.5, tablet=0.0))
    device = opportunities(FLAGSHIP).device
    factor = np.array([1.0, 0.5, 0.0])[device]
    assert set(device.tolist()) == set(DeviceKind)
    assert np.abs(adjusted.bid_micros - plain.bid_micros * factor).max() <= 1
    assert np.array_equal(adjusted.bid_micros[device == 0], plain.bid_micros[device == 0])
    for name in ("level", "creative", "propensity"):
        assert np.array_equal(getattr(adjusted, name), getattr(plain, name)), name


def test_a_worn_family_makes_way_for_the_other() -> None:
    """From the threshold on, and only where the other family is less worn; what explores does not look at wear."""
    scenario = load_scenario("parental_controls", ["us.policy.creatives=rotate", "us.policy.rotate_after=2"])
    rule, slots = RulePolicy.of(scenario), opportunities(scenario)
    now = moment(scenario)
    bids = rule.bid(slots, now)
    greedy = bids.propensity > 0.5
    family = rule.fits.family[rule.fits.best[now.returning.astype(int), slots.signal]]
    own, others = now.recent[family, np.arange(len(slots))], now.recent[1 - family, np.arange(len(slots))]
    turns = (own >= 2) & (own > others)
    shown = rule.fits.family[bids.creative]
    assert 50 < turns[greedy].sum() < greedy.sum() - 50
    assert np.array_equal((shown != family)[greedy], turns[greedy])


def test_the_hour_s_creative_is_shown_where_one_is_picked() -> None:
    """By unit and signal, whoever the user is; levels, bids and exploration as before."""
    scenario = load_scenario("parental_controls", ["us.policy.creatives=thompson"])
    slots, now, plain = opportunities(scenario), moment(scenario), _bids()
    bids = RulePolicy.of(scenario).bid(slots, now)
    greedy = bids.propensity > 0.5
    assert np.array_equal(bids.creative[greedy], now.creative[slots.unit, slots.signal][greedy])
    assert np.array_equal(bids.bid_micros, plain.bid_micros) and np.array_equal(bids.level, plain.level)
