"""The journey environment keeps Gymnasium's contract, and its observations and money are the engine's own rows."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

gymnasium = pytest.importorskip("gymnasium")

from gymnasium.utils.env_checker import check_env  # noqa: E402 - only where it is there

from gaelp_sim.env import JOURNEY  # noqa: E402
from gaelp_sim.env.journey_env import JourneyEnv  # noqa: E402
from gaelp_sim.env.journey_seat import JourneySeat, Met  # noqa: E402
from gaelp_sim.errors import UsageError  # noqa: E402
from gaelp_sim.events import US  # noqa: E402
from gaelp_sim.market.rule_policy import RulePolicy  # noqa: E402
from gaelp_sim.observe.table import COLUMN  # noqa: E402
from gaelp_sim.scenario.loading import load_scenario  # noqa: E402
from gaelp_sim.scenario.schema import Scenario  # noqa: E402
from gaelp_sim.world.log import Log  # noqa: E402
from gaelp_sim.world.shard import Shard, Task  # noqa: E402
from gaelp_sim.world.stack import Place  # noqa: E402

PEOPLE, DAYS = 60, 3
STAGES = ("unaware", "aware", "considering", "intent")


def lively(*settings: str) -> Scenario:
    """A small world in which people meet several opportunities an hour, and click and buy often."""
    small = [f"population.people={PEOPLE}", f"days={DAYS}", "population.opportunities_per_hour_max=4"]
    scenario = load_scenario("short", [*small, *settings])
    channels = []
    for channel in scenario.channels:
        rates = channel.opportunities_per_day.model_copy(update=dict.fromkeys(STAGES, 15.0))
        clicks = channel.click_rate.model_copy(update=dict.fromkeys(STAGES, 0.04))
        channels.append(channel.model_copy(update={"opportunities_per_day": rates, "click_rate": clicks}))
    people = scenario.population
    segments = [
        segment.model_copy(update={"start": people.segments[0].start, "purchase_per_click": 0.9})
        for segment in people.segments
    ]
    population = people.model_copy(update={"segments": segments})
    return scenario.model_copy(update={"channels": channels, "population": population})


@dataclass
class Played:
    """A journey as its agent saw it."""

    observations: list[np.ndarray]
    actions: list[int]
    rewards_micros: list[int]
    infos: list[dict[str, Any]]
    """At each opportunity, and at the end"""
    bought: bool


def play(env: JourneyEnv, seed: int, person: int, high: bool = True) -> Played:
    """Actions drawn evenly among those that are allowed."""
    rng = np.random.default_rng(seed)
    seen, info = env.reset(seed=seed, options={"person": person})
    told = Played([], [], [], [info], False)
    over = False
    while not over:
        allowed = np.flatnonzero(info["action_mask"])
        action = int(rng.choice(allowed[allowed % 15 > 6] if high else allowed))
        told.observations.append(seen)
        told.actions.append(action)
        seen, reward, ended, cut, info = env.step(np.int64(action))
        told.rewards_micros.append(round(reward * 1e6))
        told.infos.append(info)
        over, told.bought = ended or cut, ended
        assert not (ended and cut)
    return told


def lived(env: JourneyEnv, told: Played, seed: int, person: int) -> dict[str, Any]:
    """The rows of the same world, lived through by the engine alone with these actions."""
    actions = iter(told.actions)
    scenario = env.setting.scenario.model_copy(update={"log": "all"})
    seat = JourneySeat(RulePolicy.of(scenario), env.actions, person, False, lambda met: next(actions))
    shard = Shard(Task(scenario, scenario.seed, "rule", Place(range(seed, seed + 1), range(1)), 0, None), us=seat)
    seat.stack = shard.stack
    return shard.advance(DAYS * 24)


@pytest.mark.parametrize("identity", ["devices", "perfect"])
def test_observations_and_rewards_are_the_engine_s_rows(identity: str) -> None:
    """Step by step: features, levels and charges of the logged decisions; the sale's value in the last step."""
    env, sales, together = JourneyEnv(lively(f"identity.mode={identity}")), 0, 0
    for person in range(12):
        told = play(env, 3, person)
        rows = lived(env, told, 3, person)
        users = {info["resolved_user_id"] for info in told.infos}
        decided = rows["decision"]
        own = np.flatnonzero(np.isin(decided["resolved_user_id"], sorted(users)) & (decided["person_id"] == person))
        own = own[np.lexsort((decided["round"][own], decided["occurred_s"][own]))][: len(told.actions)]
        assert np.array_equal(decided["features"][own], np.stack(told.observations))
        assert decided["level"][own].tolist() == env.actions.level(np.array(told.actions)).tolist()
        sold = rows["conversion"] if "conversion" in rows else {}
        value = int(sold["value_micros"][(sold["person_id"] == person) & (sold["advertiser"] == US)].sum()) if sold else 0
        expected = -decided["charge_micros"][own]
        expected[-1] += value
        assert told.rewards_micros == expected.tolist()
        sales += value > 0
        together += sum(a["hour"] == b["hour"] for a, b in zip(told.infos, told.infos[1:-1], strict=False))
    assert sales > 0 and together > 20


def test_money_told_only_by_whole_hours_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted fault: what was spent in the present hour is not looked at."""
    env = JourneyEnv(lively())
    honest = [play(env, 3, person).rewards_micros for person in range(4)]
    monkeypatch.setattr(Log, "so_far", lambda self, table: {})
    faulty = [play(env, 3, person).rewards_micros for person in range(4)]
    assert honest != faulty
    assert [sum(rewards) for rewards in honest] == [sum(rewards) for rewards in faulty]


def test_it_ends_with_the_sale_or_is_cut_by_the_days() -> None:
    env = JourneyEnv(lively())
    stories = [play(env, 5, person) for person in range(15)]
    assert {story.bought for story in stories} == {False, True}
    for story in stories:
        assert story.bought or not story.infos[-1]["value_usd"]
        assert story.infos[-1]["action_mask"].sum() == 1
    with pytest.raises(UsageError, match="no journey goes on"):
        env.step(np.int64(0))


def test_the_same_seed_is_the_same_journey() -> None:
    first, again = (play(JourneyEnv(lively()), 9, 4, high=False) for _ in range(2))
    assert first.rewards_micros == again.rewards_micros and first.actions == again.actions
    assert np.array_equal(np.stack(first.observations), np.stack(again.observations))
    env = JourneyEnv(lively())
    people = [env.reset(seed=seed)[1]["person_id"] for seed in range(8)]
    assert len(set(people)) > 3
    env.close()


def test_what_is_not_allowed_stays_out() -> None:
    """A channel without a campaign of ours allows only staying out, and anything else comes to that."""
    scenario = lively("identity.mode=perfect")
    us = scenario.us.model_copy(update={"campaigns": scenario.us.campaigns[:1]})
    env = JourneyEnv(scenario.model_copy(update={"us": us}))
    seen, info = env.reset(seed=3, options={"person": 0})
    social, over = 0, False
    while not over:
        if seen[COLUMN["channel"]] == 2:
            assert info["action_mask"].tolist() == [1] + [0] * (env.actions.count - 1)
            assert env.action_masks().tolist() == [True] + [False] * (env.actions.count - 1)
            social += 1
        seen, reward, ended, cut, info = env.step(np.int64(15 if seen[COLUMN["channel"]] == 2 else 0))
        over = ended or cut
        assert reward == 0 or ended
    assert social > 3


def test_the_truth_is_told_in_full_alone() -> None:
    """Full and observed agree where nothing is latent; the true stage is one of four."""
    observed, full = (JourneyEnv(lively(), features=mode) for mode in ("observed", "full"))
    pairs = [(env.reset(seed=3, options={"person": 2})[0]) for env in (observed, full)]
    stages = [COLUMN[f"stage_{name}"] for name in STAGES]
    assert sorted(pairs[1][stages].tolist()) == [0, 0, 0, 1] and 0 < pairs[0][stages].max() < 1
    same = [COLUMN[name] for name in ("channel", "signal", "hour_sin", "impressions", "daily_remaining_usd")]
    assert np.array_equal(pairs[0][same], pairs[1][same])


def test_everybody_else_is_bid_for_by_the_policy() -> None:
    """Under the silent policy nothing is spent on others, under the rule something is."""
    spent = []
    for policy in ("silent", "rule"):
        env = JourneyEnv(lively(), policy=policy)
        env.reset(seed=3, options={"person": 0})
        while not (step := env.step(np.int64(0)))[2] and not step[3]:
            pass
        assert env._journey is not None and env._journey.shard.own is not None
        spent.append(int(env._journey.shard.own.controller.spent_total_micros[0]))
    assert spent[0] == 0 and spent[1] > 1_000_000


@pytest.mark.filterwarnings("ignore:.*:UserWarning")
def test_gymnasium_s_own_checks() -> None:
    check_env(JourneyEnv(lively()), skip_render_check=True)
    made = gymnasium.make(JOURNEY, scenario="short", people=50)
    assert made.reset(seed=1)[0] in made.observation_space


def test_stable_baselines_own_checks() -> None:
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    checker.check_env(JourneyEnv(lively()))


def test_no_world_is_left_behind() -> None:
    """An environment that is reset, closed or forgotten in mid-journey stops its engine."""
    before = threading.active_count()
    env = JourneyEnv(lively())
    for seed in range(3):
        env.reset(seed=seed)
    assert threading.active_count() == before + 1
    env.close()
    forgotten = JourneyEnv(lively())
    forgotten.reset(seed=1)
    del forgotten
    assert threading.active_count() == before


def test_who_is_never_met_gives_way_to_one_who_is() -> None:
    """People are drawn evenly, and where nothing happens to them evenly among those whom the same world's auctions met."""
    env = JourneyEnv("short", people=30, days=2)
    people = [env.reset(seed=4)[1]["person_id"]]
    people += [env.reset(seed=4)[1]["person_id"] for _ in range(2)]
    assert len(set(people)) == 1
    met = 0
    for person in range(30):
        try:
            env.reset(seed=4, options={"person": person})
            met += 1
        except UsageError:
            assert person != people[0]
    assert 0 < met < 25


def test_what_the_engine_raises_reaches_the_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    env = JourneyEnv(lively())
    env.reset(seed=3, options={"person": 0})

    def broken(self: JourneySeat, *_: Any) -> Met:
        raise UsageError("planted")

    monkeypatch.setattr(JourneySeat, "_asked", broken)
    with pytest.raises(UsageError, match="planted"):
        for _ in range(100):
            env.step(np.int64(0))


def test_misuse_is_one_line() -> None:
    env = JourneyEnv("short", people=50)
    with pytest.raises(UsageError, match="reset the environment first"):
        env.step(np.int64(0))
    with pytest.raises(UsageError, match="person 50; there are 0 to 49"):
        env.reset(seed=1, options={"person": 50})
    with pytest.raises(UsageError, match="no option 'people'"):
        env.reset(seed=1, options={"people": 3})
    env.reset(seed=1)
    with pytest.raises(UsageError, match="there are 0 to 30"):
        env.step(np.int64(31))
    for options, told in (({"features": "all"}, "features='all': not a mode"), ({"policy": "a:B"}, "from outside")):
        with pytest.raises(UsageError, match=told):
            JourneyEnv("short", **options)
    quiet = load_scenario("short", ["population.people=20", "days=1"])
    none = quiet.model_copy(update={"channels": [
        channel.model_copy(update={"opportunities_per_day": channel.opportunities_per_day.model_copy(
            update=dict.fromkeys(STAGES, 1e-9)
        )}) for channel in quiet.channels
    ]})
    with pytest.raises(UsageError, match="person 3 of world 1 never met an opportunity in 24 hours"):
        JourneyEnv(none).reset(seed=1, options={"person": 3})
