"""Worlds stacked in one pass are the same worlds one by one, and reset as Gymnasium's modes say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

gymnasium = pytest.importorskip("gymnasium")

from gymnasium.vector import AutoresetMode  # noqa: E402 - only where it is there

from gaelp_sim.env import BIDDING  # noqa: E402
from gaelp_sim.env.bidding_env import BiddingEnv  # noqa: E402
from gaelp_sim.env.dials import Dial  # noqa: E402
from gaelp_sim.env.vector_env import VectorBiddingEnv  # noqa: E402
from gaelp_sim.errors import UsageError  # noqa: E402

WORLDS, SEED, HOURS = 3, 5, 60
WORLD: dict[str, Any] = {"scenario": "short", "people": 300, "days": 3, "budgets": 60.0}


def actions() -> np.ndarray:
    drawn = np.random.default_rng(1).uniform(0, 1, (HOURS, WORLDS, 2, 2))
    drawn[:, :, 0] *= 4
    return drawn.astype(np.float32)


def differences() -> int:
    """In how many numbers of any step the stacked worlds and the single ones differ."""
    envs = VectorBiddingEnv(WORLDS, **WORLD)
    singles = [BiddingEnv(**WORLD) for _ in range(WORLDS)]
    told = envs.reset(seed=SEED)[0]
    found = sum(int((told[i] != single.reset(seed=SEED + i)[0]).sum()) for i, single in enumerate(singles))
    earned = 0.0
    for action in actions():
        observed, reward, _, cut, info = envs.step(action)
        for i, single in enumerate(singles):
            alone = single.step(action[i])
            found += int((observed[i] != alone[0]).sum()) + (reward[i] != alone[1]) + (cut[i] != alone[3])
            found += sum(info[name][i] != value for name, value in alone[4].items())
            earned += abs(alone[1])
    assert earned > 10
    return found


def test_stacked_worlds_are_the_single_ones() -> None:
    assert differences() == 0


def test_a_dial_read_from_another_world_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted fault: every world bids by the first one's multipliers."""
    turn = Dial.turn
    monkeypatch.setattr(Dial, "turn", lambda self, multiplier: turn(self, np.repeat(multiplier[:1], len(multiplier), 0)))
    assert differences() > 100


def test_made_by_name() -> None:
    envs = gymnasium.make_vec(
        BIDDING, num_envs=2, vectorization_mode="vector_entry_point", scenario="short", people=50, days=1
    )
    assert envs.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    observed, _ = envs.reset(seed=1)
    assert observed in envs.observation_space and envs.action_space.shape == (2, 2)
    assert envs.step(envs.action_space.sample())[0] in envs.observation_space


def test_the_next_step_resets_and_passes_no_hour() -> None:
    envs = VectorBiddingEnv(2, people=50, days=1)
    envs.reset(seed=1)
    ones = np.ones((2, 2), dtype=np.float32)
    cuts = [envs.step(ones)[3].tolist() for _ in range(24)]
    assert cuts == [[False] * 2] * 23 + [[True] * 2]
    observed, reward, ended, cut, told = envs.step(ones)
    assert told["hour"].tolist() == [24, 24] and not reward.any() and not ended.any() and not cut.any()
    assert envs.step(ones)[4]["hour"].tolist() == [25, 25]
    assert np.array_equal(observed[:, :8], np.zeros((2, 8)))


def test_the_same_step_resets_and_tells_how_it_ended() -> None:
    envs = VectorBiddingEnv(2, AutoresetMode.SAME_STEP, people=50, days=1)
    waits = VectorBiddingEnv(2, AutoresetMode.DISABLED, people=50, days=1)
    ones = np.ones((2, 2), dtype=np.float32)
    for each in (envs, waits):
        each.reset(seed=1)
    for _ in range(24):
        step, plain = envs.step(ones), waits.step(ones)
    assert step[3].all() and np.array_equal(np.stack(list(step[4]["final_obs"])), plain[0])
    assert step[4]["final_info"]["hour"].tolist() == [24, 24] and (step[0][:, 11] == 0).all()
    renewed, _ = waits.reset(options={"reset_mask": np.ones(2, dtype=bool)})
    assert np.array_equal(renewed, step[0])
    assert envs.step(ones)[1].tolist() == waits.step(ones)[1].tolist()


def test_misuse_is_one_line() -> None:
    envs = VectorBiddingEnv(2, people=50, days=1)
    with pytest.raises(UsageError, match="reset the environments first"):
        envs.step(np.ones((2, 2), dtype=np.float32))
    with pytest.raises(UsageError, match=r"seeds \[4, 9\]; worlds of one pass have 2 seeds that follow"):
        envs.reset(seed=[4, 9])
    envs.reset(seed=[4, 5])
    with pytest.raises(UsageError, match="3 actions for 2 worlds"):
        envs.step(np.ones((3, 2), dtype=np.float32))
    with pytest.raises(UsageError, match="leaves worlds out"):
        envs.reset(options={"reset_mask": np.array([True, False])})
    with pytest.raises(UsageError, match="no option 'cells'"):
        VectorBiddingEnv(2, cells=2)
    with pytest.raises(UsageError, match="num_envs=0"):
        VectorBiddingEnv(0)
