"""The shipped scenarios say what their sources say."""

# ruff: noqa: E501 - a case is a row: what is changed, and the whole message

from __future__ import annotations

import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from gaelp_sim.draws import normal_quantile
from gaelp_sim.errors import ScenarioError
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.scenario.resolved import scenario_hash, shipped_path
from gaelp_sim.units import micros

FLAGSHIP = load_scenario("parental_controls")


def test_flagship_is_the_measured_economy() -> None:
    """Spot values of the economy's tables: hazards, kappa, prices, hour curve."""
    segments = {segment.name: segment for segment in FLAGSHIP.population.segments}
    assert [segment.share for segment in segments.values()] == [0.10, 0.30, 0.25, 0.35]
    assert [segment.purchase_per_click for segment in segments.values()] == [0.171, 0.095, 0.067, 0.048]
    assert [segment.purchase_per_day for segment in segments.values()] == [0.40, 0.22, 0.16, 0.14]
    prices = {channel.name: [signal.price_median_usd for signal in channel.signals] for channel in FLAGSHIP.channels}
    assert prices == {"search": [2.5, 5.5, 11, 22], "social": [12, 18], "display": [3, 5], "video": [15, 20], "retarget": [10, 16]}
    assert max(FLAGSHIP.curves.hour) / min(FLAGSHIP.curves.hour) == pytest.approx(10.1, abs=0.1)
    assert (FLAGSHIP.population.people, FLAGSHIP.days, FLAGSHIP.us.name) == (10_000, 30, "Aura")
    assert [rival.name for rival in FLAGSHIP.rivals] == ["Qustodio", "Bark", "Circle", "Norton", "Net Nanny"]


def test_five_seats_have_the_measured_maximum() -> None:
    """The greatest of the five rivals' bids has the median of five equal lognormals within 1 %, quartiles within 6 %.

    Circle's rule has sigma .25 and bids x .95 or x 1.3; Norton's bid is uniform up to twice its level.
    """
    share = (np.arange(40_000) + 0.5) / 40_000
    ideal = np.exp(0.6 * normal_quantile(np.array([0.25, 0.5, 0.75]) ** 0.2))
    for circle, (place, wanted) in product((0.95, 1.3), zip((0.25, 0.5, 0.75), ideal, strict=True)):
        bids = [_bids(rival.strategy, rival.level, share, circle) for rival in FLAGSHIP.rivals]
        grid = np.linspace(0.2, 8, 4_000)
        below = np.prod([np.searchsorted(bid, grid) / len(share) for bid in bids], axis=0)
        got = grid[np.searchsorted(below, place)]
        assert got == pytest.approx(wanted, rel=0.01 if place == 0.5 else 0.06)


def _bids(strategy: str, level: float, share: np.ndarray, circle: float) -> np.ndarray:
    if strategy == "random":
        return 2 * level * share
    return level * (circle if strategy == "rule" else 1) * np.exp((0.25 if strategy == "rule" else 0.6) * normal_quantile(share))


def test_published_prices_is_the_flagship_but_for_its_preset() -> None:
    """Twice the people; clicks x .55 in price and effect, CPM x 1.2."""
    preset = load_scenario("published_prices")
    assert preset.population.people == 20_000
    for ours, theirs in zip(preset.channels, FLAGSHIP.channels, strict=True):
        factor = 0.55 if ours.charge == "cpc" else 1.2
        for signal, original in zip(ours.signals, theirs.signals, strict=True):
            assert signal.price_median_usd == pytest.approx(factor * original.price_median_usd)
            assert signal.share == original.share
        assert ours.click_moves_up.aware == pytest.approx(0.55 * theirs.click_moves_up.aware)
        assert (ours.click_rate, ours.view_moves_up) == (theirs.click_rate, theirs.view_moves_up)
    for segment, original_segment in zip(preset.population.segments, FLAGSHIP.population.segments, strict=True):
        assert segment.purchase_per_click == pytest.approx(0.55 * original_segment.purchase_per_click, abs=1e-6)


def test_lisa_is_the_worked_journey() -> None:
    """Six days, four searches, seven touchpoints, $8.70 of ours; what the document leaves open is labelled."""
    (lisa,) = load_scenario("lisa").script
    touches = [event for event in lisa.events if event.kind in ("impression", "email")]
    ours = [event for event in touches if event.advertiser == "Aura" or event.kind == "email"]
    searches = {(event.day, event.query) for event in touches if event.channel == "search"}
    assert (len(touches), len(searches), lisa.events[-1].day) == (7, 4, 6)
    assert sum(micros(event.price_usd) for event in ours) == micros(8.70)
    assert [bid.bid_usd for bid in lisa.events[0].bids] == [3.20, 2.90, 2.50]
    assert all(event.note for event in lisa.events) and sum("ours" in event.note for event in lisa.events) >= 3


def test_mechanisms_are_shown() -> None:
    """There is a small scenario for each mechanism and way to run."""
    assert load_scenario("first_price_display").channels[0].mechanism == "first_price"
    assert load_scenario("gsp_slots").channels[0].slots == 4
    (truthful,) = load_scenario("vcg_slots").channels
    assert (truthful.mechanism, truthful.slot_factors) == ("vcg", [1.0, 0.8, 0.64])
    assert load_scenario("many_worlds").worlds == 100 and load_scenario("many_worlds").population.people == 1_000
    assert load_scenario("cells").cells == 4
    short = load_scenario("short")
    assert short.population.people <= 300 and len(short.population.segments) <= 3 and short.days <= 14


def test_paths_and_hashes_differ() -> None:
    """Each name has its own file; an unknown one is refused."""
    assert scenario_hash(load_scenario("quickstart")) != scenario_hash(FLAGSHIP)
    assert shipped_path("quickstart").name == "quickstart.yaml"
    with pytest.raises(ScenarioError, match="no shipped scenario of that name"):
        shipped_path("../pyproject")


def test_loading_is_light(tmp_path: Path) -> None:
    """Loading a shipped scenario works in an empty folder and imports neither numpy, sqlalchemy nor torch."""
    code = (
        "import sys; from gaelp_sim.scenario.loading import load_scenario; print(load_scenario('quickstart').name);"
        "print([name for name in ('numpy', 'sqlalchemy', 'torch', 'simpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["quickstart", "[]"]
