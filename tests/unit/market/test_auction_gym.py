"""A bidder in AuctionGym's form sits in a rival's seat, learns, and is told of nothing but its own auctions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gaelp_sim.errors import BidderError, UsageError
from gaelp_sim.market.auction_gym import AuctionGymRival
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.world.outsiders import makers
from gaelp_sim.world.shard import Shard, Task
from gaelp_sim.world.stack import Place

SETS = ["population.people=150", "days=3", "identity.mode=perfect"]
HERE = "tests.unit.market.test_auction_gym"


class EmpiricallyShaded:
    """AuctionGym's idea of shading: a factor that follows the best ratio of utility seen so far."""

    def __init__(self) -> None:
        self.gamma, self.calls = 1.0, []  # type: ignore[var-annotated]

    def bid(self, value: float, context: np.ndarray, estimated_CTR: float) -> float:
        return value * estimated_CTR * self.gamma

    def update(self, contexts: Any, values: Any, bids: Any, prices: Any, outcomes: Any, ctrs: Any, won: Any,
               iteration: int, plot: bool, figsize: Any, fontsize: Any, name: str) -> None:
        self.calls.append((len(contexts), contexts, values, bids, prices, outcomes, ctrs, won, iteration))
        self.gamma = max(0.3, self.gamma * (0.99 if won.mean() > 0.1 else 1.01))


class Seat:
    """What a user writes: the class takes the scenario."""

    made: list[AuctionGymRival] = []

    @staticmethod
    def of(scenario: Scenario) -> AuctionGymRival:
        Seat.made.append(AuctionGymRival(scenario, EmpiricallyShaded()))
        return Seat.made[-1]


class BidsNothingSensible:
    """NaN is refused in the bidder's name."""

    @staticmethod
    def of(scenario: Scenario) -> AuctionGymRival:
        bidder = EmpiricallyShaded()
        bidder.gamma = float("nan")
        return AuctionGymRival(scenario, bidder)


def _run(seat: str, *sets: str) -> Shard:
    scenario = load_scenario("short", [*SETS, *sets])
    seats = (("Bark", f"{HERE}:{seat}"),)
    shard = Shard(Task(scenario, 1, "rule", Place(range(1), range(scenario.cells)), 0, None, "", seats))
    shard.advance(48)
    return shard


def test_it_learns_from_its_own_auctions() -> None:
    shard = _run("Seat")
    (bidder,) = [rival.bidder for rival in Seat.made if rival.bidder.calls]
    assert bidder.gamma != 1.0 and 20 < len(bidder.calls) <= 48
    for n, contexts, values, bids, prices, outcomes, ctrs, won, _ in bidder.calls:
        assert contexts.shape == (n, 3 + shard.model.channels)
        assert {len(column) for column in (values, bids, prices, outcomes, ctrs, won)} == {n}
        assert (prices[~won] == 0).all() and (outcomes[~won] == 0).all() and (ctrs == 1).all()
        assert (prices <= bids + 1e-6).all()
    assert any(won.any() for *_, won, _ in bidder.calls)


def test_it_lives_in_one_cell() -> None:
    scenario = load_scenario("short", [*SETS, "population.people=400", "cells=2"])
    with pytest.raises(UsageError, match="cells=1"):
        makers(scenario, "rule", [("Bark", f"{HERE}:Seat")])


def test_what_is_no_number_is_refused_in_its_name() -> None:
    with pytest.raises(BidderError, match=r"BidsNothingSensible: bid -1 micros"):
        _run("BidsNothingSensible")
