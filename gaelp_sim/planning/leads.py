"""Where things lead from every state: the next states with their chances, and sales on the way."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.events import NONE, Column, Floats, Ints
from gaelp_sim.planning.states import GOODWILL, INTENT, LIVE, OFFER, RIVAL, SEGMENT, STAGE, TEACH, States
from gaelp_sim.population.kinds import Move
from gaelp_sim.response.touch import FATIGUE_MAX, GOODWILL_MAX, RIVAL_GOODWILL_MAX
from gaelp_sim.units import MICROS_PER_UNIT
from gaelp_sim.world.model import Model


class Lead(NamedTuple):
    """From each state: where to, with what chance, and what is sold on the way.

    Chances sum to 1 less the chance that the person decides to buy, from whomever.
    """

    to: NDArray[np.int32]
    """(rows, terms)"""
    chance: Floats
    """(rows, terms)"""
    sale_usd: Floats
    """(rows,): mean value of our sales"""

    @staticmethod
    def of(terms: list[tuple[Ints, Floats]], sale_usd: Floats) -> Lead:
        """Put terms together, one of each next state; terms: (next state, chance), (states,) columns."""
        to = np.stack([next_one for next_one, _ in terms], axis=1)
        chance = np.stack(np.broadcast_arrays(*(part for _, part in terms)), axis=1).astype(np.float64)
        to, chance = _ordered(to, chance, np.where(chance > 0, to, 2**31 - 1))
        for term in range(to.shape[1] - 1, 0, -1):  # equal ones stand side by side: the later is added to the earlier
            same = (to[:, term] == to[:, term - 1]) & (chance[:, term] > 0)
            chance[same, term - 1] += chance[same, term]
            chance[same, term] = 0.0
        to, chance = _ordered(to, chance, chance <= 0)
        used = max(int((chance > 0).sum(axis=1).max()), 1)
        to = np.where(chance > 0, to, 0)[:, :used]
        return Lead(np.ascontiguousarray(to, dtype=np.int32), np.ascontiguousarray(chance[:, :used]), sale_usd.copy())

    @staticmethod
    def stacked(leads: list[Lead]) -> Lead:
        """Several leads one after the other, filled up to the same number of terms."""
        most = max(lead.to.shape[1] for lead in leads)
        fill = [((0, 0), (0, most - lead.to.shape[1])) for lead in leads]
        return Lead(
            np.concatenate([np.pad(lead.to, pad) for lead, pad in zip(leads, fill, strict=True)]),
            np.concatenate([np.pad(lead.chance, pad) for lead, pad in zip(leads, fill, strict=True)]),
            np.concatenate([lead.sale_usd for lead in leads]),
        )


def _ordered(to: Ints, chance: Floats, key: Column) -> tuple[Ints, Floats]:
    """Terms of each row in ascending order of a key."""
    order = np.argsort(key, axis=1, kind="stable")
    return np.take_along_axis(to, order, axis=1), np.take_along_axis(chance, order, axis=1)


def where_lost(model: Model, sold: Floats, states: States) -> Lead:
    """Where a rival's ad leads, (channels x states); sold: (channels,), chance that a rival takes what we leave."""
    effects, here = model.effects, np.arange(len(states.stage))
    leads = []
    for channel in range(model.channels):
        rate = np.minimum(effects.click_rate[channel, states.stage] * effects.segment_click[states.segment], 1.0)
        met = sold[channel] * (1.0 - (1.0 - rate) * (1.0 - effects.examined[channel]))
        moves = effects.view_moves[channel, states.stage] * effects.rival_move_factor
        warms = np.minimum(effects.view_goodwill[channel] + effects.rival_click_goodwill * rate, 1.0)
        warmer = here + RIVAL * (states.rival_goodwill < RIVAL_GOODWILL_MAX)
        leads.append(Lead.of([
            (_up(here, states), met * moves), (warmer, met * (1.0 - moves) * warms),
            (here, 1.0 - met * (moves + (1.0 - moves) * warms)),
        ], np.zeros(len(here))))
    return Lead.stacked(leads)


def where_shown(model: Model, place: tuple[int, int], states: States) -> Lead:
    """Where our ad leads, its price left out; place: (channel, creative)."""
    channel, creative = place
    effects, here = model.effects, np.arange(len(states.stage))
    teaches = effects.family[creative] == 0
    worn = states.teach if teaches else states.offer
    quality = effects.match[creative, states.stage] * effects.worn[worn]
    clicks = effects.click_rate[channel, states.stage] * effects.segment_click[states.segment] * quality
    clicks = np.minimum(clicks, 1.0)
    tired = here + (TEACH if teaches else OFFER) * (worn < FATIGUE_MAX)
    up, warm = _up(tired, states), GOODWILL * (states.goodwill < GOODWILL_MAX)
    buys = effects.buy_on_click[states.segment, states.goodwill, states.rival_goodwill] * (states.stage == INTENT)
    looks = (1.0 - clicks) * effects.examined[channel]
    view_moves = np.minimum(effects.view_moves[channel, states.stage] * quality, 1.0)
    gains = effects.view_goodwill[channel] * effects.worn[worn]
    over = states.teach + states.offer >= effects.overexposure_from
    harm = np.where(over & (states.goodwill > 0), effects.overexposure_harm, 0.0)
    terms = [
        (here, 1.0 - clicks - looks), (up, looks * view_moves),
        (tired + warm, looks * (1.0 - view_moves) * gains),
        (tired - GOODWILL * (states.goodwill > 0), looks * (1.0 - view_moves) * (1.0 - gains) * harm),
        (tired, looks * (1.0 - view_moves) * (1.0 - gains) * (1.0 - harm)),
    ]
    click_moves = np.minimum(effects.click_moves[channel, states.stage] * quality, 1.0)
    joins = model.signup[creative] * (states.listed == 0) * (states.listed.max() > 0)
    for joined, part in ((0, 1.0 - joins), (len(here) // 2, joins)):
        for step, likely in ((up, click_moves), (tired, 1.0 - click_moves)):
            for add, chance in ((warm, effects.click_goodwill), (0, 1.0 - effects.click_goodwill)):
                terms.append((step + add + joined * (joins > 0), clicks * (1.0 - buys) * part * likely * chance))
    return Lead.of(terms, clicks * buys * _ltv_usd(model))


def after_change(model: Model, states: States) -> tuple[Floats, Lead]:
    """Natural changes a day, of which a person makes at most one an hour, and where one leads."""
    here = np.arange(len(states.stage))
    names = (Move.UP, Move.DOWN, Move.PURCHASE, Move.CRISIS, Move.DRIFT)
    rate = {move: model.kinds.rate_per_day[model.channels + move, states.segment, states.stage] for move in names}
    total = np.sum(list(rate.values()), axis=0)
    part = {move: rate[move] / np.maximum(total, 1e-300) for move in names}
    crisis = here if model.crisis_segment == NONE else here + (model.crisis_segment - states.segment) * SEGMENT
    drifted = here + (model.drift_to[states.segment].astype(np.int64) - states.segment) * SEGMENT
    ours = model.sales.ours_share[states.goodwill, states.rival_goodwill]
    # Without rivals whoever does not pick us goes on looking.
    stays = part[Move.PURCHASE] * (1.0 - ours) * (model.sales.rivals == 0)
    terms = [
        (_up(here, states), part[Move.UP]), (here - STAGE * (states.stage > 0), part[Move.DOWN]),
        (crisis, part[Move.CRISIS]), (drifted, part[Move.DRIFT]), (here, stays),
    ]
    return total, Lead.of(terms, part[Move.PURCHASE] * ours * _ltv_usd(model))


def after_mail(model: Model, states: States) -> Lead:
    """Where an e-mail leads those on the list; everybody else stays where they are."""
    here, email = np.arange(len(states.stage)), model.scenario.email
    if email is None or not states.listed.any():
        return Lead.of([(here, np.ones(len(here)))], np.zeros(len(here)))
    moves = np.array([getattr(email.click_moves_up, name, 0.0) for name in ("unaware", "aware", "considering", "intent")])
    moves, warm, up = moves[:LIVE][states.stage], GOODWILL * (states.goodwill < GOODWILL_MAX), _up(here, states)
    adds, clicked = model.effects.click_goodwill, email.click_rate
    seen = (1.0 - clicked) * email.open_rate
    terms = []
    for left, part in ((0, 1.0 - email.unsubscribe_rate), (-(len(here) // 2), email.unsubscribe_rate)):
        on = part * (states.listed > 0)
        for step, likely in ((up, moves), (here, 1.0 - moves)):
            terms.append((step + warm + left * (on > 0), on * clicked * likely * adds))
            terms.append((step + left * (on > 0), on * clicked * likely * (1.0 - adds)))
        terms.append((here + warm + left * (on > 0), on * seen * email.view_adds_goodwill))
        terms.append((here + left * (on > 0), on * (1.0 - clicked - seen * email.view_adds_goodwill)))
    terms.append((here, (states.listed == 0).astype(np.float64)))
    return Lead.of(terms, np.zeros(len(here)))


def _up(states_from: Ints, states: States) -> Ints:
    return states_from + STAGE * (states.stage < INTENT)


def _ltv_usd(model: Model) -> float:
    return model.sales.ltv_micros / MICROS_PER_UNIT
