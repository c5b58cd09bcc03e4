"""What analyses need to know of a run besides its rows, be it simulated or an imported log."""

from __future__ import annotations

from dataclasses import dataclass

from gaelp_sim.calibrate.mapping import parse_mapping
from gaelp_sim.store import RunRecord
from gaelp_sim.units import MICROS_PER_UNIT, SECONDS_PER_DAY
from gaelp_sim.world.stored_scenario import is_imported, stored_scenario


@dataclass(frozen=True)
class Terms:
    """On which terms journeys end and are paid for."""

    timeout_s: int
    """Silence after which a journey is lost"""
    cac_target_micros: int


def terms_of(run: RunRecord) -> Terms:
    """The terms of a stored run: of its scenario, or of the mapping that its log was read by."""
    if is_imported(run):
        mapping = parse_mapping(run.scenario_text, f"mapping of run {run.run_id}")
        days, target = mapping.timeout_days, mapping.cac_target_usd
    else:
        scenario = stored_scenario(run)
        days, target = scenario.timeout.days, scenario.economics.cac_target_usd
    return Terms(int(days * SECONDS_PER_DAY), round(target * MICROS_PER_UNIT))
