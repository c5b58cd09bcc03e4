"""What docs/lake.md shows for other tools reads the same rows, each where its tool is installed."""

from __future__ import annotations

import re
import shutil
from collections import defaultdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

for package in ("pyarrow", "duckdb", "fsspec"):
    pytest.importorskip(package)

from gaelp_sim.store import Store  # noqa: E402 - only where a lake can be
from tests.docs.test_readme import printed  # noqa: E402
from tests.source_tree import ROOT  # noqa: E402

TEXT = (ROOT / "docs" / "lake.md").read_text(encoding="utf-8")
Totals = dict[int, tuple[int, int]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the page's run is."""
    made = tmp_path_factory.mktemp("page")
    (command,) = re.findall(r"^\$ (gaelp run .*)$", TEXT, re.MULTILINE)[:1]
    printed(command, made)
    return made


@pytest.fixture(scope="module")
def expected(folder: Path) -> Totals:
    """Touches of ours and their micros by channel, as the store itself reads them."""
    totals: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    with Store.open(f"sqlite:///{folder / 'gaelp.db'}") as store:
        rows = store.read(store.find_run("@last"), "touchpoint", where={"advertiser": 0})
        for channel, micros in zip(rows["channel"], rows["price_micros"], strict=True):
            totals[int(channel)][0] += 1
            totals[int(channel)][1] += int(micros)
    return {channel: (touches, micros) for channel, (touches, micros) in totals.items()}


def block_of(tool: str) -> str:
    """The lines that the page shows for a tool."""
    section = TEXT.partition(f"\n{tool}")[2]
    return section.partition("```")[2].partition("\n")[2].partition("```")[0]


def test_duckdb_reads_the_files(folder: Path, expected: Totals, monkeypatch: pytest.MonkeyPatch) -> None:
    import duckdb

    monkeypatch.chdir(folder)
    rows = duckdb.sql(block_of("DuckDB:")).fetchall()
    found = {channel: (touches, round(spent * 1e6)) for channel, touches, spent in rows}
    assert found == expected != {}


def test_polars_reads_the_files(folder: Path, expected: Totals, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("polars")
    monkeypatch.chdir(folder)
    names: dict[str, Any] = {}
    exec(block_of("polars"), names)
    assert {channel: (touches, micros) for channel, touches, micros in names["ours"].collect().rows()} == expected


def test_spark_reads_the_files(folder: Path, expected: Totals, monkeypatch: pytest.MonkeyPatch) -> None:
    if find_spec("pyspark") is None or shutil.which("java") is None:
        pytest.skip("pyspark and Java are not both installed")
    from pyspark.sql import SparkSession

    monkeypatch.chdir(folder)
    spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
    names: dict[str, Any] = {"spark": spark}
    exec(block_of("Spark").replace(").show()", ")").replace("touches.where", "ours = touches.where"), names)
    rows = [row.asDict() for row in names["ours"].collect()]
    spark.stop()
    assert {row["channel"]: (row["count(1)"], row["sum(price_micros)"]) for row in rows} == expected
