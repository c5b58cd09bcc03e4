"""From what happened to the rows the store keeps."""

from __future__ import annotations

import numpy as np

from gaelp_sim.events import NONE, US, DeviceKind, Ints
from gaelp_sim.population.people import FATIGUE_OFFER, FATIGUE_TEACH, GOODWILL, RIVAL_GOODWILL
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import SECONDS_PER_DAY
from gaelp_sim.world.journeys import epoch
from gaelp_sim.world.linkage import Linkage
from gaelp_sim.world.log import Table, full
from gaelp_sim.world.stack import ACCOUNT_ALIAS, Stack

_TOUCH_COLUMNS = (
    "kind", "advertiser", "channel", "campaign", "creative", "signal", "position", "device", "price_micros",
    "examined", "clicked",
)
KNOWN_CONFIDENCE = 1.0
"""Confidence that a device belongs to its resolved user: certain, as users are devices joined by log-in."""


def touchpoint_rows(stack: Stack, touch: Table) -> Table:
    """Touch columns as rows of table `touchpoint`."""
    row = touch["row"]
    rows: Table = {
        "world_id": stack.people.world[row], "person_id": stack.people.person[row],
        "occurred_s": touch["second"] + stack.model.start_s, "touch_slot": touch["slot"],
        "journey_index": touch["journey"], "alias_id": stack.alias[row, touch["device"]],
    }
    rows.update({name: touch[name] for name in _TOUCH_COLUMNS})
    return rows


def ledger_rows(touchpoints: Table) -> Table:
    """Every charge of ours among these touchpoints, as ledger rows."""
    charged = np.flatnonzero((touchpoints["advertiser"] == US) & (touchpoints["price_micros"] > 0))
    names = ("world_id", "occurred_s", "person_id", "touch_slot", "campaign", "channel")
    rows = {name: touchpoints[name][charged] for name in names}
    rows["amount_micros"] = touchpoints["price_micros"][charged]
    return rows


def auction_hour_rows(outcome: Table, channels: int) -> Table:
    """Slots, wins, clicks, spend and price quartiles by world, hour, channel and advertiser (NONE: unsold).

    Quartiles are order statistics: the price at index floor(q (wins - 1)) of the ascending prices.
    """
    hours = int(outcome["hour"].max()) + 1
    bidders = int(outcome["advertiser"].max()) + 2
    cell = (outcome["world_id"] * hours + outcome["hour"]) * channels + outcome["channel"]
    key = cell * bidders + outcome["advertiser"] + 1
    order = np.argsort(key << 34 | outcome["price_micros"])
    key, price = key[order], outcome["price_micros"][order]
    first = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
    count = np.diff(np.concatenate([first, [len(key)]]))
    cells, inverse = np.unique(cell, return_inverse=True)
    slots = np.bincount(inverse)
    group = key[first]
    place = group // bidders
    clicks, spend_micros = (
        np.add.reduceat(values[order], first) for values in (outcome["clicked"].astype(np.int64), outcome["charge_micros"])
    )
    return {
        "world_id": place // channels // hours, "hour": place // channels % hours, "channel": place % channels,
        "advertiser": group % bidders - 1, "opportunities": slots[np.searchsorted(cells, place)], "wins": count,
        "clicks": clicks, "spend_micros": spend_micros,
        "price_q25_micros": price[first + (count - 1) // 4], "price_q50_micros": price[first + (count - 1) // 2],
        "price_q75_micros": price[first + (count - 1) * 3 // 4],
    }


def person_rows(stack: Stack, now_s: int) -> Table:
    """Everybody's state as rows of table `person`."""
    people, start = stack.people, stack.model.start_s
    level = people.level
    read_s = people.level_s + start
    open_since = np.where(people.journey >= 0, np.maximum(people.started_s, 0), now_s)
    return {
        "world_id": people.world, "person_id": people.person, "household_id": people.household,
        "segment": people.segment, "stage": people.stage, "goodwill": level[GOODWILL], "goodwill_s": read_s,
        "rival_goodwill": level[RIVAL_GOODWILL], "rival_goodwill_s": read_s, "last_rival": people.last_rival,
        "fatigue_teach": level[FATIGUE_TEACH], "fatigue_teach_s": read_s, "fatigue_offer": level[FATIGUE_OFFER],
        "fatigue_offer_s": read_s, "on_list": people.on_list, "device": people.device,
        "crisis_s": epoch(people.crisis_s, start), "decided_s": epoch(people.decided_s, start),
        "converted_s": epoch(people.converted_s, start), "status": people.status, "journey_index": people.journey,
        "days_in_journey": (np.maximum(people.last_touch_s, open_since) - open_since) // SECONDS_PER_DAY,
    }


def truth_rows(stack: Stack) -> Table:
    """Latent traits as rows of table `truth_person`."""
    people = stack.people
    segments = stack.model.scenario.population.segments
    traits = {
        name: np.array([getattr(part, name) for part in segments])[people.segment_at_start]
        for name in ("attention", "price_sensitivity", "urgency")
    }
    return {
        "world_id": people.world, "person_id": people.person, "segment_at_start": people.segment_at_start,
        **traits,
    }


def device_rows(stack: Stack) -> Table:
    """Devices owned, each with the id an advertiser sees."""
    row, kind = _owned(stack)
    people = stack.people
    return {
        "world_id": people.world[row], "person_id": people.person[row], "device": kind, "kind": kind,
        "alias_id": stack.alias[row, kind],
    }


def alias_rows(stack: Stack) -> Table:
    """Observed ids of devices that we have met, with the user they resolve to."""
    first, last = stack.first_seen_s, stack.last_seen_s
    row, kind = _owned(stack)
    met = first[row, kind] >= 0
    row, kind = row[met], kind[met]
    joined = (stack.people.logged_in[row] >> kind & 1) == 1
    start = stack.model.start_s
    alias, account = stack.alias[row, kind], stack.alias[row, ACCOUNT_ALIAS]
    user, confidence = np.where(joined, account, alias), np.full(len(row), KNOWN_CONFIDENCE)
    if stack.linkage is not None:
        user, confidence = stack.resolved_user(stack.users_of(row, kind)), stack.linkage.confidence_of(row, kind)
    return {
        "world_id": stack.people.world[row], "alias_id": alias, "kind": kind, "resolved_user_id": user,
        "match_confidence": confidence, "account_id": np.where(joined, account, NONE),
        "first_seen_s": first[row, kind] + start, "last_seen_s": last[row, kind] + start,
        "login_s": epoch(stack.login_s[row, kind], start),
    }


def alias_pair_rows(stack: Stack, linkage: Linkage) -> Table:
    """Pairs of aliases that may be one user, as the run's own linker sees them."""
    pairs = linkage.possible()
    return {
        "world_id": stack.people.world[linkage.row[pairs.one]], "alias_id": linkage.alias_id[pairs.one],
        "other_alias_id": linkage.alias_id[pairs.other], "probability": pairs.chance,
    }


def _owned(stack: Stack) -> tuple[Ints, Ints]:
    kinds = np.arange(len(DeviceKind))
    owned = (stack.people.owned[:, None] >> kinds & 1) == 1
    row, kind = np.nonzero(owned)
    return row, kind


def world_parameter_rows(scenario: Scenario, seed: int) -> Table:
    """What each world of a run has drawn for the scenario's intervals; `seed` is the root run's."""
    intervals, worlds = scenario.intervals, range(scenario.worlds)
    drawn = [interval.drawn(seed, world) for world in worlds for interval in intervals]
    bounds = np.tile([interval.between for interval in intervals], (len(worlds), 1)).reshape(-1, 2)
    return {
        "world_id": np.repeat(np.array(worlds, dtype=np.int64), len(intervals)),
        "parameter": np.tile(np.arange(len(intervals)), len(worlds)), "value": np.array(drawn, dtype=np.float64),
        "low": bounds[:, 0], "high": bounds[:, 1],
    }


def world_rows(stack: Stack) -> Table:
    """One row per world whose first cell lives in this stack."""
    worlds = [unit for unit, (_, cell) in enumerate(stack.place.units()) if cell == 0]
    n = len(worlds)
    return {
        "world_id": stack.unit_world_id[worlds], "people": full(n, stack.model.scenario.population.people),
        "market_noise_ppm": np.rint(stack.unit_noise[worlds] * 1e6).astype(np.int64),
        "season_shift_days": stack.unit_shift_days[worlds],
    }
