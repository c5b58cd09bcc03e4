"""The bidding environment keeps Gymnasium's contract, and is the world that a run lives through."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

gymnasium = pytest.importorskip("gymnasium")

from gymnasium.utils.env_checker import check_env  # noqa: E402 - only where it is there

from gaelp_sim.env import BIDDING  # noqa: E402
from gaelp_sim.env.bidding_env import BiddingEnv  # noqa: E402
from gaelp_sim.env.dials import MULTIPLIER_MAX, Dial  # noqa: E402
from gaelp_sim.errors import UsageError  # noqa: E402
from gaelp_sim.events import US  # noqa: E402
from gaelp_sim.market.rule_policy import RulePolicy  # noqa: E402
from gaelp_sim.world.shard import Shard, Task  # noqa: E402
from gaelp_sim.world.stack import Place  # noqa: E402


def env() -> BiddingEnv:
    return BiddingEnv("short", people=120, days=2)


@pytest.mark.filterwarnings("ignore:.*:UserWarning")
def test_gymnasium_s_own_checks() -> None:
    check_env(env(), skip_render_check=True)
    check_env(BiddingEnv("short", people=50, days=1, budgets=50.0), skip_render_check=True)
    made = gymnasium.make(BIDDING, scenario="short", people=50, days=1)
    assert made.reset(seed=1)[0].shape == made.observation_space.shape


def test_stable_baselines_own_checks() -> None:
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    checker.check_env(gymnasium.wrappers.RescaleAction(env(), np.float32(-1), np.float32(1)))


def test_an_episode_ends_by_truncation_and_the_world_goes_on() -> None:
    """Two days are 48 steps; the next episode begins where this one ended, a reborn world at hour 0."""
    world = env()
    world.reset(seed=2)
    ends = [world.step(np.ones(world.channels, dtype=np.float32))[2:4] for _ in range(48)]
    assert ends == [(False, False)] * 47 + [(False, True)]
    _, told = world.reset()
    assert told["hour"] == 48
    _, told = world.reset(options={"reborn": True})
    assert told["hour"] == 0


def test_the_same_seed_is_the_same_world() -> None:
    actions = np.random.default_rng(1).uniform(0, 2, (30, 2)).astype(np.float32)
    stories = []
    for _ in range(2):
        world = env()
        world.reset(seed=9)
        stories.append([(step[0].tolist(), step[1]) for step in map(world.step, actions)])
    assert stories[0] == stories[1]
    other = env()
    other.reset(seed=10)
    assert [other.step(action)[1] for action in actions] != [reward for _, reward in stories[0]]


def test_rewards_are_the_run_s_own_money() -> None:
    """Ten days of one action: spend and sales are those of that world of a run, lived through by the engine alone."""
    world = BiddingEnv("short", people=300)
    world.reset(seed=7)
    steps = [world.step(np.full(2, 1.5, dtype=np.float32)) for _ in range(world.hours)]
    rule = RulePolicy.of(world.scenario)
    dial = Dial(world.scenario.us.name, rule, np.full((1, 2), 1.5), np.zeros((1, 2)))
    place = Place(range(7, 8), range(1))
    shard = Shard(Task(world.scenario, world.scenario.seed, "rule", place, 0, None), us=dial)
    tables = shard.advance(world.hours)
    ours = int(tables["ledger"]["amount_micros"].sum())
    sales = int((tables["conversion"]["advertiser"] == US).sum())
    assert sum(round(step[4]["spend_usd"] * 1e6) for step in steps) == ours > 0
    assert sum(step[4]["sales"] for step in steps) == sales > 0
    assert sum(round(step[1] * 1e6) for step in steps) == sales * 180_000_000 - ours


def test_budgets_of_channels_bind_to_the_micro() -> None:
    """No channel spends more than its share of the day's budget, and all together no more than the budget."""
    world = BiddingEnv("short", people=2_000, days=2, budgets=40.0)
    world.reset(seed=1)
    search, social = (np.array([[4, 4], share], dtype=np.float32) for share in ([0.25, 0.0], [1.0, 1.0]))
    before = [world.step(search) for _ in range(24)]
    spent = _spent(before)
    assert 5 < spent[0] <= 10 and spent[1] == 0
    after = [world.step(social) for _ in range(24)]
    assert 30 < _spent(after).sum() <= 40 and (_spent(after) > 0).all()


def test_a_channel_that_ran_out_bids_again_with_more() -> None:
    world = BiddingEnv("short", people=2_000, days=1, budgets=100.0)
    world.reset(seed=1)
    little, much = (np.array([[4, 4], [share, 0]], dtype=np.float32) for share in (0.02, 1.0))
    for _ in range(16):
        world.step(little)
    assert sum(world.step(much)[4]["spend_usd"] for _ in range(8)) > 5


def _spent(steps: list[Any]) -> np.ndarray:
    """Dollars by channel, from the observations."""
    return sum(np.expm1(step[0][:8].reshape(2, 4)[:, 3].astype(float)) for step in steps)  # type: ignore[return-value]


def test_nothing_is_bid_at_zero() -> None:
    world = env()
    world.reset(seed=1)
    assert all(world.step(np.zeros(2, dtype=np.float32))[4]["spend_usd"] == 0 for _ in range(48))


def test_misuse_is_one_line() -> None:
    world = env()
    with pytest.raises(UsageError, match="reset the environment first"):
        world.step(np.ones(2, dtype=np.float32))
    world.reset(seed=1)
    with pytest.raises(UsageError, match=f"2 multipliers from 0 to {MULTIPLIER_MAX:g}"):
        world.step(np.ones(3, dtype=np.float32))
    with pytest.raises(UsageError, match="no option 'fresh'"):
        world.reset(options={"fresh": 1})
    with pytest.raises(UsageError, match="one world of one cell"):
        BiddingEnv("randomised")
    with pytest.raises(UsageError, match="short: budgets=True, but it has no daily budget"):
        BiddingEnv("short", budgets=True)
    with pytest.raises(UsageError, match="budgets=-1: not a daily budget"):
        BiddingEnv("short", budgets=-1)
    with pytest.raises(UsageError, match="days=0; an episode has one day"):
        BiddingEnv("short", days=0)
    shared = BiddingEnv("short", people=50, budgets=50.0)
    shared.reset(seed=1)
    with pytest.raises(UsageError, match="2 shares of the daily budget from 0 to 1"):
        shared.step(np.ones(2, dtype=np.float32))
    assert len(world.observation_names) == world.observation_space.shape[0]
