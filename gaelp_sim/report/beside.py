"""Several runs set beside the first one: their facts, and paired differences where they are lives of the same people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gaelp_sim.analyse.life_sums import life_of
from gaelp_sim.analyse.paired import Pairing, paired
from gaelp_sim.errors import UsageError
from gaelp_sim.report.facts import Facts, facts_of
from gaelp_sim.store import RunRecord, Store
from gaelp_sim.world.inherit import check_same_people
from gaelp_sim.world.stored_scenario import stored_scenario

RUNS_MOST = 6


@dataclass(frozen=True)
class Beside:
    """One run beside the first."""

    facts: Facts
    pairing: Pairing | None
    """None where the two are not lives of the same people"""
    why_not: str
    """What makes them others; empty where they are the same"""


def beside_of(db_url: str, run_refs: Sequence[str]) -> tuple[Facts, list[Beside]]:
    """Read all runs, and hold each against the first.

    Raises RunNotFoundError, and UsageError for a run that is named twice and for too many.
    """
    told = [facts_of(db_url, ref) for ref in run_refs]
    names = [one.run.run_id for one in told]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"run {twice} is named twice; name other runs to set beside it: gaelp runs list")
    if len(told) > RUNS_MOST:
        raise UsageError(f"{len(told)} runs; a page has room for {RUNS_MOST}: name fewer, or see gaelp sweep")
    with Store.open(db_url, must_exist=True) as store:
        return told[0], [_beside(store, told[0].run, other) for other in told[1:]]


def _beside(store: Store, first: RunRecord, other: Facts) -> Beside:
    if why_not := _why_others(first, other.run):
        return Beside(other, None, why_not)
    worlds = min(first.worlds, other.run.worlds)
    lives = life_of(store, first, worlds), life_of(store, other.run, worlds)
    same = np.array_equal(lives[0].person, lives[1].person) and np.array_equal(lives[0].household, lives[1].household)
    if not same:
        return Beside(other, None, "the people are others")
    return Beside(other, paired(*lives), "")


def _why_others(first: RunRecord, other: RunRecord) -> str:
    """Why two runs can't be lives of the same people over the same days; empty where they can."""
    for name in ("seed", "worlds", "start_s", "start_hour", "hours_done"):
        if getattr(first, name) != getattr(other, name):
            return f"{name.removesuffix('_s').replace('_', ' ')} is {getattr(other, name)}, not {getattr(first, name)}"
    try:
        check_same_people("others", stored_scenario(first), stored_scenario(other))
    except UsageError as why:
        return str(why).removeprefix("others: ").partition(": the people must")[0].partition("; the people must")[0]
    return ""
