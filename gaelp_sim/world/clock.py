"""SimPy keeps time and rare things: ticks, the agent, refills, what falls due, crises; numpy moves the people."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Protocol

import numpy as np
import simpy

from gaelp_sim.draws import Purpose, uniform
from gaelp_sim.events import Ints
from gaelp_sim.units import SECONDS_PER_DAY, SECONDS_PER_HOUR
from gaelp_sim.world.control import Orders, Report
from gaelp_sim.world.hour import run_hour
from gaelp_sim.world.moves import strike_world
from gaelp_sim.world.sales import pay_due, report_due
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
        """Schedule what is pending in the stack's state and the hourly processes."""
        self.stack, self.control, self.hour = stack, control, start_hour
        self.env = simpy.Environment(initial_time=start_hour * SECONDS_PER_HOUR)
        self._scheduled: set[int] = set()
        self._schedule_due(stack.pending["purchased_s"], stack.pending["reported_s"])
        # Creation order is the order of what happens at one instant: the agent writes its sheet, then the hour runs.
        self._orders: Orders | None = None
        self.env.process(self._crises())
        self.env.process(self._agent())
        self.env.process(self._ticks())

    def run_until(self, hour: int) -> None:
        """Advance to the start of `hour` (hours since the root run's start)."""
        if hour > self.hour:
            self.env.run(until=hour * SECONDS_PER_HOUR)
            self.hour = hour

    def _agent(self) -> Process:
        """Each hour our agent reads the observable state and writes its bid sheet."""
        while True:
            yield self._after_what_falls_due()
            self._orders = self.control.begin_hour(int(self.env.now) // SECONDS_PER_HOUR)
            yield self.env.timeout(SECONDS_PER_HOUR)

    def _ticks(self) -> Process:
        while True:
            yield self._after_what_falls_due()
            assert self._orders is not None
            report = run_hour(self.stack, int(self.env.now) // SECONDS_PER_HOUR, self._orders)
            self.control.end_hour(report)
            for due in self.stack.log.pieces.pop("due", []):
                self._schedule_due(due["purchased_s"], due["reported_s"])
            yield self.env.timeout(SECONDS_PER_HOUR)

    def _after_what_falls_due(self) -> simpy.Event:
        """Whatever falls due on the very second of a tick was put on the heap before this: it happens first."""
        return self.env.timeout(0)

    def _schedule_due(self, purchased_s: Ints, reported_s: Ints) -> None:
        """One event per distinct second at which something falls due."""
        now = int(self.env.now)
        for second in sorted({*purchased_s.tolist(), *reported_s.tolist()}):
            if second >= now and second not in self._scheduled:
                self._scheduled.add(second)
                self.env.process(self._fall_due(second))

    def _fall_due(self, second: int) -> Process:
        yield self.env.timeout(second - int(self.env.now))
        self._scheduled.discard(second)
        pay_due(self.stack, second)
        report_due(self.stack, second)

    def _crises(self) -> Process:
        """Crises strike whole worlds: drawn per world and day, or on a fixed day of the run."""
        while True:
            day = int(self.env.now) // SECONDS_PER_DAY
            for unit, number, second in crises_of_day(self.stack, day):
                if second >= self.env.now:
                    self.env.process(self._strike(unit, number, second))
            yield self.env.timeout((day + 1) * SECONDS_PER_DAY - self.env.now)

    def _strike(self, unit: int, number: int, second: int) -> Process:
        if second > self.env.now:
            yield self.env.timeout(second - int(self.env.now))
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


