"""A run to store, and batches of made-up rows for it."""

from __future__ import annotations

import pytest

from gaelp_sim.store import RunRecord


@pytest.fixture
def run_record() -> RunRecord:
    """A run of ten people in two worlds over four days, from hour 0."""
    return RunRecord(
        scenario_name="small", scenario_text="{}", scenario_hash="0" * 64, seed=7, people=10, days=4, worlds=2,
        start_s=1_756_684_800, end_hour=96,
    )
