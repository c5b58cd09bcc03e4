"""How far estimators can be trusted: bias, error, coverage and refusals over a grid of logs whose truth is known.

    python -m benchmarks.coverage --logs 400 --out coverage.jsonl

The scenario is `short` made to sell (`response.brand_base=3`), with budgets that don't bind, rivals that don't learn, no
noise that a whole world shares, and users known perfectly, but where a cell says so. The log explores at every decision;
the target does what the rule says in all but so many of its own. Cells that the file holds already are not measured
again.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import NamedTuple

from gaelp_sim.evaluate.coverage import Asked, coverage
from gaelp_sim.evaluate.judged import ESTIMATORS
from gaelp_sim.scenario.loading import load_scenario

BASE = (
    "us.policy.exploration=1", "us.policy.pacing=none", "us.budget.usd_day=null", "us.budget.usd_month=null",
    "variation.market_noise_sd=0", "response.brand_base=3", "identity.mode=perfect",
)
WITHOUT_NETWORK = tuple(name for name in ESTIMATORS if name != "fqe")
FQE_LOGS = 100


class Cell(NamedTuple):
    """One kind of log."""

    name: str
    people: int = 4_000
    days: int = 4
    exploration: float = 0.7
    """Of the target; the lower, the farther from the log"""
    more: tuple[str, ...] = ()
    hidden: bool = False
    late_count: bool = False


CELLS = (
    Cell("near", exploration=0.9), Cell("middle"), Cell("far", exploration=0.4),
    Cell("near, 10 days", days=10, exploration=0.9), Cell("middle, 10 days", days=10),
    Cell("middle, 1,000 people", people=1_000), Cell("middle, 12,000 people", people=12_000),
    Cell("users hidden", hidden=True),
    Cell("users hidden, near, 10 days", days=10, exploration=0.9, hidden=True),
    Cell("late reports, near, 10 days", days=10, exploration=0.9, more=("response.report_delay_max_hours=240",),
         late_count=True),
    Cell("coupled: money binds, worlds stray", more=("us.budget.usd_day=400", "us.policy.pacing=even",
                                                      "variation.market_noise_sd=0.1")),
)
WITH_NETWORK = ("near", "middle", "near, 10 days", "users hidden")


def asked(cell: Cell, logs: int, estimators: tuple[str, ...]) -> Asked:
    """What a cell grades."""
    sets = [*BASE, f"population.people={cell.people}", f"days={cell.days}", *cell.more]
    return Asked(
        load_scenario("short", sets), load_scenario("short", [*sets, f"us.policy.exploration={cell.exploration}"]),
        logs=logs, estimators=estimators, hidden=cell.hidden, late_count=cell.late_count,
    )


def main() -> int:
    """Measure the cells that are missing, then print all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage", description=__doc__)
    parser.add_argument("--logs", type=int, default=400)
    parser.add_argument("--out", type=Path, default=Path("coverage.jsonl"))
    parser.add_argument("--with-fqe", action="store_true", help=f"also fqe, {FQE_LOGS} logs in some cells")
    chosen = parser.parse_args()
    done = [json.loads(line) for line in chosen.out.read_text().splitlines()] if chosen.out.exists() else []
    wanted = [(cell, chosen.logs, WITHOUT_NETWORK) for cell in CELLS]
    if chosen.with_fqe:
        wanted += [(cell, FQE_LOGS, ("fqe",)) for cell in CELLS if cell.name in WITH_NETWORK]
    for cell, logs, estimators in wanted:
        if any(row["cell"] == cell.name and row["estimator"] == estimators[0] for row in done):
            continue
        rows = coverage(asked(cell, logs, estimators), lambda step, name=cell.name: print(name, step, file=sys.stderr))
        told = [{"cell": cell.name} | row.as_json() for row in rows]
        done += told
        with chosen.out.open("a") as file:
            file.writelines(json.dumps(row) + "\n" for row in told)
    print("\n".join(_lines(done)))
    return 0


def _lines(rows: list[dict[str, object]]) -> list[str]:
    """A table as Markdown: a line a cell and estimator."""
    names = ("cell", "estimator", "truth", "bias", "rmse", "coverage", "width", "refused", "most often because")
    lines = [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
    for row in rows:
        answered = row["coverage"] is not None
        held = f"{row['coverage']:.2f} ({row['coverage_low']:.2f} to {row['coverage_high']:.2f})" if answered else ""
        told = [f"{row[name]:.2f}" if answered else "" for name in ("bias", "rmse")]
        width = f"{row['width']:.1f}" if answered else ""
        lines.append(f"| {row['cell']} | {row['estimator']} | {row['truth']:.2f} | {told[0]} | {told[1]} | {held} | "
                     f"{width} | {row['refused_share']:.2f} | {row['reason']} |")
    return lines


if __name__ == "__main__":
    sys.exit(main())
