"""Experiments rehearsed: what they tell, beside what is true."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gaelp_sim.analyse.experiment import SHARED, Asked, Plan, Rehearsed, concluded, experiment, share_of
from gaelp_sim.analyse.experiment_estimates import estimated
from gaelp_sim.analyse.experiment_units import Design
from gaelp_sim.analyse.experiment_worlds import Setup, lived
from gaelp_sim.errors import UsageError
from gaelp_sim.planning.played import played
from gaelp_sim.planning.seeds import HOLDOUT_SEED, PILOT_SEED, REHEARSAL_SEED, TUNING_SEED, training_seed, validation_seed
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.scenario.schema import Scenario

BOTH = ("silent", "rule")


def _scenario(people: int, *sets: str) -> Scenario:
    return load_scenario("short", [f"population.people={people}", "identity.mode=perfect", *sets])


def _rehearsed(scenario: Scenario, design: Design, asked: Asked) -> tuple[dict[str, Any], dict[tuple[str, str], Rehearsed]]:
    report = experiment(scenario, design, asked, lambda step: None)
    rows = [Rehearsed(**row) for row in report["rehearsals"]]
    return report, {(row.outcome, row.accounts): row for row in rows}


def test_the_truth_is_that_of_the_same_worlds_under_either_policy() -> None:
    """Counted by person and by unit as `played` counts it by world."""
    scenario = _scenario(100, "days=3")
    setup = Setup.of(scenario, Design(), 9)
    for name in BOTH:
        here, there = lived(setup, range(3), (name, name)), played(setup.scenario, name, range(3))
        assert np.allclose(here.total["profit_usd"], there.profit_usd)
        assert np.allclose(here.total["spend_usd"], there.spend_usd)
        for outcome, total in here.total.items():
            assert np.allclose(np.bincount(here.units.world, weights=here.outcome[outcome]), total)


@pytest.mark.parametrize("mode", ["devices", "linked"])
def test_everything_that_users_bring_is_counted(mode: str) -> None:
    """Both policies at once; no sale and no charge falls on a user who is not compared."""
    setup = Setup.of(_scenario(200, "days=3", f"identity.mode={mode}"), Design(), 9)
    lives = lived(setup, range(2), BOTH)
    units = lives.units
    for outcome, total in lives.total.items():
        counted = np.where(units.weight > 0, lives.outcome[outcome], 0.0)
        assert np.allclose(np.bincount(units.world, weights=counted), total) and total.sum() != 0


def test_a_planted_effect_is_found_without_bias() -> None:
    """Users known, budgets slack, rivals frozen: nobody is in anybody's way, to the last bit of a dollar."""
    report, rows = _rehearsed(_scenario(300, "days=8"), Design(), Asked(BOTH, worlds=30, pilots=15))
    profit, spend = rows["profit_usd", SHARED], rows["spend_usd", SHARED]
    assert profit.truth > 0.5 and spend.truth > 0.2 and spend.found > 0.6
    for row in rows.values():
        assert row.coverage >= 0.85
        assert abs(row.bias_low) < 1e-9 and abs(row.bias_high) < 1e-9
    assert profit.planned == pytest.approx(profit.found, abs=0.15)
    assert report["plan"]["standard_error_usd"] == pytest.approx(profit.standard_error, rel=0.2)
    assert 0.5 < profit.spread / profit.standard_error < 1.5


@pytest.mark.parametrize("design", [Design(by="household"), Design("switchback")], ids=lambda design: design.kind)
def test_a_policy_against_itself_is_found_as_often_as_alpha_says(design: Design) -> None:
    """At alpha .2, over 120 worlds: .2 lies in the share's 99.9 % interval. An error half as large finds .5."""
    _, rows = _rehearsed(_scenario(150, "days=6"), design, Asked(("rule", "rule"), alpha=0.2, worlds=120, pilots=2))
    for row in rows.values():
        assert (row.truth, row.interference) == (0.0, 0.0)
        assert abs(row.found - 0.2) < 3.3 * np.sqrt(0.2 * 0.8 / 120)


def test_devices_taken_for_people_are_in_each_other_s_way() -> None:
    """Whoever sees ads on one device may buy on the other; homes dealt as one leak nothing, whatever is resolved."""
    scenario, asked = _scenario(300, "days=6", "identity.mode=devices"), Asked(BOTH, worlds=3, pilots=1)
    users = _rehearsed(scenario, Design(), asked)[1]["profit_usd", SHARED]
    homes = _rehearsed(scenario, Design(by="household"), asked)[1]["profit_usd", SHARED]
    assert users.bias_high - users.bias_low > 0.01
    assert abs(homes.bias_low) < 1e-9 and abs(homes.bias_high) < 1e-9


def test_shared_budgets_exaggerate_and_accounts_apart_do_not() -> None:
    """Who is silent leaves the money to the other half; with half of the budget each, nobody can take it."""
    setup, worlds = Setup.of(_scenario(1500, "days=6", "us.budget.usd_day=25"), Design("budget"), 9), range(6)
    wholly = lived(setup, worlds, ("rule", "rule")).total["spend_usd"].mean() / 1500
    told = {}
    for apart in (False, True):
        lives = lived(setup, worlds, BOTH, apart=apart)
        told[apart] = estimated(lives.units, lives.outcome["spend_usd"]).value.mean() - wholly
    assert told[False] > 0.25 * wholly and abs(told[True]) < 0.5 * told[False]


def test_sales_that_come_after_the_wait_are_not_counted() -> None:
    scenario, sold = _scenario(800), {}
    for wait in (0, 30):
        lives = lived(Setup.of(scenario, Design(), 9, wait), range(2), ("rule", "rule"))
        sold[wait] = lives.outcome["conversions"].sum(), lives.total["conversions"].sum()
    assert sold[0][1] == sold[30][1] == sold[30][0] > sold[0][0] > 0


def test_pilots_and_rehearsals_have_worlds_of_their_own() -> None:
    others = {HOLDOUT_SEED, TUNING_SEED, validation_seed(0), *range(TUNING_SEED, TUNING_SEED + 8)}
    assert PILOT_SEED != REHEARSAL_SEED and not {PILOT_SEED, REHEARSAL_SEED} & others
    assert max(PILOT_SEED, REHEARSAL_SEED) < training_seed(0, 0)


def _unasked(step: str) -> None:
    raise AssertionError(step)


def test_what_can_t_be_tested_is_refused() -> None:
    for name, why in (("my_module:Mine", "bidder from outside"), ("ruel", "no such policy")):
        with pytest.raises(UsageError, match=why):
            lived(Setup.of(_scenario(100), Design(), 9), range(2), ("rule", name))
        with pytest.raises(UsageError, match=why):  # before any world is lived through
            experiment(_scenario(100), Design(), Asked(("rule", name)), _unasked)
    with pytest.raises(UsageError, match="fewer than 10 a region"):
        Setup.of(_scenario(100), Design("geo", regions=20), 9)


def _row(**changes: Any) -> Rehearsed:
    same = dict.fromkeys(Rehearsed.__dataclass_fields__, 0.0)
    return Rehearsed(**{**same, "outcome": "profit_usd", "accounts": SHARED, "worlds": 40, **changes})


def test_conclusions() -> None:
    """Bias first, then size, then go; a policy against itself is judged by alpha."""
    plan = Plan(1000, 10, 1000, 1000, 18.0, 0.0, 1.0, 1.0, 2.8, 1.5, "asked", 0.3, 3500.0, "people")
    fair = {"estimate": 1.4, "truth": 1.4, "bias_low": -0.02, "bias_high": 0.02}
    off = {"estimate": 2.8, "truth": 1.4, "bias": 1.4, "bias_low": 1.2, "bias_high": 1.6}
    assert "Do not trust" in concluded(Asked(BOTH), plan, _row(**off))
    assert "about 3,500 people" in concluded(Asked(BOTH), plan, _row(**fair))
    assert "A team can run this test" in concluded(Asked(BOTH, power=0.25), plan, _row(**fair))
    same = Asked(("rule", "rule"))
    assert "as it should" in concluded(same, plan, _row(found=0.05, found_low=0.01, found_high=0.2))
    assert "which it should not" in concluded(same, plan, _row(found=0.3, found_low=0.2, found_high=0.4))
    assert share_of(0, 10)[1] == 0.0 and share_of(10, 10)[2] > 0.9999
