"""Our decisions as logged rows: noted round by round, worked out once a commit."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gaelp_sim.compiled import compiled
from gaelp_sim.events import NONE, US, Bools, Column, DecisionStatus, Floats, Ints
from gaelp_sim.market.auction import Codes
from gaelp_sim.market.budgets import Spent
from gaelp_sim.observe.features import Context, Standing, observe_records
from gaelp_sim.observe.memory import SLOTS
from gaelp_sim.units import SECONDS_PER_HOUR
from gaelp_sim.world.log import Block, Table, full
from gaelp_sim.world.slots import Slots
from gaelp_sim.world.stack import Stack

_NOT_ENTERED, _LOST, _WON, _DROPPED = (
    int(status) for status in (
        DecisionStatus.NOT_ENTERED, DecisionStatus.LOST, DecisionStatus.WON, DecisionStatus.DROPPED_BUDGET
    )
)
NOTED = (
    "row", "user", "second", "channel", "signal", "device", "clearing_order", "level", "creative", "bid_micros", "status",
    "price_micros", "charge_micros", "to_beat_micros", "on_list", "unit", "at",
)
"""What is noted of each decision at once; the last is its place in the round."""


class Decided(NamedTuple):
    """What we decided in a round, and what became of it: (n,) columns."""

    level: Codes
    creative: Codes
    asked: Ints
    """What our policy bid"""
    wanted: Ints
    """The same, 0 where the frequency cap kept us out; before any budget dropped us"""
    entered: Ints
    """Our bids as they stood in the auction"""
    to_beat: Ints
    """The least bid of ours that would have won"""
    spent: Spent


class _Place(NamedTuple):
    """Where and to whom: (n,) columns of the round's opportunities."""

    row: Ints
    user: Ints
    second: Ints
    channel: Codes
    signal: Codes
    device: Codes
    unit: Ints


def log_decisions(
    stack: Stack, when: tuple[int, int], slots: Slots, decided: Decided, propensity: Floats
) -> None:
    """Note the decisions of (hour, round): all of them, or those that won, as the scenario logs."""
    hour, number = when
    model, one = stack.model, slots.opportunities
    place = _Place(one.row, slots.user, one.second, one.channel, one.signal, one.device, one.unit)
    options = (stack.people.on_list, model.campaign_of_channel, place_in_unit(one.unit, stack.units))
    noted = _noted(place, decided, options, model.scenario.log == "all")
    if noted.shape[1]:
        note(stack, (hour, number), noted, propensity)


def note(stack: Stack, when: tuple[int, int], rows: Ints, propensity: Floats) -> None:
    """Keep decisions of (hour, round), `NOTED` by n, with what we remember of the users at this moment.

    propensity: (n,) or longer; the rows' last column points into it
    """
    hour, number = when
    noted = Block(NOTED, rows)
    table = noted.table()
    stack.log.add_block("decided", noted)
    stack.log.add("decided", {
        "round": full(len(table["row"]), number), "propensity": propensity[table["at"]],
        "records": stack.memory.take(table["user"]),
        "standing_row": table["unit"] + _standing_row(stack, hour),
    })


@compiled
def _noted(place: _Place, decided: Decided, options: tuple[Bools, Codes, Ints], everything: bool) -> Ints:
    on_list, campaign, order = options
    spent = decided.spent
    noted, count = np.empty((len(NOTED), len(place.row)), dtype=np.int64), 0
    for i in range(len(place.row)):
        price, charge, won = 0, 0, False
        for slot in range(len(spent.winner)):
            if spent.winner[slot, i] == US:
                price, charge, won = price + spent.price_micros[slot, i], charge + spent.charge_micros[slot, i], True
        if not (won or (everything and campaign[place.channel[i]] != NONE)):
            continue
        status = _WON if won else _LOST if decided.wanted[i] > 0 else _NOT_ENTERED
        if decided.wanted[i] > 0 and decided.entered[i] == 0:
            status = _DROPPED
        noted[0, count], noted[1, count], noted[2, count] = place.row[i], place.user[i], place.second[i]
        noted[3, count], noted[4, count], noted[5, count] = place.channel[i], place.signal[i], place.device[i]
        noted[6, count], noted[7, count], noted[8, count] = order[i], decided.level[i], decided.creative[i]
        noted[9, count], noted[10, count], noted[11, count] = decided.asked[i], status, price
        noted[12, count], noted[13, count] = charge, decided.to_beat[i]
        noted[14, count], noted[15, count], noted[16, count] = on_list[place.row[i]], place.unit[i], i
        count += 1
    return noted[:, :count]


@compiled
def place_in_unit(unit: Ints, units: int) -> Ints:
    """How many opportunities of its unit come before each one."""
    place, seen = np.empty(len(unit), dtype=np.int64), np.zeros(units, dtype=np.int64)
    for i in range(len(unit)):
        place[i] = seen[unit[i]]
        seen[unit[i]] += 1
    return place


def _standing_row(stack: Stack, hour: int) -> int:
    """Where this hour's standings begin among those noted since the last commit."""
    if not stack.standings or stack.standings[-1][0] != hour:
        stack.standings.append((hour, _standing_of(stack)))
    return (len(stack.standings) - 1) * stack.units


def _standing_of(stack: Stack) -> dict[str, Column]:
    assert stack.orders is not None and stack.market is not None
    return {"seasonality": stack.market.season, **stack.orders.standing}


def decision_rows(stack: Stack, noted: Table) -> Table:
    """Rows of table `decision`, with their 41 features."""
    model, row = stack.model, noted["row"]
    channel, status = noted["channel"], noted["status"]
    won = status == _WON
    told = model.rules.tells_min_to_win[channel] & ~won
    same = ("channel", "signal", "device", "round", "clearing_order", "level", "creative", "propensity", "bid_micros",
            "charge_micros")
    rows: Table = {name: noted[name] for name in same}
    rows.update({
        "world_id": stack.people.world[row], "occurred_s": noted["second"] + model.start_s,
        "person_id": stack.people.person[row], "resolved_user_id": stack.resolved_user(noted["user"]),
        "alias_id": stack.alias[row, noted["device"]], "campaign": model.campaign_of_channel[channel],
        "participate": (noted["level"] > 0).astype(np.int64), "status": status,
        "price_micros": np.where(won, noted["price_micros"], NONE),
        "min_to_win_micros": np.where(told, noted["to_beat_micros"], NONE), "policy_version": full(len(row), 0),
        "features": _features(stack, noted),
    })
    return rows


def _features(stack: Stack, noted: Table) -> Column:
    standings = [standing for _, standing in stack.standings]
    stack.standings = []
    standing = Standing(**{name: np.concatenate([part[name] for part in standings]) for name in standings[0]})
    rows, slots = np.divmod(noted["user"], SLOTS)
    context = Context(
        rows=rows, slots=slots, second=noted["second"] + stack.model.start_s,
        channel=noted["channel"], signal=noted["signal"], device=noted["device"], on_list=noted["on_list"] > 0,
        standing_row=noted["standing_row"], standing=standing,
        utc_offset_s=stack.model.scenario.utc_offset_hours * SECONDS_PER_HOUR,
    )
    return observe_records(noted["records"], context, stack.model.beliefs)
