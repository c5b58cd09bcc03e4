"""Learners find the best answer to fixed bidders; losses make them aggressive."""

from __future__ import annotations

import numpy as np
import pytest

from gaelp_sim.analyse.learning_trial import LearningTrial, Table, mean_played
from gaelp_sim.events import Mechanism
from gaelp_sim.market.cast import Strategy
from gaelp_sim.market.learning import (
    AGGRESSION_MAX,
    CLICKS,
    SALES,
    SEEN,
    SURPLUS,
    WON,
    Lessons,
    Minds,
    Nature,
    learn,
    policies,
)
from gaelp_sim.market.rivals import ACTIONS, TRUTHFUL, WHOLE

LEARNERS = (Strategy.Q_LEARNING, Strategy.POLICY_GRADIENT, Strategy.VALUE)
BEST = 1 / 30
"""Utility of the equilibrium bid .8 v among five in a first-price auction of uniform values."""


def _nature(strategy: Strategy, *, learns: bool = True, truthful: bool = False) -> Nature:
    one = np.ones((1, 1), dtype=bool)
    return Nature(
        np.full((1, 1), int(strategy)), one & learns, one, np.array([truthful]), np.full((1, 1, 1), 0.1)
    )


def _crises(seen: int, won: int) -> Lessons:
    lessons = Lessons.none(1, (1, 1, 1))
    lessons.crises[0, 0] = seen, won
    return lessons


@pytest.mark.parametrize("strategy", LEARNERS)
def test_learners_answer_fixed_bidders_in_a_first_price_auction(strategy: Strategy) -> None:
    trial = LearningTrial(Table.against_fixed(strategy, 5, 0.8), Mechanism.FIRST_PRICE, (8, 100))
    before = mean_played(trial, 50).utility.mean()
    trial.run(1500)
    trial.freeze()
    after = mean_played(trial, 200).utility.mean()
    assert abs(before) < 0.002, "bidding the value itself wins nothing in a first-price auction"
    assert after > 0.97 * BEST, after / BEST


@pytest.mark.parametrize("strategy", LEARNERS)
def test_learners_learn_to_bid_their_value_in_a_second_price_auction(strategy: Strategy) -> None:
    trial = LearningTrial(Table.against_fixed(strategy, 5, 1.0), Mechanism.SECOND_PRICE, (8, 100))
    truth = mean_played(trial, 200).utility.mean()
    trial.run(1500)
    trial.freeze()
    assert mean_played(trial, 200).utility.mean() > 0.95 * truth


def test_a_planted_wrong_sign_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = LearningTrial(Table.against_fixed(Strategy.VALUE, 5, 0.8), Mechanism.FIRST_PRICE, (4, 100))

    def inverted(lessons: Lessons | None = None) -> None:
        LearningTrial.play(trial, lessons)
        assert lessons is not None
        lessons.actions[..., SURPLUS] *= -1

    with monkeypatch.context() as patch:
        patch.setattr(trial, "play", inverted)
        trial.run(300)
    trial.freeze()
    assert mean_played(trial, 100).utility.mean() < 0.5 * BEST


def test_a_seat_that_has_learned_nothing_bids_its_value() -> None:
    minds, cut = Minds.fresh(1, (1, 1, 1)), np.zeros((1, 1, 1, len(ACTIONS)), dtype=np.int64)
    for strategy in (Strategy.Q_LEARNING, Strategy.VALUE):
        policies(minds, _nature(strategy, learns=False), cut)
        assert (np.diff(cut[0, 0, 0], prepend=0) > 0).nonzero()[0].tolist() == [TRUTHFUL]


def test_every_policy_is_a_distribution() -> None:
    luck = np.random.default_rng(0)
    for strategy in LEARNERS:
        minds, nature = Minds.fresh(1, (1, 1, 1)), _nature(strategy)
        cut = np.zeros((1, 1, 1, len(ACTIONS)), dtype=np.int64)
        for _ in range(200):
            lessons = Lessons.none(1, (1, 1, 1))
            seen = luck.integers(0, 20, len(ACTIONS))
            lessons.actions[0, 0, 0, :, SEEN] = seen
            lessons.actions[0, 0, 0, :, WON] = seen // 2
            lessons.actions[0, 0, 0, :, SURPLUS] = luck.integers(-1_000_000, 1_000_000, len(ACTIONS)) * seen
            learn(minds, nature, lessons)
            policies(minds, nature, cut)
            share = np.diff(cut[0, 0, 0], prepend=0)
            assert share.sum() == WHOLE and (share > 0).all(), "learners explore every action"
            assert all(np.isfinite(part).all() for part in minds)


def test_losing_more_people_in_a_crisis_than_usual_makes_aggressive_and_time_calms() -> None:
    minds, nature = Minds.fresh(1, (1, 1, 1)), _nature(Strategy.RULE)
    minds.usual_loss[:] = 0.5
    learn(minds, nature, _crises(20, 0))
    assert minds.aggression[0, 0] == pytest.approx(1.1), "the document's tenth"
    for _ in range(50):
        learn(minds, nature, _crises(20, 0))
    assert minds.aggression[0, 0] == AGGRESSION_MAX, "bounded"
    for _ in range(48):
        learn(minds, nature, _crises(0, 0))
    assert minds.aggression[0, 0] == pytest.approx(1.0, abs=0.01)


def test_usual_losses_and_seats_that_do_not_adapt_stay_calm() -> None:
    minds, nature = Minds.fresh(1, (1, 1, 1)), _nature(Strategy.RULE)
    minds.usual_loss[:] = 0.5
    for _ in range(100):
        learn(minds, nature, _crises(20, 10))
    assert minds.aggression[0, 0] == 1.0
    stolid = nature._replace(adapts=np.zeros((1, 1), dtype=bool))
    learn(minds, stolid, _crises(20, 0))
    assert minds.aggression[0, 0] == 1.0


def test_clicks_are_worth_the_sales_that_follow_within_bounds() -> None:
    minds, nature = Minds.fresh(1, (1, 1, 1)), _nature(Strategy.VALUE)
    for _ in range(50):
        lessons = Lessons.none(1, (1, 1, 1))
        lessons.clicks[0, 0, 0, CLICKS], lessons.clicks[0, 0, 0, SALES] = 100, 15
        learn(minds, nature, lessons)
    assert minds.click_value[0, 0, 0] == pytest.approx(1.5, rel=0.02), ".15 sales a click, .10 believed"
    for _ in range(500):
        lessons = Lessons.none(1, (1, 1, 1))
        lessons.clicks[0, 0, 0, CLICKS], lessons.clicks[0, 0, 0, SALES] = 100, 90
        learn(minds, nature, lessons)
    assert minds.click_value[0, 0, 0] == 2.0
