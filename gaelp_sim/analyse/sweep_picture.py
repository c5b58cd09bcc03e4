"""A sweep drawn: profit over one varied key as lines, over two as a heat map."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gaelp_sim.errors import UsageError

Rows = Sequence[dict[str, Any]]


def draw(rows: Rows, keys: Sequence[str], path: Path) -> None:
    """Write a PNG. Raises UsageError without matplotlib, and where more than two keys have several values."""
    several = [key for key in keys if len(_values(rows, key)) > 1]
    if not 1 <= len(several) <= 2:
        raise UsageError(f"--picture: {len(several)} keys have several values; one or two can be drawn")
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise UsageError("--picture needs matplotlib; next: pip install 'gaelp-sim[track]'") from None
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    (_line if len(several) == 1 else _heat)(axes, rows, several)
    figure.savefig(path, dpi=120)


def _values(rows: Rows, key: str) -> list[str]:
    return list(dict.fromkeys(row[key] for row in rows))


def _line(axes: Any, rows: Rows, keys: Sequence[str]) -> None:
    (key,) = keys
    place = np.arange(len(rows))
    gap = [row["profit_usd_difference"] for row in rows]
    low = [value - row["profit_usd_low"] for value, row in zip(gap, rows, strict=True)]
    high = [row["profit_usd_high"] - value for value, row in zip(gap, rows, strict=True)]
    axes.errorbar(place, gap, yerr=[low, high], marker="o", capsize=4, color="#1b5e9b")
    axes.axhline(0.0, color="#999999", linewidth=0.8)
    axes.set_xticks(place, [row[key] for row in rows])
    axes.set_xlabel(key)
    axes.set_ylabel("profit over the first (USD), 95 %")


def _heat(axes: Any, rows: Rows, keys: Sequence[str]) -> None:
    across, down = (_values(rows, key) for key in reversed(keys))
    grid = np.full((len(down), len(across)), np.nan)
    for row in rows:
        grid[down.index(row[keys[0]]), across.index(row[keys[1]])] = row["profit_usd"]
    image = axes.imshow(grid, aspect="auto", cmap="viridis")
    bright = np.nanmin(grid) + 0.6 * (np.nanmax(grid) - np.nanmin(grid))
    for (y, x), value in np.ndenumerate(grid):
        axes.text(x, y, f"{value:,.0f}", ha="center", va="center", color="black" if value > bright else "white")
    axes.set_xticks(range(len(across)), across)
    axes.set_yticks(range(len(down)), down)
    axes.set_xlabel(keys[1])
    axes.set_ylabel(keys[0])
    axes.figure.colorbar(image, label="profit (USD)")
