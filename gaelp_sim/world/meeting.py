"""People meet the ads that won: they look or don't, click or don't, and change."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gaelp_sim.draws import Purpose, Words, uniform
from gaelp_sim.events import NONE, US, Bids, Bools, Floats, Ints, TouchKind
from gaelp_sim.market.budgets import Spent
from gaelp_sim.population.people import FATIGUE_TEACH, GOODWILL, RIVAL_GOODWILL
from gaelp_sim.response.touch import Changed, Met, respond
from gaelp_sim.world.accounts import log_in, sign_up
from gaelp_sim.world.journeys import Touches, record_touches
from gaelp_sim.world.log import full
from gaelp_sim.world.sales import decide_on_click
from gaelp_sim.world.slots import Slots
from gaelp_sim.world.stack import Stack

_IMPRESSION = int(TouchKind.IMPRESSION)


@dataclass(frozen=True)
class Clicks:
    """Who would click what: by slot and opportunity, (slots, n)."""

    us: Bools
    rival: Bools
    base_rate: Floats
    quality: Floats
    """(n,), of our chosen creative"""


@dataclass(frozen=True)
class Shown:
    """What a round shows: our creatives, who won which slot at what charge, and who would click."""

    ours: Bids
    spent: Spent
    clicks: Clicks


def meet(stack: Stack, slots: Slots, shown: Shown, *, position: int) -> None:
    """Let people meet the ads in one slot position: levels, stages, sales and touches."""
    people, opportunities = stack.people, slots.opportunities
    ours, spent, clicks = shown.ours, shown.spent, shown.clicks
    winner, clicked = spent.winner[position], spent.clicked[position]
    sold = np.flatnonzero(winner != NONE)
    row, second = opportunities.row[sold], opportunities.second[sold]
    if not len(row):
        return
    winner, clicked = winner[sold], clicked[sold]
    examined = clicked | _looked(stack, slots, position, sold)
    effect, extra = _effect_luck(stack, slots, position, sold)
    level = people.level[:, row] if position else slots.level[:, sold]
    met = Met(
        winner, opportunities.channel[sold], np.maximum(ours.creative[sold], 0), slots.segment[sold],
        people.stage[row], level[GOODWILL], level[RIVAL_GOODWILL], level[FATIGUE_TEACH:], clicked, examined,
        clicks.base_rate[position, sold], clicks.quality[sold], effect, extra,
    )
    changed = respond(stack.model.effects, met)
    _write_back(stack, row, second, met, changed)
    kept = np.flatnonzero((winner == US) | examined)
    record_touches(stack, _touches(stack, slots, shown, _Kept(position, sold[kept], examined[kept])))
    buyers = np.flatnonzero(changed.buys)
    if len(buyers):
        decide_on_click(stack, row[buyers], second[buyers])
    clickers = sold[(winner == US) & clicked]
    if len(clickers):
        _after_click(stack, slots, ours, clickers)


def _looked(stack: Stack, slots: Slots, position: int, sold: Ints) -> Bools:
    chance = stack.model.effects.examined[slots.opportunities.channel[sold]]
    if position:
        chance = chance * stack.model.attention[slots.segment[sold]] ** position
    # The same word for every position: who looks at a lower slot has looked at the higher ones.
    return uniform(slots.luck.examined[sold]) < chance


def _effect_luck(stack: Stack, slots: Slots, position: int, sold: Ints) -> tuple[Words, Words]:
    if not position:
        return slots.luck.effect[sold], slots.luck.extra[sold]
    people, row = stack.people, slots.opportunities.row[sold]
    second = slots.opportunities.second[sold]
    words = stack.model.draws.words(Purpose.LOWER_SLOT, people.world[row], people.person[row], second, position)
    return words[1], words[2]


def _write_back(stack: Stack, row: Ints, second: Ints, met: Met, changed: Changed) -> None:
    people = stack.people
    people.stage[row] = changed.stage
    people.level[GOODWILL, row] = changed.goodwill
    people.level[RIVAL_GOODWILL, row] = changed.rival_goodwill
    people.level[FATIGUE_TEACH:, row] = changed.fatigue
    people.level_s[row] = second
    stack.now_s[row] = second
    rival = met.examined & (met.winner > US)
    people.last_rival[row[rival]] = met.winner[rival]


@dataclass(frozen=True)
class _Kept:
    """Impressions that count as touches: in which slot position, at which opportunities, looked at or not."""

    position: int
    at: Ints
    examined: Bools


def _touches(stack: Stack, slots: Slots, shown: Shown, kept: _Kept) -> Touches:
    """All impressions of ours, and rivals' as far as the person looked."""
    opportunities, ours, spent = slots.opportunities, shown.ours, shown.spent
    position, at = kept.position, kept.at
    winner, n = spent.winner[position, at], len(at)
    mine = winner == US
    channel = opportunities.channel[at]
    return Touches(
        opportunities.row[at], opportunities.second[at], full(n, position), full(n, _IMPRESSION), winner, channel,
        np.where(mine, stack.model.campaign_of_channel[channel], NONE), np.where(mine, ours.creative[at], NONE),
        opportunities.signal[at], full(n, position + 1), opportunities.device[at], spent.charge_micros[position, at],
        kept.examined, spent.clicked[position, at],
    )


def _after_click(stack: Stack, slots: Slots, ours: Bids, at: Ints) -> None:
    """A click of ours may end in a sign-up to the list (which logs in), or in a log-in alone."""
    opportunities, model = slots.opportunities, stack.model
    luck = slots.luck.account[at]
    row, device = opportunities.row[at], opportunities.device[at]
    signs = (luck & np.uint32(0xFFFF)) < model.signup[ours.creative[at]] * 2**16
    logs = signs | ((luck >> np.uint32(16)) < model.scenario.population.devices.login_on_click * 2**16)
    sign_up(stack, row[signs])
    log_in(stack, row[logs], device[logs], opportunities.second[at][logs])
