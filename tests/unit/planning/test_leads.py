"""Where an ad, a rival's ad, an e-mail or an hour leads: held against the engine's own steps, word for word of luck."""

from __future__ import annotations

import numpy as np
import pytest

from gaelp_sim.draws import Draws, Purpose, Who
from gaelp_sim.planning.dynamics import Dynamics, dynamics_of
from gaelp_sim.planning.recursion import _level_decayed
from gaelp_sim.planning.states import GOODWILL, RIVAL, SEGMENT, STAGE, TEACH
from gaelp_sim.response.levels import survival, survivors
from gaelp_sim.response.touch import Ad, Standing, buys_on_click, click_rate_of, quality_of, respond
from gaelp_sim.scenario.loading import load_scenario
from gaelp_sim.world.model import Model, model_of

TRIES = 10_000
SAMPLES = 12


@pytest.fixture(scope="module")
def model() -> Model:
    """The flagship's."""
    return model_of(load_scenario("parental_controls"), 1)


@pytest.fixture(scope="module")
def dynamics(model: Model) -> Dynamics:
    """The flagship's, compiled for planning."""
    return dynamics_of(model)


def test_chances_are_chances(dynamics: Dynamics) -> None:
    """They sum to 1, less what decides to buy on the way; each next state stands once."""
    states, ltv = dynamics.states, 180.0
    shown, lost = dynamics.options.shown, dynamics.lost
    assert (lost.chance >= 0).all() and np.allclose(lost.chance.sum(axis=1), 1.0)
    buys = shown.sale_usd / ltv
    assert np.allclose(shown.chance.sum(axis=1), 1.0 - buys)
    assert buys.reshape(-1, len(states.stage))[:, states.stage < 3].max() == 0.0 < buys.max()
    assert np.allclose(dynamics.mailed.chance.sum(axis=1), 1.0)
    leaves = 1.0 - dynamics.changed.chance.sum(axis=1)
    assert np.allclose(leaves[states.stage < 3], 0.0) and (leaves[states.stage == 3] > 0).all()
    for lead in (shown, lost, dynamics.changed, dynamics.mailed):
        used = np.where(lead.chance > 0, lead.to, -1 - np.arange(lead.to.shape[1]))
        assert (np.diff(np.sort(used, axis=1), axis=1) > 0).all()


def _samples(dynamics: Dynamics) -> list[int]:
    """Unlisted states all over."""
    words = Draws(seed=3).words(Purpose.SALE, 0, np.arange(SAMPLES), 0)[0]
    return (words % (dynamics.segments * SEGMENT)).tolist()


def _number(segment: int, standing: Standing) -> int:
    return (
        segment * SEGMENT + standing.stage * STAGE + standing.goodwill * GOODWILL + standing.rival_goodwill * RIVAL
        + standing.fatigue_teach * TEACH + standing.fatigue_offer
    )


@pytest.mark.parametrize("channel, creative", [(0, 0), (0, 1), (1, 1), (3, 0), (4, 1)])
def test_an_ad_leads_where_the_engine_leads(model: Model, dynamics: Dynamics, channel: int, creative: int) -> None:
    """Thousands of people in one state meet the ad in the engine; as many come to each next state as the lead says."""
    mine = range(dynamics.options.first[channel], dynamics.options.first[channel + 1])
    (option,) = [place for place in mine if dynamics.options.creative[place] == creative]
    for number in _samples(dynamics):
        counts, bought = _met(model, dynamics, (channel, creative), number)
        row = option * len(dynamics.slots_per_day) + number
        _assert_agree(dynamics.options.shown.to[row], dynamics.options.shown.chance[row], counts)
        assert bought / TRIES == pytest.approx(dynamics.options.shown.sale_usd[row] / 180.0, abs=5 * TRIES**-0.5 * 0.3)


@pytest.mark.parametrize("channel", range(5))
def test_a_rival_s_ad_leads_where_the_engine_leads(model: Model, dynamics: Dynamics, channel: int) -> None:
    for number in _samples(dynamics):
        counts, _ = _met(model, dynamics, (channel, -1), number)
        row = channel * len(dynamics.slots_per_day) + number
        _assert_agree(dynamics.lost.to[row], dynamics.lost.chance[row], counts)


def _met(model: Model, dynamics: Dynamics, ad: tuple[int, int], number: int) -> tuple[dict[int, int], int]:
    """How many of TRIES people in a state come to each state by an ad (creative -1: a rival's), and how many buy."""
    (channel, creative), states, effects = ad, dynamics.states, model.effects
    segment, stage = int(states.segment[number]), int(states.stage[number])
    before = Standing(
        stage, int(states.goodwill[number]), int(states.rival_goodwill[number]), int(states.teach[number]),
        int(states.offer[number]),
    )
    ours = creative >= 0
    worn = before.fatigue_teach if effects.family[max(creative, 0)] == 0 else before.fatigue_offer
    quality = quality_of.py_func(effects, max(creative, 0), stage, worn)  # type: ignore[attr-defined]
    rate = click_rate_of.py_func(effects, channel, segment, stage)  # type: ignore[attr-defined]
    words = Draws(seed=4).blocks(Purpose.OPPORTUNITY, _who(number), slots=1)
    uniforms = words * 2.0**-32
    counts, bought = {}, 0
    click = uniforms[0] < rate * (quality if ours else 1.0)
    looks = click | (uniforms[1] < effects.examined[channel])
    for i in range(TRIES):
        after = before
        if looks[i]:
            extra = int(words[3, i])
            met = Ad(ours, channel, max(creative, 0), bool(click[i]), quality, rate)
            if ours and click[i] and buys_on_click.py_func(effects, segment, before, extra):  # type: ignore[attr-defined]
                bought += 1
                continue
            after = respond.py_func(effects, met, before, int(words[2, i]), extra)  # type: ignore[attr-defined]
        there = _number(segment, after)
        counts[there] = counts.get(there, 0) + 1
    return counts, bought


def _who(number: int) -> Who:
    n = np.arange(TRIES)
    return Who(np.zeros(TRIES, dtype=np.int64), n, np.full(TRIES, number))


def _assert_agree(to: np.ndarray, chance: np.ndarray, counts: dict[int, int]) -> None:
    """Shares within five standard errors; no next state that the lead does not know. The list is left out."""
    told: dict[int, float] = {}
    for there, part in zip(to.tolist(), chance.tolist(), strict=True):
        if part > 0:
            folded = there % (4 * SEGMENT)
            told[folded] = told.get(folded, 0.0) + part
    assert set(counts) <= set(told)
    for there, part in told.items():
        error = 5 * (part * (1 - part) / TRIES) ** 0.5 + 1e-9
        assert abs(counts.get(there, 0) / TRIES - part) <= error + 1 / TRIES, there


def test_levels_decay_as_the_engine_s(model: Model, dynamics: Dynamics) -> None:
    """The recursion's decay of one level is the engine's survivors, averaged over luck."""
    luck = (np.arange(10_000) + 0.5) / 10_000
    alive = survival.py_func(90_000, 250_000.0)  # type: ignore[attr-defined]
    worth = np.array([0.0, 1.0, 5.0, 25.0])
    value = worth.copy()
    _level_decayed(value, 1, 3, alive)
    for level in range(4):
        left = [survivors.py_func(level, alive, place) for place in luck.tolist()]  # type: ignore[attr-defined]
        assert value[level] == pytest.approx(worth[left].mean(), abs=5e-3)
