"""What an advertiser who knows the market's constants may believe of a user: exact steps on a distribution cut in parts.

A belief is one row of floats: over (segment, stage) cells, where a fifth stage is "has decided to buy, not yet paid";
then over goodwill, rivals' goodwill and tiredness of both families, each apart from the others; last, until when it
holds. Evidence are the opportunities themselves and the silence between them, their signals, and our own outcomes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.compiled import compiled, inlined
from gaelp_sim.events import NONE, US, Floats, Ints, Opportunities, Outcomes
from gaelp_sim.planning.plan import Problem
from gaelp_sim.planning.states import INTENT, LIVE
from gaelp_sim.population.kinds import Move
from gaelp_sim.response.touch import FATIGUE_MAX, GOODWILL_MAX, RIVAL_GOODWILL_MAX, Effects
from gaelp_sim.units import HOURS_PER_DAY, SECONDS_PER_DAY, SECONDS_PER_HOUR
from gaelp_sim.world.model import Model

STAGES = LIVE + 1
"""The live ones, and decided"""
STEPS_A_DAY = 64
DOUBLINGS = 13
"""Silences up to 2**13 steps: 128 days"""
LEVELS = (GOODWILL_MAX + 1, RIVAL_GOODWILL_MAX + 1, FATIGUE_MAX + 1, FATIGUE_MAX + 1)
_GOODWILL, _RIVAL, _TEACH, _OFFER = 0, 4, 7, 11
_TIMES = sum(LEVELS)
_DECIDED_LAG_S = 6 * SECONDS_PER_HOUR
"""Who pays within so short a time is taken to have left at once"""
Notes = NDArray[np.float32]


class Senses(NamedTuple):
    """Likelihoods and moves by cell, segment x STAGES: (cells,) columns."""

    prior: Floats
    silence: Floats
    """(DOUBLINGS, cells, cells): chance to be in another cell after 2**k steps without an opportunity"""
    slots_per_day: Floats
    """(channels, cells)"""
    shares: Floats
    """(signals, cells)"""
    needed: NDArray[np.int8]
    sold: Floats
    """(channels,)"""
    effects: Effects
    alive_s: Floats
    """(4,): survival of a unit of each level, as exponent of two a second"""
    passed_days: Floats
    """(hours + 1,): days' worth of events before each hour"""

    @staticmethod
    def of(problem: Problem, model: Model) -> Senses:
        """What is known beforehand of a scenario's people."""
        cells = model.kinds.segments * STAGES
        slots = _with_decided(model.kinds.rate_per_day[: model.channels, :, :LIVE])
        shares = problem.dynamics.signal_shares.reshape(-1, model.kinds.segments, LIVE)
        start = problem.start.reshape(problem.dynamics.lists, model.kinds.segments, LIVE, -1).sum(axis=(0, 3))
        open_channels = model.goodwill_needed == 0
        flow = _flow(problem, model) - np.diag(slots[open_channels].sum(axis=0))
        calendar = problem.calendar
        return Senses(
            np.pad(start, ((0, 0), (0, 1))).reshape(cells), _doublings(flow / STEPS_A_DAY), slots, _with_decided(shares),
            model.goodwill_needed, problem.dynamics.prices.sold[problem.dynamics.first_signal[:-1]], model.effects,
            -1.0 / model.half_life_s, np.concatenate([[0.0], np.cumsum(calendar.day_share)]),
        )


def width(senses: Senses) -> int:
    """Floats of a belief."""
    return len(senses.prior) + _TIMES + 2


def _with_decided(by_stage: Floats) -> Floats:
    """(rows, segments, LIVE) as (rows, cells): who has decided goes on as in INTENT."""
    return np.ascontiguousarray(by_stage[:, :, [0, 1, 2, INTENT, INTENT]].reshape(len(by_stage), -1))


def _flow(problem: Problem, model: Model) -> Floats:
    """Rates a day from cell to cell; rows sum to less than 0 where people leave."""
    natural, segments = model.kinds.rate_per_day[model.channels :], model.kinds.segments
    lag_s = model.sales.lag_s
    slow = lag_s[lag_s > _DECIDED_LAG_S]
    stays, pays = len(slow) / len(lag_s), SECONDS_PER_DAY / (float(slow.mean()) if len(slow) else 1.0)
    flow = np.zeros((segments, STAGES, segments, STAGES))
    strikes = problem.calendar.strikes.mean(axis=0) * HOURS_PER_DAY
    for z in range(segments):
        crisis = model.crisis_segment if model.crisis_segment != NONE else z
        for s in range(LIVE):
            rate = natural[:, z, s]
            for there, amount in (
                ((z, s + 1), rate[Move.UP] if s < INTENT else 0.0), ((z, s - 1), rate[Move.DOWN]),
                ((crisis, s), rate[Move.CRISIS] + strikes[z]), ((int(model.drift_to[z]), s), rate[Move.DRIFT]),
                ((z, LIVE), rate[Move.PURCHASE] * stays),
            ):
                flow[(z, s, *there)] += amount
                flow[z, s, z, s] -= amount
            flow[z, s, z, s] -= rate[Move.PURCHASE] * (1.0 - stays)
        flow[z, LIVE, z, LIVE] -= pays
    return flow.reshape(segments * STAGES, -1)


def _doublings(step: Floats) -> Floats:
    """exp(step x 2**k) for each k, by its series and by squaring."""
    power, term = np.eye(len(step)), np.eye(len(step))
    for k in range(1, 12):
        term = (term[:, :, None] * step[None]).sum(axis=1) / k
        power = power + term
    powers = [power]
    for _ in range(DOUBLINGS - 1):
        powers.append((powers[-1][:, :, None] * powers[-1][None]).sum(axis=1))
    return np.stack(powers)


class Heard(NamedTuple):
    """Opportunities and whose they are, (n,) columns."""

    user: Ints
    second: Ints
    channel: NDArray[np.int16]
    signal: NDArray[np.int16]

    @staticmethod
    def of(user: Ints, opportunities: Opportunities) -> Heard:
        """Of a round."""
        return Heard(user, opportunities.second, opportunities.channel, opportunities.signal)


@compiled
def hear(senses: Senses, heard: Heard, notes: Notes) -> Floats:
    """Beliefs at these opportunities, before our answer: (n, width); notes stay as they are."""
    cells = len(senses.prior)
    beliefs = np.empty((len(heard.user), notes.shape[1]))
    for i in range(len(heard.user)):
        belief = beliefs[i]
        belief[:] = notes[heard.user[i]]
        if belief[cells + _TIMES + 1] == 0.0:
            belief[:] = 0.0
            belief[:cells] = senses.prior
            belief[cells + _GOODWILL] = belief[cells + _RIVAL] = belief[cells + _TEACH] = belief[cells + _OFFER] = 1.0
        hour = min(heard.second[i] // SECONDS_PER_HOUR, len(senses.passed_days) - 2)
        into = heard.second[i] / SECONDS_PER_HOUR - hour
        days = senses.passed_days[hour] + into * (senses.passed_days[hour + 1] - senses.passed_days[hour])
        _pass_silence(senses, belief, days)
        _age(senses, belief, heard.second[i])
        channel = heard.channel[i]
        for cell in range(cells):
            belief[cell] *= senses.slots_per_day[channel, cell] * senses.shares[heard.signal[i], cell]
        for goodwill in range(senses.needed[channel]):
            belief[cells + _GOODWILL + goodwill] = 0.0
        _normalise(belief, 0, cells, senses.prior)
        _normalise(belief, cells + _GOODWILL, 4, senses.prior)
    return beliefs


@compiled
def _pass_silence(senses: Senses, belief: Floats, days: float) -> None:
    """Move the cells on to a moment at which nothing has been heard since."""
    cells = len(senses.prior)
    steps = int((days - belief[cells + _TIMES]) * STEPS_A_DAY + 0.5)
    if steps <= 0:
        return
    # Whole steps only: what is left of one is passed over the next time.
    belief[cells + _TIMES] += steps / STEPS_A_DAY
    gate = 0.0
    for channel in range(len(senses.needed)):
        if senses.needed[channel] == 1:
            for cell in range(cells):
                gate += belief[cell] * senses.slots_per_day[channel, cell]
    for goodwill in range(1, 4):
        belief[cells + _GOODWILL + goodwill] *= np.exp(-gate * steps / STEPS_A_DAY)
    _normalise(belief, cells + _GOODWILL, 4, senses.prior)
    moved = np.empty(cells)
    for k in range(DOUBLINGS):
        if steps >> k & 1:
            moved[:] = 0.0
            for here in range(cells):
                if belief[here] > 1e-12:
                    for there in range(cells):
                        moved[there] += belief[here] * senses.silence[k, here, there]
            belief[:cells] = moved
            _normalise(belief, 0, cells, senses.prior)


@compiled
def _age(senses: Senses, belief: Floats, second: int) -> None:
    """Let the levels decay up to a second."""
    cells = len(senses.prior)
    elapsed = max(second + 1.0 - belief[cells + _TIMES + 1], 0.0) if belief[cells + _TIMES + 1] > 0.0 else 0.0
    belief[cells + _TIMES + 1] = second + 1.0
    for level in range(4):
        first = cells + (_GOODWILL if level == 0 else _RIVAL if level == 1 else _TEACH if level == 2 else _OFFER)
        alive = 2.0 ** (elapsed * senses.alive_s[level])
        dead = 1.0 - alive
        one, two = belief[first + 1], belief[first + 2]
        three = belief[first + 3] if level != 1 else 0.0
        belief[first] += one * dead + two * dead * dead + three * dead**3
        belief[first + 1] = one * alive + 2.0 * two * alive * dead + 3.0 * three * alive * dead * dead
        belief[first + 2] = two * alive * alive + 3.0 * three * alive * alive * dead
        if level != 1:
            belief[first + 3] = three * alive**3


@inlined
def _normalise(belief: Floats, first: int, count: int, prior: Floats) -> None:
    """Sum to 1 again; what was thought impossible is taken for a stranger."""
    total = 0.0
    for place in range(first, first + count):
        total += belief[place]
    if total <= 1e-300:
        for place in range(count):
            belief[first + place] = prior[place] if first == 0 else 1.0 if place == 1 else 0.0
        return
    for place in range(first, first + count):
        belief[place] /= total


class Answered(NamedTuple):
    """What we did and how it ended, (n,) columns."""

    user: Ints
    channel: NDArray[np.int16]
    creative: NDArray[np.int16]
    won: NDArray[np.bool_]
    clicked: NDArray[np.bool_]

    @staticmethod
    def of(user: Ints, channel: NDArray[np.int16], creative: NDArray[np.int16], ended: Outcomes) -> Answered:
        """Of a round."""
        return Answered(user, channel, np.maximum(creative, 0), ended.winner == US, ended.clicked)


@compiled
def note_outcomes(senses: Senses, answered: Answered, beliefs: Floats, notes: Notes) -> None:
    """Keep beliefs of a round after its outcomes; a user is in a round once."""
    for i in range(len(answered.user)):
        if not answered.won[i]:
            _note_loss(senses, answered.channel[i], beliefs[i])
        else:
            _note_ad(senses, (answered.channel[i], answered.creative[i]), answered.clicked[i], beliefs[i])
        for place in range(beliefs.shape[1]):
            notes[answered.user[i], place] = beliefs[i, place]


@compiled
def _note_loss(senses: Senses, channel: int, belief: Floats) -> None:
    """A rival's ad may have moved them up, or won them over."""
    effects, cells, warmed = senses.effects, len(senses.prior), 0.0
    for segment in range(cells // STAGES):
        for stage in range(INTENT, -1, -1):
            cell = segment * STAGES + stage
            rate = min(effects.click_rate[channel, stage] * effects.segment_click[segment], 1.0)
            met = senses.sold[channel] * (1.0 - (1.0 - rate) * (1.0 - effects.examined[channel]))
            moves = met * effects.view_moves[channel, stage] * effects.rival_move_factor
            warms = min(effects.view_goodwill[channel] + effects.rival_click_goodwill * rate, 1.0)
            warmed += belief[cell] * (met - moves) * warms
            if stage < INTENT:
                belief[cell + 1] += belief[cell] * moves
                belief[cell] *= 1.0 - moves
    first = cells + _RIVAL
    for level in range(1, -1, -1):
        belief[first + level + 1] += belief[first + level] * warmed
        belief[first + level] *= 1.0 - warmed


@compiled
def _note_ad(senses: Senses, ad: tuple[int, int], clicked: bool, belief: Floats) -> None:
    """Our ad: whether it was clicked tells of the person, and it moves, warms, tires and wears."""
    channel, creative = ad
    effects, cells = senses.effects, len(senses.prior)
    tired = cells + (_TEACH if effects.family[creative] == 0 else _OFFER)
    worn = 0.0
    for level in range(4):
        worn += belief[tired + level] * effects.worn[level]
    for segment in range(cells // STAGES):
        buys = 0.0
        for goodwill in range(4):
            for rival in range(3):
                here = belief[cells + _GOODWILL + goodwill] * belief[cells + _RIVAL + rival]
                buys += here * effects.buy_on_click[segment, goodwill, rival]
        for stage in range(LIVE, -1, -1):
            cell, as_stage = segment * STAGES + stage, min(stage, INTENT)
            quality = effects.match[creative, as_stage] * worn
            clicks = min(effects.click_rate[channel, as_stage] * effects.segment_click[segment] * quality, 1.0)
            belief[cell] *= clicks if clicked else 1.0 - clicks
            moves = effects.click_moves[channel, as_stage] if clicked else (
                effects.examined[channel] * effects.view_moves[channel, as_stage]
            )
            moves = min(moves * quality, 1.0) if stage < INTENT else buys if clicked and stage == INTENT else 0.0
            if stage < LIVE and moves > 0.0:
                belief[cell + 1] += belief[cell] * moves
                belief[cell] *= 1.0 - moves
    _normalise(belief, 0, cells, senses.prior)
    looks, gains = 1.0, effects.click_goodwill
    if not clicked:
        looks = effects.examined[channel]
        gains = looks * effects.view_goodwill[channel] * worn
        _note_harm(senses, belief, looks)
    first = cells + _GOODWILL
    for level in range(2, -1, -1):
        belief[first + level + 1] += belief[first + level] * gains
        belief[first + level] *= 1.0 - gains
        belief[tired + level + 1] += belief[tired + level] * looks
        belief[tired + level] *= 1.0 - looks


@compiled
def _note_harm(senses: Senses, belief: Floats, looks: float) -> None:
    """Too many ads cost goodwill."""
    effects, cells, over = senses.effects, len(senses.prior), 0.0
    for teach in range(4):
        for offer in range(4):
            if teach + offer >= effects.overexposure_from:
                over += belief[cells + _TEACH + teach] * belief[cells + _OFFER + offer]
    harm, first = looks * over * effects.overexposure_harm, cells + _GOODWILL
    for level in range(1, 4):
        belief[first + level - 1] += belief[first + level] * harm
        belief[first + level] *= 1.0 - harm
