"""The natural part of an hour: moves up and down, purchases, crises, drift, site visits and e-mails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.compiled import compiled
from gaelp_sim.draws import Purpose, uniform
from gaelp_sim.events import NONE, US, Column, Floats, Ints, Proposals, Stage, TouchKind, TriggerKind
from gaelp_sim.observe.memory import SLOTS, Emails, remember_emails
from gaelp_sim.population.kinds import Move, Rates, rate_of
from gaelp_sim.population.people import GOODWILL, People
from gaelp_sim.response.touch import GOODWILL_MAX
from gaelp_sim.world.accounts import log_in
from gaelp_sim.world.decisions import place_in_unit
from gaelp_sim.world.journeys import EMAIL_SLOT, VISIT_SLOT, Touches, record_touches
from gaelp_sim.world.log import full
from gaelp_sim.world.sales import decide_by_hazard, read_levels
from gaelp_sim.world.slots import devices_of, sort_key
from gaelp_sim.world.stack import Stack

_VISITS, _CHANGES, _EMAILS = 1, 2, 4
"""Groups of moves of which a person makes one an hour, as bits."""
# Plain integers: looking a member up in an enum costs more than comparing with it.
_UP, _DOWN, _PURCHASE, _VISIT, _EMAIL = (
    int(move) for move in (Move.UP, Move.DOWN, Move.PURCHASE, Move.VISIT, Move.EMAIL)
)


def play_moves(stack: Stack, proposals: Proposals) -> None:
    """After the auctions, per person and hour: at most one visit, one change of stage or segment, one e-mail."""
    people, kinds = stack.people, stack.model.kinds
    proposed = _Proposed(proposals.row, proposals.second, proposals.kind, proposals.mark)
    at, key = _true(people, proposed, kinds.rates, kinds.channels)
    if not len(at):
        return
    at = at[np.argsort(key)]
    which = _first_of_each(proposals.row[at], proposals.kind[at] - kinds.channels, stack.taken)
    visits = Proposals(**proposals.take(at[which == _VISITS]))
    if len(visits):
        _visit(stack, visits)
    changes = at[which == _CHANGES]
    if len(changes):
        _change(stack, Proposals(**proposals.take(changes)))
    emails = Proposals(**proposals.take(at[which == _EMAILS]))
    if len(emails):
        _email(stack, emails)


class _Proposed(NamedTuple):
    row: Ints
    second: Ints
    kind: NDArray[np.int16]
    mark: Floats


@compiled
def _true(people: People, proposed: _Proposed, rates: Rates, channels: int) -> tuple[Ints, Ints]:
    """Proposals of moves that come true, with keys that sort by (second, row)."""
    n = len(proposed.row)
    at, key = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    found = 0
    for i in range(n):
        move, row = proposed.kind[i] - channels, proposed.row[i]
        if move < 0 or proposed.mark[i] >= rate_of(rates, proposed.kind[i], people.segment[row], people.stage[row]):
            continue
        if (move == _PURCHASE and people.decided_s[row] >= 0) or (move == _EMAIL and not people.on_list[row]):
            continue
        at[found] = i
        key[found] = sort_key(proposed.second[i], row, i)
        found += 1
    return at[:found], key[:found]


@compiled
def _first_of_each(row: Ints, move: NDArray[np.int16], taken: NDArray[np.int8]) -> NDArray[np.int8]:
    """Whether each move is the person's first visit, change or e-mail of the hour, or none of them.

    taken: (people,), all 0, and again afterwards
    """
    which = np.zeros(len(row), dtype=np.int8)
    for i in range(len(row)):
        group = _VISITS if move[i] == _VISIT else _EMAILS if move[i] == _EMAIL else _CHANGES
        if not taken[row[i]] & group:
            taken[row[i]] |= group
            which[i] = group
    for person in row:
        taken[person] = 0
    return which


def _change(stack: Stack, changes: Proposals) -> None:
    """Moves of stage and segment, and decisions to buy."""
    row, second = changes.row, changes.second
    change = changes.kind - stack.model.channels
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


def turn_crisis(stack: Stack, rows: Ints, second: Ints, kind: TriggerKind) -> None:
    """Move people into the crisis segment, where the scenario has one."""
    crisis = stack.model.crisis_segment
    if crisis == NONE or not len(rows):
        return
    people = stack.people
    new = people.segment[rows] != crisis
    rows, second = rows[new], second[new]
    log_trigger(stack, rows, second, kind, np.full(len(rows), crisis))
    people.segment[rows] = crisis
    people.crisis_s[rows] = second


def _drift(stack: Stack, rows: Ints, second: Ints) -> None:
    people = stack.people
    target = stack.model.drift_to[people.segment[rows]]
    log_trigger(stack, rows, second, TriggerKind.SEGMENT_DRIFT, target)
    people.segment[rows] = target


def log_trigger(stack: Stack, rows: Ints, second: Ints, kind: TriggerKind, target: Column) -> None:
    """Write down that people are about to change to the `target` segment."""
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
    n, row = len(visits), visits.row
    device = devices_of(stack.people, row, stack.model.chain, visits.luck_device).astype(np.int64)
    none, zero = full(n, NONE), full(n, 0)
    record_touches(stack, Touches(
        row, stack.moment(row, visits.second), full(n, VISIT_SLOT), full(n, TouchKind.VISIT), full(n, US),
        full(n, stack.model.channels + 1), none, none, none, zero, device, zero, np.ones(n, dtype=bool),
        np.zeros(n, dtype=bool),
    ), impressions=False)


def _email(stack: Stack, due: Proposals) -> None:
    """E-mails to people on the list: opened or not, clicked or not, as far as our money reaches."""
    if stack.trial is not None:
        due = stack.trial.mails(stack, due)
    sent = Proposals(**due.take(_affordable(stack, due)))
    if stack.trial is not None:
        stack.trial.note_mails(stack, due, len(sent))
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
    nth = place_in_unit(unit, stack.units) + 1
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
        row, sent.second, full(n, EMAIL_SLOT), full(n, TouchKind.EMAIL), full(n, US), full(n, model.channels),
        full(n, len(model.scenario.us.campaigns)), full(n, NONE), full(n, NONE), full(n, 0), device, cost,
        sent.opened, sent.clicked,
    ), impressions=False)
    log_in(stack, row[sent.clicked], device[sent.clicked], sent.second[sent.clicked])
    remember_emails(stack.memory, Emails(
        *np.divmod(stack.users_of(row, device), SLOTS), sent.second + model.start_s, full(n, model.channels), cost,
        sent.clicked,
    ))


def strike_world(stack: Stack, unit: int, number: int, second: int) -> None:
    """A crisis strikes a unit's world: people of its segments turn crisis with the scenario's probability."""
    people, crisis = stack.people, stack.model.scenario.crises[number]
    names = [segment.name for segment in stack.model.scenario.population.segments]
    masked = np.isin(people.segment, [names.index(name) for name in crisis.segments])
    natural = people.person < stack.model.scenario.population.people
    rows = np.flatnonzero(masked & natural & (people.unit == unit) & (people.stage != Stage.CONVERTED))
    words = stack.model.draws.words(Purpose.CRISIS_TURN, people.world[rows], people.person[rows], second, number)
    rows = rows[uniform(words[0]) < crisis.turns_crisis]
    turn_crisis(stack, rows, full(len(rows), second), TriggerKind.CRISIS_WORLD)
