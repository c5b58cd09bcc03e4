"""People meet the ads that won: they look or don't, click or don't, and change."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gaelp_sim.compiled import compiled, inlined
from gaelp_sim.draws import Purpose, Words
from gaelp_sim.events import NONE, US, Bids, Bools, Floats, Ints, TouchKind
from gaelp_sim.market.auction import Codes
from gaelp_sim.market.budgets import Spent
from gaelp_sim.population.people import FATIGUE_OFFER, FATIGUE_TEACH, GOODWILL, RIVAL_GOODWILL, People
from gaelp_sim.response.touch import (
    Ad,
    Effects,
    Standing,
    buys_on_click,
    click_rate_of,
    quality_of,
    quality_ppm,
    respond,
)
from gaelp_sim.world.accounts import log_in, sign_up
from gaelp_sim.world.journeys import (
    ADVERTISER,
    CAMPAIGN,
    CHANNEL,
    CLICKED,
    CREATIVE,
    DEVICE,
    EXAMINED,
    JOURNEY,
    KIND,
    POSITION,
    PRICE,
    ROW,
    SECOND,
    SIGNAL,
    SLOT,
    TOUCH,
    record_rows,
)
from gaelp_sim.world.sales import decide_on_click
from gaelp_sim.world.slots import Slots
from gaelp_sim.world.stack import Stack

_IMPRESSION = int(TouchKind.IMPRESSION)


class Round(NamedTuple):
    """A round of opportunities as compiled code reads it, (n,) columns."""

    row: Ints
    second: Ints
    channel: Codes
    signal: Codes
    creative: Codes
    """Ours"""
    stage: Codes
    """At the opportunity"""
    attention: Floats
    """The person's, for lower slots"""
    level: Codes
    """(LEVELS, n), read at the opportunity"""
    examined: Words
    response: Words
    """(3 x slots, n): each slot's words for click, effect and extra"""


class Clicks(NamedTuple):
    """Who would click what, by slot and opportunity, (slots, n)."""

    us: Bools
    rival: Bools
    rate: Floats
    """Of an ad of quality 1"""
    quality: Floats
    """(n,): of our chosen creative"""
    quality_ppm: Ints


class Met(NamedTuple):
    """What became of each slot of a round, (slots, n)."""

    examined: Bools
    buys: Bools
    """Whoever decided at once to buy from us"""


def round_to_meet(stack: Stack, slots: Slots, ours: Bids) -> Round:
    """The round with all the luck that its slots may need."""
    model, opportunities, luck = stack.model, slots.opportunities, slots.luck
    positions = int(model.rules.slots[opportunities.channel].max()) if model.several_slots else 1
    response = [luck.click, luck.effect, luck.extra]
    if positions > 1:
        words = model.draws.blocks(
            Purpose.LOWER_SLOT, stack.who(opportunities.row, opportunities.second), slots=positions
        )
        response += [words[4 * position + word] for position in range(1, positions) for word in range(3)]
    return Round(
        opportunities.row, opportunities.second, opportunities.channel, opportunities.signal,
        np.maximum(ours.creative, 0), slots.stage,
        model.attention[slots.segment], slots.level, luck.examined, np.stack(response),
    )


@compiled
def would_click(people: People, effects: Effects, this: Round) -> Clicks:
    """Keyed clicks, known before the charge: by the state at the opportunity, for every slot."""
    positions, n = len(this.response) // 3, len(this.row)
    us, rival = np.empty((positions, n), dtype=np.bool_), np.empty((positions, n), dtype=np.bool_)
    rate, quality = np.empty((positions, n)), np.empty(n)
    ppm = np.empty(n, dtype=np.int64)
    for i in range(n):
        creative, stage = this.creative[i], this.stage[i]
        quality[i] = quality_of(effects, creative, stage, this.level[FATIGUE_TEACH + effects.family[creative], i])
        ppm[i] = quality_ppm(quality[i])
        top = click_rate_of(effects, this.channel[i], people.segment[this.row[i]], stage)
        for slot in range(positions):
            rate[slot, i] = top * this.attention[i] ** float(slot) if slot else top
            luck = this.response[3 * slot, i] * 2.0**-32
            us[slot, i] = luck < rate[slot, i] * quality[i]
            rival[slot, i] = luck < rate[slot, i]
    return Clicks(us, rival, rate, quality, ppm)


@compiled
def meet_ads(people: People, effects: Effects, this: Round, clicks: Clicks, spent: Spent) -> Met:
    """Let people meet the ads from the top slot down: their levels and stages are written back."""
    positions, n = spent.winner.shape
    met = Met(np.zeros((positions, n), dtype=np.bool_), np.zeros((positions, n), dtype=np.bool_))
    for i in range(n):
        if spent.winner[0, i] == NONE:
            continue
        row, channel = this.row[i], this.channel[i]
        state = Standing(
            np.int64(people.stage[row]), np.int64(this.level[GOODWILL, i]), np.int64(this.level[RIVAL_GOODWILL, i]),
            np.int64(this.level[FATIGUE_TEACH, i]), np.int64(this.level[FATIGUE_OFFER, i]),
        )
        for slot in range(positions):
            winner, clicked = spent.winner[slot, i], spent.clicked[slot, i]
            if winner == NONE:
                break
            chance = effects.examined[channel]
            if slot:
                chance = chance * this.attention[i] ** float(slot)
            # The same word for every slot: who looks at a lower one has looked at the higher ones.
            looks = clicked or this.examined[i] * 2.0**-32 < chance
            met.examined[slot, i] = looks
            if not looks:
                continue
            ad = Ad(winner == US, int(channel), int(this.creative[i]), clicked, clicks.quality[i], clicks.rate[slot, i])
            extra = this.response[3 * slot + 2, i]
            if ad.ours:
                met.buys[slot, i] = clicked and buys_on_click(effects, people.segment[row], state, extra)
            else:
                people.last_rival[row] = winner
                if clicked:
                    people.clicked_rival[row], people.clicked_signal[row] = winner, this.signal[i]
                    people.clicked_s[row] = this.second[i]
            state = respond(effects, ad, state, this.response[3 * slot + 1, i], extra)
        _write(people, row, state, this.second[i])
    return met


@inlined
def _write(people: People, row: int, state: Standing, second: int) -> None:
    people.stage[row] = state.stage
    people.level[GOODWILL, row], people.level[RIVAL_GOODWILL, row] = state.goodwill, state.rival_goodwill
    people.level[FATIGUE_TEACH, row], people.level[FATIGUE_OFFER, row] = state.fatigue_teach, state.fatigue_offer
    people.level_s[row] = second


class Shown(NamedTuple):
    """A round's ads as shown: our choices, who won which slot at what charge, what people did."""

    ours: Bids
    spent: Spent
    met: Met


def record_round(stack: Stack, slots: Slots, shown: Shown) -> None:
    """Write down what a round brought, from the top slot down: touches, sales, sign-ups and log-ins."""
    row = slots.opportunities.row
    sold = shown.spent.winner[0] != NONE
    stack.now_s[row[sold]] = slots.opportunities.second[sold]
    for position in range(len(shown.spent.winner)):
        _record_slot(stack, slots, shown, position)


def _record_slot(stack: Stack, slots: Slots, shown: Shown, position: int) -> None:
    spent, opportunities = shown.spent, slots.opportunities
    told = _Told(
        opportunities.row, opportunities.second, opportunities.channel, opportunities.signal, opportunities.device,
        shown.ours.creative, stack.model.campaign_of_channel,
    )
    touches = _impressions(told, spent, shown.met, position)
    if touches.shape[1]:
        record_rows(stack, touches)
    buyers = np.flatnonzero(shown.met.buys[position])
    if len(buyers):
        decide_on_click(stack, opportunities.row[buyers], opportunities.second[buyers])
    clickers = np.flatnonzero((spent.winner[position] == US) & spent.clicked[position])
    if len(clickers):
        _after_click(stack, slots, shown.ours, clickers)


class _Told(NamedTuple):
    """What an impression tells besides the auction's outcome: (n,) columns."""

    row: Ints
    second: Ints
    channel: Codes
    signal: Codes
    device: Codes
    creative: Codes
    campaign: Codes
    """(channels,)"""


@compiled
def _impressions(told: _Told, spent: Spent, met: Met, position: int) -> Ints:
    """Touches of one slot, `TOUCH` by k: all impressions of ours, and rivals' as far as the person looked."""
    touches, count = np.empty((len(TOUCH), len(told.row)), dtype=np.int64), 0
    for i in range(len(told.row)):
        winner, channel = spent.winner[position, i], told.channel[i]
        ours = winner == US
        if not (ours or met.examined[position, i]):
            continue
        touches[ROW, count], touches[SECOND, count] = told.row[i], told.second[i]
        touches[JOURNEY, count], touches[SLOT, count], touches[KIND, count] = NONE, position, _IMPRESSION
        touches[ADVERTISER, count], touches[CHANNEL, count] = winner, channel
        touches[CAMPAIGN, count] = told.campaign[channel] if ours else NONE
        touches[CREATIVE, count] = told.creative[i] if ours else NONE
        touches[SIGNAL, count], touches[POSITION, count] = told.signal[i], position + 1
        touches[DEVICE, count], touches[PRICE, count] = told.device[i], spent.charge_micros[position, i]
        touches[EXAMINED, count], touches[CLICKED, count] = met.examined[position, i], spent.clicked[position, i]
        count += 1
    return touches[:, :count].copy()


def _after_click(stack: Stack, slots: Slots, ours: Bids, at: Ints) -> None:
    """A click of ours may end in a sign-up to the list (which logs in), or in a log-in alone."""
    opportunities, model = slots.opportunities, stack.model
    luck = slots.luck.account[at]
    row, device = opportunities.row[at], opportunities.device[at]
    signs = (luck & np.uint32(0xFFFF)) < model.signup[ours.creative[at]] * 2**16
    logs = signs | ((luck >> np.uint32(16)) < model.scenario.population.devices.login_on_click * 2**16)
    sign_up(stack, row[signs])
    log_in(stack, row[logs], device[logs], opportunities.second[at][logs])
