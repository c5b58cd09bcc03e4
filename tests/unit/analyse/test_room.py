"""The room above the best rule: rows, their arithmetic, and worlds that stay apart."""

from __future__ import annotations

import numpy as np
import pytest

from gaelp_sim.analyse import room as module
from gaelp_sim.analyse.room import BEST_RULE, CLAIRVOYANT, KINDS, NO_ADS, VALIDATION_FROM, room
from gaelp_sim.errors import UsageError
from gaelp_sim.planning.compared import interval
from gaelp_sim.planning.played import Played, played
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.world.crew import Crew


def test_every_policy_is_played_in_the_same_worlds_and_tuned_in_others(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[float, str, range]] = []

    def told(scenario: Scenario, policy: str, worlds: range) -> Played:
        setting = scenario.us.policy
        asked.append((setting.bid_multiplier, policy, worlds))
        base = {"silent": 0.0, "clairvoyant": 40.0, "observable_planner": 30.0, "one_step_lift": 25.0}.get(policy)
        sales = np.arange(len(worlds)) + (base if base is not None else 20.0 - 10 * abs(setting.bid_multiplier - 0.85))
        spend = np.full(len(worlds), 0.0 if policy == "silent" else 90.0)
        none = np.zeros(len(worlds))
        return Played(sales + (0.5 if setting.creatives == "rotate" else 0.0), spend, 180.0, none, none, none, none)

    monkeypatch.setattr(module, "played", told)
    rows, setting = room(load_scenario("short"), 4, 3, lambda step: None)
    assert (setting.bid_multiplier, setting.repeat_visitor_factor, setting.creatives) == (0.85, 1.0, "rotate")
    assert {worlds for _, _, worlds in asked} == {range(4), range(VALIDATION_FROM, VALIDATION_FROM + 3)}
    assert [row.policy for row in rows] == list(KINDS)
    by_name = {row.policy: row for row in rows}
    best, nothing, oracle = (by_name[name] for name in (BEST_RULE, NO_ADS, CLAIRVOYANT))
    assert best.over_best_usd == 0.0 and best.share_of_way == 0.0 and oracle.share_of_way == 1.0
    assert nothing.profit_above_no_ads_usd == 0.0 and nothing.cac_incremental_usd is None
    assert best.cac_incremental_usd == pytest.approx(90.0 / 20.5)
    # Worlds differ by 180 each, policies by the same in each of them: paired, no luck is left.
    assert oracle.over_best_usd_low == pytest.approx(oracle.over_best_usd_high) == pytest.approx(180 * 19.5)
    assert oracle.profit_high - oracle.profit_low > 500


@pytest.mark.parametrize(("n", "t"), [(5, 2.776), (8, 2.365), (24, 2.069)])
def test_intervals_are_student_s(n: int, t: float) -> None:
    values = np.arange(n, dtype=float)
    mean, low, high = interval(values)
    assert (high - low) / 2 == pytest.approx(t * values.std(ddof=1) / n**0.5, rel=5e-3)
    assert mean == values.mean()


def test_worlds_with_their_own_parameters_are_refused() -> None:
    with pytest.raises(UsageError, match="intervals"):
        played(load_scenario("randomised"), "rule", range(2))


def test_worlds_in_parts_are_the_same_worlds(monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = load_scenario("short", ["days=3"])
    whole = played(scenario, "rule", range(3, 6))
    monkeypatch.setattr("gaelp_sim.planning.played.PEOPLE_AT_ONCE", 300)
    parts = played(scenario, "rule", range(3, 6))
    shared = played(scenario, "rule", range(3, 6), crew=Crew(2))
    for name, column in vars(whole).items():
        assert np.array_equal(column, getattr(parts, name)) and np.array_equal(column, getattr(shared, name)), name
