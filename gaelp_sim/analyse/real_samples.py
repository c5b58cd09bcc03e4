"""Figures of small samples of real data, with their luck: when people browse, what they click, how far they go, who buys.

Each sample is looked for in a folder by its name; what is not there is told and left out.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gaelp_sim.analyse.estimates import Z_95, Estimate, quantile, share
from gaelp_sim.errors import UsageError
from gaelp_sim.events import Floats, Ints
from gaelp_sim.units import HOURS_PER_DAY

WEEKDAYS = 7
PATH_LEVELS = (("25 %", 0.25), ("median", 0.5), ("75 %", 0.75), ("90 %", 0.9))
POSITIONS = (1, 2, 3)


@dataclass(frozen=True)
class Sample:
    """A file of real data, and the figures that are taken from it by the name under which a run has them."""

    file: str
    source: str
    figures: Callable[[list[dict[str, str]]], dict[str, Estimate]]


def real_figures(folder: Path) -> tuple[dict[str, tuple[Estimate, str]], list[str]]:
    """(figure and source by name, files that are not there).

    Raises UsageError where no sample is in the folder, or one can't be read.
    """
    found: dict[str, tuple[Estimate, str]] = {}
    missing = []
    for sample in SAMPLES:
        path = folder / sample.file
        if not path.is_file():
            missing.append(sample.file)
            continue
        rows = _rows(path)
        try:
            found |= {name: (figure, sample.source) for name, figure in sample.figures(rows).items()}
        except (KeyError, ValueError, IndexError, ZeroDivisionError) as error:
            raise UsageError(f"{path}: it is not the sample of that name ({error!r}); take the original") from None
    if not found:
        files = ", ".join(sample.file for sample in SAMPLES)
        raise UsageError(f"{folder}: none of {files} is in this folder; name the folder with the samples")
    return found, missing


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path}: the sample cannot be read ({error})") from None


def _traffic(rows: list[dict[str, str]]) -> dict[str, Estimate]:
    """Curves of mean 1; regions differ, and their spread makes the intervals."""
    regions = sorted({row["region_id"] for row in rows})
    place = {region: at for at, region in enumerate(regions)}
    table = np.zeros((len(regions), WEEKDAYS, HOURS_PER_DAY))
    for row in rows:
        table[place[row["region_id"]], int(row["dow"]) - 1, int(row["hour"])] += float(row["traffic_share"])
    table = table[table.sum(axis=(1, 2)) > 0]
    hour, weekday = table.sum(axis=1), table.sum(axis=2)
    return {**_curve("hour", hour), **_curve("weekday", weekday)}


def _curve(name: str, counts: Floats) -> dict[str, Estimate]:
    curves = counts / counts.mean(axis=1, keepdims=True)
    n = len(curves)
    half = Z_95 * curves.std(axis=0, ddof=1) / np.sqrt(n)
    return {
        f"{name} {at}": Estimate(float(middle), float(middle - wide), float(middle + wide), n)
        for at, (middle, wide) in enumerate(zip(curves.mean(axis=0), half, strict=True))
    }


def _feed(rows: list[dict[str, str]]) -> dict[str, Estimate]:
    clicked = np.array([int(row["click"]) for row in rows])
    return {"click rate, feed": share(int(clicked.sum()), len(clicked))}


def _paths(rows: list[dict[str, str]]) -> dict[str, Estimate]:
    """Touches on the paths that ended in a sale, each sale counted."""
    lengths = np.repeat(
        [row["path"].count(">") + 1 for row in rows], [int(row["total_conversions"]) for row in rows]
    )
    return path_figures(lengths)


def path_figures(lengths: Ints) -> dict[str, Estimate]:
    """Quantiles and mean of the lengths of paths."""
    half = Z_95 * float(lengths.std(ddof=1)) / len(lengths) ** 0.5 if len(lengths) > 1 else np.inf
    middle = float(lengths.mean()) if len(lengths) else 0.0
    found = {f"touches per sale, {name}": quantile(lengths, level) for name, level in PATH_LEVELS}
    return found | {"touches per sale, mean": Estimate(middle, middle - half, middle + half, len(lengths))}


def _shoppers(rows: list[dict[str, str]]) -> dict[str, Estimate]:
    """Share of sessions that end in a sale, by who comes (1 has been here before, 0 has not), and when."""
    def bought(keep: Callable[[dict[str, str]], bool]) -> Estimate:
        chosen = [row["Revenue"] for row in rows if keep(row)]
        return share(chosen.count("1"), len(chosen))

    return {
        "sessions that sell, new visitors": bought(lambda row: row["VisitorType"] == "0"),
        "sessions that sell, returning visitors": bought(lambda row: row["VisitorType"] == "1"),
        "sessions that sell, weekend": bought(lambda row: row["Weekend"] == "1"),
        "sessions that sell, Monday to Friday": bought(lambda row: row["Weekend"] == "0"),
    }


SAMPLES = (
    Sample("avito_traffic_share.csv", "Avito, BAT benchmark (MIT)", _traffic),
    Sample("obd/random/all/all.csv", "Open Bandit, random policy (CC BY 4.0)", _feed),
    Sample("paths/eeghor_mta_data.csv", "mta package (MIT), looks synthetic", _paths),
    Sample("online_shoppers_intention.csv", "UCI online shoppers (CC BY 4.0)", _shoppers),
)
