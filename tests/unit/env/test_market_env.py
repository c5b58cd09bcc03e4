"""The market environment keeps PettingZoo's contract; seats that bid their values make the scenario's own world."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("gymnasium")
pytest.importorskip("pettingzoo")

from pettingzoo.test import parallel_api_test, parallel_seed_test  # noqa: E402 - only where it is there

from gaelp_sim.env.bidding_env import BiddingEnv  # noqa: E402
from gaelp_sim.env.dials import RivalDial  # noqa: E402
from gaelp_sim.env.market_env import OURS, MarketEnv  # noqa: E402
from gaelp_sim.errors import UsageError  # noqa: E402
from gaelp_sim.scenario.loading import load_scenario  # noqa: E402
from gaelp_sim.scenario.schema import Scenario  # noqa: E402
from gaelp_sim.units import micros  # noqa: E402

ONES = np.ones(2, dtype=np.float32)


def frozen(people: int = 400) -> Scenario:
    """A world whose rivals learn nothing and have no budgets: they bid their values."""
    return load_scenario("short", [f"population.people={people}", "days=3", "rivals_learn=false"])


def lived(env: MarketEnv, multiplier: dict[str, np.ndarray], seed: int = 3) -> list[Any]:
    """Steps of an episode with fixed multipliers, 1 where none is given."""
    env.reset(seed=seed)
    steps = []
    while env.agents:
        steps.append(env.step({name: multiplier.get(name, ONES) for name in env.agents}))
    return steps


@pytest.mark.filterwarnings("ignore")
def test_pettingzoo_s_own_checks() -> None:
    parallel_api_test(MarketEnv("short", people=50, days=1), num_cycles=60)
    parallel_api_test(MarketEnv("short", people=50, days=1, seats=["Bark", OURS]), num_cycles=60)
    parallel_seed_test(lambda: MarketEnv("short", people=50, days=2), num_cycles=40)


def own_world_differs() -> bool:
    """Whether we earn otherwise among agents that bid their values than among the scenario's own rivals."""
    scenario = frozen()
    market, alone = MarketEnv(scenario), BiddingEnv(scenario)
    alone.reset(seed=3)
    ours = [step[1][OURS] for step in lived(market, {})]
    assert any(ours) and len(ours) == 72
    return ours != [alone.step(ONES)[1] for _ in ours]


def test_seats_that_bid_their_values_are_the_scenario_s_rivals() -> None:
    assert not own_world_differs()


def test_a_seat_with_another_s_luck_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted fault: values drawn in reverse order."""
    bid = RivalDial.bid

    def reversed_luck(self: RivalDial, opportunities: Any, moment: Any) -> Any:
        moment.luck[:] = moment.luck[::-1].copy()
        return bid(self, opportunities, moment)

    monkeypatch.setattr(RivalDial, "bid", reversed_luck)
    assert own_world_differs()


def test_rivals_earn_their_wins_less_their_spend() -> None:
    """Rewards and spend against the auctions themselves, and a value no larger than any that the seat may draw."""
    env = MarketEnv(frozen(2_000))
    steps = lived(env, {OURS: 0 * ONES, "Bark": 2 * ONES})
    assert env._worlds is not None and env._worlds.shard.own is not None
    spent = {name: sum(step[4][name]["spend_usd"] for step in steps) for name in env.possible_agents}
    value = {name: sum(step[1][name] for step in steps) + spent[name] for name in env.possible_agents}
    rivals = [name for name in env.possible_agents if name != OURS]
    assert all(spent[name] > 0 and value[name] > 0 for name in rivals)
    # Second price: whoever bids the value never pays more than it on the whole; twice the value may.
    assert all(value[name] > spent[name] for name in rivals if name != "Bark")
    margin = {name: value[name] / spent[name] for name in rivals}
    assert margin["Bark"] < min(margin[name] for name in rivals if name not in ("Bark", "Norton"))


def test_a_value_is_a_click_s_or_a_thousandth() -> None:
    """By hand: in search a win is worth its value where it is clicked, in social a thousandth whether or not."""
    env = MarketEnv(frozen(2_000), seats=["Circle"])
    env.reset(seed=3)
    worlds = env._worlds
    assert worlds is not None
    seen: dict[str, Any] = {}
    takings, dial = worlds._takings, worlds.dials[3]
    assert isinstance(dial, RivalDial)

    def kept(tables: Any, code: int) -> Any:
        seen.update(tables)
        return takings(tables, code)

    worlds._takings = kept  # type: ignore[method-assign]
    checked = 0
    while env.agents:
        seen.clear()
        reward = env.step({"Circle": 4 * ONES})[1]["Circle"]
        if not dial.values:
            assert reward == 0
            continue
        won = seen["outcome"]
        value = np.concatenate([value for _, value in dial.values])
        expected = 0.0
        for channel, advertiser, clicked, charge, worth in zip(
            won["channel"], won["advertiser"], won["clicked"], won["charge_micros"], value, strict=True
        ):
            if advertiser == 3:
                expected += (worth * clicked if channel == 0 else worth / 1000) - charge
                checked += 1
        assert reward == pytest.approx(expected / 1e6, abs=1e-9)
    assert checked > 50


def test_seats_of_nobody_bid_as_the_scenario_says() -> None:
    """With us alone it is the bidding environment; without us, the rule bids for us."""
    scenario = load_scenario("short", ["population.people=300", "days=2"])
    alone = BiddingEnv(scenario)
    alone.reset(seed=3)
    steps = lived(MarketEnv(scenario, seats=[OURS]), {})
    assert [step[1][OURS] for step in steps] == [alone.step(ONES)[1] for _ in steps]
    without = MarketEnv(scenario, seats=["Norton"])
    lived(without, {})
    assert without._worlds is not None and without._worlds.shard.own is not None
    assert without._worlds.shard.own.controller.spent_total_micros[0] > micros(0.1)


def test_an_episode_is_cut_and_the_world_goes_on() -> None:
    env = MarketEnv("short", people=50, days=1)
    steps = lived(env, {})
    assert all(not any(step[2].values()) for step in steps) and all(steps[-1][3].values()) and env.agents == []
    with pytest.raises(UsageError, match="no episode goes on"):
        env.step({})
    assert env.reset()[1][OURS]["hour"] == 24
    assert env.reset(options={"reborn": True})[1]["Bark"]["hour"] == 0


def test_misuse_is_one_line() -> None:
    with pytest.raises(UsageError, match="short has us, Qustodio, Bark, Circle, Norton, Net Nanny; name one or more"):
        MarketEnv("short", seats=["Bark", "Bark"])
    env = MarketEnv("short", people=50)
    env.reset(seed=1)
    with pytest.raises(UsageError, match="no action of 'Qustodio'"):
        env.step({OURS: ONES})
    with pytest.raises(UsageError, match="2 multipliers from 0 to 4 are needed"):
        env.step(dict.fromkeys(env.agents, np.ones(3)))
