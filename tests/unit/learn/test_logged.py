"""Stored runs read as journeys: equal to a plain recount, on both databases; what can't be learned from is refused."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gaelp_sim.errors import UsageError
from gaelp_sim.events import FEATURE_COUNT
from gaelp_sim.store import RunRecord, Store

pytest.importorskip("torch")

from gaelp_sim.analyse.import_log import import_log  # noqa: E402 - only where torch is there
from gaelp_sim.calibrate.mapping import parse_mapping  # noqa: E402
from gaelp_sim.learn import logged as logged_module  # noqa: E402
from gaelp_sim.learn.logged import Logged, last_before, read_logged  # noqa: E402
from gaelp_sim.learn.nearest import check_names, nearest_actions, nearest_level  # noqa: E402
from gaelp_sim.market.actions import LEVELS, Actions  # noqa: E402
from gaelp_sim.world.request import RunRequest  # noqa: E402
from gaelp_sim.world.simulate import run  # noqa: E402
from tests.unit.learn.logs import scenario  # noqa: E402

MAPPING = """
name: shop
time: iso
columns: {time: at, user: who, channel: channel, creative: ad, click: click, cost: cost, sale_time: bought, order: order,
          value: value, propensity: chance, features: [age, mood]}
timeout_days: 10
"""
HEAD = "at,who,channel,ad,click,cost,bought,order,value,chance,age,mood\n"
ROWS = """2025-09-01T10:00:00,ann,search,a,1,0.50,2025-09-03T12:00:00,o1,40,0.25,31,2
2025-09-02T11:00:00,ann,social,b,0,0.25,2025-09-03T12:00:00,o1,40,0.5,31,1
2025-09-02T11:00:00,bob,social,b,0,0.25,,,,0.5,50,7
2025-09-04T00:00:00,ann,search,a,0,0.01,,,,0.25,31,3
"""


def _stored(url: str, *sets: str) -> tuple[Logged, RunRecord, dict[str, dict[str, np.ndarray]]]:
    done = run(RunRequest(scenario(*sets), url))
    with Store.open(url) as store:
        record = store.find_run(done.run_id)
        tables = {
            name: {key: np.asarray(column) if key != "features" else np.array([np.frombuffer(one, "<f4") for one in column])
                   for key, column in store.read(record, name).items()}
            for name in ("decision", "conversion")
        }
        return read_logged(store, record), record, tables


def _recount(rows: dict[str, np.ndarray], sales: dict[str, np.ndarray]) -> dict[tuple[int, int], list[list[float]]]:
    """By user: second, own triple's level and creative, reward and whether it was paid, of every decision."""
    of_person, of_user = defaultdict(list), defaultdict(list)
    for i in np.lexsort([rows["person_id"], rows["occurred_s"], rows["world_id"]]).tolist():
        step = [float(rows["occurred_s"][i]), float(rows["level"][i]), float(rows["creative"][i]),
                -rows["charge_micros"][i] / 1e6, 0.0]
        of_person[int(rows["world_id"][i]), int(rows["person_id"][i])].append(step)
        of_user[int(rows["world_id"][i]), int(rows["resolved_user_id"][i])].append(step)
    for i in range(len(sales["advertiser"])):
        before = [step for step in of_person[int(sales["world_id"][i]), int(sales["person_id"][i])]
                  if step[0] <= sales["decided_s"][i]]
        if sales["advertiser"][i] == 0 and before:
            before[-1][3] += sales["value_micros"][i] / 1e6
            before[-1][4] = 1.0
    return of_user


def test_a_log_equals_a_plain_recount(db_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two worlds, users that merge, sales of ours and of rivals: every journey step by step, on both databases."""
    monkeypatch.setattr("gaelp_sim.store.reader.FETCH_ROWS", 4_096)
    logged, _, tables = _stored(db_url, "population.people=1500", "worlds=2", "seed=3")
    rows, told = tables["decision"], _recount(tables["decision"], tables["conversion"])
    assert len(rows["level"]) > 4_096 and (tables["conversion"]["advertiser"] == 0).sum() > 20
    journeys = [told[key] for key in sorted(told)]
    flat = np.array([step for journey in journeys for step in journey])
    assert logged.begins.tolist() == np.cumsum([0, *map(len, journeys)]).tolist()
    np.testing.assert_array_equal(logged.second, flat[:, 0])
    np.testing.assert_array_equal(logged.triples[logged.action][:, 1:], flat[:, 1:3])
    np.testing.assert_allclose(logged.reward_usd, flat[:, 3], atol=1e-9)
    bought = np.array([any(step[4] for step in journey) for journey in journeys])
    np.testing.assert_array_equal(logged.bought, bought)
    assert 0 < bought.sum() < len(bought)
    assert logged.terminal.sum() == bought.sum() and logged.timeout.sum() == (~bought).sum()
    assert not (logged.terminal & logged.timeout).any()
    assert np.flatnonzero(logged.terminal | logged.timeout).tolist() == (logged.begins[1:] - 1).tolist()
    days = np.concatenate([np.diff([journey[0][0], *[step[0] for step in journey]]) for journey in journeys]) / 86_400
    np.testing.assert_allclose(logged.days, days, rtol=1e-6)
    key = np.lexsort([rows["occurred_s"], rows["resolved_user_id"], rows["world_id"]])
    np.testing.assert_array_equal(logged.observation, rows["features"][key])
    np.testing.assert_array_equal(logged.propensity, rows["propensity"][key])


def test_rivals_sales_and_censored_users_are_no_ends(tmp_path: Path) -> None:
    """Rivals sell far more than we do: whoever only bought there is cut by time, as we would not know."""
    logged, _, tables = _stored(f"sqlite:///{tmp_path / 'a.db'}", "population.people=1500")
    rivals = (tables["conversion"]["advertiser"] != 0).sum()
    assert rivals > 3 * logged.terminal.sum() > 0


def test_pacing_is_taken_out_of_bids(tmp_path: Path) -> None:
    """The rule's bids over the sheet's price are its multiples, though pacing held them back; levels map by ratio."""
    logged, _, _ = _stored(f"sqlite:///{tmp_path / 'a.db'}", "population.people=1500", "us.budget.usd_day=15",
                           "us.policy.pacing=even")
    ours = scenario()
    market = Actions.of(ours).price_micros[logged.signal]
    assert (logged.price_micros < market).mean() > 0.1
    multiple = np.array([0.0, 0.25, 0.4, 0.55, 0.7, 0.85, 1.0, 1.2, 1.45, 1.7, 2.0])[logged.triples[logged.action, 1]]
    np.testing.assert_allclose(logged.bid_micros / logged.price_micros, multiple, rtol=1e-3)
    action, allowed = nearest_actions(logged, Actions.of(ours))
    level = Actions.of(ours).level(action)
    by_hand = {one: 1 + int(np.argmin([abs(np.log(one / other)) for other in LEVELS[1:]])) for one in set(multiple) - {0.0}}
    assert level.tolist() == [by_hand.get(one, 0) for one in multiple] and allowed[np.arange(len(action)), action].all()
    taken = action > 0
    assert (Actions.of(ours).creative(action)[taken] == logged.triples[logged.action, 2][taken]).all()


def test_levels_far_out_and_on_the_grid() -> None:
    bids = np.array([1, 10**12, 0, *np.rint(LEVELS[1:] * 1_000_000).astype(int)])
    assert nearest_level(bids, np.full(len(bids), 1_000_000)).tolist() == [1, 15, 0, *range(1, 16)]


def test_last_before_by_hand_and_at_random() -> None:
    rng = np.random.default_rng(2)
    steps = np.unique(rng.integers(0, 30, (300, 2)), axis=0)
    who, when = rng.integers(0, 35, 200), rng.integers(-3, 33, 200)
    found = last_before((steps[:, 0], steps[:, 1]), who, when)
    for k in range(200):
        before = [i for i, (key, second) in enumerate(steps.tolist()) if key == who[k] and second <= when[k]]
        assert found[k] == (before[-1] if before else -1)
    assert last_before((steps[:0, 0], steps[:0, 1]), who, when).tolist() == [-1] * 200


def test_what_cannot_be_learned_from_is_refused(tmp_path: Path) -> None:
    """Unfinished, wins alone, no decisions: one line each, with what to do."""
    url = f"sqlite:///{tmp_path / 'a.db'}"
    wins = run(RunRequest(scenario("log=wins", "days=3"), url))
    silent = run(RunRequest(scenario("days=3"), url, policy="silent"))
    with Store.open(url) as store:
        record = store.find_run(wins.run_id)
        for refused, why in ((record, "log=all"), (replace(record, status="INTERRUPTED"), "next: gaelp resume")):
            with pytest.raises(UsageError, match=why) as told:
                read_logged(store, refused)
            assert "\n" not in str(told.value)
        quiet = read_logged(store, store.find_run(silent.run_id))
        assert (quiet.triples[:, 0] == 0).all() and quiet.reward_usd.min() >= 0  # staying out is a decision, too
        check_names(store, record, scenario())
        with pytest.raises(UsageError, match="creatives are .* name the scenario that the run was of"):
            check_names(store, record, _other_names())


def _other_names() -> object:
    ours = scenario()
    creatives = [one.model_copy(update={"name": f"other_{one.name}"}) for one in ours.creatives]
    return ours.model_copy(update={"creatives": creatives})


def _imported(store: Store, folder: Path, rows: str, mapping: str = MAPPING) -> RunRecord:
    path = folder / "log.csv"
    path.write_text(HEAD + rows)
    return import_log(store, path, parse_mapping(mapping, "shop.yaml"), "", lambda rows: None).run


def test_imported_logs(tmp_path: Path) -> None:
    """With propensities and features a log of real ads is read by hand's figures; without bids no level is learned."""
    with Store.open(f"sqlite:///{tmp_path / 'a.db'}") as store:
        record = _imported(store, tmp_path, ROWS)
        logged = read_logged(store, record)
        assert logged.begins.tolist() == [0, 3, 4] and logged.bought.tolist() == [True, False]
        np.testing.assert_allclose(logged.reward_usd, [-0.5, 39.75, -0.01, -0.25])
        assert logged.observation.shape == (4, FEATURE_COUNT) and logged.observation[:, 0].tolist() == [31, 31, 31, 50]
        assert logged.propensity.tolist() == [0.25, 0.5, 0.25, 0.5] and logged.triples[:, 2].tolist() == [0, 1]
        assert np.flatnonzero(logged.terminal).tolist() == [2] and np.flatnonzero(logged.timeout).tolist() == [3]
        with pytest.raises(UsageError, match="tells no bids"):
            nearest_actions(logged, Actions.of(scenario()))
        for told, why in ((", propensity: chance", "no decision of ours"), (", features: [age, mood]", "saw nothing")):
            bare = _imported(store, tmp_path, ROWS, MAPPING.replace(told, "").replace("name: shop", f"name: s{len(told)}"))
            with pytest.raises(UsageError, match=why):
                read_logged(store, bare)


def test_parts_of_any_size_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read at once and by 4,096 rows: one log."""
    url = f"sqlite:///{tmp_path / 'a.db'}"
    whole, record, _ = _stored(url, "population.people=2000")
    sizes = []
    seen = logged_module._observations
    monkeypatch.setattr(logged_module, "_observations", lambda run, blobs: (sizes.append(len(blobs)), seen(run, blobs))[1])
    monkeypatch.setattr("gaelp_sim.store.reader.FETCH_ROWS", 4_096)
    with Store.open(url) as store:
        parts = read_logged(store, record)
    assert max(sizes) == 4_096 and len(sizes) > 1
    for name, value in vars(whole).items():
        np.testing.assert_array_equal(value, getattr(parts, name))
