"""What the observable planner believes of people is as often true as it says, in worlds that it bids in."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from gaelp_sim.events import Bids, Opportunities
from gaelp_sim.market.bidder import Known, Moment
from gaelp_sim.planning.belief import STAGES, Heard, hear
from gaelp_sim.planning.bidders import Believer
from gaelp_sim.planning.recursion import Way
from gaelp_sim.population.people import GOODWILL, RIVAL_GOODWILL
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.world.shard import Shard, Task
from gaelp_sim.world.stack import Place

BINS = 6


class Beliefs(NamedTuple):
    """Beliefs at opportunities, and the truth: (n, ...) each."""

    cells: np.ndarray
    """(n, segments x STAGES)"""
    goodwill: np.ndarray
    rivals: np.ndarray
    truth: np.ndarray
    """(n, 4): segment, stage (decided: 4), goodwill, rivals' goodwill"""


@pytest.fixture(scope="module")
def beliefs() -> Beliefs:
    """Of 12,000 people over ten days."""
    scenario = load_scenario("short", ["identity.mode=perfect", "worlds=40", "log=wins"])
    watching = _Watching(scenario, Way.BEST)
    shard = Shard(Task(scenario, 5, "rule", Place(range(40), range(1)), 0, None), us=watching)
    watching.stack = shard.stack
    shard.advance(scenario.days * 24)
    heard, truth = np.concatenate(watching.told), np.concatenate(watching.truth)
    cells = len(watching.senses.prior)
    return Beliefs(heard[:, :cells], heard[:, cells : cells + 4], heard[:, cells + 4 : cells + 7], truth)


class _Watching(Believer):
    """The planner, with somebody who looks on and knows the truth."""

    told: list[np.ndarray]
    truth: list[np.ndarray]
    stack: object = None

    def bid_knowing(self, opportunities: Opportunities, moment: Moment, known_people: Known) -> Bids:
        """The planner's bids; what it believes and what is true are written down."""
        if not hasattr(self, "told"):
            self.told, self.truth = [], []
        people, row = self.stack.people, opportunities.row  # type: ignore[attr-defined]
        self.told.append(hear(self.senses, Heard.of(known_people.user, opportunities), known_people.notes))
        stage = np.where(people.decided_s[row] >= 0, STAGES - 1, people.stage[row])
        elapsed_s = opportunities.second - people.level_s[row]
        level = people.level[:, row] * 2.0 ** (-elapsed_s / self.stack.model.half_life_s[:, None])  # type: ignore[attr-defined]
        self.truth.append(np.stack([people.segment[row], stage, level[GOODWILL], level[RIVAL_GOODWILL]], axis=1))
        return super().bid_knowing(opportunities, moment, known_people)


def _assert_calibrated(believed: np.ndarray, true: np.ndarray, slack: float) -> None:
    """In each bin of the belief the thing is as often true, within four standard errors and a slack."""
    edges = np.quantile(believed, np.linspace(0, 1, BINS + 1))
    which = np.clip(np.searchsorted(edges, believed, side="right") - 1, 0, BINS - 1)
    for number in range(BINS):
        here = which == number
        if here.sum() < 200:
            continue
        told, found = believed[here].mean(), true[here].mean()
        # People come with several opportunities each: twice the error of as many strangers.
        assert abs(told - found) <= 8 * (told * (1 - told) / here.sum()) ** 0.5 + slack, (number, told, found)


@pytest.mark.parametrize("stage", range(STAGES))
def test_stages_are_calibrated(beliefs: Beliefs, stage: int) -> None:
    _assert_calibrated(beliefs.cells[:, stage::STAGES].sum(axis=1), beliefs.truth[:, 1] == stage, 0.01)


@pytest.mark.parametrize("segment", range(3))
def test_segments_are_calibrated(beliefs: Beliefs, segment: int) -> None:
    believed = beliefs.cells[:, segment * STAGES : (segment + 1) * STAGES].sum(axis=1)
    _assert_calibrated(believed, beliefs.truth[:, 0] == segment, 0.01)


@pytest.mark.parametrize("level", ["goodwill", "rivals"])
def test_levels_are_calibrated(beliefs: Beliefs, level: str) -> None:
    """Believed means, in bins, beside what is left on average of the levels as they were last read."""
    believed, column = (beliefs.goodwill, 2) if level == "goodwill" else (beliefs.rivals, 3)
    mean = (believed * np.arange(believed.shape[1])).sum(axis=1)
    order = np.argsort(mean, kind="stable")
    for part in np.array_split(order, BINS):
        true = beliefs.truth[part, column]
        assert mean[part].mean() == pytest.approx(true.mean(), abs=8 * true.std() / len(true) ** 0.5 + 0.02)


def test_beliefs_tell_more_than_the_signal_alone(beliefs: Beliefs) -> None:
    """The log score of the stage is better than that of the shares by whoever knows the population alone."""
    stages = np.stack([beliefs.cells[:, s::STAGES].sum(axis=1) for s in range(STAGES)], axis=1)
    true = beliefs.truth[:, 1].astype(int)
    score = np.log(np.maximum(stages[np.arange(len(true)), true], 1e-9)).mean()
    shares = np.bincount(true, minlength=STAGES) / len(true)
    assert score > np.log(shares[true]).mean() + 0.2
