"""Our world in RecSim's form is the real engine: the same rows as a run, ids instead of live objects, plain errors."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from gaelp_sim.env.episode import Episode, Step
from gaelp_sim.env.recsim_env import RecSimEnv, RecSimGymnasiumEnv, RecSimMultiUserEnv, candidates_of, clicks
from gaelp_sim.env.seat import Seat
from gaelp_sim.errors import UsageError
from gaelp_sim.events import US
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import HOURS_PER_DAY, from_micros
from gaelp_sim.world.shard import Shard, Task
from gaelp_sim.world.stack import Place

USERS = 60
SEARCH_OFFER, SOCIAL_TEACH = 1, 2


def lively(*settings: str, user_model: str = "null") -> Scenario:
    """A small world in which much is on offer."""
    small = [f"population.people={USERS}", "days=3", f"population.user_model={user_model}"]
    scenario = load_scenario("short", [*small, *settings])
    channels = []
    for channel in scenario.channels:
        rates = channel.opportunities_per_day.model_copy(update=dict.fromkeys(("unaware", "aware", "considering"), 3.0))
        channels.append(channel.model_copy(update={"opportunities_per_day": rates}))
    return scenario.model_copy(update={"channels": channels})


def played(env: RecSimMultiUserEnv, slate: list[int]) -> list[Any]:
    """(observation, reward, done, ids) of every step with one slate for everybody."""
    env.reset()
    told = []
    while not told or not told[-1][2]:
        told.append(env.step([slate] * USERS))
    return told


def seen(told: list[Any], what: str) -> int:
    """How often a response says so."""
    return sum(part[what] for step in told for user in step[0]["response"] if user for part in user)


def test_it_is_the_real_engine() -> None:
    """Spend, clicks and sales over an episode are those of a plain run with the same bidder."""
    env = RecSimMultiUserEnv(lively(), bid_multiple=1.45)
    told = played(env, [SEARCH_OFFER, SOCIAL_TEACH])
    seat = Seat.of(env.scenario, np.arange(USERS), 1.45)
    for number in (SEARCH_OFFER, SOCIAL_TEACH):
        seat.creative[:, env.candidates[number].channel] = env.candidates[number].creative
    shard = Shard(Task(env.scenario, env.seed, "rule", Place(range(1), range(1)), 0, None), us=seat)
    rows = [shard.advance(day * HOURS_PER_DAY) for day in (1, 2, 3)]
    spent = sum(from_micros(int(tables["ledger"]["amount_micros"].sum())) for tables in rows)
    touches = [tables["touchpoint"] for tables in rows]
    clicked = sum(int(t["clicked"][(t["advertiser"] == US) & (t["kind"] == 0)].sum()) for t in touches)
    shown = sum(int(((t["advertiser"] == US) & (t["kind"] == 0)).sum()) for t in touches)
    sales = sum(int((tables["conversion"]["advertiser"] == US).sum()) for tables in rows if "conversion" in tables)
    assert spent > 1 and shown > 100 and clicked > 3
    assert (seen(told, "shown"), seen(told, "clicked")) == (shown, clicked)
    assert sum(step[1] for step in told) == pytest.approx(180 * sales - spent)


def test_the_same_again() -> None:
    first, again = (played(RecSimMultiUserEnv(lively()), [SEARCH_OFFER]) for _ in range(2))
    assert [step[1:] for step in first] == [step[1:] for step in again]
    assert all(np.array_equal(a[0]["user"], b[0]["user"]) for a, b in zip(first, again, strict=True))


def test_whoever_loses_the_auction_gets_no_click() -> None:
    """A slate of nothing wins nothing; a lost auction is an opportunity that was met, not shown and not clicked."""
    env = RecSimMultiUserEnv(lively("email=null"), bid_multiple=0.7)
    nothing = played(env, [])
    assert sum(step[1] for step in nothing) % 180 == 0 and seen(nothing, "shown") == 0
    told = played(env, [SEARCH_OFFER, SOCIAL_TEACH])
    met = sum(user is not None for step in told for user in step[0]["response"])
    assert met > 2 * seen(told, "shown") > 0
    lost = Step(env.candidates[:1], met=True, clicked=True, dwell=3.0)
    assert lost.responses() == [{"shown": 0, "clicked": 0, "dwell": 0.0}]


def test_observations_and_ids_are_plain() -> None:
    """41 features a user, ones for channel and creative a document; ids, never the live world."""
    env = RecSimMultiUserEnv(lively())
    (first, *_, (last, _, done, ids)) = [(env.reset(), 0.0, False, {}), *played(env, [SEARCH_OFFER, SOCIAL_TEACH])]
    assert len(first[0]["user"]) == USERS and not np.any(first[0]["user"])
    assert np.any(last["user"]) and last["user"][0].shape == (41,)
    assert {name: document.tolist() for name, document in last["doc"].items()} == {
        "0": [1, 0, 1, 0], "1": [1, 0, 0, 1], "2": [0, 1, 1, 0], "3": [0, 1, 0, 1],
    }
    assert done and json.loads(json.dumps(ids))["hour"] == 72
    assert set(ids) == {"seed", "world_id", "person_id", "resolved_user_id", "hour"}


def test_one_user_at_a_time() -> None:
    """Each reset is another person in another world; steps end at the user's opportunities."""
    env = RecSimEnv(lively(), reward=clicks)
    people, worlds, steps = [], [], 0
    for _ in range(3):
        observation, done = env.reset(), False
        assert observation["response"] is None and observation["user"].shape == (41,)
        while not done:
            observation, reward, done, ids = env.step([SEARCH_OFFER, SOCIAL_TEACH])
            assert reward == sum(part["clicked"] for part in observation["response"])
            steps += 1
        people.append(ids["person_id"])
        worlds.append(ids["world_id"])
    assert people == worlds == [0, 1, 2] and steps > 8


def test_gymnasium_s_signatures() -> None:
    env = RecSimGymnasiumEnv(lively())
    observation, ids = env.reset(seed=5)
    assert ids["seed"] == 5 and ids["world_id"] == 0 and ids["resolved_user_id"] == -1
    ended = cut = False
    while not (ended or cut):
        observation, reward, ended, cut, ids = env.step([SEARCH_OFFER])
        assert isinstance(reward, float) and not (ended and cut)
    assert set(observation) == {"user", "doc", "response"}
    again, _ = env.reset(seed=5)
    assert not again["user"].any()


def test_an_outside_user_model_tells_how_long_they_stay() -> None:
    scenario = lively(user_model="gaelp_sim.recsim.interests:InterestEvolution")
    told = played(RecSimMultiUserEnv(scenario, bid_multiple=2.0), [SEARCH_OFFER, SOCIAL_TEACH])
    assert seen(told, "dwell") == pytest.approx(4.0 * seen(told, "clicked")) and seen(told, "clicked") > 10


@pytest.mark.parametrize(("slate", "told"), [
    ([0, 1], r"slate \[0, 1\] has two documents of one channel"), ([9], r"slate \[9\]: no document 9; there are 0 to 3"),
    ([-1], "no document -1"),
])
def test_a_wrong_slate_is_refused(slate: list[int], told: str) -> None:
    env = RecSimEnv(lively())
    with pytest.raises(UsageError, match="call reset"):
        env.step([])
    env.reset()
    with pytest.raises(UsageError, match=told):
        env.step(slate)


def test_the_end_and_wrong_counts_are_refused() -> None:
    env = RecSimMultiUserEnv(lively(), users=2)
    env.reset()
    with pytest.raises(UsageError, match="3 slates for 2 users"):
        env.step([[0], [0], [0]])
    done = False
    while not done:
        done = env.step([[0], [0]])[2]
    with pytest.raises(UsageError, match="the episode is over"):
        env.step([[0], [0]])
    with pytest.raises(UsageError, match="0 users; the scenario has 60 people"):
        RecSimMultiUserEnv(lively(), users=0)


def test_candidates_are_what_the_campaigns_may_show() -> None:
    scenario = load_scenario("parental_controls")
    found = [(document.channel, document.creative) for document in candidates_of(scenario)]
    assert len(found) == sum(len(campaign.creatives) for campaign in scenario.us.campaigns)
    assert (0, 3) in found and (1, 3) not in found


def test_a_neighbour_taken_for_a_user_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted fault: rows of the next person are read."""
    honest = played(RecSimMultiUserEnv(lively()), [SEARCH_OFFER])
    take_in = Episode._take_in

    def shifted(self: Episode, steps: list[Step], tables: Any) -> None:
        for table in ("ledger", "decision"):
            if table in tables:
                tables[table]["person_id"] = (tables[table]["person_id"] + 1) % USERS
        take_in(self, steps, tables)

    monkeypatch.setattr(Episode, "_take_in", shifted)
    faulty = played(RecSimMultiUserEnv(lively()), [SEARCH_OFFER])
    assert not all(np.array_equal(a[0]["user"], b[0]["user"]) for a, b in zip(honest, faulty, strict=True))
