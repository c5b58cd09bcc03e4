"""The books of a commit point: what our touches cost is what the ledger charges is what the budgets lose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from gaelp_sim.errors import CorruptStoreError
from gaelp_sim.store.columns import Rows

OUR_ADVERTISER = 0
WHOLE_ADVERTISER = -1  # budget_day.campaign of the row that holds an advertiser's total


@dataclass(frozen=True)
class Drawdown:
    """What our budget had lost by the last commit, in micros, by (world, day)."""

    spent_micros: Mapping[tuple[int, int], int] = field(default_factory=dict)

    def after(self, budget_day: Rows | None) -> tuple[Drawdown, dict[int, int]]:
        """The drawdown once `budget_day` is written, and what each world's budget lost with it."""
        if budget_day is None:
            return self, {}
        fresh = _our_totals(budget_day)
        lost: dict[int, int] = {}
        for (world, day), spent in fresh.items():
            lost[world] = lost.get(world, 0) + spent - self.spent_micros.get((world, day), 0)
        return Drawdown({**self.spent_micros, **fresh}), lost


def _our_totals(rows: Rows) -> dict[tuple[int, int], int]:
    ours = (rows.number("advertiser") == OUR_ADVERTISER) & (rows.number("campaign") == WHOLE_ADVERTISER)
    worlds, days = rows.number("world_id")[ours].tolist(), rows.number("day")[ours].tolist()
    spent = rows.number("spent_micros")[ours].tolist()
    return dict(zip(zip(worlds, days, strict=True), spent, strict=True))


def check_books(tables: Mapping[str, Rows], lost: Mapping[int, int], *, hour: int) -> None:
    """Raise CorruptStoreError unless touches, ledger and budget agree to the micro in every world of the batch."""
    touches = _by_world(_our_touches(tables.get("touchpoint")))
    charges = _by_world(_charges(tables.get("ledger")))
    for world in sorted({*touches, *charges, *lost}):
        figures = touches.get(world, 0), charges.get(world, 0), lost.get(world, 0)
        if len(set(figures)) != 1:
            raise CorruptStoreError(
                f"world {world}, hour {hour}: touches cost {figures[0]}, ledger charges {figures[1]}, budgets lost "
                f"{figures[2]} micros, must be equal; nothing was committed; next: report this with scenario and seed"
            )


def _our_touches(rows: Rows | None) -> tuple[np.ndarray, np.ndarray] | None:
    if rows is None:
        return None
    ours = rows.number("advertiser") == OUR_ADVERTISER
    return rows.number("world_id")[ours], np.maximum(rows.number("price_micros")[ours], 0)  # -1 is "none"


def _charges(rows: Rows | None) -> tuple[np.ndarray, np.ndarray] | None:
    return None if rows is None else (rows.number("world_id"), rows.number("amount_micros"))


def _by_world(pair: tuple[np.ndarray, np.ndarray] | None) -> dict[int, int]:
    """Integer sums by world (bincount would add in floats)."""
    if pair is None or not len(pair[0]):
        return {}
    order = np.argsort(pair[0], kind="stable")
    worlds, amounts = pair[0][order], pair[1][order]
    starts = np.flatnonzero(np.r_[True, worlds[1:] != worlds[:-1]])
    return dict(zip(worlds[starts].tolist(), np.add.reduceat(amounts, starts).tolist(), strict=True))
