"""The natural part of an hour: moves up and down, purchases, crises, drift, site visits and e-mails."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gaelp_sim.draws import Purpose, uniform
from gaelp_sim.events import NONE, US, Column, Ints, Proposals, Stage, TouchKind, TriggerKind
from gaelp_sim.observe.memory import Emails, remember_emails
from gaelp_sim.population.kinds import Move
from gaelp_sim.population.people import GOODWILL
from gaelp_sim.response.touch import GOODWILL_MAX
from gaelp_sim.world.accounts import log_in
from gaelp_sim.world.journeys import Touches, record_touches
from gaelp_sim.world.log import full
from gaelp_sim.world.sales import decide_by_hazard, first_of_each, read_levels
from gaelp_sim.world.slots import devices_of
from gaelp_sim.world.stack import Stack

# Plain integers: looking a member up in an enum costs more than comparing with it.
_UP, _DOWN, _PURCHASE, _VISIT, _EMAIL = (
    int(move) for move in (Move.UP, Move.DOWN, Move.PURCHASE, Move.VISIT, Move.EMAIL)
)


def play_moves(stack: Stack, proposals: Proposals) -> None:
    """After the auctions, per person and hour: at most one visit, one change of stage or segment, one e-mail."""
    true = _coming_true(stack, proposals)
    if not len(true):
        return
    move = true.kind - stack.model.channels
    visits, emails = _first(stack, true, move == _VISIT), _first(stack, true, move == _EMAIL)
    if len(visits):
        _visit(stack, Proposals(**true.take(visits)))
    _change(stack, true, _first(stack, true, move < _VISIT))
    if len(emails):
        _email(stack, Proposals(**true.take(emails)))


def _change(stack: Stack, true: Proposals, at: Ints) -> None:
    """Moves of stage and segment, and decisions to buy."""
    row, second = true.row[at], true.second[at]
    change = true.kind[at] - stack.model.channels
    stack.people.stage[row] += (change == _UP) - (change == _DOWN).astype(np.int8)
    buying = np.flatnonzero(change == _PURCHASE)
    if len(buying):
        decide_by_hazard(stack, row[buying], second[buying])
    shifting = np.flatnonzero(change > _PURCHASE)
    if len(shifting):
        crisis = shifting[change[shifting] == Move.CRISIS]
        turn_crisis(stack, row[crisis], second[crisis], TriggerKind.CRISIS_PERSON)
        drift = shifting[change[shifting] == Move.DRIFT]
        _drift(stack, row[drift], second[drift])


def _coming_true(stack: Stack, proposals: Proposals) -> Proposals:
    """Proposals whose mark lies below the person's present rate, in the order (unit, second, person)."""
    people, kinds = stack.people, stack.model.kinds
    row, kind = proposals.row, proposals.kind
    true = proposals.mark < kinds.rates.per_day[kind, people.segment[row], people.stage[row]]
    move = kind - kinds.channels
    at = np.flatnonzero(true)
    row, move = row[at], move[at]
    allowed = (move != _PURCHASE) | (people.decided_s[row] < 0)
    allowed &= (move != _EMAIL) | people.on_list[row]
    at = at[allowed]
    # Stable: two proposals of a person in one second stay in the order they were drawn in.
    order = np.argsort(stack.clearing_key(proposals.row[at], proposals.second[at]), kind="stable")
    return Proposals(**proposals.take(at[order]))


def _first(stack: Stack, proposals: Proposals, wanted: Column) -> Ints:
    at = np.flatnonzero(wanted)
    return at[first_of_each(proposals.row[at], stack.scratch)]


def turn_crisis(stack: Stack, rows: Ints, second: Ints, kind: TriggerKind) -> None:
    """Move people into the crisis segment, where the scenario has one."""
    crisis = stack.model.crisis_segment
    if crisis == NONE or not len(rows):
        return
    people = stack.people
    new = people.segment[rows] != crisis
    rows, second = rows[new], second[new]
    _log_trigger(stack, rows, second, kind, np.full(len(rows), crisis))
    people.segment[rows] = crisis
    people.crisis_s[rows] = second


def _drift(stack: Stack, rows: Ints, second: Ints) -> None:
    people = stack.people
    target = stack.model.drift_to[people.segment[rows]]
    _log_trigger(stack, rows, second, TriggerKind.SEGMENT_DRIFT, target)
    people.segment[rows] = target


def _log_trigger(stack: Stack, rows: Ints, second: Ints, kind: TriggerKind, target: Column) -> None:
    people, n = stack.people, len(rows)
    if n:
        stack.log.add("trigger_event", {
            "world_id": people.world[rows], "occurred_s": second + stack.model.start_s,
            "person_id": people.person[rows], "kind": full(n, kind),
            "segment_from": people.segment[rows].astype(np.int64), "segment_to": target.astype(np.int64),
            "size": np.ones(n),
        })


def _visit(stack: Stack, visits: Proposals) -> None:
    """Organic visits to our site: recorded, free, and without effect on any level."""
    n = len(visits)
    people, row = stack.people, visits.row
    device = devices_of(people, row, stack.model.chain, visits.luck_device)
    record_touches(stack, Touches(
        row, stack.moment(row, visits.second), full(n, 101), full(n, TouchKind.VISIT), full(n, US), full(n, stack.model.channels + 1),
        full(n, NONE), full(n, NONE), full(n, NONE), full(n, 0), device.astype(np.int64), full(n, 0),
        np.ones(n, dtype=bool), np.zeros(n, dtype=bool),
    ), impressions=False)


def _email(stack: Stack, due: Proposals) -> None:
    """E-mails to people on the list: opened or not, clicked or not, as far as our money reaches."""
    sent = Proposals(**due.take(_affordable(stack, due)))
    email, n = stack.model.scenario.email, len(sent)
    if not n or email is None:
        return
    people, model, row = stack.people, stack.model, sent.row
    blocks = model.draws.blocks(Purpose.NATURAL, stack.who(row, sent.second), slots=3)
    words, decay = blocks[4:8], blocks[8:10]
    moment = stack.moment(row, sent.second)
    level = read_levels(stack, row, moment, decay)
    clicked = uniform(words[0]) < email.click_rate
    opened = clicked | (uniform(words[1]) < email.open_rate)
    moves = np.array([email.click_moves_up.unaware, email.click_moves_up.aware, email.click_moves_up.considering, 0, 0])
    moved = clicked & (uniform(words[2]) < moves[people.stage[row]])
    warms = np.where(clicked, model.scenario.response.click_adds_goodwill, np.where(opened, email.view_adds_goodwill, 0.0))
    level[GOODWILL] = np.minimum(level[GOODWILL] + (uniform(words[3]) < warms), GOODWILL_MAX)
    people.level[:, row] = level
    people.level_s[row] = moment
    people.stage[row] += moved
    _record_emails(stack, _Sent(row, moment, opened, clicked))
    leaves = uniform(sent.luck_query) < email.unsubscribe_rate
    people.on_list[row[leaves]] = False


def _affordable(stack: Stack, due: Proposals) -> Ints:
    """E-mails that our whole-advertiser accounts can still pay, first come first served; the money is taken."""
    cost, unit = stack.model.email_cost_micros, stack.people.unit[due.row].astype(np.int64)
    budgets = stack.budgets
    wide = [k for k, account in enumerate(stack.model.accounts) if (account.advertiser, account.channel) == (US, NONE)]
    nth = np.arange(len(unit)) - np.searchsorted(unit, unit) + 1
    keep = np.ones(len(unit), dtype=bool)
    for account in wide:
        keep &= nth * cost <= budgets.left_micros[unit, account]
    at = np.flatnonzero(keep)
    spent = np.bincount(unit[at], minlength=stack.units) * cost
    for account in wide:
        budgets.left_micros[:, account] -= spent
    stack.spent_micros[:, US, -1] += spent
    return at


@dataclass(frozen=True)
class _Sent:
    """E-mails that went out: to whom, when, and what they did with them."""

    row: Ints
    second: Ints
    opened: Column
    clicked: Column


def _record_emails(stack: Stack, sent: _Sent) -> None:
    people, model, row, n = stack.people, stack.model, sent.row, len(sent.row)
    cost = full(n, model.email_cost_micros)
    device = people.device[row].astype(np.int64)
    record_touches(stack, Touches(
        row, sent.second, full(n, 100), full(n, TouchKind.EMAIL), full(n, US), full(n, model.channels),
        full(n, len(model.scenario.us.campaigns)), full(n, NONE), full(n, NONE), full(n, 0), device, cost,
        sent.opened, sent.clicked,
    ), impressions=False)
    log_in(stack, row[sent.clicked], device[sent.clicked], sent.second[sent.clicked])
    remember_emails(stack.memory, Emails(
        row, stack.slot_of(row, device), sent.second + model.start_s, full(n, model.channels), cost, sent.clicked,
    ))


def strike_world(stack: Stack, unit: int, number: int, second: int) -> None:
    """A crisis strikes a unit's world: people of its segments turn crisis with the scenario's probability."""
    people, crisis = stack.people, stack.model.scenario.crises[number]
    names = [segment.name for segment in stack.model.scenario.population.segments]
    masked = np.isin(people.segment, [names.index(name) for name in crisis.segments])
    rows = np.flatnonzero(masked & (people.unit == unit) & (people.stage != Stage.CONVERTED))
    words = stack.model.draws.words(Purpose.CRISIS_TURN, people.world[rows], people.person[rows], second, number)
    rows = rows[uniform(words[0]) < crisis.turns_crisis]
    turn_crisis(stack, rows, full(len(rows), second), TriggerKind.CRISIS_WORLD)
