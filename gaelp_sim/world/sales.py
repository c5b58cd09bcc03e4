"""Purchases: decided now, paid and reported later, and falling due on the clock."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gaelp_sim.draws import Purpose, Words
from gaelp_sim.events import NONE, US, Column, ConversionVia, Ints, JourneyStatus, Stage
from gaelp_sim.population.people import GOODWILL, RIVAL_GOODWILL
from gaelp_sim.response.levels import Held, levels_at
from gaelp_sim.units import micros
from gaelp_sim.world.journeys import timed_out
from gaelp_sim.world.stack import Stack


@dataclass(frozen=True)
class Decision:
    """People who decide to buy: who, when, from whom, and how it came about."""

    rows: Ints
    second: Ints
    advertiser: Column
    via: ConversionVia


def read_levels(stack: Stack, rows: Ints, second: Ints, luck: Words) -> Column:
    """The levels of people as they stand at `second`: int8 (LEVELS, n); luck: (2, n); nothing is written."""
    people = stack.people
    return levels_at(Held(people.level, people.level_s), rows, second, stack.model.half_life_s, luck)


def decide_by_hazard(stack: Stack, rows: Ints, second: Ints) -> None:
    """People in INTENT decide to buy, and pick their advertiser by goodwill."""
    people, model = stack.people, stack.model
    luck = _sale_words(stack, rows, second)
    moment = stack.moment(rows, second)
    level = read_levels(stack, rows, moment, luck[4:6])
    advertiser = model.sales.advertiser(level[GOODWILL], level[RIVAL_GOODWILL], people.last_rival[rows], luck[0])
    bought = advertiser != NONE
    _decide(stack, Decision(rows[bought], moment[bought], advertiser[bought], ConversionVia.HAZARD), luck[:, bought])


def decide_on_click(stack: Stack, rows: Ints, second: Ints) -> None:
    """People who clicked our ad in INTENT decide at once to buy from us."""
    undecided = stack.people.decided_s[rows] < 0
    rows, second = rows[undecided], second[undecided]
    if len(rows):
        luck = _sale_words(stack, rows, second)
        _decide(stack, Decision(rows, second, np.zeros(len(rows), dtype=np.int8), ConversionVia.CLICK), luck)


def _sale_words(stack: Stack, rows: Ints, second: Ints) -> Words:
    """Eight words a sale: brand, lag, report, -, decay, decay, order, order."""
    return stack.model.draws.blocks(Purpose.SALE, stack.who(rows, second), slots=2)


def _decide(stack: Stack, decision: Decision, luck: Words) -> None:
    people, model = stack.people, stack.model
    rows, second, advertiser = decision.rows, decision.second, decision.advertiser
    purchased = second + model.sales.purchase_lag_s(luck[1])
    reported = purchased + model.sales.report_delay_s(luck[2])
    value = np.where(advertiser == US, micros(model.scenario.economics.ltv_usd), 0)
    late = (people.status[rows] == JourneyStatus.LOST) | timed_out(stack, rows, second)
    people.decided_s[rows] = second
    stack.log.add("conversion", {
        "world_id": people.world[rows], "person_id": people.person[rows], "decided_s": second + model.start_s,
        "order_id": (luck[6].astype(np.int64) >> 1) << 31 | luck[7] >> 1, "advertiser": advertiser.astype(np.int64),
        "via": np.full(len(rows), int(decision.via)), "purchased_s": purchased + model.start_s,
        "reported_s": reported + model.start_s, "value_micros": value, "device": people.device[rows].astype(np.int64),
        "journey_index": people.journey[rows].astype(np.int64), "late": late.astype(np.int64),
        "our_touches": _touched_ever(stack, rows),
    })
    fresh = {
        "row": rows, "purchased_s": purchased, "reported_s": reported,
        "advertiser": advertiser.astype(np.int64), "value_micros": value,
    }
    stack.pending = {name: np.concatenate([old, fresh[name]]) for name, old in stack.pending.items()}


def _touched_ever(stack: Stack, rows: Ints) -> Ints:
    """1 where a touch of ours has reached the person on any device: what a paid conversion needs."""
    return (stack.first_seen_s[rows] >= 0).any(axis=1).astype(np.int64)


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
        stack.pending = {name: column[~reported] for name, column in pending.items()}
