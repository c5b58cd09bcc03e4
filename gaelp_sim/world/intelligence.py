"""What our side knows of the prices to beat, and the truth beside it: rows at a run's end, a feature hourly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

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
    above_market,
    estimated_places,
    prices_at,
    true_places,
)
from gaelp_sim.market.lognormal import fit_lognormal, lognormal_place
from gaelp_sim.units import HOURS_PER_DAY
from gaelp_sim.world.log import Table, full, joined_columns
from gaelp_sim.world.model import Model

KAPLAN_MEIER, LOGNORMAL = range(2)
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
    usual: Ints
    """The same of the whole run, not fading"""

    @staticmethod
    def of(model: Model, worlds: int) -> Intelligence:
        """Nothing seen yet."""
        shape = (worlds, HOURS_PER_DAY, model.seats[2], BUCKETS, 4)
        return Intelligence(
            model, np.zeros(shape, dtype=np.int32), np.zeros((worlds, BUCKETS, 2)),
            np.zeros((worlds, BUCKETS, 2), dtype=np.int64),
        )

    def learn(self, hour: int, watched: NDArray[np.int32], unit_world: Ints) -> None:
        """Add an hour's counts, (units, signals, BUCKETS, kinds)."""
        if len(watched) == len(self.counts):
            self.counts[:, hour % HOURS_PER_DAY] += watched
        else:
            np.add.at(self.counts[:, hour % HOURS_PER_DAY], unit_world, watched)
        self.recent *= MEMORY
        seen = np.zeros_like(self.usual)
        np.add.at(seen, unit_world, watched[..., : ABOVE + 1].sum(axis=1))
        self.recent += seen
        self.usual += seen

    def aggression(self) -> Floats:
        """(worlds,): how much likelier than usual the price to beat lies above the market's price lately; 0.5 is as usual.

        0.5 + P(last days) - P(whole run), both by Kaplan-Meier over the auctions of all signals; 0.5 while little was seen,
        and where prices are never seen.
        """
        seen = self.recent.sum(axis=(1, 2))
        change = above_market(self.recent) - above_market(self.usual.astype(np.float64))
        return np.clip(0.5 + change * seen / (seen + PRIOR), 0.0, 1.0)

    def rows(self, worlds: Ints) -> dict[str, Table]:
        """Tables `price_landscape` (what we know) and `truth_price` (what was), by signal and hour of the day."""
        model, signals = self.model, self.counts.shape[2]
        whole = self.counts.sum(axis=1, keepdims=True, dtype=np.int32)
        counts = np.concatenate([whole, self.counts], axis=1)
        hours = counts.shape[1]
        signal = np.tile(np.arange(signals), len(worlds) * hours)
        cells = _Cells(
            {
                "world_id": np.repeat(worlds, hours * signals), "signal": signal,
                "hour_of_day": np.tile(np.repeat(np.arange(hours) - 1, signals), len(worlds)),
                "channel": channel_of_signal(model.scenario)[signal],
            },
            counts.reshape(-1, BUCKETS, 4), model.market_price_micros[signal],
        )
        known = [table for table in (_seen(cells), _fitted(cells)) if len(table["world_id"])]
        tables = {"price_landscape": joined_columns(known)} if known else {}
        met = cells.take(np.flatnonzero(cells.counts[..., TRUE].sum(axis=1)))
        prices = prices_at(met.price_micros, true_places(met.counts))
        if len(prices):
            auctions = met.counts[..., TRUE].sum(axis=1, dtype=np.int64)
            tables["truth_price"] = {**met.key, "auctions": auctions, **dict(zip(_QUARTILES, prices.T, strict=True))}
        return tables

    def arrays(self) -> dict[str, np.ndarray]:
        """The state to resume from."""
        return {"prices.counts": self.counts.copy(), "prices.recent": self.recent.copy(),
                "prices.usual": self.usual.copy()}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take up a state given by `arrays`."""
        self.counts, self.recent = arrays["prices.counts"].copy(), arrays["prices.recent"].copy()
        self.usual = arrays["prices.usual"].copy()


_QUARTILES = ("q25_micros", "q50_micros", "q75_micros")
_BOUNDS = ("q50_low_micros", "q50_high_micros")


class _Cells(NamedTuple):
    """Worlds x (whole day, hours) x signals, one cell a row."""

    key: Table
    counts: NDArray[np.int32]
    """(cells, BUCKETS, kinds)"""
    price_micros: Ints

    def take(self, at: Ints) -> _Cells:
        return _Cells({name: column[at] for name, column in self.key.items()}, self.counts[at], self.price_micros[at])

    def number(self, *kinds: int) -> Ints:
        """Auctions of these kinds in each cell."""
        found: Ints = sum(self.counts[..., kind].sum(axis=1, dtype=np.int64) for kind in kinds)
        return found

    def prices_seen(self) -> NDArray[np.bool_]:
        """Where Kaplan-Meier applies: prices seen, and none of which only an upper bound is known."""
        return (self.number(EXACT) >= LEAST_SEEN) & (self.number(BELOW) == 0)


def _seen(cells: _Cells) -> Table:
    """Kaplan-Meier, where prices were seen."""
    chosen = cells.take(np.flatnonzero(cells.prices_seen()))
    return _estimate(chosen, KAPLAN_MEIER, estimated_places(chosen.counts))


def _fitted(cells: _Cells) -> Table:
    """A lognormal for whole days, and for hours where prices were not seen."""
    enough = cells.number(EXACT, ABOVE, BELOW) >= LEAST_SEEN
    wanted = cells.take(np.flatnonzero(enough & ((cells.key["hour_of_day"] == NONE) | ~cells.prices_seen())))
    fits = [fit_lognormal(counts.astype(np.int64)) for counts in wanted.counts]
    good = np.flatnonzero([fit.mean_se > 0.0 for fit in fits])
    places = [[*(f.mean + z * f.sd for z in (-_QUARTILE_Z, 0.0, _QUARTILE_Z)), *lognormal_place(f, 0.0)[1:]] for f in fits]
    return _estimate(wanted.take(good), LOGNORMAL, np.array(places).reshape(-1, 5)[good])


def _estimate(cells: _Cells, method: int, places: Floats) -> Table:
    prices = prices_at(cells.price_micros, places)
    return {
        **cells.key, "method": full(len(prices), method), "auctions": cells.number(EXACT, ABOVE, BELOW),
        "seen": cells.number(EXACT), "above": cells.number(ABOVE), "below": cells.number(BELOW),
        **dict(zip((*_QUARTILES, *_BOUNDS), prices.T, strict=True)),
    }
