"""The simulator's own learning rivals: alone they find the best reply, together their shading pays the seller less."""

from __future__ import annotations

from collections.abc import Iterator

from gaelp_sim.analyse.learning_trial import LearningTrial, Table, mean_played
from gaelp_sim.analyse.market_lab import Check, Lab
from gaelp_sim.analyse.market_learners import LOSS_MAX
from gaelp_sim.events import Mechanism
from gaelp_sim.market.cast import Strategy

SEATS, HOURS, JUDGED_HOURS = 5, 1_440, 200
SIZE = (20, 200)
"""Worlds side by side, and auctions in each hour of each."""
BEST_UTILITY = 1 / (SEATS * (SEATS + 1))
"""A bidder's at the first-price equilibrium, values uniform on [0, 1]."""
LEARNERS = {"Q-learner": Strategy.Q_LEARNING, "policy gradient": Strategy.POLICY_GRADIENT, "value learner": Strategy.VALUE}


def rival_checks(lab: Lab) -> Iterator[Check]:
    """Each strategy against four who bid .8 v; value learners among themselves, who bid their values in second price.

    Q-learners and policy gradients among themselves stay within some 2 % of second price's revenue, on either side.
    """
    seed = lab.draws.seed
    for name, strategy in LEARNERS.items():
        trial = LearningTrial(Table.against_fixed(strategy, SEATS, 0.8), Mechanism.FIRST_PRICE, SIZE, seed)
        trial.run(HOURS)
        trial.freeze()
        loss = 1 - float(mean_played(trial, JUDGED_HOURS).utility.mean()) / BEST_UTILITY
        yield Check(f"rivals' {name}, first price: utility it loses", 0.0, loss, LOSS_MAX)
    first, second = (_revenue(Strategy.VALUE, kind, seed) for kind in (Mechanism.FIRST_PRICE, Mechanism.SECOND_PRICE))
    yield Check("5 value learners: first-price revenue over second's", 0.5, first / second, 0.499)


def _revenue(strategy: Strategy, mechanism: Mechanism, seed: int) -> float:
    trial = LearningTrial(Table.of_learners(strategy, SEATS), mechanism, SIZE, seed)
    trial.run(HOURS // 2)
    trial.freeze()
    return float(mean_played(trial, JUDGED_HOURS).revenue.mean())
