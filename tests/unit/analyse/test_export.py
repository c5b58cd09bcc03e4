"""Exports read back: the rows that queries give, sums that the ledger gives, credits that attribution gives."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gaelp_sim.analyse import export as exporting
from gaelp_sim.analyse.attribute import Request as Attributing
from gaelp_sim.analyse.attribute import attribute
from gaelp_sim.analyse.exchange import AUCTIONNET
from gaelp_sim.analyse.export import OTHER_FORMS, VIEW_FORMS, Request, export
from gaelp_sim.attribution.models import Options, credited
from gaelp_sim.attribution.paths import paths_from_texts
from gaelp_sim.errors import StoreIOError, UsageError
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.store import RunRecord, Store
from gaelp_sim.store.console import run_query
from gaelp_sim.store.views import VIEW_COLUMNS
from gaelp_sim.world.simulate import RunRequest, run


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, RunRecord]]:
    """A run of two worlds beside another one, which must not be exported."""
    url = f"sqlite:///{tmp_path_factory.mktemp('export')}/gaelp.db"
    sets = ["population.people=1200", "days=10", "worlds=2", "response.brand_base=-0.5"]
    summary = run(RunRequest(load_scenario("parental_controls", sets), url))
    run(RunRequest(load_scenario("short"), url))
    with Store.open(url) as store:
        yield store, store.find_run(summary.run_id)


def _export(stored: tuple[Store, RunRecord], request: Request) -> dict[str, object]:
    return export(*stored, request, lambda name, rows: None)


def _csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_view_in_every_form(stored: tuple[Store, RunRecord], tmp_path: Path) -> None:
    """The manifest lists every view with its columns, rows and hash; the rows are those of queries."""
    import pyarrow.parquet as pq

    store, record = stored
    for form in VIEW_FORMS:
        manifest = _export(stored, Request(form, tmp_path / form))
        assert json.loads((tmp_path / form / "manifest.json").read_text()) == manifest
        files = {file["file"]: file for file in manifest["files"]}  # type: ignore[attr-defined]
        assert set(files) == {f"{view}.{form}" for view in VIEW_COLUMNS}
        assert {path.name for path in (tmp_path / form).iterdir()} == {*files, "manifest.json"}
        for name, file in files.items():
            assert hashlib.sha256((tmp_path / form / name).read_bytes()).hexdigest() == file["sha256"]
            assert file["columns"] == VIEW_COLUMNS[name.partition(".")[0]]
    for view in ("journeys", "observed_decisions", "conversions"):
        asked = run_query(store.url, f"SELECT * FROM {view}", run=record.run_id, limit=1_000_000)
        expected = sorted(([_plain(value) for value in row] for row in asked.rows), key=repr)
        table = pq.read_table(tmp_path / "parquet" / f"{view}.parquet").to_pylist()
        lines = [json.loads(line) for line in (tmp_path / "ndjson" / f"{view}.ndjson").read_text().splitlines()]
        texts = _csv(tmp_path / "csv" / f"{view}.csv")
        assert len(table) == len(lines) == len(texts) == len(expected) > 0
        assert sorted(([_plain(row[name]) for name in asked.columns] for row in table), key=repr) == expected
        assert sorted(([row[name] for name in asked.columns] for row in lines), key=repr) == expected
        told = sorted([["" if v is None else str(v) for v in row] for row in expected])
        assert sorted([list(row.values()) for row in texts]) == told


def _plain(value: object) -> object:
    return value.hex() if isinstance(value, bytes) else value


def test_paths_give_the_same_credit(stored: tuple[Store, RunRecord], tmp_path: Path) -> None:
    """Exported paths, read as any tool would, credit channels as `attribute` does."""
    store, record = stored
    _export(stored, Request("paths", tmp_path / "paths"))
    rows = _csv(tmp_path / "paths" / "paths.csv")
    paths, names = paths_from_texts(
        (row["path"], float(row["total_conversions"]), float(row["total_null"])) for row in rows
    )
    for model in ("first", "last", "linear", "markov", "shapley"):
        (done,) = attribute(store, record, [Attributing(model)])
        listed = store.read(record, "name", columns=("name",), where={"kind": "channel"})["name"]
        ours = dict(zip(map(str, listed), done.credits.by_channel.tolist(), strict=False))
        theirs = dict(zip(names, credited(paths, model, Options()).by_channel.tolist(), strict=True))
        assert {name: value for name, value in ours.items() if name in theirs} == pytest.approx(theirs)
    value = sum(float(row["total_conversion_value"]) for row in rows)
    assert value == pytest.approx(180 * paths.total_sales) and paths.total_sales > 5


def test_weeks_add_up(stored: tuple[Store, RunRecord], tmp_path: Path) -> None:
    """A row a world and week; spend is the ledger's."""
    store, record = stored
    _export(stored, Request("mmm", tmp_path / "mmm"))
    rows = _csv(tmp_path / "mmm" / "mmm.csv")
    assert [(row["geo"], row["time"]) for row in rows] == [
        (geo, day) for geo in "01" for day in ("2025-09-01", "2025-09-08")
    ]
    spend = sum(float(row[name]) for row in rows for name in row if name.endswith("_spend"))
    ledger = run_query(store.url, "SELECT SUM(amount_usd) FROM observed_ledger", run=record.run_id).rows[0][0]
    assert spend == pytest.approx(ledger)
    clicks = sum(float(row["search_clicks"]) for row in rows)
    assert [(int(clicks),)] == run_query(
        store.url, "SELECT SUM(clicked) FROM observed_touches WHERE channel = 'search'", run=record.run_id).rows


def test_the_bid_log(stored: tuple[Store, RunRecord], tmp_path: Path) -> None:
    """AuctionNet's 18 columns: every decision, budgets that run down by what was spent, sales by their last touch."""
    store, record = stored
    _export(stored, Request("auctionnet", tmp_path / "bids"))
    rows = _csv(tmp_path / "bids" / "auctionnet.csv")
    assert list(rows[0]) == list(AUCTIONNET) and len(AUCTIONNET) == 21
    decisions, won, charged = run_query(
        store.url, "SELECT COUNT(*), SUM(CASE status WHEN 'WON' THEN 1 ELSE 0 END), SUM(charge_usd) FROM decisions",
        run=record.run_id).rows[0]
    assert (len(rows), sum(int(row["xi"]) for row in rows)) == (decisions, won)
    assert sum(float(row["cost"]) for row in rows) == pytest.approx(charged)
    days: dict[tuple[str, int], float] = {}
    world, before = 0, 0
    for row in rows:
        day = int(row["deliveryPeriodIndex"])
        world += day < before
        before = day
        left = float(row["budget"]) - days.get((str(world), day), 0.0)
        assert float(row["remainingBudget"]) == pytest.approx(max(left, 0.0), abs=1e-6)
        days[str(world), day] = days.get((str(world), day), 0.0) + float(row["cost"])
        assert (int(row["adSlot"]) > 0) == (row["xi"] == "1")
    assert 0 < sum(int(row["conversionAction"]) for row in rows) <= won


def test_arrow_reads_the_bid_log(stored: tuple[Store, RunRecord], tmp_path: Path) -> None:
    """18 columns under AuctionNet's names, all numbers; a least winning cost is at most what a winner bid."""
    from pyarrow import csv as arrow

    _export(stored, Request("auctionnet", tmp_path / "bids"))
    table = arrow.read_csv(tmp_path / "bids" / "auctionnet.csv")
    assert table.column_names[:18] == [
        "deliveryPeriodIndex", "advertiserNumber", "advertiserCategoryIndex", "budget", "CPAConstraint", "timeStepIndex",
        "remainingBudget", "pvIndex", "pValue", "pValueSigma", "bid", "xi", "adSlot", "cost", "isExposed",
        "conversionAction", "leastWinningCost", "isEnd",
    ]
    assert {str(field.type) for field in table.schema} <= {"int64", "double"} and not any(
        column.null_count for column in table.columns)
    rows = {name: table[name].to_numpy() for name in table.column_names}
    won, told = rows["xi"] == 1, rows["leastWinningCost"] > 0
    assert (rows["leastWinningCost"][won] <= rows["bid"][won]).all() and (won & told).sum() > 100
    assert not told[~won].any()  # no channel of this run tells it
    assert (rows["cost"][~won] == 0).all() and (rows["isExposed"] == rows["xi"]).all()
    fresh = np.flatnonzero(np.diff(rows["deliveryPeriodIndex"], prepend=-1))
    place = np.arange(len(won)) - np.repeat(fresh, np.diff(np.append(fresh, len(won))))
    assert (rows["pvIndex"] == place).all() and set(rows["timeStepIndex"]) == set(range(24))
    end = rows["deliveryPeriodIndex"] * 24 + rows["timeStepIndex"] == 10 * 24 - 1
    assert (rows["isEnd"] == end).all() and ((0 < rows["propensity"]) & (rows["propensity"] <= 1)).all()


def test_the_least_winning_cost_where_it_is_told(tmp_path: Path) -> None:
    """More than each losing bid, where a mechanism tells it."""
    summary = run(RunRequest(load_scenario("first_price_display"), f"sqlite:///{tmp_path / 'a.db'}"))
    with Store.open(f"sqlite:///{tmp_path / 'a.db'}") as store:
        record = store.find_run(summary.run_id)
        _export((store, record), Request("auctionnet", tmp_path / "bids"))
    rows = _csv(tmp_path / "bids" / "auctionnet.csv")
    told = [(float(row["leastWinningCost"]), float(row["bid"])) for row in rows
            if row["xi"] == "0" and float(row["leastWinningCost"]) > 0]
    assert len(told) > 100 and sum(least > bid for least, bid in told) == len(told)


def test_nothing_is_half_written(stored: tuple[Store, RunRecord], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that is there stays, unless it may give way; a disk that fails leaves nothing."""
    target = tmp_path / "out"
    _export(stored, Request("csv", target, ("worlds",)))
    kept = (target / "worlds.csv").read_bytes()
    with pytest.raises(UsageError, match="--force"):
        _export(stored, Request("csv", target, ("journeys",)))
    monkeypatch.setattr(exporting, "_write_csv", _fails)
    with pytest.raises(StoreIOError, match="No space"):
        _export(stored, Request("csv", target, ("journeys",), force=True))
    assert (target / "worlds.csv").read_bytes() == kept
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    monkeypatch.undo()
    _export(stored, Request("csv", target, ("journeys",), force=True))
    assert {path.name for path in target.iterdir()} == {"journeys.csv", "manifest.json"}


def _fails(path: Path, columns: object, blocks: object) -> int:
    path.write_text("half")
    raise OSError(28, "No space left on device")


def test_mistakes_are_told(stored: tuple[Store, RunRecord], tmp_path: Path) -> None:
    """One line each."""
    store, record = stored
    with pytest.raises(UsageError, match="no such view"):
        _export(stored, Request("csv", tmp_path / "a", ("journies",)))
    for form in OTHER_FORMS:
        with pytest.raises(UsageError, match="columns of its own"):
            _export(stored, Request(form, tmp_path / "a", ("journeys",)))
    with pytest.raises(UsageError, match="next: gaelp resume"):
        export(store, replace(record, status="INTERRUPTED"), Request("csv", tmp_path / "a"), lambda name, rows: None)
    assert not list(tmp_path.iterdir())
