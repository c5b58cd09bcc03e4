"""The scenario of a stored run, for all that simulates again; imported logs have none."""

from __future__ import annotations

from collections.abc import Sequence

from gaelp_sim.errors import UsageError
from gaelp_sim.scenario.loading import parse_scenario
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.store import RunRecord

IMPORTED = "imported"
"""Policy of a run whose rows come from a log."""


def is_imported(run: RunRecord) -> bool:
    """Whether the run's rows come from a log; its `scenario_text` is then the mapping that they were read by."""
    return run.policy == IMPORTED


def stored_scenario(run: RunRecord, sets: Sequence[str] = ()) -> Scenario:
    """The scenario that a run used, options applied; raises UsageError for an imported log, which has no world."""
    if is_imported(run):
        raise UsageError(
            f"run {run.run_id} is an imported log ({run.scenario_name}): there is no world behind it that could be "
            "simulated; attribute, delays, export and query work on it"
        )
    return parse_scenario(run.scenario_text, f"scenario of run {run.run_id}", sets)
