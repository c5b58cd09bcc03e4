"""The learned policy: batched equals one by one, memory is each user's own, propensities are exact, latents are not
seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gaelp_sim.draws import Draws
from gaelp_sim.events import Opportunities
from gaelp_sim.market.bidder import Known, Moment, Truth
from gaelp_sim.observe.table import HIGH, LOW
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import PPM

torch = pytest.importorskip("torch")

from gaelp_sim.learn.network import JourneyNet, Shape  # noqa: E402
from gaelp_sim.learn.policy import LearnedPolicy  # noqa: E402
from gaelp_sim.market.actions import BIDS, LEVELS, Actions  # noqa: E402 - only where torch is there

CLOSE = 1e-6


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return load_scenario("short")


@pytest.fixture
def policy(scenario: Scenario) -> LearnedPolicy:
    """A network that is far from uniform, so that errors show."""
    torch.manual_seed(3)
    actions = Actions.of(scenario)
    net = JourneyNet(Shape(actions.count, actions.creatives, hidden=16, encoder=16))
    with torch.no_grad():
        for weights in net.parameters():
            weights.mul_(3.0)
    return LearnedPolicy.of(scenario, net)


def seen(scenario: Scenario, users: int, rng: np.random.Generator, second: int) -> tuple[Opportunities, Moment, np.ndarray]:
    """A round in which each user meets something."""
    channels = len(scenario.channels)
    channel = rng.integers(0, channels, users).astype(np.int16)
    firsts = np.cumsum([0, *(len(one.signals) for one in scenario.channels)])[:-1]
    zero = np.zeros(users, dtype=np.int64)
    told = {
        "row": np.arange(users), "unit": zero, "second": np.full(users, second), "channel": channel,
        "signal": firsts[channel].astype(np.int16), "device": zero.astype(np.int8),
    }
    names = Opportunities.__annotations__
    opportunities = Opportunities(**{name: told.get(name, zero) for name in names})
    everything = np.full((1, channels), PPM)
    moment = Moment(
        second // 3600, 12, np.ones(1), rng.integers(0, 2**32, users, dtype=np.uint32), np.zeros(users, dtype=bool),
        everything, everything,
    )
    observation = (LOW + (HIGH - LOW) * rng.random((users, 41)) ** 3).astype(np.float32)
    return opportunities, moment, observation


def known(policy: LearnedPolicy, notes: np.ndarray, observation: np.ndarray, truth: Truth | None = None) -> Known:
    users = len(observation)
    return Known(np.arange(users), np.zeros(users, dtype=bool), notes, truth, observation)


def test_actions_are_numbered_both_ways(scenario: Scenario) -> None:
    """Level and creative of an action name it again; a bid is the level's multiple of the market's price."""
    actions = Actions.of(scenario)
    every = np.arange(actions.count)
    assert (actions.number(actions.level(every), actions.creative(every)) == every).all()
    assert actions.count == 1 + BIDS * len(scenario.creatives)
    bids = actions.bid_micros(every, np.zeros(len(every), dtype=np.int64))
    assert bids[0] == 0 and bids[BIDS] == round(LEVELS[-1] * actions.price_micros[0])


def test_batched_equals_step_by_step(policy: LearnedPolicy, scenario: Scenario) -> None:
    """Five rounds for twenty users at once, for each user alone, and along whole journeys: the same."""
    rng = np.random.default_rng(1)
    rounds = [seen(scenario, 20, rng, 3600 * 24 * day + 7) for day in range(5)]
    notes = np.zeros((20, policy.notes), dtype=np.float32)
    chances = []
    for opportunities, moment, observation in rounds:
        chances.append(policy.decide(opportunities, moment, known(policy, notes, observation)).chances)
    for user in (0, 7, 19):
        alone = np.zeros((1, policy.notes), dtype=np.float32)
        for place, (opportunities, moment, observation) in enumerate(rounds):
            one = Opportunities(**opportunities.take(np.array([user])))
            few = replace(moment, luck=moment.luck[[user]], returning=moment.returning[[user]])
            decided = policy.decide(one, few, known(policy, alone, observation[[user]]))
            assert decided.chances[0] == pytest.approx(chances[place][user], abs=CLOSE)
    along = _along(policy, scenario, rounds)
    assert np.abs(along - np.stack(chances, axis=1)).max() < 2e-6


def _along(policy: LearnedPolicy, scenario: Scenario, rounds: list[tuple[Opportunities, Moment, np.ndarray]]) -> np.ndarray:
    """Chances by the pass over whole journeys, (users, steps, actions)."""
    observation = torch.from_numpy(np.stack([observation for _, _, observation in rounds], axis=1))
    days = torch.ones(observation.shape[:2])
    days[:, 0] = 0.0
    with torch.inference_mode():
        logits, _, _ = policy.net.along(observation, policy.net.nothing(len(observation)), days)
    allowed = np.stack([policy.actions.allowed[one.channel] for one, _, _ in rounds], axis=1)
    raw = np.where(allowed, logits.numpy().astype(np.float64), -np.inf)
    raw = np.exp(raw - raw.max(axis=-1, keepdims=True))
    raw /= raw.sum(axis=-1, keepdims=True)
    return (1 - policy.floor) * raw + policy.floor * allowed / allowed.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("fault", ["no reset", "no carry"])
def test_planted_faults_of_memory_show(policy: LearnedPolicy, scenario: Scenario, fault: str) -> None:
    """A memory that is not begun anew, or not carried on, gives other chances by far more than rounding."""
    rng = np.random.default_rng(2)
    rounds = [seen(scenario, 20, rng, 3600 * 24 * day + 7) for day in range(3)]
    right, wrong = (np.zeros((20, policy.notes), dtype=np.float32) for _ in range(2))
    if fault == "no reset":
        wrong[:, : 2 * policy.net.shape.hidden] = 0.5
    for opportunities, moment, observation in rounds:
        good = policy.decide(opportunities, moment, known(policy, right, observation)).chances
        bad = policy.decide(opportunities, moment, known(policy, wrong, observation)).chances
        if fault == "no carry":
            wrong[:, : 2 * policy.net.shape.hidden] = 0.0
    assert np.abs(good - bad).max() > 1e-3


def test_propensities_are_those_of_what_was_drawn(policy: LearnedPolicy, scenario: Scenario) -> None:
    """One user met ten thousand times for the first time: actions come as often as their chances say."""
    rng = np.random.default_rng(4)
    opportunities, moment, observation = seen(scenario, 10_000, rng, 100)
    same = Opportunities(**{name: np.full_like(column, column[0]) for name, column in vars(opportunities).items()})
    same = replace(same, row=np.arange(10_000))
    notes = np.zeros((10_000, policy.notes), dtype=np.float32)
    decided = policy.decide(same, moment, known(policy, notes, np.repeat(observation[:1], 10_000, axis=0)))
    assert (decided.propensity == decided.chances[np.arange(10_000), decided.action]).all()
    often = np.bincount(decided.action, minlength=policy.actions.count) / 10_000
    assert np.abs(often - decided.chances[0]).max() < 0.02
    assert decided.allowed[np.arange(10_000), decided.action].all()
    assert decided.chances.sum(axis=1) == pytest.approx(1.0)


def test_latents_change_nothing(policy: LearnedPolicy, scenario: Scenario) -> None:
    """Whatever people truly are, the same observations get the same decisions."""
    rng = np.random.default_rng(5)
    opportunities, moment, observation = seen(scenario, 50, rng, 100)
    answers = []
    for _ in range(2):
        truth = Truth(rng.integers(0, 3, 50), rng.integers(0, 4, 50), rng.integers(0, 3, (4, 50)), rng.random(50) < 0.5)
        notes = np.zeros((50, policy.notes), dtype=np.float32)
        answers.append(policy.bid_knowing(opportunities, moment, known(policy, notes, observation, truth)))
    assert all((getattr(answers[0], name) == getattr(answers[1], name)).all() for name in vars(answers[0]))


def test_acting_greedily_keeps_exact_propensities(policy: LearnedPolicy, scenario: Scenario) -> None:
    """The likeliest action, and the floor's uniform share of everything allowed."""
    rng = np.random.default_rng(6)
    opportunities, moment, observation = seen(scenario, 200, rng, 100)
    drawn, sure = (
        replace(policy, greedy=greedy, floor=0.01).decide(
            opportunities, moment, known(policy, np.zeros((200, policy.notes), dtype=np.float32), observation)
        ) for greedy in (False, True)
    )
    each = 0.01 / sure.allowed.sum(axis=1)
    assert (sure.chances.argmax(axis=1) == drawn.chances.argmax(axis=1)).all()
    assert sure.chances.max(axis=1) == pytest.approx(0.99 + each)
    assert (sure.chances[sure.allowed] > 0).all() and sure.chances.sum(axis=1) == pytest.approx(1.0)
    assert (sure.action == drawn.chances.argmax(axis=1)).mean() > 0.95


def test_a_world_is_decided_the_same_in_any_company(scenario: Scenario) -> None:
    """Memories of a world's users are equal to the bit, whatever is bid for beside it; in one batch they are not."""
    actions = Actions.of(scenario)
    net = JourneyNet.born(Shape(actions.count, actions.creatives), Draws(1))
    policy = LearnedPolicy.of(scenario, net)
    rng = np.random.default_rng(8)
    opportunities, moment, observation = seen(scenario, 301, rng, 100)
    both = replace(opportunities, unit=(np.arange(301) >= 299).astype(np.int64))
    wide = replace(moment, multiplier_ppm=np.full((2, len(scenario.channels)), PPM))
    together, batched = (np.zeros((301, policy.notes), dtype=np.float32) for _ in range(2))
    policy.bid_knowing(both, wide, known(policy, together, observation))
    policy.decide(both, wide, known(policy, batched, observation))
    for unit in (0, 1):
        mine = np.flatnonzero(both.unit == unit)
        alone = np.zeros((301, policy.notes), dtype=np.float32)
        few = replace(wide, luck=wide.luck[mine], returning=wide.returning[mine])
        here = replace(known(policy, alone, observation[mine]), user=mine)
        policy.bid_knowing(Opportunities(**both.take(mine)), few, here)
        assert (alone[mine] == together[mine]).all()
    assert (batched != together).any()
