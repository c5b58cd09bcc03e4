"""A thousand random small scenarios, fast and plain side by side: equal to the micro, with one cell and with several."""

from __future__ import annotations

from collections import defaultdict

import pytest

from gaelp_sim.events import NONE
from tests.worlds import test_invariants
from tests.worlds.comparison import Comparison, compare
from tests.worlds.scenarios import random_scenario, whole_run

CAMPAIGN_SCENARIOS = 1_000
RANDOM_WORLDS = 10_000
FIRST = 1_000
"""The normal suite has the seeds below."""


@pytest.mark.campaign
def test_a_thousand_scenarios_equal_the_plain_world(capsys: pytest.CaptureFixture[str]) -> None:
    """Spend, touches, sales, shifts and stages; prints a table by rounds and cells."""
    groups: dict[tuple[int, int], list[Comparison]] = defaultdict(list)
    unlike = []
    for seed in range(FIRST, FIRST + CAMPAIGN_SCENARIOS):
        scenario = random_scenario(seed)
        found = compare(scenario)
        groups[scenario.population.opportunities_per_hour_max, scenario.cells].append(found)
        unlike += [f"random_scenario({seed}): {difference}" for difference in found.differences]
    with capsys.disabled():
        print("\n" + "\n".join(table(groups)))
    assert not unlike, "\n".join(unlike[:20])


@pytest.mark.campaign
@pytest.mark.parametrize("first", range(0, RANDOM_WORLDS, 500))
def test_no_budget_is_exceeded_in_ten_thousand_worlds(first: int) -> None:
    """Ours and rivals', by day and month, whether they learn or not; some bind, some are nothing."""
    bound = 0
    for seed in range(FIRST + first, FIRST + first + 500):
        scenario = random_scenario(seed)
        run = whole_run(scenario)
        test_invariants.test_no_budget_is_exceeded_by_a_micro((scenario, run))
        bound += int((run["budget_day"]["exhausted_s"] != NONE).sum())
    assert bound > 500


def table(groups: dict[tuple[int, int], list[Comparison]]) -> list[str]:
    """A row per (rounds, cells), and the sum."""
    lines = ["rounds  cells  scenarios  touches   sales  budgets that bound  spend, micros    unlike"]
    everything = [each for found in groups.values() for each in found]
    for (rounds, cells), found in [*sorted(groups.items()), ((0, 0), everything)]:
        name = f"{rounds:>6}  {cells:>5}" if rounds else f"{'all':>13}"
        lines.append(
            f"{name}  {len(found):>9}  {sum(f.touches for f in found):>7}  {sum(f.sales for f in found):>6}  "
            f"{sum(f.exhausted for f in found):>18}  {sum(f.spend_micros for f in found):>13}  "
            f"{sum(bool(f.differences) for f in found):>8}"
        )
    return lines
