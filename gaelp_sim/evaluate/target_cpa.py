"""Target CPA: values by last touch, scaled every day by a PID controller so that what a sale costs meets a target."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from gaelp_sim.errors import BidderError
from gaelp_sim.events import Bids, Floats, Opportunities, Outcomes, Statistics
from gaelp_sim.market.bidder import BID_MICROS_MAX, Known, Moment
from gaelp_sim.market.rule_policy import RulePolicy
from gaelp_sim.observe.table import COLUMN
from gaelp_sim.units import HOURS_PER_DAY

GAINS = (0.5, 0.1, 0.2)
"""Proportional, integral, derivative: on the logarithm of target over CPA."""
ERROR_MOST = 1.0
MULTIPLE_MIN, MULTIPLE_MAX = 0.2, 4.0
BEFORE_SALES_ROI = -0.99
"""Before the first sale is reported nothing is known of the CPA, and nothing is changed."""


@dataclass
class TargetCpa:
    """Bids a multiple of a value by signal; the multiple of each unit follows its own CPA, as reported so far."""

    rule: RulePolicy
    """Prices are values; creatives are the rule's"""
    ltv_usd: float
    target_usd: float
    sees_truth: bool = False
    observes: bool = True
    notes: int = 0
    _day: int = -1
    _fresh: set[int] = field(default_factory=set)
    """Units whose multiple has moved today"""
    _state: dict[int, Floats] = field(default_factory=dict)
    """By unit: the multiple, the sum of errors, the last error"""

    @property
    def name(self) -> str:
        """Our seat's."""
        return self.rule.name

    def bid(self, opportunities: Opportunities, moment: Moment) -> Bids:
        """Refused: it bids on what was spent and sold, which only a run tells."""
        raise BidderError("bidder target_cpa: it bids on reported sales, so it can only bid inside a run")

    def bid_knowing(self, opportunities: Opportunities, moment: Moment, known: Known) -> Bids:
        """Value times the unit's multiple."""
        assert known.observation is not None
        units, first, where = np.unique(opportunities.unit, return_index=True, return_inverse=True)
        if moment.hour // HOURS_PER_DAY != self._day:
            self._day = moment.hour // HOURS_PER_DAY
            self._fresh = set()
        multiples = np.array([
            self._multiple(int(unit), float(known.observation[at, COLUMN["current_roi"]]))
            for unit, at in zip(units.tolist(), first.tolist(), strict=True)
        ])
        bids = self.rule.bid(opportunities, moment)
        price = np.minimum(np.rint(bids.bid_micros * multiples[where]), BID_MICROS_MAX).astype(np.int64)
        return replace(bids, bid_micros=price)

    def _multiple(self, unit: int, roi: float) -> float:
        """The unit's multiple, moved at its first opportunity of the day."""
        state = self._state.setdefault(unit, np.array([1.0, 0.0, 0.0]))
        if unit not in self._fresh:
            self._fresh.add(unit)
            if roi > BEFORE_SALES_ROI and roi != 0.0:
                state[:] = moved(state, self.target_usd, self.ltv_usd / (1.0 + roi))
        return float(state[0])

    def note(self, opportunities: Opportunities, ended: tuple[Bids, Outcomes], known: Known) -> None:
        """Nothing of users."""

    def observe(self, opportunities: Opportunities, outcomes: Outcomes) -> Statistics:
        """Nothing: it reads the books."""
        return Statistics(np.zeros(0, dtype=np.int64))

    def update(self, statistics: Statistics) -> None:
        """Nothing to update."""


def moved(state: Floats, target_usd: float, cpa_usd: float) -> Floats:
    """(3,): multiple, sum of errors and last error after a day.

    >>> moved(np.array([1.0, 0.0, 0.0]), 100.0, 200.0).round(3).tolist()
    [0.574, -0.693, -0.693]
    >>> moved(np.array([1.0, 0.0, 0.0]), 100.0, 100.0).tolist()
    [1.0, 0.0, 0.0]
    """
    error = float(np.clip(np.log(target_usd / cpa_usd), -ERROR_MOST, ERROR_MOST))
    proportional, integral, derivative = GAINS
    # The sum alone can reach both ends, and no further.
    total = float(np.clip(state[1] + error, np.log(MULTIPLE_MIN) / integral, np.log(MULTIPLE_MAX) / integral))
    pushed = proportional * error + integral * total + derivative * (error - state[2])
    return np.array([np.clip(np.exp(pushed), MULTIPLE_MIN, MULTIPLE_MAX), total, error])
