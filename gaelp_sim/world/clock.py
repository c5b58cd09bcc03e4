"""SimPy keeps time and rare things: ticks, the agent, refills, what falls due, crises; numpy moves the people."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Protocol
from weakref import proxy

import numpy as np
import simpy

from gaelp_sim.draws import Purpose, uniform
from gaelp_sim.units import SECONDS_PER_DAY, SECONDS_PER_HOUR
from gaelp_sim.world.control import Orders, Report
from gaelp_sim.world.hour import run_hour
from gaelp_sim.world.moves import strike_world
from gaelp_sim.world.sales import settle
from gaelp_sim.world.stack import Stack

Process = Generator[simpy.Event, Any, None]


class Control(Protocol):
    """Whoever gives orders to a stack and takes its reports: the controller itself, or a pipe to it."""

    def begin_hour(self, hour: int) -> Orders:
        """Leases, sheet and standing for the hour."""
        ...

    def end_hour(self, report: Report) -> None:
        """Take what the hour brought."""
        ...


class Clock:
    """The event heap of one stack, from any hour on; rebuilt from plain state, never saved."""

    def __init__(self, stack: Stack, control: Control, start_hour: int) -> None:
        """Put the hourly processes on the heap."""
        self.stack, self.control, self.hour = stack, control, start_hour
        self.env = simpy.Environment(initial_time=start_hour * SECONDS_PER_HOUR)
        stack.settled_s = start_hour * SECONDS_PER_HOUR - 1
        # Creation order is the order of what happens at one instant: crises strike, what has fallen due is settled, the
        # agent writes its sheet, then the hour runs.
        self._orders: Orders | None = None
        # The heap must not hold the clock: a ring of references would keep a whole world in memory until Python looks for
        # rings, which it does by the number of objects, and worlds are few objects with much in them.
        this = proxy(self)
        for process in (Clock._crises, Clock._dues, Clock._agent, Clock._ticks):
            self.env.process(process(this))

    def run_until(self, hour: int) -> None:
        """Advance to the start of `hour` (hours since the root run's start)."""
        if hour > self.hour:
            self.env.run(until=hour * SECONDS_PER_HOUR)
            settle(self.stack, hour * SECONDS_PER_HOUR - 1)
            self.hour = hour

    def _dues(self) -> Process:
        """Purchases and reports happen at their own seconds; they are settled before anybody looks at the people."""
        while True:
            settle(self.stack, int(self.env.now))
            yield self.env.timeout(SECONDS_PER_HOUR)

    def _agent(self) -> Process:
        """Each hour our agent reads the observable state and writes its bid sheet."""
        while True:
            self._orders = self.control.begin_hour(int(self.env.now) // SECONDS_PER_HOUR)
            yield self.env.timeout(SECONDS_PER_HOUR)

    def _ticks(self) -> Process:
        while True:
            assert self._orders is not None
            report = run_hour(self.stack, int(self.env.now) // SECONDS_PER_HOUR, self._orders)
            self.control.end_hour(report)
            yield self.env.timeout(SECONDS_PER_HOUR)

    def _crises(self) -> Process:
        """Crises strike whole worlds: drawn per world and day, or on a fixed day of the run."""
        while True:
            now = int(self.env.now)
            for unit, number, second in crises_of_day(self.stack, now // SECONDS_PER_DAY):
                if second == now:
                    self._hit(unit, number, second)
                elif second > now:
                    self.env.process(Clock._strike(self, unit, number, second))
            yield self.env.timeout((now // SECONDS_PER_DAY + 1) * SECONDS_PER_DAY - now)

    def _strike(self, unit: int, number: int, second: int) -> Process:
        yield self.env.timeout(second - int(self.env.now))
        self._hit(unit, number, second)

    def _hit(self, unit: int, number: int, second: int) -> None:
        settle(self.stack, second)
        strike_world(self.stack, unit, number, second)


def crises_of_day(stack: Stack, day: int) -> list[tuple[int, int, int]]:
    """(unit, crisis number, second) of every world crisis of a day, in time order; all cells of a world alike."""
    found = []
    for number, crisis in enumerate(stack.model.scenario.crises):
        worlds = stack.unit_world_id
        words = stack.model.draws.words(Purpose.WORLD_CRISIS, worlds, number, day)
        strikes = uniform(words[0]) < crisis.per_year / 365.25
        if crisis.on_day is not None:
            strikes = np.full(len(worlds), crisis.on_day == day)
        second = day * SECONDS_PER_DAY + (uniform(words[1]) * SECONDS_PER_DAY).astype(np.int64)
        found += [(int(unit), number, int(second[unit])) for unit in np.flatnonzero(strikes)]
    return sorted(found, key=lambda strike: (strike[2], strike[0], strike[1]))


