"""The incremental CAC: against a run of its own without our ads."""

from __future__ import annotations

from pathlib import Path

import pytest

from gaelp_sim.errors import InterruptedRunError
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.world.crew import Crew
from gaelp_sim.world.simulate import Progress, RunRequest, RunSummary, resume, run
from gaelp_sim.world.tally import Tally

SETTINGS = ["population.people=1500", "days=10"]


def summary(folder: Path, name: str, **asked: object) -> RunSummary:
    scenario = load_scenario("parental_controls", SETTINGS)
    return run(RunRequest(scenario, f"sqlite:///{folder / name}.db", **asked))  # type: ignore[arg-type]


@pytest.mark.parametrize("workers", [1, 2])
def test_the_twin_is_the_world_without_our_ads(tmp_path: Path, workers: int) -> None:
    """As many sales as a whole run under the silent policy has; spend over the difference is the CAC."""
    asked = summary(tmp_path, "asked", incremental=True, crew=Crew(workers), worlds=2)
    silent = summary(tmp_path, "silent", policy="silent", worlds=2)
    assert asked.conversions_without_ads == silent.conversions and silent.spend_usd == 0
    assert asked.conversions > silent.conversions
    extra = asked.conversions - silent.conversions
    assert asked.cac_incremental_usd == pytest.approx(asked.spend_usd / extra)


def test_it_is_not_measured_unless_asked_for(tmp_path: Path) -> None:
    plain = summary(tmp_path, "plain")
    assert plain.conversions_without_ads is None and plain.cac_incremental_usd is None


def test_ads_that_bring_nothing_have_no_price() -> None:
    """No division by nothing, and no negative cost."""
    tally = Tally(conversions=3, spend_micros=5_000_000)
    assert [tally.cac_incremental_usd(organic) for organic in (None, 3, 4)] == [None] * 3
    assert tally.cac_incremental_usd(1) == 2.5


def test_an_interrupted_run_knows_its_incremental_cac_once_resumed(tmp_path: Path) -> None:
    """The wish is stored with the run."""
    whole = summary(tmp_path, "whole", incremental=True)
    url, scenario = f"sqlite:///{tmp_path}/cut.db", load_scenario("parental_controls", SETTINGS)

    def stop(progress: Progress) -> None:
        if progress.hours_done >= 48:
            raise KeyboardInterrupt

    with pytest.raises(InterruptedRunError):
        run(RunRequest(scenario, url, incremental=True), stop)
    resumed = resume(url, "@last")
    assert resumed.conversions_without_ads == whole.conversions_without_ads is not None
    assert resumed.cac_incremental_usd == whole.cac_incremental_usd
