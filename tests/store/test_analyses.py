"""Analyses kept beside a run: the same on SQLite and Postgres, gone with the run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gaelp_sim.analyse.attribute import Request as Attributing
from gaelp_sim.analyse.attribute import attribute
from gaelp_sim.analyse.credit_errors import grades
from gaelp_sim.analyse.delays import Request as Delaying
from gaelp_sim.analyse.delays import rates
from gaelp_sim.analyse.incrementality import TOUCH, incrementality
from gaelp_sim.analyse.incrementality import Request as Withholding
from gaelp_sim.analyse.resolve import Request as Resolving
from gaelp_sim.analyse.resolve import resolve_run
from gaelp_sim.attribution.models import MODELS
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.store import RunRecord, Store
from gaelp_sim.store.console import run_query
from gaelp_sim.store.layout import ANALYSIS_TABLES
from gaelp_sim.world.simulate import RunRequest, run
from tests.postgres import NoPostgresError, empty_database, postgres_server

VIEWS = (
    "attribution", "attribution_campaigns", "attributions", "credit", "journey_rewards", "incrementality",
    "attribution_truth", "attribution_errors", "truth_credit", "resolutions", "resolved_aliases", "possible_aliases",
    "identity_quality", "identity_calibration", "replay_diff",
)
CHANGE = {
    "world_id": [0], "person_id": [7], "sales_before": [1], "sales_after": [0], "bought_before": [0], "bought_after": [2],
    "impressions_before": [4], "impressions_after": [2], "clicks_before": [1], "clicks_after": [0],
    "cost_before_micros": [9_000_000], "cost_after_micros": [40_000], "first_difference_s": [1_756_800_000],
    "channel": [0], "why": ["1 click fewer"],
}


def _analysed(url: str) -> tuple[RunRecord, list[object]]:
    """A small run with every analysis, and what they returned."""
    sets = ["population.people=900", "days=12", "response.brand_base=0"]
    summary = run(RunRequest(load_scenario("parental_controls", sets), url))
    with Store.open(url) as store:
        record = store.find_run(summary.run_id)
        attribute(store, record, [Attributing(model) for model in MODELS], "document_signed")
        found = incrementality(store, record, Withholding(), lambda share: None)
        graded = grades(store, record, list(MODELS), found.effects)
        incrementality(store, record, Withholding(TOUCH, touches=200), lambda share: None)
        resolve_run(store, record, Resolving(thresholds=(0.3, 0.6)))
        delayed = rates(store, record, Delaying(record.start_s + 8 * 86_400, window_days=7))
        store.add_analysis(record, {"replay_change": CHANGE}, replacing={})
    return record, [graded, delayed]


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, RunRecord, list[object]]:
    """The run in a file."""
    url = f"sqlite:///{tmp_path_factory.mktemp('analyses')}/gaelp.db"
    return url, *_analysed(url)


@pytest.fixture(scope="module")
def postgres() -> Iterator[tuple[str, RunRecord, list[object]]]:
    """The same run on a server."""
    try:
        with postgres_server() as server, empty_database(server) as url:
            yield url, *_analysed(url)
    except NoPostgresError as reason:
        pytest.skip(str(reason))


def _rows(url: str, view: str) -> list[tuple[object, ...]]:
    found = run_query(url, f"SELECT * FROM {view}", limit=1_000_000)
    kept = [place for place, name in enumerate(found.columns) if name != "run_id"]
    return sorted((tuple(row[place] for place in kept) for row in found.rows), key=repr)


def test_both_databases_say_the_same(
    sqlite: tuple[str, RunRecord, list[object]], postgres: tuple[str, RunRecord, list[object]]
) -> None:
    """Every view of every analysis, and what the analyses returned."""
    assert sqlite[2] == postgres[2]
    for view in VIEWS:
        one, other = _rows(sqlite[0], view), _rows(postgres[0], view)
        assert len(one) == len(other) > 0, view
        for here, there in zip(one, other, strict=True):
            for a, b in zip(here, there, strict=True):
                assert a == (pytest.approx(b, rel=1e-9, abs=1e-9) if isinstance(b, float) else b), view


def test_analyses_go_with_their_run(sqlite: tuple[str, RunRecord, list[object]]) -> None:
    """Deleting the run leaves no row of theirs."""
    url, record, _ = sqlite
    with Store.open(url) as store:
        store.delete_run(record)
        with store.database.reading() as link:
            left = {table: link.one(f"SELECT COUNT(*) FROM {table}", ())[0] for table in ANALYSIS_TABLES}
    assert set(left.values()) == {0}
