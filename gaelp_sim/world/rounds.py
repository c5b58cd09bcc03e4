"""The auction part of an hour: opportunities -> bids -> outcomes within budgets -> touches -> changed people."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from gaelp_sim.compiled import compiled
from gaelp_sim.events import NONE, US, Bids, Bools, Floats, Ints, Proposals
from gaelp_sim.market.auction import Codes, Offers, full_quality
from gaelp_sim.market.bidder import Moment, check_all, checked_bids
from gaelp_sim.market.budgets import Round, Spent, clear_within_budgets
from gaelp_sim.market.creatives import CLICKED, SHOWN
from gaelp_sim.market.landscape import Watched, prices_to_beat, watch
from gaelp_sim.market.learning import Offered, Seats, add_lessons
from gaelp_sim.observe.beliefs import Singles
from gaelp_sim.observe.memory import SLOTS, Impressions, Losses, recent_looks, remember_impressions, remember_losses
from gaelp_sim.units import PPM, SECONDS_PER_HOUR
from gaelp_sim.world.control import ENTERED, OPPORTUNITIES, PRICE_INDEX, WINS
from gaelp_sim.world.decisions import Decided, log_decisions
from gaelp_sim.world.knowing import informed_policy, known_of
from gaelp_sim.world.log import Block
from gaelp_sim.world.meeting import Clicks, Shown, meet_ads, record_round, round_to_meet, would_click
from gaelp_sim.world.outside_clicks import foreseen, learn
from gaelp_sim.world.outsiders import own_outcomes, rival_moment
from gaelp_sim.world.policies import from_outside
from gaelp_sim.world.slots import Slots, round_of
from gaelp_sim.world.stack import Stack


@dataclass(frozen=True)
class Cleared:
    """A round after its auctions: what we did, what we had wanted to bid, how it ended."""

    ours: Bids
    wanted: Ints
    """(n,): our bids as far as the frequency cap let them, before any budget dropped us"""
    spent: Spent


def play_rounds(stack: Stack, hour: int, proposals: Proposals) -> None:
    """Clear an hour's opportunities in rounds: what a person saw in round k changes round k + 1."""
    most = stack.model.scenario.population.opportunities_per_hour_max
    played = np.zeros(stack.people.size if stack.linkage is not None else 0, dtype=np.int8)
    number, rounds = 0, most
    while number < rounds:
        slots = round_of(stack, proposals)
        if slots is None:
            return
        _play(stack, hour, number, slots)
        number += 1
        if stack.linkage is not None:  # people of one user take turns, for which there are more rounds
            rounds += slots.waiting
            rows = slots.opportunities.row
            played[rows] += 1
            stack.played_s[rows[played[rows] == most]] = (hour + 1) * SECONDS_PER_HOUR - 1


def _play(stack: Stack, hour: int, number: int, slots: Slots) -> None:
    model = stack.model
    ours, bids = _bids(stack, hour, slots)
    this = round_to_meet(stack, slots, ours)
    clicks = would_click(stack.people, model.effects, this)
    asked = bids[US].copy()
    _keep_cap(stack, slots, bids)
    if stack.trial is not None:
        stack.trial.hold_back(stack, number, slots, bids)
    met_outside = foreseen(stack, this, clicks, bids) if stack.outside is not None else None
    if met_outside is not None:
        this, clicks = met_outside.this, met_outside.clicks
    wanted = bids[US].copy()
    spent, quality = _clear(stack, slots, bids, clicks)
    if stack.trial is not None:
        spent = stack.trial.blanked(stack, slots, (wanted, bids), spent)
    cleared = Cleared(ours, wanted, spent)
    to_beat = _watch(stack, slots, (bids, quality), spent)
    decided = Decided(ours.level, ours.creative, asked, wanted, bids[US], to_beat, spent)
    log_decisions(stack, (hour, number), slots, decided, ours.propensity)
    _count(stack, hour, slots, cleared)
    stack.outsiders.observe(slots.opportunities, spent)
    if stack.notes.size and (policy := informed_policy(model)) is not None:
        ended = Bids(cleared.wanted, ours.level, ours.creative, ours.propensity), own_outcomes(spent, US)
        policy.note(slots.opportunities, ended, known_of(stack, policy, slots, before=False))
    if model.scenario.rivals_learn:
        _teach(stack, hour, slots, bids, spent)
    met = meet_ads(stack.people, model.effects, this, clicks, spent)
    if met_outside is not None:
        learn(stack, met_outside, spent)
    record_round(stack, slots, Shown(ours, spent, met))
    _remember(stack, slots, cleared)


def _bids(stack: Stack, hour: int, slots: Slots) -> tuple[Bids, Ints]:
    """Our action, and everybody's bids: int64 (bidders, n)."""
    model, opportunities, luck = stack.model, slots.opportunities, slots.luck.bids
    assert stack.orders is not None
    local, n = model.local_hour(hour), len(slots)
    factor = _price_factor(stack, hour)
    clicked = stack.memory["clicks"].reshape(-1)[slots.user] > 0
    bids = np.empty((model.bidders, n), dtype=np.int64)
    moment = Moment(
        hour, local, factor, luck[US], clicked, stack.orders.multiplier_ppm, stack.orders.participate_ppm,
        _recent(stack, slots), stack.orders.creative, stack.orders.sheet_micros,
    )
    seats = stack.outsiders.seats
    if from_outside(model.us):
        # It is told whom it meets as far as we can resolve them, and nothing of the world's noise.
        users = stack.resolved_user(slots.user)
        told, calendar = replace(opportunities, row=users), np.full(stack.units, model.local_hour_price[local])
        moment = replace(moment, price_factor=calendar)
        ours = stack.outsiders.bid(US, told, moment) if US in seats else model.us.bid(told, moment)
    elif (policy := informed_policy(model)) is not None:
        ours = policy.bid_knowing(opportunities, moment, known_of(stack, policy, slots, before=True))
    else:
        ours = model.us.bid(opportunities, moment)
    bids[US] = checked_bids(model.us.name, ours, n)
    bids[1:] = model.panel.bid(opportunities, stack.orders.book, factor, luck[1:])
    for code in seats:
        if code != US:
            offer = stack.outsiders.bid(code, opportunities, rival_moment(moment, luck[code]))
            bids[code] = checked_bids(seats[code][0].name, offer, n)
    check_all(bids, model.bidder_names)
    return ours, bids


def _recent(stack: Stack, slots: Slots) -> Singles:
    """How tired the users are of our families, as we reckon: (2, n); (2, 0) where our policy does not rotate."""
    if stack.model.scenario.us.policy.creatives != "rotate":
        return np.zeros((2, 0), dtype=np.float32)
    return recent_looks(stack.memory, *np.divmod(slots.user, SLOTS), slots.opportunities.second + stack.model.start_s)


def _keep_cap(stack: Stack, slots: Slots, bids: Ints) -> None:
    """Keep us out, whoever bids for us, where the user has had as many impressions as the cap allows."""
    if stack.frequency is not None:
        bids[US][stack.frequency.reached(slots.user, slots.opportunities.second)] = 0


def _price_factor(stack: Stack, hour: int) -> Floats:
    """(units,): the market's level of prices this hour, 1 on average."""
    assert stack.market is not None
    return stack.unit_noise * stack.market.prices * stack.model.local_hour_price[stack.model.local_hour(hour)]


def _teach(stack: Stack, hour: int, slots: Slots, bids: Ints, spent: Spent) -> None:
    """Let rivals learn from their own outcomes."""
    model, one = stack.model, slots.opportunities
    assert stack.orders is not None
    orders = stack.orders
    seats = Seats(
        model.panel.multiples, orders.book, orders.worth_micros, _price_factor(stack, hour), model.crisis_signals,
        model.rules.worth_ppm,
    )
    add_lessons(stack.lessons, seats, Offered(
        one.unit, one.channel, one.signal, slots.luck.bids[1:], bids, spent.winner, spent.price_micros, spent.clicked
    ))


def _clear(stack: Stack, slots: Slots, bids: Ints, clicks: Clicks) -> tuple[Spent, Ints]:
    """How the auctions ended, and the qualities that they ranked by, (bidders, n)."""
    model, opportunities = stack.model, slots.opportunities
    quality = full_quality(model.bidders, len(slots))
    if model.quality_ranks:
        quality[US] = np.where(model.rules.quality_ranked[opportunities.channel], clicks.quality_ppm, PPM)
    offers = Offers(bids, quality, opportunities.channel, slots.luck.ties)
    blank = stack.trial.blank(slots) if stack.trial is not None else np.zeros(len(slots), dtype=np.bool_)
    this = Round(opportunities.unit, opportunities.second, clicks.us, clicks.rival, blank)
    return clear_within_budgets(stack.budgets, offers, this, model.rules), quality


def _watch(stack: Stack, slots: Slots, offered: tuple[Ints, Ints], spent: Spent) -> Ints:
    """Count the prices to beat, as we saw them and as they were; the latter: (n,) micros."""
    one = slots.opportunities
    watched = Watched(one.unit, one.channel, one.signal, *offered, spent.winner, spent.price_micros)
    to_beat = prices_to_beat(watched, stack.model.rules)
    watch(stack.prices, watched, stack.model.places, to_beat)
    return to_beat


class _Sums(NamedTuple):
    """The hour's sums for the controller, by unit."""

    spent_micros: Ints
    """(units, bidders, channels + 1)"""
    statistics: Ints
    shown: Ints
    """(units, 2, signals, creatives): our impressions, and the clicks on them"""


class _Sold(NamedTuple):
    """What a round's sums are taken of."""

    unit: Ints
    channel: Codes
    signal: Codes
    creative: Codes
    base_micros: Ints
    """(n,): the market's median price for the signal"""
    wanted: Ints


def _count(stack: Stack, hour: int, slots: Slots, cleared: Cleared) -> None:
    """Sums for the controller, and every slot's outcome for the hourly rollup."""
    opportunities, model, spent = slots.opportunities, stack.model, cleared.spent
    unit, channel = opportunities.unit, opportunities.channel
    base = np.maximum(model.market_price_micros[opportunities.signal], 1)
    sold = _Sold(unit, channel, opportunities.signal, cleared.ours.creative, base, cleared.wanted)
    _add_up(_Sums(stack.spent_micros, stack.statistics, stack.shown), sold, spent)
    where = _Where(stack.unit_world_id[unit], channel, model.rules.slots, hour)
    stack.log.add_block("outcome", Block(OUTCOME, _outcomes(where, spent)))


OUTCOME = ("world_id", "hour", "channel", "advertiser", "price_micros", "charge_micros", "clicked")


class _Where(NamedTuple):
    """Where a round's slots were sold."""

    world_id: Ints
    channel: Codes
    slots: Ints
    """(channels,)"""
    hour: int


@compiled
def _outcomes(where: _Where, spent: Spent) -> Ints:
    """How each slot of a round ended, `OUTCOME` by slots."""
    outcomes, count = np.empty((len(OUTCOME), spent.winner.size), dtype=np.int64), 0
    for i in range(len(where.channel)):
        for slot in range(where.slots[where.channel[i]]):
            outcomes[0, count], outcomes[1, count], outcomes[2, count] = where.world_id[i], where.hour, where.channel[i]
            outcomes[3, count], outcomes[4, count] = spent.winner[slot, i], spent.price_micros[slot, i]
            outcomes[5, count], outcomes[6, count] = spent.charge_micros[slot, i], spent.clicked[slot, i]
            count += 1
    return outcomes[:, :count]


@compiled
def _add_up(sums: _Sums, sold: _Sold, spent: Spent) -> None:
    for i in range(len(sold.unit)):
        unit, channel = sold.unit[i], sold.channel[i]
        own, won = 0, False
        for slot in range(len(spent.winner)):
            winner = spent.winner[slot, i]
            if winner != NONE:
                sums.spent_micros[unit, winner, channel] += spent.charge_micros[slot, i]
            if winner == US:
                own, won = own + spent.price_micros[slot, i], True
                creative = max(sold.creative[i], 0)  # as people meet it, where an outsider names none
                sums.shown[unit, SHOWN, sold.signal[i], creative] += 1
                sums.shown[unit, CLICKED, sold.signal[i], creative] += spent.clicked[slot, i]
        sums.statistics[unit, OPPORTUNITIES] += 1
        sums.statistics[unit, ENTERED] += sold.wanted[i] > 0
        if won:
            sums.statistics[unit, WINS] += 1
            sums.statistics[unit, PRICE_INDEX] += own * PPM // sold.base_micros[i]


def _won(spent: Spent) -> Bools:
    ours = spent.winner == US
    return ours[0] if len(ours) == 1 else ours.any(axis=0)


def _remember(stack: Stack, slots: Slots, cleared: Cleared) -> None:
    """Our memory of the users as we resolve them: impressions shown, opportunities lost."""
    opportunities, effects, spent = slots.opportunities, stack.model.effects, cleared.spent
    won = _won(spent)
    at = np.flatnonzero(won)
    # A log-in on this very click has moved the user to the account already.
    user = stack.users_of(opportunities.row, opportunities.device)
    row, slot = np.divmod(user, SLOTS)
    second = opportunities.second + stack.model.start_s
    if len(at):
        position = (spent.winner[:, at] == US).argmax(axis=0)
        remember_impressions(stack.memory, Impressions(
            row[at], slot[at], second[at], opportunities.channel[at], opportunities.signal[at],
            effects.family[cleared.ours.creative[at]], spent.charge_micros[position, at], spent.clicked[position, at],
        ))
        if stack.frequency is not None:
            stack.frequency.note(user[at], opportunities.second[at])
    lost = np.flatnonzero(~won & (cleared.wanted > 0))
    if len(lost):
        remember_losses(stack.memory, Losses(
            row[lost], slot[lost], second[lost], opportunities.channel[lost], opportunities.signal[lost],
        ))
