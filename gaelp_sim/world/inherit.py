"""What a continued run or a replay takes over from its parent, and what it may not change."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from gaelp_sim.errors import UsageError
from gaelp_sim.market.budgets import accounts_of
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.store import RunRecord, Store, check_finished
from gaelp_sim.world.snapshot import unpack
from gaelp_sim.world.state import State
from gaelp_sim.world.stored_scenario import stored_scenario

REPLAYS, RIVALS, AS_THEY_WERE = "replays", "rivals", "as they were"
"""Words of a run's `overrides`: the run that it replays, and how rivals are then"""


def inherited(store: Store, parent: RunRecord, scenario: Scenario) -> State:
    """The state a finished run ended with, for its child.

    Raises UsageError where the parent is not finished, or where its people, codes and minds would not fit the child.
    """
    check_finished(parent, "can be continued")
    before = stored_scenario(parent)
    for (name, old), (_, new) in zip(_kept(before), _kept(scenario), strict=True):
        if old != new:
            raise UsageError(
                f"--continue {parent.run_id}: {name} {_told(new)}, the run has {_told(old)}; a child keeps it: leave it so"
            )
    last = store.checkpoint(parent)
    assert last is not None, "a finished run has a checkpoint"
    return unpack(last.state)


def is_replay(run: RunRecord) -> bool:
    """Whether a run lives its parent's hours again, instead of going on after them."""
    return REPLAYS in json.loads(run.overrides)


def follows(run: RunRecord) -> bool:
    """Whether a replay's rivals are, hour by hour, as they were in the run that it replays."""
    return json.loads(run.overrides).get(RIVALS) == AS_THEY_WERE


def parent_of(store: Store, run: RunRecord) -> RunRecord:
    """The run that another one continues or replays."""
    return next(one for one in store.runs() if one.run_key == run.parent_run_key)


def check_same_people(
    said: str, before: Scenario, now: Scenario, *, from_state: bool = False, any_cells: bool = False
) -> None:
    """Raise UsageError for settings under which people would not be the same; said: what needs them to be.

    from_state: what begins with a stored state keeps all that the state is told in, too; any_cells: whole runs are held
    against each other by person, and people are the same in however many cells
    """
    if any_cells:
        now = now.model_copy(update={"cells": before.cells})
    told = [((f"{key} is", getattr(before, key)), (f"{key} is", getattr(now, key))) for key in ("seed", "days")]
    told += zip(_people(before), _people(now), strict=True)
    if from_state:
        told += zip(_told_in(before), _told_in(now), strict=True)
    for (name, old), (_, new) in told:
        if old != new:
            raise UsageError(f"{said}: {name} {_told(new)}, it was {_told(old)}; the people must be the same: leave it so")


def _kept(scenario: Scenario) -> Iterator[tuple[str, Any]]:
    """What must be the same in a continued run."""
    yield "worlds is", scenario.worlds
    yield from _people(scenario)
    yield from _told_in(scenario)


def _people(scenario: Scenario) -> Iterator[tuple[str, Any]]:
    """Who people are, and in what terms they are told of: the same in a continued run and in a replay."""
    people = scenario.population
    yield from (
        ("population.people is", people.people), ("cells is", scenario.cells), ("start is", scenario.start),
        ("population.user_model is", people.user_model),
    )
    yield "population.segments are", [segment.name for segment in people.segments]
    yield "channels are", [channel.name for channel in scenario.channels]
    yield "signals are", [signal.name for channel in scenario.channels for signal in channel.signals]
    yield "creatives are", [(creative.name, creative.family) for creative in scenario.creatives]
    yield "rivals are", [(rival.name, rival.strategy) for rival in scenario.rivals]


def _told_in(scenario: Scenario) -> Iterator[tuple[str, Any]]:
    """What stored journeys, accounts and minds are told in."""
    variation = scenario.variation
    yield "us.campaigns are", [(campaign.name, campaign.channel) for campaign in scenario.us.campaigns]
    yield "variation of rivals is", (variation.rival_value_sd, variation.rival_budget_sd, variation.rival_strategies)
    # Amounts may change, and what is left changes with them; a budget that comes or goes would not know what was spent.
    accounts = [(account.advertiser, account.channel, account.monthly) for account in accounts_of(scenario)]
    yield "budgets (whose, on which channel, for a day or a month) are", accounts
    yield "us.frequency_cap is", scenario.us.frequency_cap
    yield "identity is", scenario.identity.model_dump(mode="json")
    yield "intervals are", [interval.written() | {"key": interval.key} for interval in scenario.intervals]


def _told(value: Any) -> str:
    return str(value) if value not in (None, [], ()) else "none"
