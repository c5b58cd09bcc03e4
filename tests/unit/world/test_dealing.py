"""Two bidders in one seat: each acts where it was dealt to, and both know all that the advertiser knows."""

from __future__ import annotations

import numpy as np
import pytest

from gaelp_sim.errors import BidderError, UsageError
from gaelp_sim.events import Bids, Bools, Column, Ints, Opportunities, Outcomes, Statistics
from gaelp_sim.market.bidder import Bidder, Known, Moment, informed
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import HOURS_PER_DAY
from gaelp_sim.world.dealing import Deal, Dealt
from gaelp_sim.world.policies import policy_named
from gaelp_sim.world.shard import Shard, Task
from gaelp_sim.world.stack import Place

SETS = ["population.people=250", "days=4", "identity.mode=devices"]


@pytest.fixture(scope="module", name="scenario")
def the_scenario() -> Scenario:
    return load_scenario("short", SETS)


def _dealt(scenario: Scenario, policies: tuple[str, str], deal: Deal) -> Dealt:
    first, second = (policy_named(name, scenario) for name in policies)
    return Dealt(first, second, deal)


def _decided(scenario: Scenario, us: Bidder) -> dict[str, Column]:
    """All decisions of two worlds, as they are logged, and the notes that are left."""
    changed = scenario.model_copy(update={"log": "all"})
    shard = Shard(Task(changed, 5, "rule", Place(range(2), range(1)), 0, None), us=us)
    rows = shard.advance(scenario.days * HOURS_PER_DAY)["decision"]
    return {name: rows[name] for name in ("person_id", "occurred_s", "bid_micros", "creative", "propensity", "status")} | {
        "notes": shard.stack.notes}


def _by_user(opportunities: Opportunities, user: Ints) -> Bools:
    return np.asarray(user % 3 == 1)


@pytest.mark.parametrize("name", ["rule", "observable_planner"])
def test_a_policy_dealt_with_itself_is_itself(scenario: Scenario, name: str) -> None:
    """Its notes go on as if it were alone, whoever is dealt what."""
    alone = _decided(scenario, policy_named(name, scenario))
    both = _decided(scenario, _dealt(scenario, (name, name), _by_user))
    width = alone["notes"].shape[1]
    for column in alone.keys() - {"notes"}:
        assert np.array_equal(alone[column], both[column]), column
    assert both["notes"].shape[1] == (2 * width + 1 if width else 0)
    for part in (slice(0, width), slice(width, 2 * width)):
        assert np.array_equal(alone["notes"], both["notes"][:, part])


def test_a_learned_policy_dealt_with_itself_is_itself() -> None:
    """Its memory moves on as if it were alone, and its draws are the same."""
    pytest.importorskip("torch")
    scenario = load_scenario("parental_controls", ["population.people=150", "days=2", "identity.mode=perfect"])
    alone = _decided(scenario, policy_named("ppo", scenario))
    both = _decided(scenario, _dealt(scenario, ("ppo", "ppo"), _by_user))
    assert (alone["bid_micros"] > 0).sum() > 20
    assert all(np.array_equal(alone[column], both[column]) for column in alone.keys() - {"notes"})


@pytest.mark.parametrize("second", [False, True])
def test_one_who_is_dealt_everything_is_alone(scenario: Scenario, second: bool) -> None:
    """Rule and planner: the other one changes nothing by being there."""
    def everything(opportunities: Opportunities, user: Ints) -> Bools:
        return np.full(len(user), second)

    alone = _decided(scenario, policy_named("observable_planner" if second else "rule", scenario))
    both = _decided(scenario, _dealt(scenario, ("rule", "observable_planner"), everything))
    assert all(np.array_equal(alone[name], both[name]) for name in alone.keys() - {"notes"})


def test_each_acts_where_it_was_dealt_to(scenario: Scenario) -> None:
    """Silence for one user in three, and bids for the others: by the user's key, not by the person's."""
    users: list[Ints] = []

    class Watching(Dealt):
        def bid_knowing(self, opportunities: Opportunities, moment: Moment, known: Known) -> Bids:
            bids = super().bid_knowing(opportunities, moment, known)
            silent = known.user % 3 == 1
            assert (bids.bid_micros[silent] == 0).all()
            users.append(known.user[(bids.bid_micros > 0) & ~silent])
            return bids

    _decided(scenario, Watching(policy_named("rule", scenario), policy_named("silent", scenario), _by_user))
    assert len(np.concatenate(users)) > 100


def test_nobody_bids_before_anybody_is_dealt_to(scenario: Scenario) -> None:
    us = Dealt(policy_named("rule", scenario), policy_named("silent", scenario))
    assert informed(us) is not None
    with pytest.raises(BidderError, match="nobody has said"):
        _decided(scenario, us)


class Foreign:
    """A bidder from outside."""

    def __init__(self, scenario: Scenario) -> None:
        """Nothing to keep."""

    def bid(self, opportunities: Opportunities, moment: Moment) -> Bids:
        """Never asked."""
        raise AssertionError

    def observe(self, opportunities: Opportunities, outcomes: Outcomes) -> Statistics:
        """Never asked."""
        raise AssertionError

    def update(self, statistics: Statistics) -> None:
        """Never asked."""


def test_a_bidder_from_outside_is_refused(scenario: Scenario) -> None:
    """It must not see people by their true rows, and it is not told users before it bids."""
    with pytest.raises(UsageError, match="from outside"):
        _dealt(scenario, ("rule", f"{__name__}:Foreign"), _by_user)
