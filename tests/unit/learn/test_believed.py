"""Gains over beliefs: what is looked up once for many is what each opportunity would have looked up for itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gaelp_sim.draws import Draws
from gaelp_sim.scenario.loading import load_scenario

pytest.importorskip("torch")

from gaelp_sim.learn import teaching  # noqa: E402 - only where torch is there
from gaelp_sim.learn.believed import believed_gains  # noqa: E402
from gaelp_sim.learn.network import JourneyNet, Shape  # noqa: E402
from gaelp_sim.learn.rollout import Classroom, Conduct, live  # noqa: E402
from gaelp_sim.market.actions import LEVELS, Actions  # noqa: E402
from gaelp_sim.planning.belief import STAGES  # noqa: E402
from gaelp_sim.planning.expecting import LEVELS as LEVEL_COLUMNS  # noqa: E402
from gaelp_sim.planning.expecting import UNLIKELY, levels_of  # noqa: E402
from gaelp_sim.planning.prices import looked_up  # noqa: E402
from gaelp_sim.planning.recursion import led  # noqa: E402
from gaelp_sim.planning.states import INTENT, LIVE, SEGMENT, STAGE  # noqa: E402


def test_gains_are_what_each_opportunity_comes_to_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Written out state by state, without anything kept from one opportunity to the next: not a bit apart."""
    asked: list[tuple[Any, ...]] = []

    def watched(*given: Any) -> Any:
        asked.append(given)
        return believed_gains(*given)

    monkeypatch.setattr(teaching, "believed_gains", watched)
    scenario = load_scenario("parental_controls", ["days=2"])
    actions = Actions.of(scenario)
    net = JourneyNet.born(Shape(actions.count, actions.creatives, hidden=8, encoder=8), Draws(1))
    live(Classroom.of(scenario, 300, 2), net, 7, Conduct(0.02))
    for given in asked[20:48:9]:
        gain, lift = believed_gains(*given)
        assert (gain != 0).any() and (lift != 0).any()
        for i in range(min(len(gain), 12)):
            alone, alone_lift = _alone(given, i)
            assert (gain[i] == alone).all()
            assert (lift[i] == alone_lift).all()


def _alone(given: tuple[Any, ...], i: int) -> tuple[np.ndarray, np.ndarray]:
    """Gains of actions and lifts of creatives of one opportunity."""
    at, ranks, of, (_, money, factor), (actions, creatives) = given
    gain, lifts = np.zeros(actions, dtype=np.float32), np.zeros(creatives, dtype=np.float32)
    channel, signal, bids = of.channel[i], of.signal[i], len(LEVELS) - 1
    scale = at.prices.market_usd[signal] * factor
    for creative in range(creatives):
        row = at.options.stands[channel, creative]
        if row < 0:
            continue
        lift, paid = _of_option(given, i, row)
        lifts[creative] = lift.sum()
        for value in np.flatnonzero(paid > 0.0):
            for level in range(bids):
                bid = LEVELS[level + 1] * ranks.value[row, value] / factor
                wins = looked_up.py_func(at.prices.below[signal], bid)
                costs = scale * looked_up.py_func(at.prices.paid[signal], bid)
                place = 1 + bids * creative + level
                gain[place] = float(gain[place]) + (lift[value] * wins - money * paid[value] * costs)
    return gain, lifts


def _of_option(given: tuple[Any, ...], i: int, row: int) -> tuple[np.ndarray, np.ndarray]:
    """Lift and what of the price a win pays, by rank."""
    at, ranks, of, (after, *_), _ = given
    belief, states = of.belief[i], at.options.paid.shape[1]
    cells = len(belief) - LEVEL_COLUMNS - 2
    lift, paid = np.zeros(ranks.value.shape[1]), np.zeros(ranks.value.shape[1])
    likely, steps = np.empty(192), np.empty(192, dtype=np.int64)
    count = levels_of(belief, cells, likely, steps)
    for cell in range(cells):
        stage = cell % STAGES
        base = (int(of.listed[i]) * (cells // STAGES) + cell // STAGES) * SEGMENT + min(stage, INTENT) * STAGE
        for k in range(count):
            part, state = belief[cell] * likely[k], base + steps[k]
            if part < UNLIKELY:
                continue
            rank = ranks.place[row, state]
            paid[rank] += part * at.options.paid[row, state]
            if stage != LIVE:
                won = at.options.shown.sale_usd[row * states + state] + led(
                    at.options.shown.to, at.options.shown.chance, row * states + state, after
                )
                lost = led(at.lost.to, at.lost.chance, of.channel[i] * states + state, after)
                lift[rank] += part * (won - lost)
    return lift, paid
