"""What ads caused, as the command tells it: kept rows, grades of models, intervals."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from gaelp_sim.analyse.attribute import Request as Attributing
from gaelp_sim.analyse.attribute import attribute
from gaelp_sim.analyse.clusters import clusters_of, percentiles, resampled, summed, total
from gaelp_sim.analyse.credit_errors import grades, kendall, misallocated
from gaelp_sim.analyse.incrementality import Request, gaps, incrementality
from gaelp_sim.attribution.models import MODELS
from gaelp_sim.errors import UsageError
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.store import RunRecord, Store
from gaelp_sim.store.console import run_query
from gaelp_sim.world.simulate import RunRequest, run


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, RunRecord]]:
    """A run in which many buy, attributed by every model."""
    url = f"sqlite:///{tmp_path_factory.mktemp('causal')}/gaelp.db"
    sets = ["population.people=3000", "days=20", "response.brand_base=-0.5"]
    summary = run(RunRequest(load_scenario("parental_controls", sets), url))
    with Store.open(url) as store:
        record = store.find_run(summary.run_id)
        attribute(store, record, [Attributing(model) for model in MODELS])
        yield store, record


def _silent(share: float) -> None: ...


def test_channels_against_the_models(stored: tuple[Store, RunRecord]) -> None:
    """The views hold what was found; errors are those of the two sides; all models are graded."""
    store, record = stored
    found = incrementality(store, record, Request(), _silent)
    effects = {effect.name: effect for effect in found.effects}
    everything = effects.pop("all ads")
    assert 0 < everything.sales.value < found.sales
    assert everything.touches == sum(effect.touches for effect in effects.values())
    graded = {grade.model: grade for grade in grades(store, record, list(MODELS), found.effects)}
    assert set(graded) == set(MODELS)
    for model, grade in graded.items():
        rows = run_query(
            store.url, "SELECT channel, credited, caused, error FROM attribution_truth WHERE model = :model",
            run=record.run_id, parameters={"model": model},
        ).rows
        channels = {channel: (credited, caused, error) for channel, credited, caused, error in rows}
        credited, caused, _ = channels.pop(None)
        assert caused == found.sales - everything.sales.value
        assert credited == pytest.approx(found.sales - sum(given for given, _, _ in channels.values()))
        assert {name: caused for name, (_, caused, _) in channels.items()} == {
            name: effect.sales.value for name, effect in effects.items()
        }
        assert grade.mae.value == pytest.approx(np.mean([abs(error) for _, _, error in channels.values()]))
        assert grade.mae.low <= grade.mae.value * 1.05 and grade.mae.value <= grade.mae.high * 1.05
    told = run_query(store.url, "SELECT model, mae FROM attribution_errors", run=record.run_id).rows
    assert dict(told) == {model: pytest.approx(grade.mae.value) for model, grade in graded.items()}


def test_touch_by_touch(stored: tuple[Store, RunRecord]) -> None:
    """Every ad is tried, its row kept; a sample is part of them, and weighs accordingly."""
    store, record = stored
    whole = incrementality(store, record, Request("touch"), _silent)
    rows = run_query(store.url, "SELECT world_id, person_id, touched_s, touch_slot, sales_delta FROM truth_credit",
                     run=record.run_id, limit=1_000_000).rows
    delta = {row[:4]: row[4] for row in rows}
    (single,) = [effect for effect in whole.effects if (effect.by, effect.name) == ("touch", "all ads")]
    assert len(delta) == single.touches and sum(delta.values()) == single.sales.value
    assert set(delta.values()) >= {0.0, 1.0}
    part = incrementality(store, record, Request("touch", touches=500), _silent).per_touch
    keys = zip(*(part[name].tolist() for name in ("world_id", "person_id", "occurred_s", "touch_slot")), strict=True)
    sampled = dict(zip(keys, part["sales_delta"].tolist(), strict=True))
    assert len(sampled) == 500 and all(delta[key] == value for key, value in sampled.items())
    assert part["inclusion"][0] == pytest.approx(500 / len(delta))


def test_both_markets(stored: tuple[Store, RunRecord]) -> None:
    """Here budgets are slack and rivals frozen, so that both estimands agree; their gap is told with its interval."""
    store, record = stored
    found = incrementality(store, record, Request("campaign", ("M", "W")), _silent)
    told = gaps(found.effects)
    assert len(told) == 1 + len({effect.code for effect in found.effects if effect.by == "campaign"})
    assert all(gap == (0.0, 0.0, 0.0) for _, gap in told)


def test_unfinished_runs_are_refused(stored: tuple[Store, RunRecord]) -> None:
    """Half a run can't be tried."""
    from dataclasses import replace

    with pytest.raises(UsageError, match="next: gaelp resume"):
        incrementality(stored[0], replace(stored[1], status="INTERRUPTED"), Request(), _silent)


def test_households_are_the_clusters() -> None:
    """Below ten worlds; from ten on, worlds are."""
    world, home = np.array([0, 0, 0, 1]), np.array([5, 5, 6, 5])
    assert clusters_of(world, home)[0].tolist() == [0, 0, 1, 2]
    assert clusters_of(np.arange(10), np.zeros(10, dtype=np.int64))[1] == 10


def test_intervals_cover() -> None:
    """Of totals over random households, 95 % of the intervals hold the expected total."""
    rng, covered = np.random.default_rng(3), 0
    cluster = np.repeat(np.arange(400), 2)
    for _ in range(500):
        value = rng.poisson(0.2, 400)[cluster] * rng.random(800)
        interval = total(summed(cluster, 400, value))
        covered += interval.low <= 400 * 0.2 <= interval.high
    assert 0.92 < covered / 500 < 0.98


def test_resampling_is_drawing_with_replacement() -> None:
    """As many as there are, each once on average; and the spread of a mean is the textbook's."""
    weights = resampled(7, 300, 400)
    assert (weights.sum(axis=1) == 300).all()
    assert weights.mean(axis=0) == pytest.approx(np.ones(300), abs=0.25)
    value = np.random.default_rng(1).normal(size=300)
    assert (weights @ value / 300).std() == pytest.approx(value.std() / 300**0.5, rel=0.15)
    assert percentiles(np.array([np.nan, 1.0]), 2.0) == (2.0, 1.0, 1.0)


def test_figures_of_rank_and_money() -> None:
    """By hand: ties, opposites, a channel whose ads cost sales."""
    assert kendall(np.array([[1.0, 2, 3, 4]]), np.array([[4.0, 3, 2, 1]])) == pytest.approx(-1)
    assert kendall(np.array([[1.0, 1, 2]]), np.array([[1.0, 2, 3]])) == pytest.approx(2 / 6**0.5)
    assert np.isnan(kendall(np.ones((1, 3)), np.array([[1.0, 2, 3]]))).all()
    assert misallocated(np.array([[1.0, 1.0]]), np.array([[3.0, -1.0]])) == pytest.approx(0.5)
    assert np.isnan(misallocated(np.array([[1.0, 1.0]]), np.array([[0.0, 0.0]]))).all()
