"""The learning curve as a picture, from what training wrote down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gaelp_sim.errors import UsageError

PICTURE = "learning_curve.png"
_SHADES = {"believed": "#e8eef7", "taught": "#eef4e8", "ppo": "#fbeee6"}


def drawn(epochs: Path, picture: Path) -> Path:
    """Draw losses and profit by epoch; raises UsageError without matplotlib, or without epochs."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise UsageError("a picture needs matplotlib; next: pip install 'gaelp-sim[track]'") from None
    try:
        told = [json.loads(line) for line in epochs.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise UsageError(f"{epochs}: {error}; it is written by gaelp train") from None
    if not told:
        raise UsageError(f"{epochs}: no epoch was written yet")
    figure = Figure(figsize=(9, 6), layout="constrained")
    losses, profit = figure.subplots(2, 1, sharex=True)
    for axis in (losses, profit):
        _shaded(axis, told)
        axis.grid(alpha=0.3)
    _losses(losses, told)
    epoch = [one["epoch"] for one in told]
    profit.plot(epoch, [one["profit_usd"] for one in told], color="#999999", lw=0.8, label="training worlds, exploring")
    tried = [one for one in told if "validation_profit_usd" in one]
    at = [one["epoch"] for one in tried]
    earned = [one["validation_profit_usd"] for one in tried]
    profit.plot(at, earned, "o-", color="#1b5e9e", label="validation worlds, acting")
    profit.set(xlabel="epoch", ylabel="profit per 10,000 people (USD)")
    profit.legend(loc="lower right")
    figure.savefig(picture, dpi=120)
    return picture


def _losses(axis: Any, told: list[dict[str, Any]]) -> None:
    tried = [one for one in told if "validation_lost_usd" in one]
    at = [one["epoch"] for one in tried]
    axis.plot([one["epoch"] for one in told], [one["lost_usd"] for one in told], color="#999999", lw=0.8)
    axis.plot(at, [one["validation_lost_usd"] for one in tried], "o-", color="#1b5e9e", label="what the policy does")
    believed = [one["validation_believed_lost_usd"] for one in tried]
    axis.plot(at, believed, "--", color="#2e7d32", label="what an observer who knows the constants would do there")
    axis.set(ylabel="lost to the clairvoyant (USD)")
    if believed and max(believed) > 0:
        axis.set_ylim(0.9 * min(believed), 1.3 * max(believed))  # the first epochs lose many times as much
    axis.legend(loc="upper right")


def _shaded(axis: Any, told: list[dict[str, Any]]) -> None:
    """What was learned by, as the ground."""
    for lesson, shade in _SHADES.items():
        at = [one["epoch"] for one in told if one["lesson"] == lesson]
        if at:
            axis.axvspan(min(at) - 0.5, max(at) + 0.5, color=shade, lw=0)
            axis.text(min(at), 1.02, f" {lesson}", transform=axis.get_xaxis_transform(), fontsize=8, color="#555555")
