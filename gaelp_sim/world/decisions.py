"""Our decisions as logged rows: noted round by round, worked out once a commit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gaelp_sim.compiled import compiled
from gaelp_sim.events import NONE, US, Bids, Bools, Column, DecisionStatus, Ints
from gaelp_sim.market.budgets import Spent
from gaelp_sim.observe.features import Context, Standing, observe_records
from gaelp_sim.observe.memory import SLOTS
from gaelp_sim.units import SECONDS_PER_HOUR
from gaelp_sim.world.log import Table, full
from gaelp_sim.world.slots import Slots
from gaelp_sim.world.stack import Stack

_STATUS = np.array([DecisionStatus.NOT_ENTERED, DecisionStatus.LOST, DecisionStatus.WON, DecisionStatus.DROPPED_BUDGET])


@dataclass(frozen=True)
class Decided:
    """What we decided in a round, and what became of it."""

    ours: Bids
    wanted: Ints
    """(n,): our bids before any budget dropped us"""
    dropped: Bools
    spent: Spent


def log_decisions(stack: Stack, hour: int, number: int, slots: Slots, decided: Decided) -> None:
    """Note a round's decisions: all of them, or those that won, as the scenario logs."""
    opportunities, model, spent = slots.opportunities, stack.model, decided.spent
    won_at = spent.winner == US
    won = won_at.any(axis=0)
    everything = model.scenario.log == "all"
    keep = np.flatnonzero((model.campaign_of_channel[opportunities.channel] != NONE) if everything else won)
    if not len(keep):
        return
    status = np.where(won, 2, decided.wanted > 0) + 3 * decided.dropped
    ours = decided.ours
    slot = slots.memory_slot[keep]
    row = opportunities.row[keep]
    unit = opportunities.unit
    stack.log.add("decided", {
        "row": row, "slot": slot, "second": opportunities.second[keep], "channel": opportunities.channel[keep],
        "signal": opportunities.signal[keep], "device": opportunities.device[keep], "round": full(len(keep), number),
        "clearing_order": place_in_unit(unit, stack.units)[keep], "level": ours.level[keep],
        "creative": ours.creative[keep], "propensity": ours.propensity[keep], "bid_micros": decided.wanted[keep],
        "status": status[keep], "price_micros": (spent.price_micros * won_at).sum(axis=0)[keep],
        "charge_micros": (spent.charge_micros * won_at).sum(axis=0)[keep], "top_price_micros": spent.price_micros[0, keep],
        "on_list": stack.people.on_list[row], "records": stack.memory.take(row * SLOTS + slot),
        "standing_row": unit[keep] + _standing_row(stack, hour),
    })


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
    assert stack.orders is not None
    return {"seasonality": stack.traffic.copy(), **stack.orders.standing}


def decision_rows(stack: Stack, noted: Table) -> Table:
    """Rows of table `decision`, with their 41 features."""
    model, row, slot = stack.model, noted["row"], noted["slot"]
    channel, status = noted["channel"], _STATUS[np.minimum(noted["status"], 3)]
    won = status == DecisionStatus.WON
    told = model.rules.tells_min_to_win[channel] & ~won
    same = ("channel", "signal", "device", "round", "clearing_order", "level", "creative", "propensity", "bid_micros",
            "charge_micros")
    rows: Table = {name: noted[name] for name in same}
    rows.update({
        "world_id": stack.people.world[row], "occurred_s": noted["second"] + model.start_s,
        "person_id": stack.people.person[row], "resolved_user_id": stack.resolved_user(row, slot),
        "alias_id": stack.alias[row, noted["device"]], "campaign": model.campaign_of_channel[channel],
        "participate": (noted["level"] > 0).astype(np.int64), "status": status,
        "price_micros": np.where(won, noted["price_micros"], NONE),
        "min_to_win_micros": np.where(told, noted["top_price_micros"], NONE), "policy_version": full(len(row), 0),
        "features": _features(stack, noted),
    })
    return rows


def _features(stack: Stack, noted: Table) -> Column:
    standings = [standing for _, standing in stack.standings]
    stack.standings = []
    standing = Standing(**{name: np.concatenate([part[name] for part in standings]) for name in standings[0]})  # type: ignore[arg-type]
    context = Context(
        rows=noted["row"], slots=noted["slot"], second=noted["second"] + stack.model.start_s,
        channel=noted["channel"], signal=noted["signal"], device=noted["device"], on_list=noted["on_list"],
        standing_row=noted["standing_row"], standing=standing,
        utc_offset_s=stack.model.scenario.utc_offset_hours * SECONDS_PER_HOUR,
    )
    return observe_records(noted["records"], context, stack.model.beliefs)
