"""`gaelp calibrate` of accounts, `gaelp backtest`, `--with` and `verify realism --samples`, as typed."""

# ruff: noqa: E501 - a case is a row: what is typed, and what is told

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import pytest
import yaml

from gaelp_sim.cli.main import exit_code

Captured = pytest.CaptureFixture[str]
SMALL = ["--scenario", "quickstart", "--set", "population.people=300", "--people-max", "300"]


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three weeks of search and display, busier on Tuesdays."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GAELP_DB", f"sqlite:///{tmp_path / 'a.db'}")
    lines = ["Day,Campaign,Campaign type,Impr.,Clicks,Cost,Conversions"]
    for day in range(21):
        at = date(2025, 9, 1) + timedelta(days=day)
        busy = 2 if at.weekday() == 1 else 1
        lines.append(f"{at},Brand,Search,{30 * busy},{2 * busy + day % 2},{9.5 * busy:.2f},{day % 3 == 0:d}")
        lines.append(f"{at},Feed,Demand Gen,{25 * busy},{day % 2},{0.4 * busy:.2f},0")
    path = tmp_path / "account.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_calibrate_without_a_scenario_fits_curves_and_figures(account: Path, capsys: Captured) -> None:
    assert exit_code(["calibrate", "account.csv", "--format", "google_ads"]) == 0
    text = capsys.readouterr().out
    told = yaml.safe_load(text)
    assert list(told) == ["curves"] and told["curves"]["weekday"][1] == pytest.approx(2 * told["curves"]["weekday"][0], rel=1e-3)
    assert "#   search: price of a click" in text and "# Fitted to account.csv (Google Ads export), 2025-09-01 to 2025-09-21" in text
    assert exit_code(["--json", "calibrate", "account.csv", "--format", "google_ads"]) == 0
    record = json.loads(capsys.readouterr().out)
    rate = next(one for one in record["figures"] if one["quantity"] == "click rate" and one["channel"] == "search")
    assert rate["value"] == pytest.approx((2 * 24 + 10) / (30 * 24)) and rate["low"] < rate["value"] < rate["high"]
    assert record["fragment"] == text and record["channels"] == ["demand_gen", "search"]


def test_a_match_can_be_run(account: Path, capsys: Captured) -> None:
    given = ["calibrate", "account.csv", "--format", "google_ads", "--channel", "Demand Gen=social", *SMALL, "--worlds", "2"]
    assert exit_code([*given, "--out", "fitted.yaml"]) == 0
    assert "Matched to scenario quickstart" in Path("fitted.yaml").read_text()
    assert "wrote fitted.yaml" in capsys.readouterr().err
    assert exit_code([*given, "--out", "fitted.yaml"]) == 2
    assert "it exists already" in capsys.readouterr().err
    run = ["run", "quickstart", "--with", "fitted.yaml", "--days", "2", "--worlds", "2", "--set", "population.people=100"]
    assert exit_code(run) == 0
    capsys.readouterr()
    price = "parameter = 'channels.search.signals.generic.price_median_usd'"
    asked = f"SELECT COUNT(DISTINCT value) AS n FROM world_parameters WHERE {price}"
    assert exit_code(["query", asked, "--format", "csv"]) == 0
    assert capsys.readouterr().out.split() == ["n", "2"]


def test_backtest_shows_weeks_scores_and_levers(account: Path, capsys: Captured) -> None:
    given = ["backtest", "account.csv", "--format", "google_ads", "--channel", "Demand Gen=social", *SMALL]
    given += ["--train-weeks", "2", "--worlds", "8"]
    assert exit_code(["--json", *given]) == 0
    record = json.loads(capsys.readouterr().out)
    assert {"file", "train_days", "test_weeks", "levers", "cells", "scores", "not_identified", "people", "weight"} <= set(record)
    assert (record["train_days"], record["test_weeks"], len(record["cells"])) == (14, 1, 8)
    shown = next(cell for cell in record["cells"] if cell["channel"] == "search" and cell["metric"] == "impressions")
    assert shown["actual"] == 30 * 8 and shown["naive"] == 30 * 8 and shown["low"] <= shown["predicted"] <= shown["high"]
    assert exit_code(given) == 0
    told = capsys.readouterr()
    assert told.out.splitlines()[0].split()[:3] == ["first_day", "channel", "metric"]
    assert "coverage_95" in told.out and "lever volume search: " in told.out and "not identified: " in told.out


@pytest.mark.parametrize("given,told", [
    (["calibrate", "account.csv", "--format", "google_ads", "--set", "days=3"], "--set changes a scenario; name one"),
    (["calibrate", "account.csv", "--format", "criteo_search", "--channel", "a=b"], "are for accounts (google_ads, meta, ga4)"),
    (["calibrate", "account.csv", "--format", "meta"], "account.csv:1: header: no line among the first 40 names"),
    (["calibrate", "none.csv", "--format", "ga4"], "none.csv: the file cannot be read"),
    (["calibrate", "account.csv", "--format", "google_ads", "--channel", "search"], "it must be NAME=CHANNEL"),
    (["backtest", "account.csv", "--format", "google_ads", *SMALL], "its channel 'demand_gen' is none that we run in quickstart"),
    (["backtest", "account.csv", "--format", "google_ads", "--train-weeks", "3"], "3 whole weeks; at most 2"),
    (["run", "quickstart", "--with", "none.yaml"], "none.yaml: the file cannot be read"),
    (["run", "--continue", "@last", "--with", "x.yaml"], "--with needs a SCENARIO"),
])
def test_mistakes_are_one_line(account: Path, capsys: Captured, given: list[str], told: str) -> None:
    assert exit_code(given) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if "compiling" not in line]
    assert len(lines) == 1 and told in lines[0]
    assert not (account.parent / "a.db").exists()


def test_a_run_beside_real_samples(account: Path, tmp_path: Path, capsys: Captured) -> None:
    assert exit_code(["run", "quickstart", "--days", "2", "--set", "population.people=300"]) == 0
    folder = tmp_path / "samples"
    (folder / "obd/random/all").mkdir(parents=True)
    (folder / "obd/random/all/all.csv").write_text(",click\n0,0\n1,1\n")
    capsys.readouterr()
    assert exit_code(["--json", "verify", "realism", "@last", "--samples", str(folder)]) == 0
    told = capsys.readouterr()
    (row,) = json.loads(told.out)
    assert (row["quantity"], row["real"]) == ("click rate, feed", 0.5) and set(row) == {
        "quantity", "real", "real_low", "real_high", "simulated", "low", "high", "agrees", "source"}
    assert "left out: avito_traffic_share.csv is not in" in told.err
    assert exit_code(["verify", "realism", "@last", "--samples", str(tmp_path / "samples/obd")]) == 2
