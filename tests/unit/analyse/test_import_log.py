"""`gaelp import`: logs as runs, by hand, against the models themselves, and with every kind of fault."""

from __future__ import annotations

import csv
import gzip
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gaelp_sim.analyse.attribute import Request, attribute
from gaelp_sim.analyse.import_log import Imported, import_log
from gaelp_sim.analyse.incrementality import incrementality
from gaelp_sim.attribution.models import Options, credited
from gaelp_sim.attribution.paths import Paths
from gaelp_sim.calibrate.mapping import KNOWN, load_mapping, parse_mapping
from gaelp_sim.errors import GaelpError, ScenarioError, StoreIOError, UsageError
from gaelp_sim.store import Store, row_hash
from gaelp_sim.store.console import run_query
from gaelp_sim.store.verify import verify_run
from gaelp_sim.world.replay import ReplayRequest, replay
from gaelp_sim.world.simulate import RunRequest, resume, run
from tests.postgres import NoPostgresError, empty_database, postgres_server

pytest.importorskip("pyarrow")
SHARED = Path(os.environ.get("GAELP_SHARED_DATA", Path(__file__).parents[4] / "shared" / "data"))
DAY = 86_400
SHOP = """
name: shop
time: iso
columns: {time: at, user: who, channel: channel, campaign: ad, device: device, click: click, cost: cost,
          sale_time: bought, order: order, value: value}
timeout_days: 10
"""
LOG = """at,who,channel,ad,device,click,cost,bought,order,value
2025-09-01T10:00:00,ann,search,a,mobile,1,0.50,2025-09-03T12:00:00,o1,40
2025-09-02T11:00:00,ann,social,b,desktop,0,0.25,2025-09-03T12:00:00,o1,40
2025-09-02T11:00:00,bob,social,b,tv,0,0.25,,,
2025-09-04T00:00:00,ann,search,a,mobile,0,0.01,,,
2025-09-20T00:00:00,bob,search,,mobile,1,1.00,2025-09-20T00:00:05,o2,10.5
"""


def nothing(rows: int) -> None:
    """Progress that nobody looks at."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    with Store.open(f"sqlite:///{tmp_path}/gaelp.db") as opened:
        yield opened


def stored(store: Store, tmp_path: Path, text: str = LOG, mapping: str = SHOP) -> Imported:
    """The log as a run."""
    path = tmp_path / "log.csv"
    path.write_text(text)
    return import_log(store, path, parse_mapping(mapping, "shop.yaml"), "", nothing)


def test_rows_become_journeys(store: Store, tmp_path: Path) -> None:
    """Five rows: ann buys after two touches and comes back; bob is silent for 18 days, comes back and buys."""
    done = stored(store, tmp_path)
    start = done.run.start_s
    journey = store.read(done.run, "journey")
    status = dict(zip(zip(journey["person_id"], journey["journey_index"], strict=True), journey["status"], strict=True))
    assert status == {(0, 0): 2, (0, 1): 3, (1, 0): 3, (1, 1): 2}
    assert np.asarray(journey["touches"]).tolist() == [2, 1, 1, 1]
    assert np.asarray(journey["cost_micros"]).tolist() == [750_000, 10_000, 250_000, 1_000_000]
    assert np.asarray(journey["devices_seen"]).tolist() == [3, 1, 8, 1]
    sales = store.read(done.run, "conversion")
    told = ("person_id", "value_micros", "journey_index", "late", "device")
    assert [np.asarray(sales[name]).tolist() for name in told] == [
        [0, 1], [40_000_000, 10_500_000], [0, 1], [0, 0], [1, 0],
    ]
    assert np.asarray(sales["purchased_s"]).tolist() == [start + 2 * DAY + 12 * 3600, start + 19 * DAY + 5]
    assert done.figures["rows"] == 5 and done.figures["users"] == 2 and done.figures["spend_usd"] == pytest.approx(2.01)
    assert [finding for finding in verify_run(store, done.run) if not finding[1]] == []


def test_a_log_in_several_commits(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """User by user the rows are the same, and the books balance after each commit."""
    whole = row_hash(store, stored(store, tmp_path).run)
    monkeypatch.setattr("gaelp_sim.analyse.import_log.ROWS_PER_COMMIT", 4)
    done = stored(store, tmp_path).run
    assert row_hash(store, done) == whole
    assert [finding for finding in verify_run(store, done) if not finding[1]] == []


def test_attribution_of_a_log(store: Store, tmp_path: Path) -> None:
    """Both sales have a touch of search and one of social before them; views tell channels and campaigns by name."""
    done = stored(store, tmp_path)
    attribute(store, done.run, [Request("linear"), Request("last")], "profit")
    rows = run_query(store.url, "SELECT model, channel, conversions, value_usd FROM attribution ORDER BY 1, 2").rows
    assert [tuple(row) for row in rows] == [
        ("last", "search", 1, 10.5), ("last", "social", 1, 40),
        ("linear", "search", 1, 25.25), ("linear", "social", 1, 25.25),
    ]
    (touch,) = run_query(store.url, "SELECT channel, campaign, device FROM touchpoints WHERE device IS NULL").rows
    assert tuple(touch) == ("social", "b", None)


def test_a_path_table_is_credited_as_its_paths_are(store: Store, tmp_path: Path) -> None:
    """Markov and Shapley of the run are those of the table's own paths, counted."""
    table = "path,sold,worth,not\na > b,3,10.00,2\nb,1,1.00,5\na > c > a,2,0.05,0\nc,0,0,4\n"
    mapping = "name: t\npaths: {path: path, conversions: sold, value: worth, nulls: not}"
    done = stored(store, tmp_path, table, mapping)
    assert done.figures["conversions"] == 6 and done.figures["revenue_usd"] == pytest.approx(11.05)
    channel = np.array([0, 1, 1, 0, 2, 0, 2])
    paths = Paths(
        np.array([0, 2, 3, 6, 7]), channel, np.array([0, 1, 0, 0, 1, 2, 0]), np.array([2, 1, 3, 1]),
        np.array([3.0, 1.0, 2.0, 0.0]), np.array([2.0, 5.0, 0.0, 4.0]), 3,
    )
    for model in ("markov", "shapley", "first", "linear"):
        (kept,) = attribute(store, done.run, [Request(model)], "")
        expected = credited(paths, model, Options()).by_channel
        assert np.asarray(kept.credits.by_channel)[:3] == pytest.approx(expected, abs=1e-9), model


def test_decisions_of_a_log(store: Store, tmp_path: Path) -> None:
    """Propensities, chosen items and features; words are numbered by the alphabet, numbers stay."""
    text = "t,item,p,x,w,click\n10,shoe,.5,1.5,red,0\n11,hat,.25,2,blue,1\n12,shoe,.5,-1,green,0\n"
    mapping = "name: d\ncolumns: {time: t, creative: item, propensity: p, click: click, features: [x, w]}"
    done = stored(store, tmp_path, text, mapping)
    decision = store.read(done.run, "decision")
    assert np.asarray(decision["propensity"]).tolist() == [0.5, 0.25, 0.5]
    assert np.asarray(decision["creative"]).tolist() == [0, 1, 0]
    features = np.frombuffer(b"".join(decision["features"]), dtype="<f4").reshape(3, 41)  # type: ignore[arg-type]
    assert features[:, :2].tolist() == [[1.5, 2.0], [2.0, 0.0], [-1.0, 1.0]] and not features[:, 2:].any()


@pytest.mark.parametrize(("change", "told"), [
    (("2025-09-20T00:00:05,o2", "2025-09-20T00:00:05,o1"), ":6: order: order 'o1' is told twice"),
    (("at,who", "when,who"), ":1: no column at among"),
    ((",", ";"), ":1: no column click, cost, value, at, "),
])
def test_a_bad_file_is_one_line_and_nothing_is_kept(
    store: Store, tmp_path: Path, change: tuple[str, str], told: str
) -> None:
    """File, line and rule; the store stays as it was."""
    with pytest.raises(UsageError) as error:
        stored(store, tmp_path, LOG.replace(*change))
    assert told in str(error.value) and "\n" not in str(error.value)
    assert not store.runs()


def test_time_running_back_is_refused_where_a_log_is_sorted(store: Store, tmp_path: Path) -> None:
    """The line where it turns is named."""
    rows = LOG.splitlines()
    rows[1], rows[4] = rows[4], rows[1]
    with pytest.raises(UsageError, match=r":3: at: time runs back"):
        stored(store, tmp_path, "\n".join(rows) + "\n", SHOP + "sorted: true\n")
    assert stored(store, tmp_path, "\n".join(rows) + "\n").figures["rows"] == 5
    assert row_hash(store, stored(store, tmp_path).run) == row_hash(store, stored(store, tmp_path, LOG).run)


def test_bad_rows_are_counted(store: Store, tmp_path: Path) -> None:
    """Each with its rule and the first one's line."""
    bad = "x,ann,search,a,mobile,1,0.5,,,\n2025-09-09T00:00:00,ann,search,a,mobile,1,NaN,,,\n" \
          "2025-09-09T00:00:00,ann,search,a,mobile,1,1,2025-09-08T00:00:00,o3,1\n2025-09-09T00:00:00,,search,a,m,1,1,,,\n"
    figures = stored(store, tmp_path, LOG + bad).figures
    assert (figures["rows"], figures["rows_skipped"]) == (5, 4)
    assert {(rule.split(":")[0], told["line"]) for rule, told in figures["skipped"].items()} == {
        ("at", 7), ("cost", 8), ("a sale before its row", 9), ("who", 10),
    }


def test_a_truncated_gzip(store: Store, tmp_path: Path) -> None:
    """One line, nothing kept."""
    path = tmp_path / "log.csv.gz"
    path.write_bytes(gzip.compress((LOG + LOG.split("\n", 1)[1] * 3_000).encode())[:-300])
    with pytest.raises(UsageError, match="ends in the middle"):
        import_log(store, path, parse_mapping(SHOP, "shop.yaml"), "", nothing)
    assert not store.runs()


def test_a_full_disk_leaves_nothing(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit that fails takes the run with it."""
    before = stored(store, tmp_path).run

    def full_disk(*args: object) -> None:
        raise StoreIOError("the disk is full")

    monkeypatch.setattr(store, "commit", full_disk)
    with pytest.raises(StoreIOError):
        stored(store, tmp_path)
    assert [one.run_id for one in store.runs()] == [before.run_id]


def test_what_needs_a_world_is_refused(store: Store, tmp_path: Path) -> None:
    """In one line that says why."""
    done = stored(store, tmp_path).run
    with pytest.raises(UsageError, match="imported log"):
        replay(ReplayRequest(store.url, done.run_id))
    with pytest.raises(UsageError, match="imported log"):
        resume(store.url, done.run_id)
    with pytest.raises(GaelpError, match="imported log"):
        incrementality(store, done, None, lambda share: None)  # type: ignore[arg-type]
    from gaelp_sim.scenario.loading import load_scenario

    with pytest.raises(UsageError, match="imported log"):
        run(RunRequest(load_scenario("quickstart"), store.url, continue_ref=done.run_id))


@pytest.mark.parametrize(("text", "told"), [
    ("name: a", "either `columns`"),
    ("name: a\ncolumns: {tme: t}", "m.yaml:2:11: columns.tme: unknown key 'tme', did you mean 'time'?"),
    ("name: a\ncolumns: {time: t, order: o}", "sales need"),
    ("name: a\ncolumns: {time: t, user: t}", "named for two things"),
    ("name: a\ncolumns: {time: t}\ndelimiter: pipe", "'pipe' is not allowed"),
    ("- a", "a mapping is written as keys"),
])
def test_a_bad_mapping_is_one_line(text: str, told: str) -> None:
    """Place, key and rule."""
    with pytest.raises(ScenarioError) as error:
        parse_mapping(text, "m.yaml")
    assert told in str(error.value)


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_a_mapping_is_read_back_as_it_was_written(name: str) -> None:
    """The run keeps it as text."""
    mapping = load_mapping(name)
    assert parse_mapping(mapping.text, name) == mapping


def test_both_databases_keep_the_same_rows(store: Store, tmp_path: Path) -> None:
    """Row hash by row hash."""
    here = row_hash(store, stored(store, tmp_path).run)
    try:
        with postgres_server() as server, empty_database(server) as url, Store.open(url) as other:
            assert row_hash(other, stored(other, tmp_path).run) == here
    except NoPostgresError as error:
        pytest.skip(str(error))


def test_criteo_schema_with_a_planted_log(store: Store, tmp_path: Path) -> None:
    """Sales are the distinct conversion ids, whatever the other columns say; 700 campaigns keep their names."""
    rng = np.random.default_rng(5)
    names = "timestamp uid campaign conversion conversion_timestamp conversion_id attribution click click_pos click_nb"
    rows: list[list[object]] = [[*names.split(), "cost", "cpo"]]
    orders: dict[int, tuple[int, int]] = {}
    for second in np.sort(rng.integers(0, 30 * DAY, 5_000)).tolist():
        user = int(rng.integers(0, 800))
        sold = orders.get(user) if user in orders and orders[user][0] >= second else None
        if sold is None and rng.random() < 0.05:
            sold = orders[user] = (second + int(rng.integers(0, 5 * DAY)), len(orders) + 1_000 * user)
        told = [1, *sold] if sold else [0, -1, -1]
        rows.append([second, user, int(rng.integers(0, 700)), *told, 0, int(rng.random() < 0.3), -1, -1, "1.5e-4", ".2"])
    path = tmp_path / "criteo.tsv"
    path.write_text("\n".join("\t".join(map(str, row)) for row in rows) + "\n")
    done = import_log(store, path, load_mapping("criteo_attribution"), "", nothing)
    distinct = {(row[1], row[5]) for row in rows[1:] if row[3] == 1}
    assert done.figures["conversions"] == len(distinct) > 100 and done.figures["days"] in (30, 31, 32, 33, 34, 35)
    campaigns = run_query(store.url, "SELECT COUNT(DISTINCT campaign) FROM touchpoints").rows[0][0]
    assert campaigns == len({row[2] for row in rows[1:]}) > 600
    attribute(store, done.run, [Request("last", by="campaign")], "")
    total = run_query(store.url, "SELECT SUM(conversions) FROM attribution_campaigns").rows[0][0]
    assert total == pytest.approx(len(distinct))


def test_real_samples(store: Store) -> None:
    """Open Bandit rows and a published path table, where they are at hand."""
    bandit, paths = SHARED / "obd/bts/men/men.csv", SHARED / "paths/eeghor_mta_data.csv"
    if not bandit.exists() or not paths.exists():
        pytest.skip(f"no samples in {SHARED}")
    done = import_log(store, bandit, load_mapping("open_bandit"), "", nothing)
    assert done.figures["decisions"] == 10_000 and done.figures["clicks"] == 69
    done = import_log(store, paths, load_mapping("paths"), "", nothing)
    with paths.open() as file:
        rows = list(csv.DictReader(file))
    assert done.figures["conversions"] == sum(int(row["total_conversions"]) for row in rows)
    (last,) = attribute(store, done.run, [Request("last")], "")
    counted: dict[str, int] = {}
    for row in rows:
        end = row["path"].split(">")[-1].strip()
        counted[end] = counted.get(end, 0) + int(row["total_conversions"])
    names = list(store.read(done.run, "name", columns=("name",), where={"kind": "channel"})["name"])
    by_name = {name: round(last.credits.by_channel[at]) for at, name in enumerate(names)}
    assert by_name == {name: counted.get(name, 0) for name in names}
