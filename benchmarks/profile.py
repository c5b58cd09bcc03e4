"""Where the CPU time of the flagship goes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import median

from benchmarks.bench import FLAGSHIP, Bench, flagship_sets
from benchmarks.tables import Table, spelled
from benchmarks.timing import launched

ENDS = "Python ends"


def profile(bench: Bench) -> Table:
    """CPU seconds of each part of `gaelp run parental_controls`, the median of several runs, and its share."""
    runs = [_spans(bench) for _ in range(bench.size.repeats)]
    parts = {name: median(run[name] for run in runs) for name in runs[0]}
    whole = sum(parts.values())
    rows = [[name, spelled(seconds, "s"), f"{seconds / whole:.0%}"] for name, seconds in parts.items()]
    rows.append(["together", spelled(whole, "s"), ""])
    return Table("Where the flagship's CPU time goes", ("part", "CPU", "share"), rows)


def _spans(bench: Bench) -> dict[str, float]:
    report = bench.folder / "spans.json"
    house = {"PYTHONPATH": str(Path(__file__).parent.parent)}
    with bench.database() as url:
        words = ["-q", "--db", url, "run", FLAGSHIP, *flagship_sets(bench.size)]
        took = launched([sys.executable, "-m", "benchmarks.spans", str(report), *words], bench.folder, house)
    spans: dict[str, float] = json.loads(report.read_text(encoding="utf-8"))
    return {**spans, ENDS: max(0.0, took.cpu_s - sum(spans.values()))}
