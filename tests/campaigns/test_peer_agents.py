"""Other people's agents learn on our environment, unmodified (the extra [rl])."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("gymnasium")
stable_baselines3 = pytest.importorskip("stable_baselines3")
sb3_contrib = pytest.importorskip("sb3_contrib")

from gymnasium.wrappers import NormalizeReward, RescaleAction  # noqa: E402 - only where they are there
from stable_baselines3.common.env_checker import check_env  # noqa: E402
from stable_baselines3.common.vec_env import DummyVecEnv  # noqa: E402

from gaelp_sim.env.bidding_env import BiddingEnv  # noqa: E402

WORLDS, STEPS = 4, 20_000


def _env(seed: int) -> RescaleAction:
    world = BiddingEnv("short", people=2_000, days=10)
    world.reset(seed=seed)
    return RescaleAction(world, np.float32(-1), np.float32(1))


def _profit(act: object, seeds: range) -> float:
    """Mean profit of an episode in new worlds."""
    total = 0.0
    for seed in seeds:
        env = _env(seed)
        observation, _ = env.reset(seed=seed)
        state, begins, over = None, np.ones(1, dtype=bool), False
        while not over:
            action, state = act(observation, state, begins, env)  # type: ignore[operator]
            observation, reward, _, over, _ = env.step(action)
            begins = np.zeros(1, dtype=bool)
            total += reward
    return total / len(seeds)


@pytest.mark.campaign
@pytest.mark.parametrize("name", ["PPO", "RecurrentPPO"])
def test_a_peer_s_agent_beats_random(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Twenty thousand hours of `short` are enough to earn more than random multipliers do."""
    check_env(_env(0))
    made, kind = (
        (stable_baselines3.PPO, "MlpPolicy") if name == "PPO" else (sb3_contrib.RecurrentPPO, "MlpLstmPolicy")
    )
    envs = DummyVecEnv([lambda seed=seed: NormalizeReward(_env(seed)) for seed in range(WORLDS)])
    agent = made(kind, envs, n_steps=240, batch_size=240, seed=1, device="cpu", ent_coef=0.0, learning_rate=1e-3)
    agent.learn(STEPS)
    learned = _profit(
        lambda seen, state, begins, env: agent.predict(seen, state, begins, deterministic=True), range(100, 108)
    )
    rng = np.random.default_rng(1)
    chance = _profit(lambda seen, state, begins, env: (rng.uniform(-1, 1, 2).astype(np.float32), None), range(100, 108))
    with capsys.disabled():
        print(f"\n{name}: {learned:,.0f} a world of 2,000 people and 10 days, random {chance:,.0f}")
    assert learned > chance
