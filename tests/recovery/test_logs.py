"""Logs generated with planted figures are read back; bad rows are counted, bad files are one line."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pytest
import yaml

from gaelp_sim.analyse.calibrate import calibrate, fragment
from gaelp_sim.calibrate.formats import SOURCES, source_named
from gaelp_sim.calibrate.log_reader import BLOCK_BYTES, Skipped, read_log
from gaelp_sim.calibrate.mapping import parse_mapping
from gaelp_sim.errors import UsageError
from gaelp_sim.response.sale import lag_table
from gaelp_sim.scenario.loading import load_scenario, parse_scenario
from gaelp_sim.scenario.resolved import resolved_text

SHARED = Path(os.environ.get("GAELP_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
DAY = 86_400
HOURS = np.array([1, 1, 1, 1, 1, 2, 3, 4, 5, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 7, 7, 6, 4, 2], dtype=np.float64)
ATTRIBUTION = (
    "timestamp uid campaign conversion conversion_timestamp conversion_id attribution click click_pos click_nb cost cpo "
    "time_since_last_click cat1 cat2 cat3 cat4 cat5 cat6 cat7 cat8 cat9"
).split()


def criteo_attribution(path: Path, n: int, seed: int = 1) -> None:
    """Impressions with a curve of the day, click rate .36, rate of sale .1 a click, the flagship's lag, lognormal cost."""
    rng = np.random.default_rng(seed)
    hour = rng.choice(24, n, p=HOURS / HOURS.sum())
    second = np.sort(rng.integers(0, 30, n) * DAY + hour * 3600 + rng.integers(0, 3600, n))
    clicked = rng.random(n) < 0.36
    sold = clicked & (rng.random(n) < 0.1)
    table = lag_table(load_scenario("parental_controls").conversion.purchase_lag, 30 * DAY)
    bought = np.where(sold, second + table[rng.integers(0, len(table), n)], -1)
    cost = np.exp(np.log(2e-4) + 0.9 * rng.standard_normal(n))
    rest = "\t".join(["7"] * 9)
    lines = [
        f"{t}\t{u}\t22\t{int(s)}\t{b}\t-1\t0\t{int(c)}\t-1\t-1\t{x:.9g}\t.2\t-1\t{rest}"
        for t, u, s, b, c, x in zip(second, rng.integers(0, n, n), sold, bought, clicked, cost, strict=True)
    ]
    path.write_text("\t".join(ATTRIBUTION) + "\n" + "\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A planted log."""
    path = tmp_path_factory.mktemp("logs") / "criteo.tsv"
    criteo_attribution(path, 120_000)
    return path


def test_planted_figures_are_recovered(log: Path) -> None:
    """Each lies within its interval, or a little beside it: curve, click rate, price, rate of sale, delays."""
    found = calibrate(log, SOURCES["criteo_attribution"], lambda rows: None)
    assert found.sums.rows == 120_000 and not found.skipped.bad
    curve = HOURS / HOURS.mean()
    inside = [one.low <= planted <= one.high for one, planted in zip(found.hour, curve, strict=True)]
    assert sum(inside) >= 21
    assert np.mean([one.value for one in found.hour]) == pytest.approx(1.0)
    assert found.weekday == []  # the format tells no calendar
    planted = {
        "click rate": 0.36, "clicks that sell within the window, by the mixture": 0.1,
        "price, median (log's own unit)": 2e-4, "price, sigma of the logarithm": 0.9,
    }
    for name, value in planted.items():
        one = found.figures[name]
        assert one.low - (one.high - one.low) / 2 < value < one.high + (one.high - one.low) / 2, name
        assert one.value == pytest.approx(value, rel=0.04)
    assert found.lag is not None
    assert np.exp(found.lag.log_median[0]) == pytest.approx(760, rel=0.2)
    assert np.exp(found.lag.log_median[1]) / DAY == pytest.approx(6.22, rel=0.1)


def test_the_fragment_is_part_of_a_scenario(log: Path) -> None:
    """Its keys are a scenario's, and take their place in one."""
    parts = yaml.safe_load(fragment(calibrate(log, SOURCES["criteo_attribution"], lambda rows: None)))
    whole = yaml.safe_load(resolved_text(load_scenario("short")))
    for room, keys in parts.items():
        whole[room] |= keys
    scenario = parse_scenario(yaml.safe_dump(whole), "test", [])
    assert max(scenario.curves.hour) == pytest.approx(max(HOURS) / HOURS.mean(), rel=0.05)
    assert sum(part.weight for part in scenario.conversion.purchase_lag) == pytest.approx(1, abs=1e-3)


def test_gzip_and_other_formats(log: Path, tmp_path: Path) -> None:
    """Gzipped, the same figures; Criteo's search log without a header tells sales, values and the calendar."""
    packed = tmp_path / "criteo.tsv.gz"
    packed.write_bytes(gzip.compress(log.read_bytes()))
    one, other = (calibrate(path, SOURCES["criteo_attribution"], lambda rows: None) for path in (log, packed))
    assert one.figures == other.figures and one.hour == other.hour
    rng = np.random.default_rng(2)
    rows = []
    for second in range(0, 14 * DAY, 300):
        sold = rng.random() < 0.2
        middle = "\t".join(["-1"] * 19)
        delay = int(rng.exponential(3600)) if sold else -1
        rows.append(f"{int(sold)}\t{99.5 if sold else -1}\t{delay}\t{second}\t{middle}")
    search = tmp_path / "search.tsv"
    search.write_text("\n".join(rows) + "\n")
    found = calibrate(search, SOURCES["criteo_search"], lambda rows: None)
    assert found.sums.rows == len(rows) and len(found.weekday) == 7
    assert found.figures["clicks that sell within the window, as counted"].value == pytest.approx(0.2, abs=0.02)
    assert sum(day.value for day in found.weekday) == pytest.approx(1)


def test_intervals_of_the_delays(log: Path) -> None:
    """They stand beside the medians and hold the planted ones, or nearly."""
    found = calibrate(log, SOURCES["criteo_attribution"], lambda rows: None)
    assert found.lag is not None
    for part, planted_s in enumerate((760, 6.22 * DAY)):
        off = abs(found.lag.log_median[part] - np.log(planted_s))
        assert off < 3 * found.lag_errors[2 + part] < 0.6
    assert fragment(found).count("# median ") == 2


def test_avazu(tmp_path: Path) -> None:
    """Hours of two weeks, a click rate by place, site and app."""
    rng = np.random.default_rng(3)
    rows = ["id,click,hour,C1,banner_pos,site_id,app_id,device_type,C14"]
    for hour in range(14 * 24):
        day, of_day = divmod(hour, 24)
        for _ in range(8 + 4 * (of_day == 20)):
            top, app = rng.random() < 0.3, rng.random() < 0.5
            click = int(rng.random() < (0.3 if top else 0.1))
            told = f"1410{day + 13:02d}{of_day:02d}"
            rows.append(f"{len(rows)},{click},{told},1005,{int(top)},s,{'a1' if app else 'ecad2386'},1,2")
    path = tmp_path / "avazu.csv"
    path.write_text("\n".join(rows) + "\n")
    found = calibrate(path, SOURCES["avazu"], lambda rows: None)
    assert found.hour[20].value == pytest.approx(1.5 * found.hour[3].value)
    assert len(found.weekday) == 7 and max(one.value for one in found.weekday) == pytest.approx(1 / 7)
    for place, planted in ((0, 0.1), (1, 0.3)):
        one = found.figures[f"click rate, position {place}"]
        assert one.low - 0.02 < planted < one.high + 0.02
    assert {"click rate, channel app", "click rate, channel site"} <= set(found.figures)


def test_ipinyou(tmp_path: Path) -> None:
    """Impressions with paying prices; clicks and conversions are rows of their own."""
    rng = np.random.default_rng(4)
    rows = []
    for at in range(6_000):
        stamp = f"201306{6 + at % 7:02d}{at % 24:02d}{at % 60:02d}00{at % 1000:03d}"
        price = int(np.exp(np.log(70) + 0.6 * rng.standard_normal()))
        kinds = [1] + [2] * int(rng.random() < 0.02) + [3] * int(rng.random() < 0.002)
        for kind in kinds:
            middle = "\t".join(["u", "agent", "1.2.3.*", "1", "2", "3", "d", "url", "null", "slot", "300", "250", "1", "1"])
            rows.append(f"b{at}\t{stamp}\t{kind}\t{middle}\t5\tc\t300\t{price}\tp\t1458\t1,2")
    path = tmp_path / "imp.txt"
    path.write_text("\n".join(rows) + "\n")
    found = calibrate(path, SOURCES["ipinyou"], lambda rows: None)
    assert found.sums.rows == 6_000
    assert found.figures["click rate"].low - 0.005 < 0.02 < found.figures["click rate"].high + 0.005
    assert found.figures["price, median (log's own unit)"].value == pytest.approx(70, rel=0.05)
    assert found.figures["price, sigma of the logarithm"].value == pytest.approx(0.6, rel=0.05)
    assert 0 < found.figures["sales per click"].value < 0.4 and len(found.weekday) == 7


def test_a_log_by_mapping(log: Path, tmp_path: Path) -> None:
    """The same log told by a mapping says the same; a moment that is none is a bad row."""
    text = (
        "name: mine\ndelimiter: tab\ncolumns: {time: timestamp, user: uid, channel: campaign, click: click, cost: cost,"
        " sale: conversion, sale_time: conversion_timestamp}"
    )
    source = source_named("generic", parse_mapping(text, "m.yaml"))
    one, other = calibrate(log, source, lambda rows: None), calibrate(log, SOURCES["criteo_attribution"], lambda rows: None)
    assert {name: one.figures[name] for name in other.figures} == other.figures and one.hour == other.hour
    assert "click rate, channel 22" in one.figures
    path = tmp_path / "iso.csv"
    path.write_text("at,c\n2025-09-01T12:00:00,1\nnoon,1\n2025-09-01T13:00:00+01:00,0\n2025-09-02T00:00:00Z,0\n")
    told = source_named("generic", parse_mapping("name: i\ntime: iso\ncolumns: {time: at, click: c}", "m.yaml"))
    found = calibrate(path, told, lambda rows: None)
    assert found.sums.hours[12] == 2 and found.skipped.reasons == {
        "at: 'noon' is not a moment such as 2025-09-01T12:00:00": (1, 3)
    }
    with pytest.raises(UsageError, match="--mapping goes with"):
        source_named("avazu", parse_mapping(text, "m.yaml"))


def test_bad_rows_are_counted(log: Path, tmp_path: Path) -> None:
    """NaN, words, numbers out of range, too few columns: left out, with the reason and the first line."""
    lines = log.read_text().splitlines()[:1001]
    for line, column, value in ((10, 10, "nan"), (20, 0, "yesterday"), (30, 7, "2"), (31, 7, "2"), (40, 10, "inf")):
        words = lines[line].split("\t")
        words[column] = value
        lines[line] = "\t".join(words)
    lines[50] = "1\t2\t3"
    path = tmp_path / "bad.tsv"
    path.write_text("\n".join(lines) + "\n")
    found = calibrate(path, SOURCES["criteo_attribution"], lambda rows: None)
    assert (found.sums.rows, found.skipped.bad) == (994, 6)
    told = {reason.partition(":")[0]: numbers for reason, numbers in found.skipped.reasons.items()}
    assert told["timestamp"] == (1, 21) and told["click"] == (2, 31)
    assert sum(count for count, _ in told.values()) >= 5


BAD = {
    "commas.tsv": (b"timestamp,uid,conversion\n1,2,0\n", "no column"),
    "missing.tsv": (b"timestamp\tuid\tconversion\n1\t2\t0\n", "no column conversion_timestamp, click, cost"),
    "empty.tsv": (b"", "empty"),
    "binary.tsv": (bytes(range(128, 256)) * 40 + b"\n", "no UTF-8"),
    "words.tsv": (("\t".join(ATTRIBUTION) + "\n" + "\n".join(["x" + "\tx" * 21] * 30) + "\n").encode(), "is not a"),
    "nothing.tsv": (("\t".join(ATTRIBUTION) + "\n").encode(), "no row at all"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_one_line(name: str, tmp_path: Path) -> None:
    """File, line, what is wrong."""
    content, says = BAD[name]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UsageError, match=says) as told:
        calibrate(path, SOURCES["criteo_attribution"], lambda rows: None)
    assert str(told.value).startswith(f"{path}:") and "\n" not in str(told.value)


def test_a_truncated_file(log: Path, tmp_path: Path) -> None:
    """Cut off in the middle: nothing of it is believed."""
    path = tmp_path / "cut.tsv.gz"
    packed = gzip.compress(log.read_bytes())
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(UsageError, match="cut off"):
        calibrate(path, SOURCES["criteo_attribution"], lambda rows: None)


@pytest.mark.parametrize("header", [b"", b"\t".join(word.encode() for word in ATTRIBUTION) + b"\n"], ids=["first", "later"])
def test_a_line_without_end(tmp_path: Path, header: bytes) -> None:
    """A file of one endless line is refused after a few blocks, not read into memory."""
    path = tmp_path / "endless.tsv"
    with path.open("wb") as file:
        file.write(header)
        file.truncate(len(header) + 40 * BLOCK_BYTES)  # zeros that take no room on the disk
    with pytest.raises(UsageError, match="line longer than|no UTF-8"):
        list(read_log(path, SOURCES["criteo_attribution"].form, Skipped()))


def test_open_bandit_sample() -> None:
    """Click rates by position of the sample, as published: .0038, .0050, .0041 pooled over its files."""
    path = SHARED / "obd" / "random" / "all" / "all.csv"
    if not path.exists():
        pytest.skip(f"no sample of the Open Bandit Dataset at {path}")
    found = calibrate(path, SOURCES["open_bandit"], lambda rows: None)
    assert found.sums.rows == 10_000 and found.sums.clicks == 38
    assert found.figures["click rate"].value == pytest.approx(0.0038)
    assert len(found.hour) == 24 and len(found.weekday) == 7
