"""Decisions of many at once: cut into batches none is left out, and notes count each decision once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gaelp_sim.draws import Draws
from gaelp_sim.market.actions import Actions
from gaelp_sim.market.bidder import Known
from gaelp_sim.scenario.loading import load_scenario
from tests.checks.bidders import moment, opportunities

pytest.importorskip("torch")

from gaelp_sim.learn.network import JourneyNet, Shape  # noqa: E402 - only where torch is there
from gaelp_sim.learn.policy import BATCH, LearnedPolicy, _drawn  # noqa: E402


def test_more_than_a_batch_is_decided_as_its_parts_are() -> None:
    """A batch and a bit: memories and chances are those of the same users in groups, up to rounding; each counts one."""
    scenario, n = load_scenario("parental_controls"), BATCH + 70
    actions = Actions.of(scenario)
    net = JourneyNet.born(Shape(actions.count, actions.creatives, hidden=8, encoder=8), Draws(1))
    policy = LearnedPolicy.of(scenario, net)
    slots, now = opportunities(scenario, n), moment(scenario, n)
    slots = replace(slots, unit=np.zeros(n, dtype=np.int64))
    rng = np.random.default_rng(1)
    seen, notes = rng.random((n, 41), dtype=np.float32), np.zeros((n, policy.notes), dtype=np.float32)
    notes[:, :16] = rng.random((n, 16), dtype=np.float32)
    others, user = notes.copy(), rng.permutation(n)
    whole = policy.decide(slots, now, Known(user, np.zeros(n, dtype=bool), notes, None, seen))
    groups = np.array_split(rng.permutation(n), 5)
    parts = policy.decide(slots, now, Known(user, np.zeros(n, dtype=bool), others, None, seen), groups)
    assert whole.chances == pytest.approx(parts.chances, abs=1e-6)
    assert whole.value == pytest.approx(parts.value, abs=1e-5)
    assert notes == pytest.approx(others, abs=1e-5)
    assert (notes[:, -1] == 1.0).all() and (notes[user, -2] == slots.second.astype(np.float32)).all()


def test_draws_fall_where_the_sums_of_chances_put_them() -> None:
    """As in numpy's words: how many sums are below the luck, but never beyond what can be."""
    rng = np.random.default_rng(2)
    chances = rng.random((5_000, 13)) * (rng.random((5_000, 13)) < 0.5)
    chances[:, 0] += 0.01
    chances /= chances.sum(axis=1, keepdims=True)
    luck = rng.random(5_000)
    luck[:3] = 0.0, 1.0 - 2**-53, 1.0
    last = chances.shape[1] - 1 - (chances[:, ::-1] > 0).argmax(axis=1)
    wanted = np.minimum((np.cumsum(chances, axis=1) < luck[:, None]).sum(axis=1), last)
    assert (_drawn(chances, luck) == wanted).all()
