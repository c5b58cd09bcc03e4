"""Who is dealt what: keyed, balanced, whatever else is in the stack and whatever people are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gaelp_sim.analyse.experiment_units import Design, Units, compared, units_of
from gaelp_sim.errors import UsageError
from gaelp_sim.events import NONE, Ints
from gaelp_sim.observe.memory import SLOTS
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.units import SECONDS_PER_HOUR
from gaelp_sim.world.shard import Shard, Task
from gaelp_sim.world.stack import Place, Stack

DAYS = 7
DESIGNS = [
    Design(), Design(by="household"), Design(by="device"), Design("geo"), Design("geo", matched=True), Design("switchback"),
    Design("switchback", block_hours=6), Design("budget"),
]


def _stack(worlds: range, mode: str = "devices", policy: str = "rule", cells: int = 2) -> Stack:
    scenario = load_scenario("short", ["population.people=400", f"days={DAYS}", f"identity.mode={mode}", f"cells={cells}"])
    return Shard(Task(scenario, 11, policy, Place(worlds, range(cells)), 0, None)).stack


def _of_world(units: Units, world: int) -> Ints:
    return units.second[units.world == world].astype(np.int64)


@pytest.mark.parametrize("design", DESIGNS, ids=str)
def test_a_deal_is_a_world_s_own(design: Design) -> None:
    """The same beside other worlds and under another policy; another one in the next world."""
    some, one = units_of(design, _stack(range(3)), DAYS), units_of(design, _stack(range(2, 3), policy="silent"), DAYS)
    assert np.array_equal(_of_world(some, 2), _of_world(one, 0))
    assert not np.array_equal(_of_world(some, 2), _of_world(some, 1)) or design.kind == "budget"


@pytest.mark.parametrize("design", DESIGNS, ids=str)
def test_a_deal_is_balanced(design: Design) -> None:
    """Exactly where regions, blocks or halves are drawn; within four standard errors where each has its own coin."""
    units = units_of(design, _stack(range(20)), DAYS)
    counted = units.weight > 0
    share = units.second[counted].mean()
    if design.kind in ("geo", "switchback"):
        assert share == 0.5
    clusters = len(np.unique(units.cluster[counted]))
    assert abs(share - 0.5) < (0.01 if design.kind == "budget" else 2 / np.sqrt(clusters))
    assert units.whole.sum() == pytest.approx(units.weight.sum() if design.kind != "switchback" else 20 * DAYS * 24)


@pytest.mark.parametrize("design", [Design(), Design(by="household"), Design("geo"), Design("budget")], ids=str)
def test_a_deal_knows_nothing_of_people(design: Design) -> None:
    """Segments are as frequent on either side: within four standard errors (five of homes' luck)."""
    stack = _stack(range(20), "perfect")
    units = units_of(design, stack, DAYS)
    row = np.arange(stack.people.size)
    unit = units.of(row, row * SLOTS, stack.people.device, np.zeros_like(row))
    second = units.second[unit]
    for segment in range(3):
        here = stack.people.segment == segment
        gap = here[second].mean() - here[~second].mean()
        assert abs(gap) < 5 * np.sqrt(here.var() * 4 / len(row))


def test_users_are_what_an_advertiser_resolves() -> None:
    """A device of its own until it is joined to the account; linked ones never have an account."""
    there = {mode: units_of(Design(), _stack(range(1), mode, cells=1), DAYS).weight.reshape(-1, SLOTS)
             for mode in ("perfect", "devices", "linked")}
    owned = _stack(range(1)).people.owned[:, None] >> np.arange(3) & 1
    assert (there["perfect"] == [1, 0, 0, 0]).all()
    assert (there["devices"][:, 0] == 1).all() and (there["linked"][:, 0] == 0).all()
    assert np.array_equal(there["devices"][:, 1:], owned) and np.array_equal(there["linked"][:, 1:], owned)


def test_homes_and_regions_stay_together() -> None:
    stack = _stack(range(3))
    people = stack.people
    row = np.arange(people.size)
    for design in (Design(by="household"), Design("geo"), Design("budget")):
        units = units_of(design, stack, DAYS)
        second = units.second[units.of(row, row * SLOTS, people.device, np.zeros_like(row))]
        home = people.world << 32 | people.household
        homes = len(np.unique(home))
        assert homes == len(np.unique(np.stack([home, second]), axis=1).T)
        if design.kind != "geo":  # members of a home are no independent witnesses
            cluster = units.cluster[units.of(row, row * SLOTS, people.device, np.zeros_like(row))]
            assert homes == len(np.unique(cluster)) == len(np.unique(np.stack([home, cluster]), axis=1).T)


def test_regions_are_paired_by_size() -> None:
    units = units_of(Design("geo", matched=True), _stack(range(3)), DAYS)
    for pair in np.unique(units.cluster):
        assert sorted(units.second[units.cluster == pair].tolist()) == [False, True]
    loose = units_of(Design("geo"), _stack(range(3)), DAYS)
    apart = [np.ptp(units.weight[units.cluster == pair]) for pair in np.unique(units.cluster)]
    assert np.mean(apart) < 0.5 * np.mean(np.abs(np.diff(loose.weight)))


def test_blocks_are_paired_with_the_same_hours_of_the_next_day() -> None:
    """The last of an odd number of days is dealt out, too, and not compared; nothing is after the ads."""
    stack, design = _stack(range(2)), Design("switchback", block_hours=6, washout_hours=2)
    units = units_of(design, stack, DAYS)
    hour = np.arange((DAYS + 2) * 24)
    row = np.full(len(hour), stack.people.size - 1)
    unit = units.of(row, row * SLOTS, stack.people.device[row], hour * SECONDS_PER_HOUR)
    assert (unit[DAYS * 24 :] == NONE).all() and (unit[: DAYS * 24] != NONE).all() and (units.world[unit[:4]] == 1).all()
    assert units.weight[unit[: DAYS * 24]].tolist() == [4.0] * 6 * 24 + [0.0] * 24
    first, following = unit[:24], unit[24:48]
    assert (units.second[first] ^ units.second[following]).all()
    assert np.array_equal(units.cluster[first], units.cluster[following])
    assert compared(design, hour[:8] * SECONDS_PER_HOUR).tolist() == [False, False, True, True, True, True, False, False]


def test_designs_that_leave_nothing_are_refused() -> None:
    with pytest.raises(UsageError, match="takes all of a block"):
        Design("switchback", block_hours=2, washout_hours=2).check(10, 400)
    with pytest.raises(UsageError, match="fewer than two pairs"):
        Design("switchback").check(3, 400)
    with pytest.raises(UsageError, match="fewer than 10 a region"):
        Design("geo").check(10, 199)
    with pytest.raises(UsageError, match="even number"):
        replace(Design("geo", matched=True), regions=5).check(10, 400)
