"""Thompson sampling over bid levels: a bandit by signal, with what each level earned in worlds of its own as its belief.

An arm is a level of a signal. Its reward on an opportunity is the value credited to the impression it won (a sale's value,
evenly over the touches before it) less the charge. The mean reward of an arm is believed to be normal, as its trials tell;
a bid draws a mean of every arm and takes the best one. Source: Chapelle & Li (2011).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.draws import Draws, Purpose, normal_quantile, uniform
from gaelp_sim.evaluate.touch_values import LINEAR, credits, lived, sold, who
from gaelp_sim.events import Bids, Column, DecisionStatus, Floats, Ints, Opportunities, Outcomes, Statistics
from gaelp_sim.market.bidder import BID_MICROS_MAX, Moment
from gaelp_sim.market.rule_policy import LEVEL_MULTIPLES, RulePolicy
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import MICROS_PER_UNIT, PPM

DRAWS_KEPT = 256
"""So many draws of all arms are kept; an opportunity's luck picks one of them. Propensities are counted over all."""


@dataclass(frozen=True)
class Arms:
    """What is believed of levels: (signals, levels) each, level 0 stays out and earns nothing."""

    mean_usd: Floats
    error_usd: Floats
    """Standard error of the mean"""

    @staticmethod
    def of(trials: Floats, total_usd: Floats, squares: Floats) -> Arms:
        """From counts, sums and sums of squares of rewards; an arm without trials is never taken.

        >>> arms = Arms.of(np.array([[4.0, 0.0]]), np.array([[2.0, 0.0]]), np.array([[3.0, 0.0]]))
        >>> arms.mean_usd.tolist(), arms.error_usd.round(3).tolist()
        ([[0.5, -1000000.0]], [[0.408, 0.0]])
        """
        seen = trials > 1
        mean = np.where(seen, total_usd / np.maximum(trials, 1), -1e6)
        spread = np.maximum(squares / np.maximum(trials, 1) - mean**2, 0.0) * trials / np.maximum(trials - 1, 1)
        return Arms(mean, np.where(seen, np.sqrt(spread / np.maximum(trials, 1)), 0.0))


def tried(scenario: Scenario, seed: int, worlds: int) -> Arms:
    """What levels earned in worlds of this seed, where every level is tried as often as any other."""
    random = replace(RulePolicy.of(scenario), epsilon=1.0)
    tries, sales = [np.zeros((6, 0), dtype=np.int64)], [np.zeros((2, 0), dtype=np.int64)]
    for tables in lived(scenario.model_copy(update={"log": "all"}), random, (seed, worlds)):
        if "decision" in tables:
            one = tables["decision"]
            kept = np.flatnonzero(one["status"] != DecisionStatus.DROPPED_BUDGET)
            names = ("occurred_s", "signal", "level", "status", "charge_micros")
            tries.append(np.stack([who(one, kept), *(one[name][kept] for name in names)]))
        sales += sold(tables)
    return _judged(scenario, np.concatenate(tries, axis=1), np.concatenate(sales, axis=1))


def _judged(scenario: Scenario, tries: Ints, sales: Ints) -> Arms:
    """tries: (6, n): who, when, signal, level, status, charge in micros."""
    tries = tries[:, np.lexsort([tries[1], tries[0]])]
    won = tries[4] == DecisionStatus.WON
    reward = -tries[5] / MICROS_PER_UNIT
    reward[won] += credits(tries[:, won], sales, LINEAR) * float(scenario.economics.ltv_usd)
    signals, levels = sum(len(channel.signals) for channel in scenario.channels), len(LEVEL_MULTIPLES)
    arm = tries[2] * levels + tries[3]

    def summed(weights: Floats) -> Floats:
        sums = np.bincount(arm, weights=weights, minlength=signals * levels)
        return sums.astype(np.float64).reshape(signals, levels)

    return Arms.of(summed(np.ones(len(reward))), summed(reward), summed(reward**2))


@dataclass
class Thompson:
    """Takes each level as often as it is believed to be the best one."""

    rule: RulePolicy
    """Market prices; creatives are the rule's"""
    choice: NDArray[np.int16]
    """(signals, DRAWS_KEPT): the best level in each draw"""

    @staticmethod
    def of(rule: RulePolicy, arms: Arms, width: float) -> Thompson:
        """Draw from the beliefs; width multiplies their standard errors."""
        signals, levels = arms.mean_usd.shape
        luck = uniform(Draws(0).words(Purpose.LESSON, 3, np.arange(signals * levels * DRAWS_KEPT), 0)[0])
        noise = normal_quantile(luck).reshape(signals, levels, DRAWS_KEPT)
        drawn = arms.mean_usd[..., None] + width * arms.error_usd[..., None] * noise
        drawn[:, 0] = 0.0
        return Thompson(rule, drawn.argmax(axis=1).astype(np.int16))

    @property
    def name(self) -> str:
        """Our seat's."""
        return self.rule.name

    def bid(self, opportunities: Opportunities, moment: Moment) -> Bids:
        """The level that luck picks, with the share of draws in which it was the best."""
        place = (uniform(moment.luck) * DRAWS_KEPT).astype(np.int64)
        signal = opportunities.signal
        level = self.choice[signal, place]
        chance = self._shares()[signal, level]
        unpaced = self.rule.price_micros[signal] * LEVEL_MULTIPLES[level]
        pace = moment.multiplier_ppm[opportunities.unit, opportunities.channel] / PPM
        price = np.minimum(np.rint(unpaced * pace), BID_MICROS_MAX).astype(np.int64)
        creative = self.rule.bid(opportunities, moment).creative
        return Bids(price, level, np.maximum(creative, 0).astype(np.int16), chance)

    def _shares(self) -> Floats:
        """(signals, levels): share of draws in which a level is the best."""
        levels = len(LEVEL_MULTIPLES)
        counted: Column = np.stack([(self.choice == level).mean(axis=1) for level in range(levels)], axis=1)
        return np.asarray(counted, dtype=np.float64)

    def observe(self, opportunities: Opportunities, outcomes: Outcomes) -> Statistics:
        """Nothing: it learned before."""
        return Statistics(np.zeros(0, dtype=np.int64))

    def update(self, statistics: Statistics) -> None:
        """Nothing to update."""
