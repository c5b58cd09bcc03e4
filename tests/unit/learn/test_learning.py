"""Lessons: expected gains against brute force, journeys and returns by hand, samples unbiased, training that learns
and resumes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gaelp_sim.draws import Draws
from gaelp_sim.errors import UsageError
from gaelp_sim.events import Opportunities
from gaelp_sim.learn.journeys import Journeys, sampled
from gaelp_sim.learn.returns import Pay, Steps, advantages, rewards_usd
from gaelp_sim.market.bidder import Known, Moment, Truth
from gaelp_sim.observe.table import COLUMN, USD_HIGH
from gaelp_sim.planning.seeds import (
    EPOCHS_MAX,
    HOLDOUT_SEED,
    TRAININGS_MAX,
    TUNING_SEED,
    TUNING_SEEDS,
    training_seed,
    validation_seed,
)
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.units import PPM
from gaelp_sim.world.crew import Crew, Hands

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from gaelp_sim.learn.checkpoints import load_checkpoint  # noqa: E402
from gaelp_sim.learn.course import DIFFICULTIES, Plan  # noqa: E402
from gaelp_sim.learn.curve import drawn  # noqa: E402
from gaelp_sim.learn.network import JourneyNet, Shape  # noqa: E402
from gaelp_sim.learn.rollout import Classroom, Conduct, live  # noqa: E402
from gaelp_sim.learn.teaching import WORLDS_TOGETHER, gains  # noqa: E402
from gaelp_sim.learn.train import EPOCHS, Training  # noqa: E402
from gaelp_sim.learn.update import Lesson  # noqa: E402
from gaelp_sim.market.actions import BIDS, LEVELS, Actions  # noqa: E402 - only where torch is there
from gaelp_sim.planning.expecting import known  # noqa: E402

TINY = Plan(epochs=4, worlds=3, people=200, validate_every=2, validation_worlds=2, believed_share=0.25, taught_share=0.5,
            lesson=Lesson(learning_rate=2e-3, lift_weight=0.02, batch_steps=512))


@pytest.fixture(scope="module")
def room() -> Classroom:
    return Classroom.of(load_scenario("short"), 300, 2)


def test_gains_are_what_bids_earn_on_average(room: Classroom) -> None:
    """For one state and signal: lift where the bid beats a drawn price, less that price, averaged over many draws."""
    plan, actions = room.oracle.plan, Actions.of(room.scenario)
    dynamics = plan.dynamics
    channel, signal, factor = np.array([0], dtype=np.int16), np.array([1], dtype=np.int16), 1.1
    offer = known(dynamics, channel, np.array([777]), plan.worth.after[30])
    found = gains(dynamics, (channel, signal), offer, (1.0, factor), (LEVELS, actions.count))[0]
    market = dynamics.prices.market_usd[1]
    below = dynamics.prices.below[1]
    grid = 2.0 ** (np.arange(len(below)) / 64 - 10)
    rng = np.random.default_rng(1)
    price = np.interp(rng.random(400_000), below, grid) * market * factor
    for place in range(dynamics.options.first[0], dynamics.options.first[1]):
        creative, option = int(dynamics.options.creative[place]), place - dynamics.options.first[0]
        lift, paid, clicks = (float(column[0, option]) for column in offer)
        for level in (1, 7, 12):
            wins = LEVELS[level] * market * clicks / paid > price
            brute = lift * wins.mean() - paid * (price * wins).mean()
            action = int(actions.number(np.array([level]), np.array([creative]))[0])
            assert found[action] == pytest.approx(brute, abs=0.004 * lift + 1e-4)


def test_every_ad_that_may_be_shown_is_judged(room: Classroom) -> None:
    """An ad that does what another does is worth, and costs, what that other does: it is not free because it is no option
    of the planner's."""
    scenario = load_scenario("parental_controls", ["days=2"])
    actions = Actions.of(scenario)
    net = JourneyNet.born(Shape(actions.count, actions.creatives, hidden=8, encoder=8), Draws(1))
    lived = live(Classroom.of(scenario, 600, 2), net, 7, Conduct(0.02)).kept
    names = [creative.name for creative in scenario.creatives]
    offer, emergency = (1 + BIDS * names.index(name) for name in ("offer", "emergency"))
    search = lived["channel"] == 0
    for name in ("gain", "believed_gain"):
        gain = lived[name]
        assert (gain[search, offer : offer + BIDS] == gain[search, emergency : emergency + BIDS]).all(), name
        for channel, allowed in enumerate(actions.allowed):
            dearest = np.flatnonzero(allowed)[1:][BIDS - 1 :: BIDS]
            assert (gain[lived["channel"] == channel][:, dearest] != 0).any(axis=0).all(), (name, channel)
            assert (gain[lived["channel"] == channel][:, ~allowed] == 0).all(), (name, channel)


def test_rewards_go_to_the_last_decision_before_the_sale() -> None:
    kept = {"user": np.array([1, 1, 2, 2]), "second": np.array([10, 50, 20, 90]),
            "charge_micros": np.array([1_000_000, 0, 500_000, 0])}
    sales = {"user": np.array([1, 2, 2, 3]), "second": np.array([60, 30, 5, 40])}
    assert rewards_usd(kept, sales, Pay("profit", 180.0, 100.0)).tolist() == [-1.0, 180.0, 179.5, 0.0]


def test_advantages_by_hand() -> None:
    """Two steps two days apart that end in a purchase, and one cut off by the end of time."""
    reward, value = np.array([1.0, 2.0, 3.0]), np.array([0.5, 0.25, 4.0])
    steps = Steps(reward, value, np.array([0.0, 2.0, 0.0]), np.array([0, 2, 3]), np.array([True, False]))
    advantage, target = advantages(steps, (0.9, 0.5))
    second = 2.0 - 0.25
    first = 1.0 + 0.81 * 0.25 - 0.5 + 0.81 * 0.5 * second
    assert advantage == pytest.approx([first, second, 3.0 + 4.0 - 4.0])
    assert target == pytest.approx(advantage + value)


def test_returns_telescope() -> None:
    """With lambda 1 and no discount the advantage is all that came less what was expected."""
    rng = np.random.default_rng(1)
    reward, value = rng.normal(size=9), rng.normal(size=9)
    advantage, _ = advantages(Steps(reward, value, np.ones(9), np.array([0, 4, 9]), np.array([True, True])), (1.0, 1.0))
    assert advantage[0] == pytest.approx(reward[:4].sum() - value[0])
    assert advantage[4] == pytest.approx(reward[4:].sum() - value[4])


def test_samples_are_unbiased_and_whole() -> None:
    """Users are kept whole, some segments more often; sums weighted by one over the chance come out."""
    rng = np.random.default_rng(2)
    user = np.repeat(np.arange(4_000), 3)
    kept = {"user": user, "segment": (user % 2).astype(np.int8), "gain": rng.random(len(user))}
    taken, weight = sampled(kept, np.array([0.2, 0.8]), Draws(1), 0)
    _, counts = np.unique(taken["user"], return_counts=True)
    assert (counts == 3).all()
    assert (taken["gain"] * weight).sum() == pytest.approx(kept["gain"].sum(), rel=0.05)
    assert 0.15 < (taken["segment"] == 0).sum() / 6_000 < 0.25
    journeys = Journeys.of(taken, weight)
    assert len(journeys) == len(counts) and (journeys.lengths == 3).all()


def test_what_is_kept_in_a_world_is_what_was_fed(room: Classroom) -> None:
    """The pass over whole journeys gives the propensities with which actions were drawn, to 1e-5 of their logarithms."""
    actions = Actions.of(room.scenario)
    torch.manual_seed(1)
    net = JourneyNet(Shape(actions.count, actions.creatives, hidden=16, encoder=16)).eval()
    lived = live(room, net, 5, Conduct(0.0))
    journeys = Journeys.of(lived.kept)
    assert journeys.lengths.max() > 5
    for which, told, here in journeys.batches(2_000, ("observation", "days", "allowed", "action", "log_propensity"), 0):
        with torch.inference_mode():
            logits, _, _ = net.along(told["observation"], net.nothing(len(which)), told["days"])
            chance = torch.log_softmax(logits.masked_fill(~told["allowed"], -1e9), dim=-1)
            taken = chance.gather(-1, told["action"][..., None]).squeeze(-1)
        assert float(((taken - told["log_propensity"]) * here).abs().max()) < 1e-5
    assert lived.kept["gain"].shape == (len(lived.kept["user"]), actions.count)


@pytest.mark.parametrize("plan", [TINY, replace(TINY, rehearsals=3, retraces=2, memory=150)], ids=["plain", "replay"])
def test_training_learns_and_resumes_to_the_same_weights(plan: Plan, tmp_path: Path) -> None:
    """Four epochs at once equal two, a stop, and two more; the gain of what is done rises."""
    scenario = load_scenario("short")
    whole = Training.begin(scenario, plan, tmp_path / "whole")
    told: list[dict[str, float]] = []
    whole.run(told.append)
    assert told[-1]["taken_gain_usd"] > 1.3 * told[0]["taken_gain_usd"]
    assert [epoch["lesson"] for epoch in told] == ["believed", "taught", "ppo", "ppo"]
    assert abs(told[2]["first_log_ratio"]) < 1e-4
    part = Training.begin(scenario, plan, tmp_path / "parts")

    class Stop(Exception):
        pass

    def stop(epoch: dict[str, float]) -> None:
        if epoch["epoch"] == 1:
            raise Stop

    with pytest.raises(Stop):
        part.run(stop)
    Training.begin(scenario, plan, tmp_path / "parts").run(lambda epoch: None)
    one, other = (load_checkpoint(tmp_path / name / "last")[0].state_dict() for name in ("whole", "parts"))
    assert all(bool((one[name] == other[name]).all()) for name in one)
    lines = [json.loads(line) for line in (tmp_path / "parts" / "epochs.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [0, 1, 2, 3]
    with pytest.raises(UsageError, match="other settings"):
        Training.begin(scenario, Plan(epochs=5), tmp_path / "whole")


def test_weights_do_not_depend_on_who_lives_through_the_worlds(tmp_path: Path) -> None:
    """One process, or worlds dealt out to two: the same decisions in the same order, the same weights."""
    plan = replace(TINY, worlds=2 * WORLDS_TOGETHER + 1, people=30, validation_worlds=WORLDS_TOGETHER + 2, validate_every=2)
    found = []
    for workers in (1, 2):
        with Hands(Crew(workers)) as hands:
            training = Training.begin(load_scenario("short"), plan, tmp_path / str(workers))
            training.hands = hands
            training.run(lambda epoch: None)
        found.append(load_checkpoint(tmp_path / str(workers) / "last")[0].state_dict())
    assert all(bool((found[0][name] == found[1][name]).all()) for name in found[0])
    lines = [(tmp_path / name / "epochs.jsonl").read_text().splitlines() for name in ("1", "2")]
    told = [[json.loads(line) | {"seconds": 0} for line in each] for each in lines]
    assert told[0] == told[1]


def test_ads_for_those_who_have_decided_cost_and_gain_nothing(room: Classroom) -> None:
    """Somebody who has decided clicks like anybody: the best is to stay out."""
    n = 6
    zero = np.zeros(n, dtype=np.int64)
    told = {"channel": zero.astype(np.int16), "signal": np.ones(n, dtype=np.int16)}
    opportunities = Opportunities(**{name: told.get(name, zero) for name in Opportunities.__annotations__})
    moment = Moment(30, 6, np.ones(1), np.zeros(n, dtype=np.uint32), zero > 0, np.full((1, 2), PPM), np.full((1, 2), PPM))
    truth = Truth(zero, np.full(n, 3), np.zeros((4, n), dtype=np.int64), np.arange(n) >= 3)
    people = Known(np.arange(n), zero > 0, np.zeros((n, 0), dtype=np.float32), truth)
    offer = room.oracle.offer(opportunities, moment, people)
    dynamics, actions = room.oracle.plan.dynamics, Actions.of(room.scenario)
    found = gains(dynamics, (opportunities.channel, opportunities.signal), offer, (1.0, 1.0), (LEVELS, actions.count))
    assert (found[:3].max(axis=1) > 0).all()
    assert (found[3:].max(axis=1) == 0).all() and (found[3:].min(axis=1) < -0.01).all()


def test_seeds_of_training_validation_tuning_and_hold_out_never_meet() -> None:
    """Ranges that are used: every training and epoch that the command line takes."""
    first, last = training_seed(0, 0), training_seed(TRAININGS_MAX - 1, EPOCHS_MAX - 1)
    others = {validation_seed(0), validation_seed(TRAININGS_MAX - 1), HOLDOUT_SEED,
              *range(TUNING_SEED, TUNING_SEED + TUNING_SEEDS)}
    assert len(others) == 3 + TUNING_SEEDS
    assert not any(first <= seed <= last for seed in others)
    assert validation_seed(0) > last and training_seed(3, EPOCHS_MAX - 1) < training_seed(4, 0)


def test_the_document_s_rule_pays_bonus_and_penalty() -> None:
    """A quick sale of 180 after a touch of 10 pays 1.2 x 170; one over the CAC target .8 x; touches are paid once."""
    kept = {
        "user": np.array([1, 1, 2]), "second": np.array([0, 86_400, 0]), "won": np.array([False, True, True]),
        "charge_micros": np.array([0, 10_000_000, 120_000_000]),
    }
    sales = {"user": np.array([1, 2]), "second": np.array([3 * 86_400, 9 * 86_400])}
    quick, dear = 1.2 * 170.0, 0.8 * 60.0
    reward = rewards_usd(kept, sales, Pay("document_signed", 180.0, 100.0))
    assert reward.tolist() == pytest.approx([0.0, quick, dear])
    late = {"user": np.array([1]), "second": np.array([5 * 86_400])}
    assert rewards_usd(kept, late, Pay("document_signed", 180.0, 100.0))[1] == pytest.approx(170.0)


def test_the_teacher_s_two_gains_agree_on_average(room: Classroom) -> None:
    """What an observer believes is the mean of what is true: over many decisions both say the same of every action."""
    scenario = load_scenario("short", ["population.people=1500"])
    wide = Classroom.of(scenario, 1_500, 4)
    actions = Actions.of(scenario)
    net = JourneyNet.born(Shape(actions.count, actions.creatives, hidden=8, encoder=8), Draws(1)).eval()
    kept = live(wide, net, 7, Conduct(0.5)).kept
    true, believed = kept["gain"].astype(float), kept["believed_gain"].astype(float)
    assert true.std() > 1.5 * believed.std() > 0
    error = (true - believed).std(axis=0) / len(true) ** 0.5
    allowed = kept["allowed"].mean(axis=0) > 0
    off = np.abs((true - believed).mean(axis=0))[allowed]
    assert (off < 5 * error[allowed] + 0.05 * np.abs(true).mean()).all()


def test_small_worlds_tell_of_money_as_full_ones_do() -> None:
    """What is left of a budget at the first decisions is the scenario's own, whatever share of its people is lived with;
    no limit stays no limit."""
    scenario = load_scenario("parental_controls", ["days=1", "us.budget.usd_month=null"])
    actions = Actions.of(scenario)
    net = JourneyNet.born(Shape(actions.count, actions.creatives, hidden=8, encoder=8), Draws(1)).eval()
    assert scenario.us.budget.usd_day is not None
    for people in (200, 1_000):
        kept = live(Classroom.of(scenario, people, 1), net, 7, Conduct(0.5)).kept
        seen = kept["observation"][kept["second"].argmin()]
        assert seen[COLUMN["daily_remaining_usd"]] == pytest.approx(float(scenario.us.budget.usd_day), rel=1e-4)
        assert (kept["observation"][:, COLUMN["monthly_remaining_usd"]] == USD_HIGH).all()


def test_worlds_are_randomised_by_the_epoch(tmp_path: Path) -> None:
    """Each epoch has factors of its own within the bound, the same again for the same seed; validation has none."""
    plan = replace(TINY, randomise=1.3)
    training = Training.begin(load_scenario("short"), plan, tmp_path / "a")
    rates = [training._room_of(epoch).scenario.channels[0].click_rate.intent for epoch in (0, 1, 0)]
    usual = training.room.scenario.channels[0].click_rate.intent
    assert rates[0] == rates[2] != rates[1] and all(1 / 1.3 <= rate / usual <= 1.3 for rate in rates)
    assert training._room_of(0).oracle.plan.value_usd != training.room.oracle.plan.value_usd
    training.run(lambda epoch: None)
    assert training.epoch == 4 and Training.begin(load_scenario("short"), TINY, tmp_path / "b")._room_of(0) is not None


def test_a_curriculum_goes_from_easy_to_full(tmp_path: Path) -> None:
    """Levels come in order, one a validation at most, and only the last one's policies are kept as the best."""
    plan = Plan(epochs=8, worlds=2, people=150, validate_every=1, validation_worlds=2, curriculum=True,
                believed_share=1.0, lesson=Lesson(batch_steps=512))
    training = Training.begin(load_scenario("short"), plan, tmp_path / "a")
    told: list[dict[str, object]] = []
    training.run(told.append)
    levels = [DIFFICULTIES.index(str(epoch["level"])) for epoch in told]
    assert levels[0] == 0 and all(0 <= b - a <= 1 for a, b in zip(levels, levels[1:], strict=False))
    assert (tmp_path / "a" / "best").exists() == (training.best > float("-inf"))
    again = Training.begin(load_scenario("short"), plan, tmp_path / "a")
    assert (again.level, again.epoch) == (training.level, 8)


def test_the_last_three_epochs_are_kept(tmp_path: Path) -> None:
    """`last` and two before it, each whole; a kill between two renames loses one epoch at most."""
    training = Training.begin(load_scenario("short"), TINY, tmp_path / "a")
    training.run(lambda epoch: None)
    epochs = [load_checkpoint(tmp_path / "a" / name)[1].epoch for name in ("last", "last_1", "last_2")]
    assert epochs == [4, 3, 2]
    (tmp_path / "a" / "last").rename(tmp_path / "a" / "gone")
    assert Training.begin(load_scenario("short"), TINY, tmp_path / "a").epoch == 3


def test_the_learning_curve_is_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    training = Training.begin(load_scenario("short"), TINY, tmp_path / "a")
    training.run(lambda epoch: None)
    picture = drawn(tmp_path / "a" / EPOCHS, tmp_path / "curve.png")
    assert picture.read_bytes().startswith(b"\x89PNG") and picture.stat().st_size > 10_000
    with pytest.raises(UsageError, match="written by gaelp train"):
        drawn(tmp_path / "none", picture)
