"""A stored run's devices linked again: kept beside it, graded, and used by attribution."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from gaelp_sim.analyse.attribute import Request as Attributing
from gaelp_sim.analyse.attribute import attribute
from gaelp_sim.analyse.identity_effects import effects
from gaelp_sim.analyse.resolve import Request, resolve_run
from gaelp_sim.analyse.touch_paths import Window
from gaelp_sim.errors import UsageError
from gaelp_sim.identity.quality import quality
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.store import RunRecord, Store
from gaelp_sim.store.console import run_query
from gaelp_sim.store.rowhash import row_hash
from gaelp_sim.world.simulate import RunRequest, run


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, RunRecord]]:
    """A run of two worlds in three cells each."""
    url = f"sqlite:///{tmp_path_factory.mktemp('resolve')}/gaelp.db"
    sets = ["population.people=1500", "days=20", "worlds=2", "cells=3", "response.brand_base=-0.5"]
    summary = run(RunRequest(load_scenario("parental_controls", sets), url))
    with Store.open(url) as store:
        yield store, store.find_run(summary.run_id)


def _rows(store: Store, record: RunRecord, sql: str) -> list[tuple[object, ...]]:
    return run_query(store.url, sql, run=record.run_id, limit=1_000_000).rows


def test_resolutions_are_kept_and_graded(stored: tuple[Store, RunRecord]) -> None:
    """Each threshold is a resolution; its grade in SQL is that of the pairs counted in Python; the run stays as it was."""
    store, record = stored
    before = row_hash(store, record)
    ids = resolve_run(store, record, Request(thresholds=(0.5, 0.9)))
    again = resolve_run(store, record, Request(thresholds=(0.5,)))
    assert again == [ids[-1] + 1] and row_hash(store, record) == before
    person = {(world, alias): who for world, alias, who in
              _rows(store, record, "SELECT world_id, alias_id, person_id FROM truth_devices")}
    graded = {(row[0], row[1]): row[2:] for row in _rows(
        store, record, "SELECT resolution_id, world_id, people, aliases, resolved_users, true_pairs, linked_pairs, "
        "right_pairs, b_cubed_precision, b_cubed_recall, largest, over_merges, under_merges FROM identity_quality")}
    for one in ids:
        rows = _rows(store, record, "SELECT world_id, alias_id, resolved_user_id FROM resolved_aliases "
                                    f"WHERE resolution_id = {one}")
        for world in (0, 1):
            here = [row for row in rows if row[0] == world]
            found = quality(np.array([row[2] for row in here]), np.array([person[row[0], row[1]] for row in here]))
            told = (found.people, found.aliases, found.users, found.true_pairs, found.linked_pairs, found.right_pairs,
                    found.b_cubed_precision, found.b_cubed_recall, found.largest, found.over_merges, found.under_merges)
            assert graded[one, world] == pytest.approx(told)
            assert found.right_pairs > 20
    same = [_rows(store, record, f"SELECT alias_id, resolved_user_id, match_confidence FROM resolved_aliases "
                                 f"WHERE resolution_id = {one} ORDER BY 1") for one in (ids[0], again[0])]
    assert same[0] == same[1]


def test_probabilities_are_kept_and_graded(stored: tuple[Store, RunRecord]) -> None:
    """Possible aliases with what speaks for them, and their calibration against the truth."""
    store, record = stored
    (one,) = resolve_run(store, record, Request(thresholds=(0.5,)))
    rows = _rows(store, record, f"SELECT probability, method FROM possible_aliases WHERE resolution_id = {one}")
    assert len(rows) > 300 and all(0.01 <= probability <= 1.0 for probability, _ in rows)
    assert {method for _, method in rows} <= {"hours", "address,hours", "place,hours", "address,place,hours"}
    buckets = _rows(store, record, f"SELECT pairs, said, true_share FROM identity_calibration WHERE resolution_id = {one}")
    assert sum(pairs for pairs, *_ in buckets) == len(rows)
    for pairs, said, true in buckets:
        assert true == pytest.approx(said, abs=0.1 + 2 / pairs**0.5)


def test_linkage_stays_in_cells(stored: tuple[Store, RunRecord]) -> None:
    """No user holds aliases of two worlds or two cells."""
    from gaelp_sim.population.people import cell_of

    store, record = stored
    (one,) = resolve_run(store, record, Request(thresholds=(0.3,)))
    rows = _rows(store, record, "SELECT a.world_id, a.resolved_user_id, p.household_id FROM resolved_aliases AS a "
                                "JOIN truth_devices AS d ON d.world_id = a.world_id AND d.alias_id = a.alias_id "
                                "JOIN people AS p ON p.world_id = d.world_id AND p.person_id = d.person_id "
                                f"WHERE a.resolution_id = {one}")
    homes = max(row[2] for row in rows) + 1
    cell = cell_of(np.arange(homes, dtype=np.int32), 3)
    of_user: dict[tuple[object, object], set[int]] = {}
    for world, user, home in rows:
        of_user.setdefault((world, user), set()).add(int(cell[home]))
    assert all(len(cells) == 1 for cells in of_user.values())


def test_better_evidence_means_a_truer_report(stored: tuple[Store, RunRecord]) -> None:
    """With everything told, users and credit come nearer to the truth than devices alone do."""
    store, record = stored
    often = tuple(f"identity.observed.sightings_per_day.{kind}=5" for kind in ("mobile", "desktop", "tablet"))
    sets = ("identity.observed.shared_homes=0", "identity.observed.habit=1.5", *often)
    ids = resolve_run(store, record, Request(sets, thresholds=(0.5,)))
    true, devices, linked = effects(store, record, ids)
    assert true.last_error == true.linear_error == 0.0
    missed = [abs(one.users_reached - true.users_reached) for one in (linked, devices)]
    assert missed[0] < missed[1] / 3
    assert linked.linear_error < devices.linear_error
    assert linked.sales_without_touch <= devices.sales_without_touch
    (done,) = attribute(store, record, [Attributing("last", Window(identity=str(ids[0])))])
    assert done.request.label == f"last?identity={ids[0]}"


def test_what_can_not_be_asked(stored: tuple[Store, RunRecord]) -> None:
    """People's lives can't be changed; a resolution must be there."""
    store, record = stored
    with pytest.raises(UsageError, match="identity.observed"):
        resolve_run(store, record, Request(("population.people=5",)))
    with pytest.raises(UsageError, match="no resolution 999"):
        attribute(store, record, [Attributing("last", Window(identity="999"))])
