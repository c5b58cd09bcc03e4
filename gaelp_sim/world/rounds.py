"""The auction part of an hour: opportunities -> bids -> outcomes within budgets -> touches -> changed people."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gaelp_sim.draws import Purpose, uniform
from gaelp_sim.events import NONE, US, Bids, Bools, Floats, Ints, Proposals
from gaelp_sim.market.auction import charges, clear, full_quality
from gaelp_sim.market.bidder import Moment, check_all, checked_bids
from gaelp_sim.market.budgets import Round, Spent, clear_within_budgets
from gaelp_sim.observe.memory import Impressions, Losses, remember_impressions, remember_losses
from gaelp_sim.population.people import FATIGUE_TEACH
from gaelp_sim.response.touch import quality_ppm
from gaelp_sim.units import PPM
from gaelp_sim.world.control import ENTERED, PRICE_INDEX, WINS
from gaelp_sim.world.decisions import Decided, log_decisions
from gaelp_sim.world.log import full
from gaelp_sim.world.meeting import Clicks, Shown, meet
from gaelp_sim.world.slots import Slots, after, round_of
from gaelp_sim.world.stack import Stack


@dataclass(frozen=True)
class Cleared:
    """A round after its auctions: what we did, what we had wanted to bid, how it ended."""

    ours: Bids
    wanted: Ints
    """(n,): our bids before any budget dropped us"""
    spent: Spent
    sums: Ints
    """(units, channels, bidders): charges"""


def play_rounds(stack: Stack, hour: int, proposals: Proposals) -> None:
    """Clear an hour's opportunities in rounds: what a person saw in round k changes round k + 1."""
    pending, rounds = proposals, stack.model.scenario.population.opportunities_per_hour_max
    for number in range(rounds):
        slots = round_of(stack, pending)
        if slots is None:
            return
        _play(stack, hour, number, slots)
        if number + 1 < rounds:
            pending = after(stack, pending, slots)


def _play(stack: Stack, hour: int, number: int, slots: Slots) -> None:
    ours, bids = _bids(stack, hour, slots)
    clicks = _clicks(stack, slots, ours)
    wanted = bids[US].copy()
    spent, sums = _clear(stack, slots, bids, clicks)
    cleared = Cleared(ours, wanted, spent, sums)
    log_decisions(stack, hour, number, slots, Decided(ours, wanted, (wanted > 0) & (bids[US] == 0), spent))
    _count(stack, hour, slots, cleared)
    for position in range(len(spent.winner)):
        meet(stack, slots, Shown(ours, spent, clicks), position=position)
    _remember(stack, slots, cleared)


def _bids(stack: Stack, hour: int, slots: Slots) -> tuple[Bids, Ints]:
    """Our action, and everybody's bids: int64 (bidders, n)."""
    model, opportunities, luck = stack.model, slots.opportunities, slots.luck.bids
    assert stack.orders is not None
    local, n = model.local_hour(hour), len(slots)
    factor = stack.unit_noise * model.local_hour_price[local]
    clicked = stack.memory["clicks"][opportunities.row, slots.memory_slot] > 0
    bids = np.empty((model.bidders, n), dtype=np.int64)
    moment = Moment(hour, local, factor, luck[US], clicked, stack.orders.multiplier_ppm)
    ours = model.us.bid(opportunities, moment)
    bids[US] = checked_bids(model.us.name, ours, n)
    if model.panel is not None:
        bids[1:] = model.panel.bid(opportunities, factor, luck[1:])
    else:
        nobody, level = np.zeros(n, dtype=bool), np.full_like(stack.orders.multiplier_ppm, PPM)
        for code, rival in enumerate(model.rivals, start=1):
            offer = rival.bid(opportunities, Moment(hour, local, factor, luck[code], nobody, level))
            bids[code] = checked_bids(rival.name, offer, n)
    check_all(bids, model.bidder_names)
    return ours, bids


def _clicks(stack: Stack, slots: Slots, ours: Bids) -> Clicks:
    """Keyed clicks, known before the charge: by the state at the opportunity, for every position."""
    model, opportunities = stack.model, slots.opportunities
    effects = model.effects
    creative = np.maximum(ours.creative, 0)
    fatigue = slots.level[FATIGUE_TEACH + effects.family[creative], np.arange(len(slots))]
    quality = effects.quality(creative, slots.stage, fatigue)
    rate, luck = effects.clicks(opportunities.channel, slots.segment, slots.stage, slots.luck.click)
    positions = int(model.rules.slots[opportunities.channel].max()) if model.several_slots else 1
    table, place = rate[None], luck[None]
    if positions > 1:
        fall = model.attention[slots.segment] ** np.arange(positions)[:, None]
        table = rate * fall
        place = np.stack([luck] + [_lower_luck(stack, slots, position) for position in range(1, positions)])
    return Clicks(place < table * quality, place < table, table, quality)


def _lower_luck(stack: Stack, slots: Slots, position: int) -> Floats:
    people, row = stack.people, slots.opportunities.row
    second = slots.opportunities.second
    return uniform(stack.model.draws.words(Purpose.LOWER_SLOT, people.world[row], people.person[row], second, position)[0])


def _clear(stack: Stack, slots: Slots, bids: Ints, clicks: Clicks) -> tuple[Spent, Ints]:
    model, opportunities = stack.model, slots.opportunities
    rules, channel = model.rules, opportunities.channel
    quality = full_quality(model.bidders, len(slots))
    if model.quality_ranks:
        quality[US] = np.where(rules.quality_ranked[channel], quality_ppm(clicks.quality), PPM)
    per_click = rules.per_click[channel]

    def cleared(offers: Ints) -> Spent:
        outcome = clear(offers, quality, channel, rules, slots.luck.ties)
        clicked = np.where(outcome.winner == US, clicks.us, clicks.rival) & (outcome.winner != NONE)
        charge = charges(outcome.price_micros, clicked, per_click)
        return Spent(outcome.winner, charge, outcome.price_micros, clicked)

    this = Round(opportunities.unit, channel, opportunities.second, bids)
    return clear_within_budgets(stack.budgets, this, cleared)


def _count(stack: Stack, hour: int, slots: Slots, cleared: Cleared) -> None:
    """Sums for the controller, and every slot's outcome for the hourly rollup."""
    opportunities, model, spent = slots.opportunities, stack.model, cleared.spent
    unit, channel = opportunities.unit, opportunities.channel
    stack.spent_micros[:, :, :-1] += cleared.sums.transpose(0, 2, 1)
    won = _won(spent)
    at = np.flatnonzero(won)
    own = np.where(spent.winner == US, spent.price_micros, 0)[:, at].sum(axis=0)
    base = np.maximum(model.market_price_micros[opportunities.signal[at]], 1)
    statistics, units = stack.statistics, stack.units
    statistics[:, ENTERED] += np.bincount(unit[cleared.wanted > 0], minlength=units)
    statistics[:, WINS] += np.bincount(unit[at], minlength=units)
    # Below 2**53, so exact as floats.
    statistics[:, PRICE_INDEX] += np.bincount(unit[at], weights=own * PPM // base, minlength=units).astype(np.int64)
    for position in range(len(spent.winner)):
        part = slice(None) if not position else np.flatnonzero(model.rules.slots[channel] > position)
        stack.log.add("outcome", {
            "world_id": stack.unit_world_id[unit[part]], "hour": full(len(channel[part]), hour),
            "channel": channel[part], "advertiser": spent.winner[position, part],
            "price_micros": spent.price_micros[position, part], "charge_micros": spent.charge_micros[position, part],
            "clicked": spent.clicked[position, part],
        })


def _won(spent: Spent) -> Bools:
    ours = spent.winner == US
    return ours[0] if len(ours) == 1 else ours.any(axis=0)


def _remember(stack: Stack, slots: Slots, cleared: Cleared) -> None:
    """Our memory of the users as we resolve them: impressions shown, opportunities lost."""
    opportunities, effects, spent = slots.opportunities, stack.model.effects, cleared.spent
    won = _won(spent)
    at = np.flatnonzero(won)
    # A log-in on this very click has moved the user to the account already.
    slot = stack.slot_of(opportunities.row, opportunities.device)
    second = opportunities.second + stack.model.start_s
    if len(at):
        position = (spent.winner[:, at] == US).argmax(axis=0)
        remember_impressions(stack.memory, Impressions(
            opportunities.row[at], slot[at], second[at], opportunities.channel[at], opportunities.signal[at],
            effects.family[cleared.ours.creative[at]], spent.charge_micros[position, at], spent.clicked[position, at],
        ))
    lost = np.flatnonzero(~won & (cleared.wanted > 0))
    if len(lost):
        remember_losses(stack.memory, Losses(
            opportunities.row[lost], slot[lost], second[lost], opportunities.channel[lost], opportunities.signal[lost],
        ))
