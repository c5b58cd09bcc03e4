"""Purchases: decided now, paid and reported later, and falling due on the clock."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gaelp_sim.compiled import compiled
from gaelp_sim.draws import Purpose, Words
from gaelp_sim.events import NONE, US, Column, ConversionVia, Ints, JourneyStatus, Stage
from gaelp_sim.population.people import GOODWILL, RIVAL_GOODWILL, People
from gaelp_sim.response.levels import Held, levels_at
from gaelp_sim.response.sale import Sales, advertisers, purchase_lag_s, report_delay_s
from gaelp_sim.units import SECONDS_PER_DAY
from gaelp_sim.world.journeys import Deadline, deadline_of, deadline_s
from gaelp_sim.world.stack import Stack

CLICK_LOOKBACK_S = 7 * SECONDS_PER_DAY
"""A rival's sale counts as the fruit of its click for so long."""
_ACTIVE, _LOST = int(JourneyStatus.ACTIVE), int(JourneyStatus.LOST)


def read_levels(stack: Stack, rows: Ints, second: Ints, luck: Words) -> Column:
    """The levels of people as they stand at `second`: int8 (LEVELS, n); luck: (2, n); nothing is written."""
    people = stack.people
    return levels_at(Held(people.level, people.level_s), rows, second, stack.model.half_life_s, luck)


def decide_by_hazard(stack: Stack, rows: Ints, second: Ints) -> None:
    """People in INTENT decide to buy, and pick their advertiser by goodwill."""
    luck = sale_words(stack, rows, second)
    moment = stack.moment(rows, second)
    level = read_levels(stack, rows, moment, luck[4:6])
    last_rival = stack.people.last_rival[rows]
    advertiser = advertisers(stack.model.sales, level[GOODWILL], level[RIVAL_GOODWILL], last_rival, luck[0])
    _decide(stack, _Decision(rows, moment, advertiser, int(ConversionVia.HAZARD)), luck)


def decide_on_click(stack: Stack, rows: Ints, second: Ints) -> None:
    """People who clicked our ad in INTENT decide at once to buy from us."""
    undecided = stack.people.decided_s[rows] < 0
    rows, second = rows[undecided], second[undecided]
    if len(rows):
        luck = sale_words(stack, rows, second)
        _decide(stack, _Decision(rows, second, np.zeros(len(rows), dtype=np.int64), int(ConversionVia.CLICK)), luck)


def sale_words(stack: Stack, rows: Ints, second: Ints) -> Words:
    """Eight words a sale: brand, lag, report, -, decay, decay, order, order."""
    return stack.model.draws.blocks(Purpose.SALE, stack.who(rows, second), slots=2)


class _Decision(NamedTuple):
    """People who decide to buy: who, when, from whom (NONE: nobody after all), and how it came about."""

    rows: Ints
    second: Ints
    advertiser: Ints
    via: int


class Sold(NamedTuple):
    """What is known of each sale as soon as it is decided; times since the root run's start."""

    row: Ints
    world_id: Ints
    person_id: Ints
    decided_s: Ints
    order_id: Ints
    advertiser: Ints
    via: Ints
    purchased_s: Ints
    reported_s: Ints
    value_micros: Ints
    clicked_signal: Ints
    """The signal of a rival's click that led to the rival's sale, NONE otherwise"""
    device: Ints
    journey_index: Ints
    late: Ints
    our_touches: Ints
    """1 where a touch of ours has reached the person on any device: what a paid conversion needs"""


def _decide(stack: Stack, decision: _Decision, luck: Words) -> None:
    model = stack.model
    book(stack, _sold(stack.people, decision, (model.sales, deadline_of(model)), luck, stack.first_seen_s))


def book(stack: Stack, sold: Sold) -> None:
    """Take sales down as decided: they are pending until paid and reported."""
    start_s = stack.model.start_s
    if not len(sold.row):
        return
    columns = sold._asdict()
    if stack.trial is not None:
        stack.trial.sold.append((sold.row, sold.decided_s, sold.advertiser))
    fresh = {name: columns[name] for name in stack.pending}
    stack.pending = {name: np.concatenate([old, fresh[name]]) for name, old in stack.pending.items()}
    del columns["row"], columns["clicked_signal"]
    columns.update({name: columns[name] + start_s for name in ("decided_s", "purchased_s", "reported_s")})
    stack.log.add("conversion", columns)


@compiled
def _sold(
    people: People, decision: _Decision, rules: tuple[Sales, Deadline], luck: Words, first_seen_s: Ints
) -> Sold:
    sales, deadline = rules
    rows = np.zeros((15, len(decision.rows)), dtype=np.int64)
    found = 0
    for i in range(len(decision.rows)):
        row, second, advertiser = decision.rows[i], decision.second[i], decision.advertiser[i]
        if advertiser == NONE:
            continue
        people.decided_s[row] = second
        purchased_s = second + purchase_lag_s(sales, luck[1, i])
        silent = people.status[row] == _ACTIVE and deadline_s(people, row, deadline) < second
        touched = False
        for device in range(first_seen_s.shape[1]):
            touched |= first_seen_s[row, device] >= 0
        rows[0, found], rows[1, found], rows[2, found], rows[3, found] = row, people.world[row], people.person[row], second
        rows[4, found] = (np.int64(luck[6, i]) >> 1) << 31 | np.int64(luck[7, i]) >> 1
        rows[5, found], rows[6, found], rows[7, found] = advertiser, decision.via, purchased_s
        rows[8, found] = purchased_s + report_delay_s(sales, luck[2, i])
        rows[9, found] = sales.ltv_micros if advertiser == US else 0
        followed = people.clicked_rival[row] == advertiser and second - people.clicked_s[row] <= CLICK_LOOKBACK_S
        rows[10, found] = people.clicked_signal[row] if followed else NONE
        rows[11, found], rows[12, found] = people.device[row], people.journey[row]
        rows[13, found], rows[14, found] = people.status[row] == _LOST or silent, touched
        found += 1
    return Sold(
        rows[0, :found], rows[1, :found], rows[2, :found], rows[3, :found], rows[4, :found], rows[5, :found],
        rows[6, :found], rows[7, :found], rows[8, :found], rows[9, :found], rows[10, :found], rows[11, :found],
        rows[12, :found], rows[13, :found], rows[14, :found],
    )


def settle(stack: Stack, now_s: int) -> None:
    """Settle all that has fallen due since the last time, up to and including `now_s`.

    A purchase paid makes the journey CONVERTED and takes the person out of the market; a sale of ours that is reported
    counts as our revenue from now on.
    """
    people, pending, since = stack.people, stack.pending, stack.settled_s
    stack.settled_s = now_s
    paid = np.flatnonzero((pending["purchased_s"] > since) & (pending["purchased_s"] <= now_s))
    if len(paid):
        rows = pending["row"][paid]
        people.stage[rows] = Stage.CONVERTED
        people.status[rows] = np.where(people.journey[rows] >= 0, JourneyStatus.CONVERTED, people.status[rows])
        people.converted_s[rows] = pending["purchased_s"][paid]
        people.converted_advertiser[rows] = pending["advertiser"][paid]
    reported = pending["reported_s"] <= now_s
    if reported.any():
        ours = reported & (pending["advertiser"] == US)
        np.add.at(stack.reported_micros, people.unit[pending["row"][ours]], pending["value_micros"][ours])
        followed = np.flatnonzero(reported & (pending["clicked_signal"] != NONE))
        if len(followed) and stack.model.scenario.rivals_learn:
            unit, seat = people.unit[pending["row"][followed]], pending["advertiser"][followed] - 1
            np.add.at(stack.rival_sales, (unit, seat, pending["clicked_signal"][followed]), 1)
        stack.pending = {name: column[~reported] for name, column in pending.items()}
