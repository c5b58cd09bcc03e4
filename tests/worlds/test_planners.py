"""Planners: what their plans promise is what simulated worlds bring, and they know no more than they should."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from gaelp_sim.errors import BidderError, UsageError
from gaelp_sim.events import Bids, Opportunities
from gaelp_sim.market.bidder import Known, Moment
from gaelp_sim.market.rule_policy import RulePolicy
from gaelp_sim.planning.plan import Problem, caveats
from gaelp_sim.planning.played import Played, played, with_rule
from gaelp_sim.planning.recursion import Way
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.world.knowing import known_of, merge_notes
from gaelp_sim.world.policies import PLANNERS, policy_named
from gaelp_sim.world.shard import Shard, Task
from gaelp_sim.world.stack import Place
from tests.checks.bidders import moment, opportunities

EXACT = ("variation.market_noise_sd=0", "identity.mode=perfect")
WORLDS = range(120)


@pytest.fixture(scope="module")
def small() -> Scenario:
    """Exactly plannable."""
    scenario = load_scenario("short", list(EXACT))
    assert not caveats(scenario)
    return scenario


@pytest.fixture(scope="module")
def outcomes(small: Scenario) -> dict[str, Played]:
    """Each policy in the same worlds."""
    rules = {"rule": with_rule(small, 1.45, 1.0, "fit")}
    names = ("silent", "rule", "one_step_lift", "observable_planner", "clairvoyant")
    return {name: played(rules.get(name, small), name, WORLDS) for name in names}


def _mean(values: np.ndarray) -> tuple[float, float]:
    return float(values.mean()), float(values.std(ddof=1) / len(values) ** 0.5)


@pytest.mark.parametrize(("policy", "way"), [("clairvoyant", Way.BEST), ("silent", Way.SILENT)])
def test_a_plan_is_worth_what_it_earns(
    small: Scenario, outcomes: dict[str, Played], policy: str, way: Way
) -> None:
    """V_0, by the recursion, is the simulated mean profit within three standard errors."""
    mean, error = _mean(outcomes[policy].profit_usd)
    assert abs(Problem.of(small).plan(way).value_usd * small.population.people - mean) <= 3 * error


@pytest.mark.parametrize("fault", [
    "response.brand_base=-1.9", "channels.search.opportunities_per_day.intent=0.3",
    "population.segments.eager.purchase_per_day=0.3",
])
def test_a_plan_of_another_world_is_found_out(outcomes: dict[str, Played], fault: str) -> None:
    """The comparison above has the power to see one wrong constant."""
    other = load_scenario("short", [*EXACT, fault])
    mean, error = _mean(outcomes["clairvoyant"].profit_usd)
    assert abs(Problem.of(other).plan().value_usd * other.population.people - mean) > 3 * error


def test_knowing_more_earns_more(outcomes: dict[str, Played]) -> None:
    """Clairvoyant > observable planner > rule > silence, world by world."""
    order = ("clairvoyant", "observable_planner", "rule", "silent")
    for better, worse in zip(order, order[1:], strict=False):
        mean, error = _mean(outcomes[better].profit_usd - outcomes[worse].profit_usd)
        assert mean > 2 * error, (better, worse)


def test_spend_is_the_slope_of_the_plan(small: Scenario, outcomes: dict[str, Played]) -> None:
    problem = Problem.of(small)
    mean, error = _mean(outcomes["clairvoyant"].spend_usd)
    assert abs(problem.spend_usd(problem.plan()) * small.population.people - mean) <= 3 * error


@pytest.mark.parametrize("scenario", [
    load_scenario("short", [*EXACT, "channels.social.mechanism=first_price", "utc_offset_hours=5"]),
    load_scenario("quickstart", [
        *EXACT, "days=10", "us.budget.usd_day=null", "rivals.Bark.budget_usd_month=null", "email.per_day=2",
        "creatives.offer.signup_on_click=0.5", "email.view_adds_goodwill=0.3", "population.people=500",
    ]),
    load_scenario("short", [*EXACT, "response.overexposure_from=1", "response.fatigue_half_life_days=9"]),
], ids=["first price", "e-mail", "wear"])
def test_other_worlds_plans_are_worth_what_they_earn(scenario: Scenario) -> None:
    """With parts that the small world lacks: shaded bids, mails and sign-ups, strong harm."""
    assert not caveats(scenario)
    mean, error = _mean(played(scenario, "clairvoyant", range(80)).profit_usd)
    assert abs(Problem.of(scenario).plan().value_usd * scenario.population.people - mean) <= 3 * error


def test_what_can_t_be_planned_is_refused() -> None:
    with pytest.raises(UsageError, match="user_model"):
        Problem.of(load_scenario("quickstart", ["population.user_model=somewhere:Users"]))
    with pytest.raises(UsageError, match="fewer --days"):
        Problem.of(load_scenario("parental_controls", ["days=3650"]))


class Fixed(RulePolicy):
    """Market prices by signal, by day and by night, to everybody."""

    @staticmethod
    def of(scenario: Scenario) -> RulePolicy:
        """The rule with one level."""
        rule = RulePolicy.of(with_rule(scenario, 1.0, 1.0, "fit"))
        return replace(rule, greedy_level=np.full_like(rule.greedy_level, 6), epsilon=1e-9)


def test_fixed_bids_are_worth_what_they_earn(small: Scenario) -> None:
    mean, error = _mean(played(small, "tests.worlds.test_planners:Fixed", WORLDS).profit_usd)
    assert abs(Problem.of(small).plan(Way.FIXED, 1.0).value_usd * small.population.people - mean) <= 3 * error


def test_a_budget_makes_money_dear() -> None:
    """Half the unconstrained spend: dollars are worth more, are spent up to the budget, and earn less."""
    problem = Problem.of(load_scenario("short", [*EXACT, "days=2"]))
    free = problem.plan()
    half = problem.spend_usd(free) / 2
    bound = problem.within(half)
    assert bound.asked.money > 1.1 and problem.spend_usd(bound) == pytest.approx(half, rel=0.05)
    earned = bound.value_usd + (bound.asked.money - 1) * problem.spend_usd(bound)
    assert problem.plan(Way.SILENT).value_usd < earned < free.value_usd
    assert problem.within(4 * half).asked.money == 1.0


@pytest.mark.parametrize("name", PLANNERS)
def test_truth_is_told_to_the_clairvoyant_alone(small: Scenario, name: str) -> None:
    """What the others get holds no mind, and their bids come from nothing else."""
    shard = Shard(Task(small, 1, name, Place(range(1), range(1)), 0, None))
    asked: list[Known] = []
    us = shard.model.us
    answer = us.bid_knowing  # type: ignore[attr-defined]
    us.bid_knowing = lambda one, now, known: asked.append(known) or answer(one, now, known)  # type: ignore[attr-defined]
    shard.advance(24)
    assert asked and all((known.truth is not None) == (name == "clairvoyant") for known in asked)
    assert known_of.__module__ == "gaelp_sim.world.knowing"


@pytest.mark.parametrize("name", ["observable_planner", "one_step_lift"])
def test_believers_bid_alike_in_any_company(name: str) -> None:
    """Without notes, as anybody's bidder: money in range, no matter who else is asked about."""
    scenario = load_scenario("parental_controls", ["days=1"])
    bidder, slots, now = policy_named(name, scenario), opportunities(scenario), moment(scenario)
    bids = bidder.bid(slots, replace(now, hour=12))
    assert bids.bid_micros.min() >= 0 and bids.bid_micros.max() > 0 and (bids.propensity == 1).all()
    order = np.arange(len(slots))[::-1]
    mixed = bidder.bid(Opportunities(**slots.take(order)), replace(now, hour=12))
    assert all(np.array_equal(one[order], other) for one, other in zip(_columns(bids), _columns(mixed), strict=True))
    assert bidder.bid(slots, replace(now, hour=24)).bid_micros.max() == 0


def _columns(bids: Bids) -> Iterator[np.ndarray]:
    yield from vars(bids).values()


def test_the_clairvoyant_bids_for_nobody_unseen() -> None:
    scenario = load_scenario("short")
    bidder, now = policy_named("clairvoyant", scenario), moment(load_scenario("parental_controls"))
    with pytest.raises(BidderError, match="only bid inside a run"):
        bidder.bid(opportunities(scenario, 1), now)
    assert isinstance(now, Moment)


def test_beliefs_are_resumed() -> None:
    """A run taken up from its state bids on as if it had never stopped, under devices that log in."""
    scenario = load_scenario("short", ["population.devices.login_on_click=0.9", "worlds=2"])
    task = Task(scenario, 1, "observable_planner", Place(range(2), range(1)), 0, None)
    whole = Shard(task)
    whole.advance(120)
    again = Shard(replace(task, start_hour=120, state=whole.state()))
    assert np.array_equal(whole.stack.notes, again.stack.notes) and whole.stack.notes.any()
    one, other = whole.advance(144), again.advance(144)
    for name in ("bid_micros", "creative", "person_id"):
        assert np.array_equal(one["decision"][name], other["decision"][name])


def test_who_turns_out_to_be_one_keeps_the_later_notes() -> None:
    notes = np.array([[1, 5], [2, 9], [3, 8], [4, 0]], dtype=np.float32)
    merge_notes(notes, np.array([0, 2]), np.array([1, 3]))
    assert notes.tolist() == [[2, 9], [0, 0], [3, 8], [0, 0]]


def test_linked_users_are_refused() -> None:
    scenario = load_scenario("short", ["identity.mode=linked"])
    with pytest.raises(UsageError, match="set identity.mode to devices or perfect"):
        Shard(Task(scenario, 1, "observable_planner", Place(range(1), range(1)), 0, None))


@pytest.mark.campaign
def test_the_flagship_s_plan_is_worth_what_it_earns() -> None:
    """10,000 people in 24 worlds, with budgets and e-mail; caveats are named, and do no harm."""
    scenario = load_scenario("parental_controls", list(EXACT))
    mean, error = _mean(played(scenario, "clairvoyant", range(24)).profit_usd)
    assert abs(Problem.of(scenario).plan().value_usd * scenario.population.people - mean) <= 3 * error
