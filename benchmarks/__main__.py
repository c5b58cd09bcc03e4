"""Print the tables: `python -m benchmarks [NAME...] [--quick]`, or `make bench` for all of them."""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from benchmarks.bench import FULL, QUICK, Bench, Size
from benchmarks.tables import Table

HOMES = {
    "auctions": "simulator", "stored": "simulator", "users": "simulator", "store": "store", "flagship": "whole",
    "profile": "profile", "attribution": "truth", "causes": "truth", "linkage": "linkage", "planners": "planners",
    "calibration": "logs", "learning": "learning", "ope": "ope", "replay": "whole",
    "million": "whole", "epoch": "whole", "start": "whole", "cells": "cells", "lake": "lake", "nodes": "nodes",
}
"""Every benchmark, in the order of printing, with the file it lives in."""


def tables_of(name: str, bench: Bench) -> Iterator[Table]:
    """Measure one benchmark."""
    measure: Callable[[Bench], Table | Iterable[Table]] = getattr(import_module(f"benchmarks.{HOMES[name]}"), name)
    found = measure(bench)
    yield from [found] if isinstance(found, Table) else found


def main(arguments: list[str] | None = None) -> int:
    """Print what the command line asks for; each of several benchmarks is measured in a process of its own."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(HOMES)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="fewer people, days and repetitions: a fast look")
    parser.add_argument("--repeat", type=int, metavar="N", help="repetitions of the short benchmarks")
    parser.add_argument("--days", type=int, metavar="DAYS", help="days of whole runs (default 30, quick 5)")
    parser.add_argument("--pg", metavar="URL", default=os.environ.get("GAELP_TEST_PG_URL"),
                        help="a Postgres server (default: GAELP_TEST_PG_URL, else one is started)")
    chosen = parser.parse_args(arguments)
    unknown = sorted(set(chosen.names) - set(HOMES))
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(HOMES)}")
    if len(chosen.names) == 1:
        _print_tables(chosen.names[0], _size(chosen), chosen.pg)
        return 0
    given = list(sys.argv[1:] if arguments is None else arguments)
    return _each_alone(chosen.names or list(HOMES), [word for word in given if word not in chosen.names])


def _size(chosen: argparse.Namespace) -> Size:
    size = QUICK if chosen.quick else FULL
    changes = {"repeats": chosen.repeat, "days": chosen.days}
    return replace(size, **{name: value for name, value in changes.items() if value is not None})


def _print_tables(name: str, size: Size, pg_server: str | None) -> None:
    with tempfile.TemporaryDirectory(prefix="gaelp-bench-") as folder:
        for table in tables_of(name, Bench(size, Path(folder), pg_server)):
            print(table.text(), flush=True)


def _each_alone(names: list[str], options: list[str]) -> int:
    """One process after another, so that none inherits another's memory or caches; the worst exit code."""
    print(_machine(), flush=True)
    began_s, worst = time.perf_counter(), 0
    for name in names:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        done = subprocess.run([sys.executable, "-m", "benchmarks", name, *options], check=False)
        worst = max(worst, abs(done.returncode))
    print(f"measured in {(time.perf_counter() - began_s) / 60:.1f} minutes; {_load()}")
    return worst


def _machine() -> str:
    import numpy as np

    versions = f"Python {platform.python_version()}, numpy {np.__version__}"
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, {versions}; {_load()}\n"


def _load() -> str:
    return f"other load of the machine: {os.getloadavg()[0]:.1f} of {os.cpu_count()} cores"


if __name__ == "__main__":
    sys.exit(main())
