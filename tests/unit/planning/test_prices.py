"""What must be beaten, and what a value gains against it: against auctions held with the rivals' own bids."""

from __future__ import annotations

import numpy as np
import pytest

from gaelp_sim.draws import Draws, Purpose
from gaelp_sim.market.cast import channel_of_signal
from gaelp_sim.planning.prices import DOUBLINGS, POINTS, gained, looked_up, prices_of
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.world.board import Board
from gaelp_sim.world.model import Model, model_of

N = 200_000


def _greatest_usd(model: Model, signal: int) -> np.ndarray:
    """The greatest of the rivals' bids at N opportunities, by the board that runs bid by; the hour's factor is 1."""
    board = Board.of(model, np.zeros(1, dtype=np.int64))
    book, _ = board.book(np.zeros(1, dtype=np.int64), np.ones((1, model.bidders - 1)))
    words = Draws(seed=9).words(Purpose.SALE, signal, np.arange(N), np.repeat(np.arange(model.bidders - 1), 1)[0])
    more = Draws(seed=9).words(Purpose.SALE, signal, np.arange(N), 77)
    luck = np.concatenate([words, more])[: model.bidders - 1]
    values = model.panel.multiples[book.table[0][:, None], luck >> np.uint32(16)]
    return (values * book.scale_micros[0, :, signal][:, None]).max(axis=0) / 1e6


@pytest.mark.parametrize("settings", [(), ("channels.display.mechanism=first_price",)], ids=["second", "first"])
def test_gains_are_those_of_auctions(settings: tuple[str, ...]) -> None:
    model = model_of(load_scenario("parental_controls", list(settings)), 1)
    prices, first = prices_of(model), model.rules.first_price[channel_of_signal(model.scenario)]
    for signal in range(len(first)):
        rival, market = _greatest_usd(model, signal), prices.market_usd[signal]
        for multiple in (0.5, 0.9, 1.3, 2.0, 4.0):
            value, bid = multiple * market, looked_up.py_func(prices.bid[signal], multiple) * market  # type: ignore[attr-defined]
            won = rival < bid
            surplus = np.where(won, value - (bid if first[signal] else rival), 0.0)
            gain = gained.py_func(prices.gain[signal], multiple) * market  # type: ignore[attr-defined]
            assert gain == pytest.approx(surplus.mean(), abs=5 * surplus.std() / N**0.5 + 2e-3 * market)
            below = looked_up.py_func(prices.below[signal], bid / market)  # type: ignore[attr-defined]
            assert below == pytest.approx(won.mean(), abs=0.01)


def test_no_other_first_price_bid_gains_more() -> None:
    prices = prices_of(model_of(load_scenario("parental_controls", ["channels.display.mechanism=first_price"]), 1))
    grid, signal = 2.0 ** (np.arange(POINTS) / 64 - DOUBLINGS), 6
    for point in range(500, 900, 50):
        others = prices.below[signal] * (grid[point] - grid)
        assert prices.gain[signal, point] == pytest.approx(others.max())
        assert prices.bid[signal, point] < grid[point]


def test_without_rivals_the_reserve_is_the_price() -> None:
    sets = ["rivals=[]", "channels.social.reserve_usd=6"]
    prices = prices_of(model_of(load_scenario("parental_controls", sets), 1))
    social = 4
    assert prices.sold[social] == 0.0
    gain = gained.py_func(prices.gain[social], 1.0) * 12.0  # type: ignore[attr-defined]
    assert gain == pytest.approx(6.0, rel=1e-3)
    assert looked_up.py_func(prices.below[social], 0.4) == 0.0  # type: ignore[attr-defined]


def test_above_all_prices_one_more_of_value_is_one_more_of_gain() -> None:
    prices = prices_of(model_of(load_scenario("parental_controls"), 1))
    top = 2.0**DOUBLINGS
    one, two = (gained.py_func(prices.gain[0], top * part) for part in (1.0, 3.0))  # type: ignore[attr-defined]
    assert two - one == pytest.approx(2 * top)
