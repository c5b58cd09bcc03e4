"""Policies compared in the same worlds with the same luck: means a world, and paired differences to the best baseline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from gaelp_sim.draws import normal_quantile
from gaelp_sim.events import Floats
from gaelp_sim.planning.played import Played

BASELINE, REFERENCE, ORACLE, GRADED = "baseline", "reference", "oracle", "graded"


@dataclass(frozen=True)
class Compared:
    """How a policy did: means a world, 95 % intervals over worlds."""

    policy: str
    kind: str
    """baseline: what people run today; reference: knows the scenario's constants; oracle: people's minds, too"""
    worlds: int
    profit_usd: float
    profit_low: float
    profit_high: float
    over_best_usd: float
    """Profit less the best baseline's, in the same worlds"""
    over_best_usd_low: float
    over_best_usd_high: float
    over_best_share: float | None
    """The same as a share of the best baseline's (sales in place of profit where they were asked for); null where that is
    not positive"""
    over_best_low: float | None
    over_best_high: float | None
    share_of_way: float | None
    """Of the way from the best baseline to the clairvoyant"""
    profit_above_no_ads_usd: float
    conversions: float
    spend_usd: float
    cac_blended_usd: float | None
    cac_paid_usd: float | None
    cac_incremental_usd: float | None
    roas: float | None
    """Value of our sales over spend"""
    win_rate: float | None
    journey_days_median: float | None
    """From our first touch to the decision to buy, of those whom we had reached"""

    def as_json(self) -> dict[str, Any]:
        """The fields by name."""
        return asdict(self)


class Yardsticks(NamedTuple):
    """Names of the policies that others are measured by."""

    best: str
    nothing: str
    oracle: str
    sales: bool = False
    """Compare sales in place of profit"""


def compared(name: str, kind: str, found: Mapping[str, Played], by: Yardsticks) -> Compared:
    """A policy's row; all were played in the same worlds."""
    this, best, nothing = found[name], found[by.best], found[by.nothing]
    mine, theirs = (one.sales if by.sales else one.profit_usd for one in (this, best))
    dollars, base = interval(this.profit_usd - best.profit_usd), float(theirs.mean())
    share, low, high = (part / base if base > 0 else None for part in interval(mine - theirs))
    way = float((found[by.oracle].profit_usd - best.profit_usd).mean()) if by.oracle in found else 0.0
    sales, spend = float(this.sales.mean()), float(this.spend_usd.mean())
    return Compared(
        name, kind, len(this.sales), *interval(this.profit_usd), *dollars, share, low, high,
        dollars[0] / way if way > 0 else None, float((this.profit_usd - nothing.profit_usd).mean()), sales, spend,
        _over(spend, sales), _over(spend, float(this.paid_sales.mean())), _over(spend, sales - float(nothing.sales.mean())),
        _over(sales * this.ltv_usd, spend), _over(float(this.wins.sum()), float(this.opportunities.sum())),
        float(np.median(this.journey_days)) if len(this.journey_days) else None,
    )


def _over(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None


def interval(values: Floats) -> tuple[float, float, float]:
    """Mean, and its 95 % bounds by Student's t with the quantile's expansion in 1 / (n - 1).

    Source: Abramowitz & Stegun 26.7.5.
    >>> [round(part, 3) for part in interval(np.arange(24.0))]
    [11.5, 8.514, 14.486]
    """
    n, mean = len(values), float(values.mean())
    z, free = float(normal_quantile(0.975)), n - 1
    t = z + (z**3 + z) / (4 * free) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * free**2)
    t += (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * free**3)
    half = t * float(values.std(ddof=1)) / n**0.5
    return mean, mean - half, mean + half
