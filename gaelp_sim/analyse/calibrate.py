"""`gaelp calibrate`: what a log says of curves, click rates, prices, rates of sale and delays, as parts of a scenario."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gaelp_sim.analyse.delay_models import Mixture, Observed, fit_mixture, mixture, naive, observed
from gaelp_sim.analyse.estimates import Z_95, Estimate, share
from gaelp_sim.calibrate.formats import SOURCES, Events, Source
from gaelp_sim.calibrate.log_reader import Skipped, read_log
from gaelp_sim.errors import UsageError
from gaelp_sim.events import NONE, Ints
from gaelp_sim.units import HOURS_PER_DAY, SECONDS_PER_DAY, SECONDS_PER_HOUR

PRICE_BINS, PRICE_LOW, PRICE_STEP = 4_096, -40.0, 64.0
"""Prices are counted by the logarithm to base 2, in 64ths of a doubling from 2^-40 on."""
SALES_MAX = 2_000_000
"""Delays are fitted to the first so many sales."""
OnRows = Callable[[int], None]


@dataclass
class Sums:
    """What is kept of a log, however long it is."""

    rows: int = 0
    clicks: int = 0
    hours: Ints = field(default_factory=lambda: np.zeros(HOURS_PER_DAY, dtype=np.int64))
    days: Ints = field(default_factory=lambda: np.zeros(7, dtype=np.int64))
    prices: Ints = field(default_factory=lambda: np.zeros(PRICE_BINS, dtype=np.int64))
    positions: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Rows and clicks by position"""
    second: list[Ints] = field(default_factory=list)
    """Of clicks, for delays"""
    sold_s: list[Ints] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    """Sum of values, of their squares, and how many"""
    latest_s: int = 0

    def add(self, events: Events) -> None:
        """Take in a block."""
        self.rows += len(events.second)
        self.clicks += int(events.clicked.sum())
        self.hours += np.bincount(events.second // SECONDS_PER_HOUR % HOURS_PER_DAY, minlength=HOURS_PER_DAY)
        # 1970-01-01 was a Thursday.
        self.days += np.bincount((events.second // SECONDS_PER_DAY + 3) % 7, minlength=7)
        self.latest_s = max(self.latest_s, int(events.second.max(initial=0)))
        if len(events.cost):
            paid = events.cost[events.cost > 0]
            bins = np.clip((np.log2(paid) - PRICE_LOW) * PRICE_STEP, 0, PRICE_BINS - 1).astype(np.int64)
            self.prices += np.bincount(bins, minlength=PRICE_BINS)
        for place in np.unique(events.position).tolist():
            here = events.position == place
            rows, clicks = self.positions.get(place, (0, 0))
            self.positions[place] = (rows + int(here.sum()), clicks + int(events.clicked[here].sum()))
        if (events.sold_s != NONE).any() or self.second:
            self.second.append(events.second[events.clicked])
            self.sold_s.append(events.sold_s[events.clicked])


@dataclass(frozen=True)
class Fitted:
    """What a log says."""

    source: Source
    path: Path
    sums: Sums
    skipped: Skipped
    figures: dict[str, Estimate]
    """Rates with intervals, by name"""
    hour: list[Estimate]
    """Curve with mean 1"""
    weekday: list[Estimate]
    """Shares of the days, Monday first; empty where the format tells no calendar"""
    lag: Mixture | None
    """Delay from click to sale; None where none is told"""


def calibrate(path: Path, name: str, on_rows: OnRows) -> Fitted:
    """Read a log once and fit what it tells. Raises UsageError for an unknown format and for what `read_log` refuses."""
    if name not in SOURCES:
        raise UsageError(f"--format {name}: there are {', '.join(SOURCES)}")
    source, sums, skipped = SOURCES[name], Sums(), Skipped()
    for block in read_log(path, source.form, skipped):
        try:
            sums.add(source.events(block))
        except ValueError as error:
            raise UsageError(f"{path}: a row of {name} can't be read: {error}") from None
        on_rows(sums.rows)
    seen = _observed(source, sums)
    return Fitted(
        source, path, sums, skipped, _figures(source, sums, seen), _curve(sums.hours, HOURS_PER_DAY),
        _curve(sums.days, 1) if source.epoch and sums.days.min() else [],
        fit_mixture(seen) if seen is not None and len(seen.delay_s) >= 30 else None,
    )


def _observed(source: Source, sums: Sums) -> Observed | None:
    if not source.window_days or not sums.second:
        return None
    second, sold = np.concatenate(sums.second)[:SALES_MAX], np.concatenate(sums.sold_s)[:SALES_MAX]
    # Sales are told for the whole window after every click, also of the last ones.
    return observed(second, sold, sums.latest_s + 1 + int(source.window_days * SECONDS_PER_DAY), source.window_days)


def _figures(source: Source, sums: Sums, seen: Observed | None) -> dict[str, Estimate]:
    found = {"click rate": share(sums.clicks, sums.rows)} if source.rows_are == "impressions" else {}
    for place, (rows, clicks) in sorted(sums.positions.items()):
        found[f"click rate, position {place}"] = share(clicks, rows)
    if seen is not None:
        found["clicks that sell within the window, as counted"] = naive(seen)
        found["clicks that sell within the window, by the mixture"] = mixture(seen)
    return found | _prices(sums.prices)


def _prices(counts: Ints) -> dict[str, Estimate]:
    """Median and spread of the logarithm of prices paid, as a lognormal's."""
    n = int(counts.sum())
    if n < 2:
        return {}
    logs = (PRICE_LOW + (np.arange(PRICE_BINS) + 0.5) / PRICE_STEP) * np.log(2.0)
    mean = float((counts * logs).sum() / n)
    sd = float(np.sqrt((counts * (logs - mean) ** 2).sum() / (n - 1)))
    half, half_sd = Z_95 * sd / n**0.5, Z_95 * sd / (2 * n) ** 0.5
    middle, low, high = (float(np.exp(x)) for x in (mean, mean - half, mean + half))
    return {
        "price, median (log's own unit)": Estimate(middle, low, high, n),
        "price, sigma of the logarithm": Estimate(sd, sd - half_sd, sd + half_sd, n),
    }


def _curve(counts: Ints, scale: float) -> list[Estimate]:
    """Shares times a scale, each with Wilson's interval."""
    total = int(counts.sum())
    found = (share(int(count), total) for count in counts)
    return [Estimate(one.value * scale, one.low * scale, one.high * scale, one.count) for one in found]


def fragment(fitted: Fitted) -> str:
    """The parts of a scenario that the log tells of, as YAML; intervals and origin stand in comments."""
    source, sums = fitted.source, fitted.sums
    lines = [
        f"# Fitted to {fitted.path.name} ({source.origin}): {sums.rows:,} {source.rows_are},"
        f" {fitted.skipped.bad:,} rows skipped.",
        "# 95 % intervals in comments. Put these keys into a scenario of yours.", "curves:",
        "  hour: [" + ", ".join(f"{one.value:.4f}" for one in fitted.hour) + "]",
        f"  # half-widths up to {max((one.high - one.low) / 2 for one in fitted.hour):.4f}",
    ]
    if fitted.weekday:
        lines += ["  weekday: [" + ", ".join(f"{one.value:.4f}" for one in fitted.weekday) + "]"]
    if fitted.lag is not None:
        lines += _lag_lines(source, fitted.lag)
    lines += ["# Told by the log, without a key of their own (rates differ by stage and channel):"]
    lines += [f"#   {name}: {one.value:.6g} ({one.low:.6g} to {one.high:.6g})" for name, one in fitted.figures.items()]
    return "\n".join(lines) + "\n"


def _lag_lines(source: Source, lag: Mixture) -> list[str]:
    window = np.array([source.window_days * SECONDS_PER_DAY])
    within = np.array([Mixture(1.0, float(one), lag.log_median, lag.sigma).by(window)[0] for one in (1.0, 0.0)])
    weights = np.array([lag.weight, 1.0 - lag.weight]) * within
    weights /= weights.sum()
    hours = [float(np.exp(middle)) / SECONDS_PER_HOUR for middle in lag.log_median]
    parts = [
        f"    - {{weight: {weight:.4f}, median_hours: {median:.4f}, sigma: {sigma:.4f}}}"
        for weight, median, sigma in zip(weights, hours, lag.sigma, strict=True)
    ]
    return ["conversion:", "  purchase_lag:", *parts, f"  purchase_lag_max_days: {source.window_days:.1f}"]
