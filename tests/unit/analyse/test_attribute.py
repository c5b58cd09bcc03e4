"""Stored runs attributed: paths against a plain walk over touchpoints, sums against sales, Lisa against her own figures."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gaelp_sim.analyse.attribute import CAMPAIGN, Request, attribute
from gaelp_sim.analyse.touch_paths import RESOLVED, TRUE, SalePaths, Window, stored_paths, touch_slots
from gaelp_sim.attribution.models import MODELS
from gaelp_sim.attribution.reward import RULES
from gaelp_sim.errors import UsageError
from gaelp_sim.events import NONE, US, JourneyStatus
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.store import RunRecord, Store
from gaelp_sim.store.console import run_query
from gaelp_sim.world.simulate import RunRequest, run

DAY = 86_400
LISA = 100
GOLDEN = Path(__file__).parent / "lisa_credit.json"


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, RunRecord, RunRecord]]:
    """A store with a run of two worlds in which many buy, and Lisa's."""
    url = f"sqlite:///{tmp_path_factory.mktemp('attribute')}/gaelp.db"
    busy = ["population.people=2500", "worlds=2", "days=20", "response.brand_base=-0.5"]
    runs = [run(RunRequest(load_scenario(name, sets), url)) for name, sets in (("parental_controls", busy), ("lisa", []))]
    with Store.open(url) as store:
        first, lisa = (store.find_run(summary.run_id) for summary in runs)
        yield store, first, lisa


def _by_hand(store: Store, record: RunRecord, window: Window) -> dict[tuple[int, int], list[tuple[int, int, int]]]:
    """Touches before each sale of ours, by (world, buyer): (second, person, slot), walked row by row."""
    touches = _rows(store, record, "touchpoint")
    user = _users(store, record) if window.identity == RESOLVED else None
    journeys: dict[Any, list[dict[str, int]]] = defaultdict(list)
    for touch in touches:
        if touch["advertiser"] != US and not window.rivals:
            continue
        if window.touches != "all" and (touch["kind"] == 2 or (window.touches == "clicks" and not touch["clicked"])):
            continue
        whose = touch["person_id"] if user is None else user[touch["world_id"], touch["person_id"], touch["device"]]
        journeys[touch["world_id"], whose].append(touch)
    found = {}
    for sale in _rows(store, record, "conversion"):
        if sale["advertiser"] == US:
            whose = sale["person_id"] if user is None else user[sale["world_id"], sale["person_id"], sale["device"]]
            first_s = sale["purchased_s"] - window.lookback_days * DAY
            found[sale["world_id"], sale["person_id"]] = sorted(
                (touch["occurred_s"], touch["person_id"], touch["touch_slot"])
                for touch in journeys[sale["world_id"], whose] if first_s <= touch["occurred_s"] <= sale["purchased_s"]
            )
    return found


def _rows(store: Store, record: RunRecord, table: str) -> list[dict[str, int]]:
    columns = {name: np.asarray(column) for name, column in store.read(record, table).items()}
    return [dict(zip(columns, row, strict=True)) for row in zip(*(c.tolist() for c in columns.values()), strict=True)]


def _users(store: Store, record: RunRecord) -> dict[tuple[int, int, int], int]:
    resolved = {(row["world_id"], row["alias_id"]): row["resolved_user_id"] for row in _rows(store, record, "alias")}
    return {
        (row["world_id"], row["person_id"], row["device"]):
            resolved.get((row["world_id"], row["alias_id"]), row["alias_id"])
        for row in _rows(store, record, "device")
    }


def _as_found(found: SalePaths) -> dict[tuple[int, int], list[tuple[int, int, int]]]:
    paths, record = found.paths, found.touches.record
    slots = touch_slots(record)
    told = {}
    for path in np.flatnonzero(found.sale != NONE).tolist():
        buyer = int(found.sales["person"][found.sale[path]])
        told[buyer >> 32, buyer & 0xFFFFFFFF] = sorted(
            (int(record["occurred_s"][i]), int(found.touches.person[i]) & 0xFFFFFFFF, int(slots[i]))
            for i in range(paths.starts[path], paths.starts[path + 1])
        )
    for sale in found.untouched.tolist():
        buyer = int(found.sales["person"][sale])
        told[buyer >> 32, buyer & 0xFFFFFFFF] = []
    return told


@pytest.mark.parametrize("window", [
    Window(), Window(identity=TRUE), Window(lookback_days=3), Window(touches="ads"), Window(touches="clicks"),
    Window(rivals=True, identity=TRUE), Window(90, "clicks", rivals=True),
])
def test_paths_are_those_of_a_plain_walk(stored: tuple[Store, RunRecord, RunRecord], window: Window) -> None:
    """Touches before every sale: the same as picked one by one from touchpoints."""
    store, record, _ = stored
    by_hand = _by_hand(store, record, window)
    assert sum(map(bool, by_hand.values())) > 30
    assert _as_found(stored_paths(store, record, window)) == by_hand


def test_identity_matters_here(stored: tuple[Store, RunRecord, RunRecord]) -> None:
    """Some buyers were touched on a device that we do not know to be theirs: else the test above would tell nothing."""
    store, record, _ = stored
    resolved, true = (_by_hand(store, record, Window(identity=identity)) for identity in (RESOLVED, TRUE))
    assert sum(resolved[buyer] != true[buyer] for buyer in true) > 10


def test_other_journeys_are_paths_without_a_sale(stored: tuple[Store, RunRecord, RunRecord]) -> None:
    """Every touched journey is a sale's path, a path without one, or still open; open ones count when asked for."""
    store, record, _ = stored
    journeys = _rows(store, record, "journey")
    ours = [row for row in journeys if row["our_touches"]]
    closed = stored_paths(store, record, Window(identity=TRUE))
    both = stored_paths(store, record, Window(identity=TRUE, open_paths=True))
    sold = {(row["world_id"], row["person_id"]) for row in _rows(store, record, "conversion") if row["advertiser"] == US}
    unsold = [row for row in ours if (row["world_id"], row["person_id"]) not in sold]
    assert both.paths.nulls.sum() >= len(unsold)
    still_open = sum(row["status"] == JourneyStatus.ACTIVE for row in unsold)
    assert still_open and both.paths.nulls.sum() - closed.paths.nulls.sum() >= still_open


def test_as_of_a_date_knows_what_was_known(stored: tuple[Store, RunRecord, RunRecord]) -> None:
    """Only sales reported by then, and no touch after it."""
    store, record, _ = stored
    moment = record.start_s + 10 * DAY
    found = stored_paths(store, record, Window(as_of_s=moment))
    sales = [row for row in _rows(store, record, "conversion") if row["advertiser"] == US]
    reported = [row for row in sales if row["reported_s"] <= moment]
    assert 0 < found.count == len(reported)
    assert found.touches.record["occurred_s"].max() <= moment


@pytest.mark.parametrize("by", ["channel", CAMPAIGN])
def test_credit_sums_to_the_sales(stored: tuple[Store, RunRecord, RunRecord], by: str) -> None:
    """Every model shares out every sale, in the sums as in the shares; asking again adds nothing."""
    store, record, _ = stored
    for _ in range(2):
        done = attribute(store, record, [Request(model, Window(3), by) for model in MODELS])
    untouched = len(done[0].found.untouched)
    assert untouched > 0
    for one in done:
        rows = run_query(
            store.url, "SELECT SUM(conversions), SUM(value_usd) FROM attribution WHERE model = :model", run=record.run_id,
            parameters={"model": one.request.label},
        ).rows
        assert rows[0] == pytest.approx((one.found.count, 180.0 * one.found.count))
        shares = run_query(
            store.url, "SELECT order_id, SUM(share) FROM credit WHERE model = :model GROUP BY world_id, person_id",
            run=record.run_id, parameters={"model": one.request.label},
        ).rows
        assert len(shares) == one.found.count - untouched
        assert [share for _, share in shares] == pytest.approx([1.0] * len(shares))
    campaigns = run_query(
        store.url, "SELECT model, SUM(conversions) FROM attribution_campaigns GROUP BY model", run=record.run_id
    ).rows
    assert len(campaigns) >= len(MODELS)
    assert [total for _, total in campaigns] == pytest.approx([done[0].found.count] * len(campaigns))


def test_settings_tell_attributions_apart(stored: tuple[Store, RunRecord, RunRecord]) -> None:
    """Other settings are another attribution, kept beside the first."""
    store, record, _ = stored
    requests = [Request("last"), Request("last", Window(90)), Request("last", Window(touches="clicks"), half_life_days=2.0)]
    attribute(store, record, requests)
    labels = run_query(store.url, "SELECT model FROM attributions WHERE rule = 'last'", run=record.run_id).rows
    assert {"last", "last?lookback_days=90", "last?touches=clicks,half_life_days=2.0"} <= {label for label, in labels}


def test_rewards_are_kept_by_journey(stored: tuple[Store, RunRecord, RunRecord]) -> None:
    """Journeys of ours that have ended: none open, each once; `profit` adds up to sales less their cost."""
    store, record, _ = stored
    for rule in RULES:
        (done,) = attribute(store, record, [Request("linear", Window(identity=TRUE))], rule)
        rows = run_query(store.url, "SELECT COUNT(*), SUM(reward_micros), SUM(cost_micros), SUM(value_micros) FROM "
                                    "journey_rewards WHERE model = :model", run=record.run_id,
                         parameters={"model": done.request.label}).rows
        count, reward, cost, value = rows[0]
        assert reward == done.reward_micros and count > 100
        if rule == "profit":
            assert reward == value - cost
            never_met = sum(
                row["advertiser"] == US and row["journey_index"] < 0 for row in _rows(store, record, "conversion")
            )
            assert value == 180_000_000 * (done.found.count - never_met)


def test_lisa(stored: tuple[Store, RunRecord, RunRecord]) -> None:
    """Six days, four searches, seven touchpoints, $8.70: her credits and rewards under every model, as in the file."""
    store, _, record = stored
    touches = [row for row in _rows(store, record, "touchpoint") if row["person_id"] == LISA]
    assert len(touches) == 7
    assert len({row["occurred_s"] // 600 for row in touches if row["channel"] == 0}) == 4
    assert sum(row["price_micros"] for row in touches if row["advertiser"] == US) == 8_700_000
    window = Window(rivals=True, identity=TRUE)
    got: dict[str, Any] = {}
    for rule in RULES:
        attribute(store, record, [Request(model, window) for model in MODELS], rule)
        rows = run_query(store.url, "SELECT model, credit, reward_micros FROM journey_rewards WHERE person_id = 100",
                         run=record.run_id).rows
        for model, credit, reward in rows:
            name = model.partition("?")[0]
            got.setdefault(name, {"our_credit": round(credit, 9)})[rule] = reward
    assert got == json.loads(GOLDEN.read_text())


def test_unfinished_runs_are_refused(stored: tuple[Store, RunRecord, RunRecord]) -> None:
    """Credit of half a run would be wrong."""
    from dataclasses import replace

    store, record, _ = stored
    with pytest.raises(UsageError, match="next: gaelp resume"):
        attribute(store, replace(record, status="INTERRUPTED"), [Request("last")])
