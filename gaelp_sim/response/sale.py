"""From deciding to buy to the sale we hear of: whose sale it is, and when it is paid and reported."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.compiled import compiled, inlined
from gaelp_sim.draws import Words, normal_quantile
from gaelp_sim.events import NONE, US, Floats, Ints
from gaelp_sim.response.touch import GOODWILL_MAX, RIVAL_GOODWILL_MAX
from gaelp_sim.scenario.schema import LagPart, Scenario
from gaelp_sim.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, micros

_TABLE_BITS = 16
Levels = NDArray[np.int8]


class Sales(NamedTuple):
    """Brand choice, purchase lag and report delay."""

    ours_share: Floats
    """(GOODWILL_MAX + 1, RIVAL_GOODWILL_MAX + 1): probability that a buyer picks us"""
    last_rival_extra: Floats
    """(RIVAL_GOODWILL_MAX + 1,): weight that rivals' goodwill adds to the rival seen last"""
    rivals: int
    lag_s: Ints
    """(2**16,): equally likely purchase lags, ascending"""
    report_delay_max_s: int
    ltv_micros: int
    """What a sale of ours is worth"""

    @staticmethod
    def of(scenario: Scenario) -> Sales:
        """Compile the scenario's conversion model.

        P(us) = e^(b0 + bg g) / (e^(b0 + bg g) + rivals + e^(br r) - 1). Source: notes on the economy, section 2.
        """
        response, rivals = scenario.response, len(scenario.rivals)
        ours = np.exp(response.brand_base + response.brand_goodwill * np.arange(GOODWILL_MAX + 1))[:, None]
        extra = np.exp(response.brand_rival_goodwill * np.arange(RIVAL_GOODWILL_MAX + 1)) - 1.0
        theirs = max(rivals, 1) + extra
        conversion = scenario.conversion
        return Sales(
            ours / (ours + theirs), extra, rivals,
            lag_table(conversion.purchase_lag, conversion.purchase_lag_max_days * SECONDS_PER_DAY),
            round(conversion.report_delay_max_hours * SECONDS_PER_HOUR), micros(scenario.economics.ltv_usd),
        )


@compiled
def advertisers(
    sales: Sales, goodwill: Levels, rival_goodwill: Levels, last_rival: Levels, luck: Words
) -> NDArray[np.int64]:
    """Whom each buyer buys from: us by goodwill, else a rival, the one seen last favoured; NONE without rivals."""
    chosen = np.empty(len(luck), dtype=np.int64)
    for i in range(len(luck)):
        place = luck[i] * 2.0**-32
        ours = sales.ours_share[goodwill[i], rival_goodwill[i]]
        # Without rivals the rest of the mass buys nothing we know of: an outside option, told apart as NONE.
        chosen[i] = US if place < ours else NONE
        if place >= ours and sales.rivals:
            rest = min(max((place - ours) / (1.0 - ours), 0.0), 1.0 - 1e-12)
            extra = sales.last_rival_extra[rival_goodwill[i]] if last_rival[i] >= 1 else 0.0
            spread = rest * (sales.rivals + extra)
            chosen[i] = 1 + int(spread) if spread < sales.rivals else last_rival[i]
    return chosen


@inlined
def purchase_lag_s(sales: Sales, luck: int) -> int:
    """Seconds from deciding to paying, at least 1; luck: a word."""
    return int(sales.lag_s[luck >> (32 - _TABLE_BITS)])


@inlined
def report_delay_s(sales: Sales, luck: int) -> int:
    """Seconds from paying to the report, uniform up to the scenario's delay; luck: a word."""
    return int(luck * 2.0**-32 * sales.report_delay_max_s)


def lag_table(parts: list[LagPart], longest_s: float) -> Ints:
    """2**16 equally likely quantiles of a mixture of lognormals truncated at `longest_s`, in whole seconds >= 1."""
    grid = np.exp(np.linspace(0.0, np.log(longest_s), 4_097))
    total = sum(part.weight for part in parts)
    mass = sum(part.weight / total * _truncated_cdf(part, grid) for part in parts)
    share = (np.arange(2**_TABLE_BITS) + 0.5) / 2**_TABLE_BITS
    return np.maximum(np.interp(share, mass, grid), 1.0).astype(np.int64)


def _truncated_cdf(part: LagPart, seconds: Floats) -> Floats:
    inner = _normal_cdf((np.log(seconds) - np.log(part.median_hours * SECONDS_PER_HOUR)) / part.sigma)
    return inner / inner[-1]


def _normal_cdf(z: Floats) -> Floats:
    """The normal distribution function, by interpolating its inverse: exact to 1e-7, enough for a table of 2**16."""
    share = np.concatenate([[0.0], np.exp(np.linspace(-30, np.log(0.5), 4_000))])
    share = np.concatenate([share, 1.0 - share[-2:0:-1]])
    return np.interp(z, normal_quantile(np.clip(share, 1e-300, 1 - 1e-16)), share)
