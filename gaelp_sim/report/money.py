"""Profit, cost per customer and return with their intervals, worked out from sums over homes (or worlds).

The luck is whose homes these are: another draw of people from the same world would have given other figures. Clusters are
taken as drawn alike and ratios as linear in small parts, as `analyse/paired.py` does it; a test holds both equal.
Source: Cochran (1977), section 6.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gaelp_sim.analyse.estimates import Z_95
from gaelp_sim.report.words import Known
from gaelp_sim.units import MICROS_PER_UNIT


@dataclass(frozen=True)
class Money:
    """What the run earned for us, in units of its currency."""

    spend: float
    value: float
    sales: int
    paid_sales: int
    reported_sales: int
    profit: Known
    sales_drawn: Known
    """Sales with the luck of whose homes these are"""
    cac_blended: Known
    cac_paid: Known
    roas: Known
    clusters: int


def money_of(row: Mapping[str, Any]) -> Money:
    """Figures of the one row of query `report_money`."""
    n = int(row["clusters"])
    spend, value = (int(row[name] or 0) / MICROS_PER_UNIT for name in ("spend_micros", "value_micros"))
    sales, paid = int(row["sales"] or 0), int(row["paid_sales"] or 0)
    profit = value - spend
    square = _number(row, "value_value") - 2 * _number(row, "spend_value") + _number(row, "spend_spend")
    return Money(
        spend,
        value,
        sales,
        paid,
        int(row["reported_sales"] or 0),
        _total(profit, square, n),
        _total(sales, _number(row, "sales_sales"), n),
        _ratio((spend, sales), (_number(row, "spend_spend"), _number(row, "spend_sales"), _number(row, "sales_sales")), n),
        _ratio((spend, paid), (_number(row, "spend_spend"), _number(row, "spend_paid"), _number(row, "paid_paid")), n),
        _ratio((value, spend), (_number(row, "value_value"), _number(row, "spend_value"), _number(row, "spend_spend")), n),
        n,
    )


def _number(row: Mapping[str, Any], name: str) -> float:
    return float(row[name] or 0.0)


def _total(value: float, squares: float, n: int) -> Known:
    """A sum; its variance is that of one cluster times their number."""
    if n < 2:
        return Known(value)
    half = Z_95 * math.sqrt(max(squares - value * value / n, 0.0) * n / (n - 1))
    return Known(value, value - half, value + half)


def _ratio(parts: tuple[float, float], squares: tuple[float, float, float], n: int) -> Known:
    """above / below, by the linear expansion of the ratio; squares: sums of above^2, above x below, below^2."""
    above, below = parts
    if not below:
        return Known(None)
    value = above / below
    if n < 2:
        return Known(value)
    rest = squares[0] - 2 * value * squares[1] + value * value * squares[2]
    half = Z_95 * math.sqrt(max(rest, 0.0) * n / (n - 1)) / abs(below)
    return Known(value, value - half, value + half)
