"""The bidding environment keeps Gymnasium's contract, and is the world that a run lives through."""

from __future__ import annotations

import numpy as np
import pytest

gymnasium = pytest.importorskip("gymnasium")

from gymnasium.utils.env_checker import check_env  # noqa: E402 - only where it is there

from gaelp_sim.env.bidding_env import BIDDING, MULTIPLIER_MAX, BiddingEnv, Dial  # noqa: E402
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
    made = gymnasium.make(BIDDING, scenario="short", people=50, days=1)
    assert made.reset(seed=1)[0].shape == made.observation_space.shape


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
    """A fixed action for ten days: spend and sales are those of the same world lived through by the engine alone."""
    world = BiddingEnv("short", people=300)
    world.reset(seed=4)
    steps = [world.step(np.full(2, 1.5, dtype=np.float32)) for _ in range(world.hours)]
    rule = RulePolicy.of(world.scenario)
    seed = int(gymnasium.utils.seeding.np_random(4)[0].integers(2**31))
    dial = Dial(world.scenario.us.name, rule, np.full(2, 1.5), np.zeros(2))
    shard = Shard(Task(world.scenario, seed, "rule", Place(range(1), range(1)), 0, None), us=dial)
    tables = shard.advance(world.hours)
    ours = tables["ledger"]["amount_micros"].sum() / 1e6
    sales = int((tables["conversion"]["advertiser"] == US).sum())
    assert sum(step[4]["spend_usd"] for step in steps) == pytest.approx(ours) and ours > 0
    assert sum(step[4]["sales"] for step in steps) == sales > 0
    assert sum(step[1] for step in steps) == pytest.approx(sales * 180 - ours)


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
    assert len(world.observation_names) == world.observation_space.shape[0]
