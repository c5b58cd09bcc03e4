"""The auction part of an hour: proposals -> opportunities -> bids -> outcomes -> touches -> changed people."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gaelp_sim.draws import Purpose, uniform
from gaelp_sim.events import NONE, US, Bids, Bools, Column, DecisionStatus, Floats, Ints, Opportunities, Proposals, TouchKind
from gaelp_sim.market.auction import charges, clear, full_quality
from gaelp_sim.market.bidder import Moment, checked_bids
from gaelp_sim.market.budgets import Round, Spent, clear_within_budgets
from gaelp_sim.observe.memory import Impressions, Losses, remember_impressions, remember_losses
from gaelp_sim.population.people import FATIGUE_TEACH, GOODWILL, RIVAL_GOODWILL
from gaelp_sim.response.touch import Changed, Met, quality_ppm, respond
from gaelp_sim.units import PPM, SECONDS_PER_HOUR
from gaelp_sim.world.accounts import log_in, sign_up
from gaelp_sim.world.control import ENTERED, PRICE_INDEX, WINS
from gaelp_sim.world.journeys import Touches, record_touches
from gaelp_sim.world.log import full
from gaelp_sim.world.luck import RoundLuck, round_luck
from gaelp_sim.world.observing import features_of
from gaelp_sim.world.sales import decide_on_click, first_of_each, read_levels
from gaelp_sim.world.stack import Stack


@dataclass(frozen=True)
class Slots:
    """One round up for auction: opportunities in clearing order, and who stands behind them."""

    opportunities: Opportunities
    luck: RoundLuck
    segment: Column
    stage: Column
    level: Column
    """(LEVELS, n), read at the opportunity's second"""
    memory_slot: Ints

    def __len__(self) -> int:
        return len(self.opportunities)


@dataclass(frozen=True)
class Clicks:
    """Who would click what: by slot and opportunity, (slots, n)."""

    us: Bools
    rival: Bools
    base_rate: Floats
    quality: Floats
    """(n,), of our chosen creative"""


def play_rounds(stack: Stack, hour: int, proposals: Proposals) -> None:
    """Clear an hour's opportunities in rounds: what a person saw in round k changes round k + 1."""
    pending = proposals
    for number in range(stack.model.scenario.population.opportunities_per_hour_max):
        slots = _round_of(stack, pending)
        if not len(slots):
            return
        _play(stack, hour, number, slots)
        pending = _after(stack, pending, slots)


def _round_of(stack: Stack, pending: Proposals) -> Slots:
    """Each person's first proposal that comes true, in the order (unit, second, person)."""
    people, model = stack.people, stack.model
    row = pending.row
    true = pending.mark < model.kinds.present_rate(pending.kind, people.segment[row], people.stage[row])
    true &= people.level[GOODWILL, row] >= model.goodwill_needed[pending.kind]
    chosen = Proposals(**pending.take(np.flatnonzero(true)))
    order = np.argsort(_clearing_key(stack, chosen))
    chosen = Proposals(**chosen.take(order))
    row = chosen.row
    luck = round_luck(model.draws, people.world[row], people.person[row], chosen.second, model.bidders)
    level = read_levels(stack, row, chosen.second, luck.decay)
    reached = level[GOODWILL] >= model.goodwill_needed[chosen.kind]
    first = np.flatnonzero(reached)
    first = first[first_of_each(row[first], stack.scratch)]
    if len(first) < len(row):
        chosen, luck, level = Proposals(**chosen.take(first)), luck.take(first), level[:, first]
    return _slots(stack, chosen, luck, level)


def _clearing_key(stack: Stack, proposals: Proposals) -> Ints:
    people = stack.people
    key = people.unit[proposals.row].astype(np.int64) * SECONDS_PER_HOUR
    key += proposals.second % SECONDS_PER_HOUR
    key <<= 32
    key |= people.person[proposals.row]
    return key


def _slots(stack: Stack, chosen: Proposals, luck: RoundLuck, level: Column) -> Slots:
    people, sessions = stack.people, stack.model.sessions
    row = chosen.row
    segment, stage = people.segment[row], people.stage[row]
    device = sessions.device(people.device[row], people.owned[row], stage, chosen.luck_device)
    people.device[row] = device
    signal = sessions.signal(chosen.kind, segment, stage, chosen.luck_query)
    opportunities = Opportunities(
        row, people.unit[row].astype(np.int64), chosen.second, chosen.kind, signal, device.astype(np.int16)
    )
    return Slots(opportunities, luck, segment, stage, level, stack.slot_of(row, device))


def _after(stack: Stack, pending: Proposals, slots: Slots) -> Proposals:
    """What is left for the next round: later proposals of the people who just had an opportunity."""
    if stack.model.scenario.population.opportunities_per_hour_max == 1:
        return pending
    played = stack.scratch
    played[pending.row] = np.iinfo(np.int64).max
    played[slots.opportunities.row] = slots.opportunities.second
    return Proposals(**pending.take(np.flatnonzero(pending.second > played[pending.row])))


def _play(stack: Stack, hour: int, number: int, slots: Slots) -> None:
    seen = features_of(stack, hour, slots) if stack.model.scenario.log == "all" else None
    ours, bids = _bids(stack, hour, slots)
    clicks = _clicks(stack, slots, ours)
    wanted = bids[US].copy()
    spent = _clear(stack, slots, bids, clicks)
    dropped = (wanted > 0) & (bids[US] == 0)
    _log_decisions(stack, hour, number, slots, ours, spent, wanted, dropped, seen)
    _count(stack, hour, slots, spent, wanted)
    for position in range(len(spent.winner)):
        _touch(stack, slots, ours, spent, clicks, position)
    _remember(stack, slots, ours, spent, wanted)


def _bids(stack: Stack, hour: int, slots: Slots) -> tuple[Bids, Ints]:
    """Our action, and everybody's bids: int64 (bidders, n)."""
    model, opportunities = stack.model, slots.opportunities
    assert stack.orders is not None
    local = model.local_hour(hour)
    factor = stack.unit_noise * model.local_hour_price[local]
    clicked = stack.memory["clicks"][opportunities.row, slots.memory_slot] > 0
    n = len(slots)
    bids = np.empty((model.bidders, n), dtype=np.int64)
    ours = model.us.bid(
        opportunities, Moment(hour, local, factor, slots.luck.bids[US], clicked, stack.orders.multiplier_ppm)
    )
    bids[US] = checked_bids(model.us.name, ours, n)
    nobody, level = np.zeros(n, dtype=bool), np.full_like(stack.orders.multiplier_ppm, PPM)
    for code, rival in enumerate(model.rivals, start=1):
        moment = Moment(hour, local, factor, slots.luck.bids[code], nobody, level)
        bids[code] = checked_bids(rival.name, rival.bid(opportunities, moment), n)
    return ours, bids


def _clicks(stack: Stack, slots: Slots, ours: Bids) -> Clicks:
    """Keyed clicks, known before the charge: by the state at the opportunity, for every position."""
    model, opportunities = stack.model, slots.opportunities
    effects = model.effects
    creative = np.maximum(ours.creative, 0)
    fatigue = slots.level[FATIGUE_TEACH + effects.family[creative], np.arange(len(slots))]
    quality = effects.quality(creative, slots.stage, fatigue)
    rate, luck = effects.clicks(opportunities.channel, slots.segment, slots.stage, slots.luck.click)
    positions = int(model.rules.slots[opportunities.channel].max())
    base, places = [rate], [luck]
    for position in range(1, positions):
        people, row = stack.people, opportunities.row
        words = model.draws.words(
            Purpose.LOWER_SLOT, people.world[row], people.person[row], opportunities.second, position
        )
        base.append(rate * model.attention[slots.segment] ** position)
        places.append(uniform(words[0]))
    table, place = np.stack(base), np.stack(places)
    return Clicks(place < table * quality, place < table, table, quality)


def _clear(stack: Stack, slots: Slots, bids: Ints, clicks: Clicks) -> Spent:
    model, opportunities = stack.model, slots.opportunities
    rules, channel = model.rules, opportunities.channel
    quality = full_quality(model.bidders, len(slots))
    quality[US] = np.where(rules.quality_ranked[channel], quality_ppm(clicks.quality), PPM)
    per_click = rules.per_click[channel]

    def cleared(offers: Ints) -> Spent:
        outcome = clear(offers, quality, channel, rules, slots.luck.ties)
        clicked = np.where(outcome.winner == US, clicks.us, clicks.rival) & (outcome.winner != NONE)
        charge = charges(outcome.price_micros, clicked, per_click)
        return Spent(outcome.winner, charge, outcome.price_micros, clicked)

    return clear_within_budgets(
        stack.budgets, Round(opportunities.unit, channel, opportunities.second, bids), cleared
    )


def _touch(stack: Stack, slots: Slots, ours: Bids, spent: Spent, clicks: Clicks, position: int) -> None:
    """Let people meet the ads in one slot position: levels, stages, sales and touches."""
    people, model, opportunities = stack.people, stack.model, slots.opportunities
    winner, clicked = spent.winner[position], spent.clicked[position]
    sold = np.flatnonzero(winner != NONE) if position else np.arange(len(slots))
    row = opportunities.row[sold]
    if not len(row):
        return
    looked = _looked(stack, slots, position)[sold]
    examined = (clicked[sold] | looked) & (winner[sold] != NONE)
    luck = slots.luck if not position else None
    words = None
    if luck is None:
        words = model.draws.words(
            Purpose.LOWER_SLOT, people.world[row], people.person[row], opportunities.second[sold], position
        )
    level = slots.level[:, sold] if not position else people.level[:, row]
    met = Met(
        winner[sold], opportunities.channel[sold], np.maximum(ours.creative[sold], 0), slots.segment[sold],
        people.stage[row], level[GOODWILL], level[RIVAL_GOODWILL], level[FATIGUE_TEACH:], clicked[sold], examined,
        clicks.base_rate[position, sold], clicks.quality[sold],
        luck.effect[sold] if luck is not None else words[1],  # type: ignore[index]
        luck.extra[sold] if luck is not None else words[2],  # type: ignore[index]
    )
    changed = respond(model.effects, met)
    _write_back(stack, row, opportunities.second[sold], met, changed)
    record_touches(stack, _touches(stack, slots, ours, spent, position, sold, examined))
    buyers = np.flatnonzero(changed.buys)
    if len(buyers):
        decide_on_click(stack, row[buyers], opportunities.second[sold][buyers])
    clickers = sold[(winner[sold] == US) & clicked[sold]]
    if len(clickers):
        _after_click(stack, slots, ours, clickers)


def _looked(stack: Stack, slots: Slots, position: int) -> Bools:
    chance = stack.model.effects.examined[slots.opportunities.channel]
    if position:
        chance = chance * stack.model.attention[slots.segment] ** position
    # The same word for every position: who looks at a lower slot has looked at the higher ones.
    return uniform(slots.luck.examined) < chance


def _write_back(stack: Stack, row: Ints, second: Ints, met: Met, changed: Changed) -> None:
    people = stack.people
    people.stage[row] = changed.stage
    people.level[GOODWILL, row] = changed.goodwill
    people.level[RIVAL_GOODWILL, row] = changed.rival_goodwill
    people.level[FATIGUE_TEACH:, row] = changed.fatigue
    people.level_s[row] = second
    rival = met.examined & (met.winner > US)
    people.last_rival[row[rival]] = met.winner[rival]


def _touches(
    stack: Stack, slots: Slots, ours: Bids, spent: Spent, position: int, sold: Ints, examined: Bools
) -> Touches:
    """All impressions of ours, and rivals' as far as the person looked."""
    opportunities = slots.opportunities
    winner = spent.winner[position, sold]
    kept = np.flatnonzero((winner == US) | examined)
    at = sold[kept]
    winner, n = winner[kept], len(at)
    mine = winner == US
    channel = opportunities.channel[at]
    return Touches(
        opportunities.row[at], opportunities.second[at], full(n, position), full(n, TouchKind.IMPRESSION),
        winner.astype(np.int64), channel, np.where(mine, stack.model.campaign_of_channel[channel], NONE),
        np.where(mine, ours.creative[at], NONE), opportunities.signal[at], full(n, position + 1),
        opportunities.device[at], spent.charge_micros[position, at], examined[kept], spent.clicked[position, at],
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


def _remember(stack: Stack, slots: Slots, ours: Bids, spent: Spent, wanted: Ints) -> None:
    """Our memory of the users as we resolve them: impressions shown, opportunities lost."""
    opportunities, effects = slots.opportunities, stack.model.effects
    won = (spent.winner == US).any(axis=0)
    at = np.flatnonzero(won)
    position = (spent.winner == US).argmax(axis=0)[at]
    # A log-in on this very click has moved the user to the account already.
    slot = stack.slot_of(opportunities.row, opportunities.device)
    second = opportunities.second + stack.model.start_s
    if len(at):
        remember_impressions(stack.memory, Impressions(
            opportunities.row[at], slot[at], second[at], opportunities.channel[at],
            opportunities.signal[at], effects.family[ours.creative[at]], spent.charge_micros[position, at],
            spent.clicked[position, at],
        ))
    lost = np.flatnonzero(~won & (wanted > 0))
    if len(lost):
        remember_losses(stack.memory, Losses(
            opportunities.row[lost], slot[lost], second[lost], opportunities.channel[lost],
            opportunities.signal[lost],
        ))


def _count(stack: Stack, hour: int, slots: Slots, spent: Spent, wanted: Ints) -> None:
    """Sums for the controller, and every slot's outcome for the hourly rollup."""
    opportunities, model = slots.opportunities, stack.model
    unit, channel = opportunities.unit, opportunities.channel
    sold = spent.charge_micros > 0
    if sold.any():
        place = np.broadcast_to(unit * (model.channels + 1) + channel, sold.shape)[sold]
        flat = stack.spent_micros.transpose(0, 2, 1).reshape(-1, model.bidders).copy()
        np.add.at(flat, (place, spent.winner[sold]), spent.charge_micros[sold])
        stack.spent_micros = np.ascontiguousarray(flat.reshape(stack.units, -1, model.bidders).transpose(0, 2, 1))
    won = (spent.winner == US).any(axis=0)
    prices = getattr(model.us, "price_micros", None)
    own = np.where(spent.winner == US, spent.price_micros, 0).sum(axis=0)[won]
    base = prices[opportunities.signal[won]] if prices is not None else np.maximum(own, 1)
    statistics = stack.statistics
    statistics[:, ENTERED] += np.bincount(unit[wanted > 0], minlength=stack.units)
    statistics[:, WINS] += np.bincount(unit[won], minlength=stack.units)
    np.add.at(statistics[:, PRICE_INDEX], unit[won], own * PPM // np.maximum(base, 1))
    for position in range(len(spent.winner)):
        part = np.arange(len(unit)) if not position else np.flatnonzero(model.rules.slots[channel] > position)
        stack.log.add("outcome", {
            "world_id": stack.unit_world_id[unit[part]], "hour": full(len(part), hour), "channel": channel[part],
            "advertiser": spent.winner[position, part], "price_micros": spent.price_micros[position, part],
            "charge_micros": spent.charge_micros[position, part], "clicked": spent.clicked[position, part],
        })


def _log_decisions(
    stack: Stack, hour: int, number: int, slots: Slots, ours: Bids, spent: Spent, wanted: Ints, dropped: Bools,
    seen: Column | None,
) -> None:
    """Our decisions: all of them, or those that won, as the scenario logs."""
    opportunities, model = slots.opportunities, stack.model
    won_at = spent.winner == US
    won = won_at.any(axis=0)
    here = model.campaign_of_channel[opportunities.channel] != NONE
    keep = np.flatnonzero(here if seen is not None else won)
    if not len(keep):
        return
    features = seen[keep] if seen is not None else features_of(stack, hour, slots, keep)
    status = np.where(wanted > 0, np.where(won, DecisionStatus.WON, DecisionStatus.LOST), DecisionStatus.NOT_ENTERED)
    status = np.where(dropped, DecisionStatus.DROPPED_BUDGET, status)
    price = np.where(won, np.where(won_at, spent.price_micros, 0).sum(axis=0), NONE)
    # What it would have taken to win the top slot, where the channel tells losers.
    told = model.rules.tells_min_to_win[opportunities.channel] & ~won
    row = opportunities.row[keep]
    stack.log.add("decision", {
        "world_id": stack.people.world[row], "occurred_s": opportunities.second[keep] + model.start_s,
        "person_id": stack.people.person[row], "row": row,
        "resolved_user_id": stack.resolved_user(row, slots.memory_slot[keep]),
        "alias_id": stack.alias[row, opportunities.device[keep]], "channel": opportunities.channel[keep],
        "signal": opportunities.signal[keep], "campaign": model.campaign_of_channel[opportunities.channel[keep]],
        "device": opportunities.device[keep], "round": full(len(keep), number), "clearing_order": _order(opportunities)[keep],
        "participate": (ours.level[keep] > 0).astype(np.int64), "level": ours.level[keep],
        "creative": ours.creative[keep], "propensity": ours.propensity[keep], "bid_micros": wanted[keep],
        "status": status[keep], "price_micros": price[keep],
        "charge_micros": np.where(won_at, spent.charge_micros, 0).sum(axis=0)[keep],
        "min_to_win_micros": np.where(told, spent.price_micros[0], NONE)[keep], "policy_version": full(len(keep), 0),
        "features": features,
    })


def _order(opportunities: Opportunities) -> Ints:
    """Place of each opportunity within its unit's round."""
    unit = opportunities.unit
    return np.arange(len(unit)) - np.searchsorted(unit, unit)
