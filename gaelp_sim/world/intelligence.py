"""What our side knows of the prices to beat, and the truth beside it: rows at a run's end, a feature hourly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.events import NONE, Floats, Ints
from gaelp_sim.market.cast import channel_of_signal
from gaelp_sim.market.landscape import (
    ABOVE,
    BELOW,
    BUCKETS,
    EXACT,
    TRUE,
    kaplan_meier,
    price_at,
    quantile_bucket,
)
from gaelp_sim.market.lognormal import fit_lognormal, lognormal_place
from gaelp_sim.units import HOURS_PER_DAY
from gaelp_sim.world.log import Table
from gaelp_sim.world.model import Model

KAPLAN_MEIER, LOGNORMAL = range(2)
QUARTILES = (0.25, 0.5, 0.75)
_QUARTILE_Z = 0.6744897501960817
LEAST_SEEN = 10
"""No estimate from fewer auctions."""
MEMORY = 0.5 ** (1.0 / 48.0)
"""What is known of the market's present level fades by half in two days."""
PRIOR = 20.0
"""The present level leans on the market's usual one as if that had been seen so often."""


@dataclass
class Intelligence:
    """Counts of prices of each world, and the market's present level."""

    model: Model
    counts: NDArray[np.int32]
    """(worlds, hours of the day, signals, BUCKETS, kinds)"""
    recent: Floats
    """(worlds, BUCKETS, 2): exact and above, all signals together, fading"""

    @staticmethod
    def of(model: Model, worlds: int) -> Intelligence:
        """Nothing seen yet."""
        shape = (worlds, HOURS_PER_DAY, model.seats[2], BUCKETS, 4)
        return Intelligence(model, np.zeros(shape, dtype=np.int32), np.zeros((worlds, BUCKETS, 2)))

    def learn(self, hour: int, watched: NDArray[np.int32], unit_world: Ints) -> None:
        """Add an hour's counts, (units, signals, BUCKETS, kinds)."""
        if len(watched) == len(self.counts):
            self.counts[:, hour % HOURS_PER_DAY] += watched
        else:
            np.add.at(self.counts[:, hour % HOURS_PER_DAY], unit_world, watched)
        self.recent *= MEMORY
        np.add.at(self.recent, unit_world, watched[..., : ABOVE + 1].sum(axis=1))

    def aggression(self) -> Floats:
        """(worlds,): how much likelier than usual the price to beat lies above the market's price lately; 0.5 is as usual.

        0.5 + P(last days) - P(whole run), both by Kaplan-Meier over the auctions of all signals; 0.5 while little was seen,
        and where prices are never seen.
        """
        seen = self.recent.sum(axis=(1, 2))
        usual = self.counts[..., : ABOVE + 1].sum(axis=(1, 2))
        change = _above_market(self.recent) - _above_market(usual)
        return np.clip(0.5 + change * seen / (seen + PRIOR), 0.0, 1.0)

    def rows(self, worlds: Ints) -> dict[str, Table]:
        """Tables `price_landscape` (what we know) and `truth_price` (what was), by signal and hour of the day."""
        known: list[tuple[int, ...]] = []
        true: list[tuple[int, ...]] = []
        channel = channel_of_signal(self.model.scenario)
        for at, world in enumerate(worlds.tolist()):
            for signal, price in enumerate(self.model.market_price_micros.tolist()):
                of_signal: Ints = self.counts[at, :, signal].astype(np.int64)
                for hour in (NONE, *range(HOURS_PER_DAY)):
                    counts = of_signal.sum(axis=0) if hour == NONE else of_signal[hour]
                    key = (world, signal, hour)
                    known += [(*key, *row) for row in _estimates(counts, int(channel[signal]), price, hour)]
                    auctions = int(counts[:, TRUE].sum())
                    if auctions:
                        true.append((*key, int(channel[signal]), auctions, *_true_quartiles(counts[:, TRUE], price)))
        tables = {}
        if known:
            tables["price_landscape"] = _table(_KNOWN, known)
        if true:
            tables["truth_price"] = _table(_TRUE, true)
        return tables

    def arrays(self) -> dict[str, np.ndarray]:
        """The state to resume from."""
        return {"prices.counts": self.counts.copy(), "prices.recent": self.recent.copy()}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take up a state given by `arrays`."""
        self.counts, self.recent = arrays["prices.counts"].copy(), arrays["prices.recent"].copy()


def _above_market(counts: NDArray[Any]) -> Floats:
    """(worlds,): Kaplan-Meier's probability of a price above the market's; counts: (worlds, BUCKETS, 2)."""
    exact, above = counts[..., EXACT], counts[..., ABOVE]
    at_risk = np.cumsum((exact + above)[:, ::-1], axis=1)[:, ::-1] - above
    hazard = np.where(at_risk > 0, exact / np.maximum(at_risk, 1e-12), 0.0)
    survival: Floats = np.prod(1.0 - np.minimum(hazard[:, : BUCKETS // 2], 1.0), axis=1)
    return survival


_KEY = ("world_id", "signal", "hour_of_day")
_KNOWN = (
    *_KEY, "method", "channel", "auctions", "seen", "above", "below", "q25_micros", "q50_micros", "q75_micros",
    "q50_low_micros", "q50_high_micros",
)
_TRUE = (*_KEY, "channel", "auctions", "q25_micros", "q50_micros", "q75_micros")


def _table(names: tuple[str, ...], rows: list[tuple[int, ...]]) -> Table:
    columns = np.array(rows, dtype=np.int64).T
    return dict(zip(names, columns, strict=True))


def _estimates(counts: Ints, channel: int, price: int, hour: int) -> list[tuple[int, ...]]:
    """Kaplan-Meier where prices were seen; a lognormal where they were not, and for the whole day."""
    exact, below = counts[:, EXACT], counts[:, BELOW]
    seen, above, under = (int(counts[:, kind].sum()) for kind in (EXACT, ABOVE, BELOW))
    if seen + above + under < LEAST_SEEN:
        return []
    front = (channel, seen + above + under, seen, above, under)
    found: list[tuple[int, ...]] = []
    if seen >= LEAST_SEEN and not below.any():
        curve = kaplan_meier(exact, counts[:, ABOVE])
        places = [quantile_bucket(curve.above, share) for share in QUARTILES]
        bounds = [quantile_bucket(curve.low, 0.5), quantile_bucket(curve.high, 0.5)]
        found.append((KAPLAN_MEIER, *front, *(price_at(price, place) for place in (*places, *bounds))))
    if not found or hour == NONE:
        fit = fit_lognormal(counts)
        if fit.mean_se > 0.0:
            middle, low, high = lognormal_place(fit, 0.0)
            places = [fit.mean - _QUARTILE_Z * fit.sd, middle, fit.mean + _QUARTILE_Z * fit.sd]
            found.append((LOGNORMAL, *front, *(price_at(price, float(place)) for place in (*places, low, high))))
    return found


def _true_quartiles(counts: Ints, price: int) -> list[int]:
    above = 1.0 - np.cumsum(counts) / counts.sum()
    return [price_at(price, quantile_bucket(above, share)) for share in QUARTILES]
