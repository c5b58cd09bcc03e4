"""Logs in: calibration of a file of Criteo's attribution schema, its rows a second and its memory."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from benchmarks.bench import Bench
from benchmarks.tables import Line, Peer, Table
from benchmarks.timing import gaelp, launched, side_by_side, timed
from gaelp_sim.analyse.calibrate import calibrate
from gaelp_sim.calibrate.formats import SOURCES

HEADER = (
    "timestamp uid campaign conversion conversion_timestamp conversion_id attribution click click_pos click_nb cost cpo "
    "time_since_last_click cat1 cat2 cat3 cat4 cat5 cat6 cat7 cat8 cat9"
).split()
DAY_S = 86_400
MORE = 4
"""The larger file has so many times the rows of the smaller one."""


def write_log(path: Path, rows: int) -> None:
    """A log in the schema and with about the rates of the published one; one in twenty rows is in a sale's path."""
    rng = np.random.default_rng(1)
    second = np.sort(rng.integers(0, 30 * DAY_S, rows))
    user, campaign = rng.integers(0, max(rows // 3, 1), rows), rng.integers(0, 700, rows)
    clicked, sold = rng.random(rows) < 0.36, rng.random(rows) < 0.05
    bought = np.where(sold, second + rng.integers(60, 10 * DAY_S, rows), -1)
    cost = np.exp(-8.5 + 0.9 * rng.standard_normal(rows))
    rest = "\t".join(["7"] * 9)
    order = np.where(sold, np.arange(rows), -1)
    columns = (second, user, campaign, sold.astype(int), bought, order, clicked.astype(int), cost)
    with path.open("w", encoding="utf-8") as file:
        file.write("\t".join(HEADER) + "\n")
        file.writelines(
            f"{t}\t{u}\t{c}\t{s}\t{b}\t{o}\t0\t{k}\t-1\t-1\t{x:.6g}\t.2\t-1\t{rest}\n"
            for t, u, c, s, b, o, k, x in zip(*(column.tolist() for column in columns), strict=True)
        )


def calibration(bench: Bench) -> Table:
    """A smaller file in this process, beside reading it with the csv module; a process's memory for it and a larger one."""
    rows = bench.size.people_max
    small, large = bench.folder / "small.tsv", bench.folder / "large.tsv"
    write_log(small, rows)
    write_log(large, MORE * rows)
    ways = {
        "calibrate": lambda: timed(lambda: calibrate(small, SOURCES["criteo_attribution"], lambda done: None).sums.rows),
        "csv": lambda: timed(lambda: _read(small)),
    }
    ways["calibrate"]()
    took = side_by_side(bench.size.repeats, ways)
    commands = [gaelp("calibrate", str(path), "--format", "criteo_attribution") for path in (small, large)]
    peaks = [launched(command, bench.folder).peak_bytes for command in commands]
    read = Peer("reading alone, csv module", [one.per_wall_s for one in took["csv"]])
    lines = [
        Line("rows a second", "rows/s", [one.per_wall_s for one in took["calibrate"]], (read,), 500_000),
        Line(f"memory, {rows:,} rows", "B", [peaks[0]], (), None, True),
        Line(f"memory, {MORE * rows:,} rows", "B", [peaks[1]], (), 2 * 1024**3, True),
    ]
    return Table.of("Calibration: a log of Criteo's attribution schema", lines)


def _read(path: Path) -> int:
    with path.open(newline="", encoding="utf-8") as file:
        return sum(1 for _ in csv.reader(file, delimiter="\t"))
