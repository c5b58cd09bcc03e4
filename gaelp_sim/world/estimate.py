"""What a run would take, from two small pilots: each hour has a price, and so has each person."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import HOURS_PER_DAY
from gaelp_sim.world.executors import executor_of
from gaelp_sim.world.policies import DEFAULT_POLICY
from gaelp_sim.world.request import Estimate
from gaelp_sim.world.shard import Task
from gaelp_sim.world.stack import Place

SIZES = (500, 4_000)
"""People of the pilots, as far as the scenario has so many."""
PILOT_DAYS = 3
"""The first warms up and is not timed."""
START_S = 0.8
"""Imports, the store's tables and the first and last rows of a small run (measured: .6 to 1)."""
ROW_S = 4e-6
"""Writing one row (measured on SQLite: 2 to 6)."""
DISK_SHARE = 0.6
"""Of the bytes of the columns in memory."""
ROWS_ONCE, BYTES_ONCE = 6, 1_200
"""Rows written once for a person, and their bytes: state, traits, devices, ids, journeys with their paths (measured)."""


@dataclass(frozen=True)
class _Pilot:
    """A few days of one world without a store."""

    people: int
    day_s: float
    """Seconds a day"""
    rows: float
    """Rows a person-day"""
    size: float
    """Bytes a person-day"""


def estimated(scenario: Scenario) -> Estimate:
    """Rows, disk and seconds that a run would take."""
    sizes = sorted({min(scenario.population.people, size) for size in SIZES})
    pilots = [_pilot(scenario, people) for people in sizes]
    small, large = pilots[0], pilots[-1]
    person_s = max(large.day_s - small.day_s, 0.0) / max(large.people - small.people, 1)
    day_s = max(large.day_s - person_s * large.people, 0.0)
    people = scenario.worlds * scenario.population.people
    rows = people * (large.rows * scenario.days + ROWS_ONCE)
    size = people * (large.size * scenario.days * DISK_SHARE + BYTES_ONCE)
    seconds = START_S + scenario.days * (day_s + person_s * people) + rows * ROW_S
    return Estimate(round(rows), round(size), seconds)


def _pilot(scenario: Scenario, people: int) -> _Pilot:
    fewer = scenario.population.model_copy(update={"people": people})
    cut = scenario.model_copy(update={"worlds": 1, "cells": 1, "days": PILOT_DAYS, "population": fewer, "script": []})
    executor = executor_of(Task(cut, scenario.seed, DEFAULT_POLICY, Place(range(0), range(0)), 0, None))
    rows, size, began_s = 0, 0, 0.0
    for day in range(1, PILOT_DAYS + 1):
        for tables in executor.advance(day * HOURS_PER_DAY):
            tables.pop("outcome", None)
            rows += sum(len(next(iter(table.values()))) for table in tables.values())
            size += sum(np.asarray(column).nbytes for table in tables.values() for column in table.values())
        began_s = began_s or time.perf_counter()
    seconds = time.perf_counter() - began_s
    person_days = people * PILOT_DAYS
    return _Pilot(people, seconds / (PILOT_DAYS - 1), rows / person_days, size / person_days)
