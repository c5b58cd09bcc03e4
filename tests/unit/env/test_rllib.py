"""RLlib's PPO learns on our environment by its name, and its PettingZoo form plays a market: both unmodified.

RLlib pins a Gymnasium of its own (`make rllib` makes an environment for it and runs this file); elsewhere it is skipped.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

gymnasium = pytest.importorskip("gymnasium")
torch = pytest.importorskip("torch")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
rllib = pytest.importorskip("ray.rllib", reason="RLlib is not installed; next: make rllib")

import ray  # noqa: E402 - only where it is there
from ray.rllib.algorithms.ppo import PPOConfig  # noqa: E402

from gaelp_sim.env import BIDDING  # noqa: E402
from gaelp_sim.env.vector_env import VectorBiddingEnv  # noqa: E402

WORLD: dict[str, Any] = {"scenario": "short", "people": 2_000}
LEARNED_FROM, ROUNDS = 16, 3
"""Worlds, and episodes in each: people who have bought are gone, so many worlds teach more than long lives"""
HELD_OUT, FIRST_SEED, HOURS = 24, 1_000, 240
MULTIPLIER_MAX = 4.0
Act = Callable[[np.ndarray], np.ndarray]


@pytest.fixture(scope="module", autouse=True)
def one_core() -> Iterator[None]:
    """Ray on this machine alone, for the whole file."""
    ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


def profits(act: Act) -> np.ndarray:
    """What an episode earns in each held-out world, in dollars: (worlds,)."""
    envs = VectorBiddingEnv(HELD_OUT, **WORLD)
    seen, _ = envs.reset(seed=FIRST_SEED)
    earned = np.zeros(HELD_OUT)
    for _ in range(HOURS):
        seen, reward, _, _, _ = envs.step(act(seen))
        earned += reward
    return earned


def greedy(module: Any) -> Act:
    """The mean of what a module would draw, as RLlib maps it from [-1, 1] to the action space."""

    def act(seen: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            told = module.forward_inference({"obs": torch.as_tensor(seen)})["action_dist_inputs"].numpy()
        mean = told[:, : told.shape[1] // 2]
        return np.clip((mean + 1) / 2 * MULTIPLIER_MAX, 0, MULTIPLIER_MAX).astype(np.float32)

    return act


def test_ppo_earns_more_than_random(capsys: pytest.CaptureFixture[str]) -> None:
    """In the same held-out worlds, by more than the paired difference's 95 % interval."""
    algorithm = (
        PPOConfig().environment(BIDDING, env_config=WORLD)
        .env_runners(num_env_runners=0, num_envs_per_env_runner=LEARNED_FROM, rollout_fragment_length=HOURS)
        .training(train_batch_size_per_learner=HOURS * LEARNED_FROM, minibatch_size=240, num_epochs=10, lr=1e-3, gamma=0.99)
        .training(lambda_=0.95, vf_clip_param=float("inf"), vf_loss_coeff=1e-4, entropy_coeff=0.0)
        .learners(num_learners=0).debugging(seed=1, log_level="ERROR").build_algo()
    )
    for _ in range(ROUNDS):
        algorithm.train()
    learned = profits(greedy(algorithm.get_module()))
    algorithm.stop()
    rng = np.random.default_rng(1)
    chance = profits(lambda seen: rng.uniform(0, MULTIPLIER_MAX, (HELD_OUT, 2)).astype(np.float32))
    more = learned - chance
    half = 2.07 * more.std(ddof=1) / HELD_OUT**0.5  # Student's t with 23 degrees of freedom
    with capsys.disabled():
        print(f"\nRLlib {ray.__version__} PPO: ${learned.mean():,.0f} a world of 2,000 people and 10 days, random "
              f"${chance.mean():,.0f}; paired difference ${more.mean():,.0f} +- {half:,.0f} ({HELD_OUT} worlds)")
    assert more.mean() > half


def test_a_market_of_agents_trains_by_its_pettingzoo_form() -> None:
    """Two seats with a policy each, through ParallelPettingZooEnv: two rounds, and everybody's return is told."""
    pytest.importorskip("pettingzoo")
    from ray.rllib.env.wrappers.pettingzoo_env import ParallelPettingZooEnv
    from ray.tune.registry import register_env

    from gaelp_sim.env import MarketEnv

    seats = ["us", "Bark"]
    register_env("market", lambda config: ParallelPettingZooEnv(MarketEnv(**config)))
    algorithm = (
        PPOConfig().environment("market", env_config={"scenario": "short", "people": 200, "days": 2, "seats": seats})
        .multi_agent(policies=set(seats), policy_mapping_fn=lambda agent, episode, **more: agent)
        .env_runners(num_env_runners=0).learners(num_learners=0).debugging(seed=1, log_level="ERROR")
        .training(train_batch_size_per_learner=96, minibatch_size=48, num_epochs=2, vf_clip_param=float("inf")).build_algo()
    )
    for _ in range(2):
        told = algorithm.train()
    algorithm.stop()
    returns = told["env_runners"]["agent_episode_returns_mean"]
    assert sorted(returns) == sorted(seats) and all(np.isfinite(value) for value in returns.values())
