"""Grading: values by attribution by hand; rows of a small evaluation add up, and say the same twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gaelp_sim.evaluate.grade import Asked, evaluate
from gaelp_sim.evaluate.priced import fixed
from gaelp_sim.evaluate.touch_values import LAST, LINEAR, _per_charge
from gaelp_sim.planning.played import played
from gaelp_sim.planning.seeds import HOLDOUT_SEED, TUNING_SEED
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.world.policies import policy_named

DAY = 86_400


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return load_scenario("short", ["population.people=150", "identity.mode=perfect"])


def test_values_by_attribution(scenario: Scenario) -> None:
    """One buyer met on two signals: the last touch gets all, or both get half; per click, or per thousand views."""
    channels = [channel for channel in scenario.channels for _ in channel.signals]
    cpc = next(place for place, channel in enumerate(channels) if channel.charge == "cpc")
    cpm = next(place for place, channel in enumerate(channels) if channel.charge == "cpm")
    touches = np.array([[7, 7, 8], [DAY, 2 * DAY, DAY], [cpc, cpm, cpm], [1, 0, 0]])
    sales = np.array([[7], [3 * DAY]])
    last, linear = (_per_charge(scenario, touches, sales, rule) for rule in (LAST, LINEAR))
    ltv = float(scenario.economics.ltv_usd)
    assert (last[cpc], last[cpm]) == (0, round(ltv * 500 * 1e6))  # two views, one of them credited
    assert (linear[cpc], linear[cpm]) == (round(ltv / 2 * 1e6), round(ltv * 250 * 1e6))
    late = _per_charge(scenario, touches, np.array([[7], [40 * DAY]]), LAST)
    assert not late.any(), "beyond the lookback nothing is credited"


def test_a_small_evaluation(scenario: Scenario) -> None:
    """Two worlds: rows are means of what was played, shares are of the best baseline, the grade is the same again."""
    asked = Asked(("rule",), worlds=2, tuning_worlds=1, baselines=("fixed",), references=("clairvoyant",))
    rows = {row.policy: row for row in evaluate(scenario, asked, lambda step: None)}
    assert list(rows) == ["no ads", "fixed", "clairvoyant", "rule"]
    assert HOLDOUT_SEED != TUNING_SEED
    again = played(scenario.model_copy(update={"seed": HOLDOUT_SEED}), "rule", range(2))
    assert rows["rule"].profit_usd == pytest.approx(again.profit_usd.mean()) and rows["rule"].kind == "graded"
    assert rows["no ads"].spend_usd == 0 and rows["no ads"].profit_above_no_ads_usd == 0
    best = max(rows["no ads"].profit_usd, rows["fixed"].profit_usd)
    share = rows["rule"].over_best_share
    assert share == pytest.approx((rows["rule"].profit_usd - best) / best)
    assert rows["clairvoyant"].share_of_way in (None, pytest.approx(1.0))


def test_a_fixed_bidder_bids_a_multiple_of_the_market(scenario: Scenario) -> None:
    assert (fixed(scenario, 2.0).price_micros == 2 * fixed(scenario, 1.0).price_micros).all()  # type: ignore[attr-defined]


CLIMBER = """
import numpy as np
from gaelp_sim.events import Bids, Statistics

class Climber:
    def __init__(self, scenario):
        self.name, self.hours = "Climber", 0
    def bid(self, opportunities, moment):
        n, none = len(opportunities), np.zeros(len(opportunities), dtype=np.int16)
        return Bids(np.full(n, 100_000 * (1 + self.hours)), none, none, np.ones(n))
    def observe(self, opportunities, outcomes):
        return Statistics(np.ones(1, dtype=np.int64))
    def update(self, statistics):
        self.hours += 1
    def state(self):
        return {"hours": np.array(self.hours)}
    def restore(self, state):
        self.hours = int(state["hours"])
"""


@pytest.mark.parametrize("mode", ["profit", "growth"])
def test_a_bidder_from_outside_is_graded_as_it_is(
    scenario: Scenario, mode: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that learns: it bids as in a run, more from hour to hour, and begins anew in each grade."""
    (tmp_path / "climbing.py").write_text(CLIMBER, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    asked = Asked(("climbing:Climber",), mode=mode, worlds=2, tuning_worlds=1, baselines=("fixed",), references=())
    row = next(row for row in evaluate(scenario, asked, lambda step: None) if row.kind == "graded")
    again = played(scenario.model_copy(update={"seed": HOLDOUT_SEED}), "climbing:Climber", range(2))
    assert row.spend_usd == pytest.approx(again.spend_usd.mean()) and row.spend_usd > 0


def test_a_bidder_from_outside_can_be_copied(
    scenario: Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Played as it is, not by name: a copy bids, so that the one it was copied from learns nothing."""
    (tmp_path / "climbing_copied.py").write_text(CLIMBER, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    bidder = policy_named("climbing_copied:Climber", scenario)
    assert played(scenario, bidder, range(1)).opportunities.sum() > 0 and bidder.hours == 0  # type: ignore[attr-defined]
