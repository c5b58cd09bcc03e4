"""Figures worked out by hand on a dozen rows, and bands that catch what lies outside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gaelp_sim.analyse.bands import BANDS, Band
from gaelp_sim.analyse.estimates import Estimate
from gaelp_sim.analyse.figures import StoredRun, figures_of
from gaelp_sim.analyse.realism import check_run, judged
from gaelp_sim.errors import UsageError
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.store import RunRecord
from gaelp_sim.units import SECONDS_PER_DAY, SECONDS_PER_HOUR
from gaelp_sim.world.simulate import RunRequest, run

SEARCH, SOCIAL, DISPLAY, VIDEO, RETARGET, EMAIL, SITE = range(7)
IMPRESSION, MAIL, VISIT = range(3)
US, RIVAL = 0, 2
DAYS = 14


def columns(names: str, rows: list[tuple[Any, ...]]) -> dict[str, np.ndarray]:
    return dict(zip(names.split(), np.array(rows, dtype=np.int64).T, strict=True))


@pytest.fixture(scope="module")
def by_hand() -> StoredRun:
    """Two of our buyers (1, 2), one untouched buyer of ours (3), one of a rival's (4)."""
    day, hour = SECONDS_PER_DAY, SECONDS_PER_HOUR
    touches = columns("world_id person_id occurred_s kind advertiser channel price_micros examined clicked", [
        (0, 1, 1 * day, IMPRESSION, US, SEARCH, 3_000_000, 1, 1),
        (0, 1, 2 * day, IMPRESSION, US, SEARCH, 0, 1, 0),
        (0, 1, 3 * day, VISIT, US, SITE, 0, 1, 0),
        (0, 1, 9 * day, IMPRESSION, US, SEARCH, 5_000_000, 1, 1),  # after the decision
        (0, 2, 2 * day, IMPRESSION, US, VIDEO, 20_000, 1, 0),  # an engaged view
        (0, 2, 3 * day, IMPRESSION, US, VIDEO, 10_000, 0, 0),  # not looked at
        (0, 2, 3 * day, IMPRESSION, RIVAL, SEARCH, 9_000_000, 1, 1),
        (0, 2, 4 * day, MAIL, US, EMAIL, 2_000, 1, 1),
        (0, 5, 4 * day, IMPRESSION, US, SOCIAL, 12_000, 0, 0),
    ])
    sales = columns("world_id person_id advertiser decided_s purchased_s reported_s", [
        (0, 1, US, 5 * day, 5 * day + hour, 6 * day), (0, 2, US, 10 * day, 15 * day, 16 * day),
        (0, 3, US, 6 * day, 6 * day + 2 * hour, 7 * day), (0, 4, RIVAL, 6 * day, 6 * day + 3 * hour, 7 * day),
    ])
    auctions = columns("world_id hour channel advertiser opportunities wins", [
        (0, 24, SEARCH, US, 10, 4), (0, 24, SEARCH, RIVAL, 10, 6), (0, 25, SOCIAL, US, 5, 1), (0, 25, SOCIAL, -1, 5, 4),
    ])
    people = columns("world_id person_id segment", [(0, 3, 1), (0, 1, 0), (0, 2, 2), (0, 4, 0), (0, 5, 0)])
    record = RunRecord(
        scenario_name="by hand", scenario_text="", scenario_hash="", seed=1, people=5, days=DAYS, worlds=1, start_s=0,
        start_hour=0, end_hour=DAYS * 24, hours_done=DAYS * 24,
    )
    return StoredRun(record, load_scenario("parental_controls"), touches, sales, auctions, people)


@pytest.mark.parametrize(("quantity", "value", "count"), [
    ("CTR search", 2 / 3, 3), ("CPC search", 4.0, 2), ("CTR video", 0.0, 2), ("CPM video", 15.0, 2),
    ("CPM social", 12.0, 1), ("CTR e-mail", 1.0, 1),
    ("win rate", 5 / 15, 15), ("opportunities per person-day", 15 / (5 * DAYS), 15),
    ("won impressions per converter, median", 2.0, 2), ("interactions per converter, mean", 2.0, 2),
    ("converters without an interaction", 1 / 3, 3), ("first touch to sale, median days", 6.0, 2),
    ("first interaction to sale, median days", 6.0, 2), ("sales by crisis parents", 1 / 3, 3),
    ("decided to paid, median hours", 2.5, 4), ("paid within 24 hours", 3 / 4, 4), ("paid within 14 days", 1.0, 4),
    ("sales paid after the last day", 1 / 3, 3), ("report delay, longest hours", 24.0, 4),
])
def test_figures_are_those_worked_out_by_hand(by_hand: StoredRun, quantity: str, value: float, count: int) -> None:
    found = figures_of(by_hand)[quantity]
    assert found.value == pytest.approx(value) and found.count == count


def test_every_band_has_a_figure(by_hand: StoredRun) -> None:
    """No band speaks of a quantity that is never measured, and each says whose word it is."""
    assert {band.quantity for band in BANDS} <= set(figures_of(by_hand))
    assert all(band.source and band.low < band.high and band.least >= 30 for band in BANDS)


@pytest.mark.parametrize("band", BANDS, ids=lambda band: band.quantity)
def test_what_lies_outside_a_band_fails(band: Band) -> None:
    """A clear figure below, inside and above the band."""
    width = (band.high - band.low) / 100
    values = (band.low - 2 * width, (band.low + band.high) / 2, band.high + 2 * width)
    figures = [{band.quantity: Estimate(value, value - width, value + width, band.least)} for value in values]
    assert [judged(found, (band,)).checks[0].passed for found in figures] == [False, True, False]


def test_too_few_observations_are_left_out() -> None:
    """One fewer than needed: the quantity is named, not judged."""
    band = BANDS[0]
    found = judged({band.quantity: Estimate(9.0, 9.0, 9.0, band.least - 1)}, (band,))
    assert not found.checks and found.left_out == [f"{band.quantity} (499 observations, 500 are needed)"]


def test_a_run_too_small_for_any_band_is_refused(tmp_path: Path) -> None:
    """Nothing judged must not look like everything passed."""
    url = f"sqlite:///{tmp_path / 'small.db'}"
    run(RunRequest(load_scenario("quickstart", ["population.people=20", "days=1"]), url))
    with pytest.raises(UsageError, match="too small to be judged"):
        check_run(url, "@last")


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(1, 13))
def test_the_flagship_is_realistic(tmp_path: Path, seed: int) -> None:
    """Every band, under the default policy, for a dozen seeds."""
    url = f"sqlite:///{tmp_path / 'flagship.db'}"
    run(RunRequest(load_scenario("parental_controls"), url, seed=seed))
    found = check_run(url, "@last")
    assert [check.quantity for check in found.checks if not check.passed] == [] and len(found.checks) >= 34
