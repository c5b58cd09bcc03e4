"""`gaelp calibrate`: what a log says of curves, click rates, prices, rates of sale and delays, as parts of a scenario."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gaelp_sim.analyse.delay_models import Mixture, Observed, fit_mixture, mixture, mixture_errors, naive, observed
from gaelp_sim.analyse.estimates import Z_95, Estimate, share
from gaelp_sim.calibrate.formats import Events, Source
from gaelp_sim.calibrate.log_reader import LINE, Skipped, read_log
from gaelp_sim.errors import UsageError
from gaelp_sim.events import NONE, Column, Floats, Ints
from gaelp_sim.units import HOURS_PER_DAY, SECONDS_PER_DAY, SECONDS_PER_HOUR

PRICE_BINS, PRICE_LOW, PRICE_STEP = 4_096, -40.0, 64.0
"""Prices are counted by the logarithm to base 2, in 64ths of a doubling from 2^-40 on."""
LAG_SALES_MIN = 30
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
    groups: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Rows and clicks by position and channel"""
    sales_apart: int = 0
    """Sales told by rows of their own"""
    touches: dict[tuple[str, int], int] = field(default_factory=dict)
    """Rows by user and sale, of the first SALES_MAX"""
    second: list[Ints] = field(default_factory=list)
    """Of clicks, for delays"""
    sold_s: list[Ints] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    """Sum of values, of their squares, and how many"""
    latest_s: int = 0

    def add(self, events: Events) -> None:
        """Take in a block."""
        self.rows += len(events.second)
        self.clicks += int(events.clicked.sum()) + events.clicks_apart
        self.sales_apart += events.sales_apart
        self.hours += np.bincount(events.second // SECONDS_PER_HOUR % HOURS_PER_DAY, minlength=HOURS_PER_DAY)
        # 1970-01-01 was a Thursday.
        self.days += np.bincount((events.second // SECONDS_PER_DAY + 3) % 7, minlength=7)
        self.latest_s = max(self.latest_s, int(events.second.max(initial=0)))
        if len(events.cost):
            paid = events.cost[events.cost > 0]
            bins = np.clip((np.log2(paid) - PRICE_LOW) * PRICE_STEP, 0, PRICE_BINS - 1).astype(np.int64)
            self.prices += np.bincount(bins, minlength=PRICE_BINS)
        self._group("position", events.position, events)
        self._group("channel", events.channel, events)
        self._count_touches(events)
        kept = sum(map(len, self.second))
        if kept < SALES_MAX and ((events.sold_s != NONE).any() or kept):
            self.second.append(events.second[events.clicked])
            self.sold_s.append(events.sold_s[events.clicked])

    def _group(self, kind: str, codes: Column, events: Events) -> None:
        for code in sorted(set(codes.tolist())):
            here = codes == code
            rows, clicks = self.groups.get(f"{kind} {code}", (0, 0))
            self.groups[f"{kind} {code}"] = (rows + int(here.sum()), clicks + int(events.clicked[here].sum()))

    def _count_touches(self, events: Events) -> None:
        sold = np.flatnonzero(events.sold_s != NONE) if len(events.user) else ()
        for row in sold:
            key = (events.user[row], int(events.sold_s[row]))
            if key in self.touches or len(self.touches) < SALES_MAX:
                self.touches[key] = self.touches.get(key, 0) + 1


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
    lag_errors: Floats
    """(6,): standard errors of its parameters; empty without it"""


def calibrate(path: Path, source: Source, on_rows: OnRows) -> Fitted:
    """Read a log once and fit what it tells. Raises UsageError for what `read_log` refuses, and for no moments."""
    sums, skipped = Sums(), Skipped()
    for block in read_log(path, source.form, skipped):
        try:
            sums.add(source.events(block))
        except ValueError as error:
            lines = f"{block[LINE][0]}-{block[LINE][-1]}"
            raise UsageError(f"{path}:{lines}: a row of {source.form.name} can't be read: {error}") from None
        on_rows(sums.rows)
    seen = _observed(source, sums)
    lag = fit_mixture(seen) if seen is not None and len(seen.delay_s) >= LAG_SALES_MIN else None
    errors = mixture_errors(seen, lag) if seen is not None and lag is not None else np.zeros(0)
    return Fitted(
        source, path, sums, skipped, _figures(source, sums, seen), _curve(sums.hours, HOURS_PER_DAY),
        _curve(sums.days, 1) if source.epoch and sums.days.min() else [],
        lag, errors,
    )


def _observed(source: Source, sums: Sums) -> Observed | None:
    if not source.window_days or not sums.second:
        return None
    second, sold = np.concatenate(sums.second)[:SALES_MAX], np.concatenate(sums.sold_s)[:SALES_MAX]
    # Sales are told for the whole window after every click, also of the last ones.
    return observed(second, sold, sums.latest_s + 1 + int(source.window_days * SECONDS_PER_DAY), source.window_days)


def _figures(source: Source, sums: Sums, seen: Observed | None) -> dict[str, Estimate]:
    found = {"click rate": share(sums.clicks, sums.rows)} if source.rows_are == "impressions" else {}
    if source.rows_are == "impressions" and not source.clicks_apart:
        found |= {f"click rate, {name}": share(clicks, rows) for name, (rows, clicks) in sorted(sums.groups.items())}
    if sums.sales_apart:
        found["sales per click"] = share(min(sums.sales_apart, sums.clicks), sums.clicks)
    if sums.touches:
        found |= _lengths(np.array(list(sums.touches.values()), dtype=np.float64), source.rows_are)
    if seen is not None:
        found["clicks that sell within the window, as counted"] = naive(seen)
        found["clicks that sell within the window, by the mixture"] = mixture(seen)
    return found | _prices(sums.prices)


def _lengths(touches: Floats, rows_are: str) -> dict[str, Estimate]:
    """Mean and median of how many rows lead to a sale; the median's interval is that of order statistics."""
    n, mean = len(touches), float(touches.mean())
    half = Z_95 * float(touches.std(ddof=1)) / n**0.5 if n > 1 else 0.0
    ascending = np.sort(touches)
    low, high = (int(np.clip(n / 2 + side * Z_95 * n**0.5 / 2, 0, n - 1)) for side in (-1, 1))
    return {
        f"{rows_are} per sale, mean": Estimate(mean, mean - half, mean + half, n),
        f"{rows_are} per sale, median": Estimate(float(ascending[n // 2]), ascending[low], ascending[high], n),
    }


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
        lines += [
            "  weekday: [" + ", ".join(f"{one.value:.4f}" for one in fitted.weekday) + "]",
            f"  # half-widths up to {max((one.high - one.low) / 2 for one in fitted.weekday):.4f}",
        ]
    if fitted.lag is not None:
        lines += _lag_lines(source, fitted.lag, fitted.lag_errors)
    lines += ["# Told by the log, without a key of their own (rates differ by stage and channel):"]
    lines += [f"#   {name}: {one.value:.6g} ({one.low:.6g} to {one.high:.6g})" for name, one in fitted.figures.items()]
    return "\n".join(lines) + "\n"


def _lag_lines(source: Source, lag: Mixture, errors: Floats) -> list[str]:
    window = np.array([source.window_days * SECONDS_PER_DAY])
    within = np.array([Mixture(1.0, float(one), lag.log_median, lag.sigma).by(window)[0] for one in (1.0, 0.0)])
    weights = np.array([lag.weight, 1.0 - lag.weight]) * within
    weights /= weights.sum()
    hours = [float(np.exp(middle)) / SECONDS_PER_HOUR for middle in lag.log_median]
    parts = [
        f"    - {{weight: {weight:.4f}, median_hours: {median:.4f}, sigma: {sigma:.4f}}}"
        for weight, median, sigma in zip(weights, hours, lag.sigma, strict=True)
    ]
    parts = [f"{part}  # {told}" for part, told in zip(parts, _lag_intervals(lag, errors), strict=True)]
    return ["conversion:", "  purchase_lag:", *parts, f"  purchase_lag_max_days: {source.window_days:.1f}"]


def _lag_intervals(lag: Mixture, errors: Floats) -> list[str]:
    """95 % intervals of each part's median and sigma, in words."""
    told = []
    for part in (0, 1):
        hours, sigma = np.exp(lag.log_median[part]) / SECONDS_PER_HOUR, lag.sigma[part]
        factors = np.exp(Z_95 * errors[[2 + part, 4 + part]])
        if np.isnan(factors).any():
            told.append("no interval: the two parts can't be told apart")
            continue
        (low, high), (narrow, wide) = ((one / by, one * by) for one, by in zip((hours, sigma), factors, strict=True))
        told.append(f"median {low:.4g} to {high:.4g}, sigma {narrow:.4g} to {wide:.4g}")
    return told
