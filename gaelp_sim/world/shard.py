"""A shard: one process's share of a run, stepped from commit point to commit point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from gaelp_sim.errors import UsageError
from gaelp_sim.events import Column, Ints
from gaelp_sim.market.bidder import Bidder
from gaelp_sim.market.outside_policy import OutsidePolicy
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import HOURS_PER_DAY
from gaelp_sim.world.clock import Clock, Control
from gaelp_sim.world.control import Controller, Orders, Report
from gaelp_sim.world.decisions import decision_rows
from gaelp_sim.world.followed import Followed
from gaelp_sim.world.heard import Heard, Sheets
from gaelp_sim.world.journeys import PATH_COLUMNS, History, present_journeys
from gaelp_sim.world.log import Log, Table, joined_columns
from gaelp_sim.world.model import Model, model_of
from gaelp_sim.world.opponents import opponents_from_text
from gaelp_sim.world.outsiders import makers
from gaelp_sim.world.policies import policy_named
from gaelp_sim.world.rows import (
    alias_pair_rows,
    alias_rows,
    device_rows,
    ledger_rows,
    person_rows,
    touchpoint_rows,
    truth_rows,
    world_rows,
)
from gaelp_sim.world.stack import Place, Stack
from gaelp_sim.world.state import State, stack_from, state_of

Tables = dict[str, Table]

@dataclass(frozen=True)
class Task:
    """What a shard simulates: everything another process needs to build it."""

    scenario: Scenario
    seed: int
    policy: str
    place: Place
    start_hour: int
    state: State | None
    """Whole state to start from, None: newly born"""
    opponents: str = ""
    """What rivals begin with, as `Opponents.text` tells it; empty: they have learned nothing"""
    bidders: tuple[tuple[str, str], ...] = ()
    """Bidders from outside in rivals' seats: (rival's name, module:Class)"""
    followed: Followed | None = None
    """Rivals are, hour by hour, as they were in another life of these worlds"""
    sheets: Sheets | None = None
    """Bid sheets that an agent from outside wrote for these worlds, where the policy bids by them"""

    def apart(self) -> list[Task]:
        """This task; where the scenario has intervals, one for each world of its place, with that world's own numbers."""
        if not self.scenario.intervals:
            return [self]
        return [
            replace(
                self, scenario=self.scenario.drawn(self.seed, world), place=Place(range(world, world + 1), self.place.cells)
            )
            for world in self.place.worlds
        ]

    def model(self, us: Bidder | None = None, rivals: Mapping[int, Bidder] | None = None) -> Model:
        """The scenario compiled, with whoever bids in it; `us` in place of the policy, `rivals` in their seats by code."""
        made = makers(self.scenario, self.policy, self.bidders)
        made.update({code: partial(_same, bidder) for code, bidder in (rivals or {}).items()})
        return model_of(self.scenario, self.seed, us or policy_named(self.policy, self.scenario), made)


def _same(bidder: Bidder) -> Bidder:
    return bidder


class LocalControl:
    """The controller in the same process: whole worlds live here."""

    def __init__(self, controller: Controller) -> None:
        self.controller, self.log = controller, Log()

    def begin_hour(self, hour: int) -> Orders:
        """Orders straight from the controller."""
        self.hour = hour
        return self.controller.begin_hour(hour)

    def end_hour(self, report: Report) -> None:
        """Reports straight to it; the day's books close with the last hour."""
        self.controller.end_hour(report)
        if self.hour % HOURS_PER_DAY == HOURS_PER_DAY - 1:
            self.controller.end_day(self.hour // HOURS_PER_DAY, self.log)


class Shard:
    """People of some units with their clock; `advance` runs to an hour and hands over what happened."""

    def __init__(
        self, task: Task, control: Control | None = None, us: Bidder | None = None,
        rivals: Mapping[int, Bidder] | None = None,
    ) -> None:
        """Build the shard; without `control` it keeps its own controller (it must then hold whole worlds).

        us: bids for us in place of the task's policy; rivals: bid in rivals' seats, by code, and do not learn in here
        Raises UsageError for several worlds that have parameters of their own: those are shards apart.
        """
        parts = task.apart()
        if len(parts) != 1:
            raise UsageError(
                f"{len(parts)} worlds have parameters of their own (intervals), so they can't be lived through side by "
                "side; next: a run of one world"
            )
        self.task = task = parts[0]
        self.model = task.model(us, rivals)
        self.stack = _stack(self.model, task)
        self.own = LocalControl(controller_of(self.model, task, self.stack)) if control is None else None
        self.clock = Clock(self.stack, control or self.own, task.start_hour)  # type: ignore[arg-type]
        self.history = History(self.model.start_s)
        if self.stack.carried:
            self.history.add(self.stack.carried)
        self._ended: list[Table] = []
        """Journeys that ended in this run, once `carry_over` has taken them out of the state"""

    def advance(self, hour: int) -> Tables:
        """Run to the start of `hour`; returns the rows since the last call, by table."""
        self.clock.run_until(hour)
        logged = self.stack.log.drain()
        tables: Tables = {}
        if "touch" in logged:
            touch = logged.pop("touch")
            self.history.add(touch)
            tables["touchpoint"] = touchpoint_rows(self.stack, touch)
            tables["ledger"] = ledger_rows(tables["touchpoint"])
        if "decided" in logged:
            tables["decision"] = decision_rows(self.stack, logged.pop("decided"))
        tables.update(logged)
        if self.own is not None:
            tables.update(self.own.log.drain())
        return tables

    def asked(self, hour: int) -> Table:
        """The sheet that an agent from outside is asked to fill in for an hour that is about to begin."""
        assert self.own is not None, "a live agent has one process"
        return self.own.controller.asked(hour)

    def hear(self, hour: int, worlds: Ints, bid_micros: Ints) -> None:
        """Take its answers, (worlds, signals), NONE where there is none."""
        assert self.own is not None and self.own.controller.heard is not None
        self.own.controller.heard.hear(hour, worlds, bid_micros)

    def books(self, day: int) -> Tables:
        """Rows that are else written with a day's end, for its hours so far."""
        assert self.own is not None
        self.own.controller.write_books(day, self.own.log)
        return self.own.log.drain()

    def unit_people(self) -> Column:
        """(units,): how many people live in each unit."""
        return self.stack.unit_people()

    def recall(self, touches: Table, start_s: int) -> None:
        """Put stored touches (rows of table `touchpoint`) of our people before the touches of this session."""
        if not touches:
            return
        keys = self.stack.keys(np.arange(self.stack.people.size))
        key = touches["world_id"] << 32 | touches["person_id"]
        row = np.minimum(np.searchsorted(keys, key), len(keys) - 1)
        here = np.flatnonzero(keys[row] == key)
        known = {
            "row": row[here], "journey": touches["journey_index"][here], "second": touches["occurred_s"][here] - start_s,
            "slot": touches["touch_slot"][here],
        }
        known.update({name: touches[name][here] for name in PATH_COLUMNS if name not in known})
        self.history.add(known, before=True)

    def births(self) -> Tables:
        """Rows that stand from the start."""
        return {"world": world_rows(self.stack), "truth_person": truth_rows(self.stack), "device": device_rows(self.stack)}

    def finish(self, now_s: int) -> Tables:
        """Rows written once, at the end and after `carry_over`: people, ids met, journeys with their paths."""
        stack = self.stack
        journeys = joined_columns([*self._ended, *stack.closed, present_journeys(stack)])
        self._ended = []
        tables = {
            "person": person_rows(stack, now_s), "alias": alias_rows(stack), "journey": self.history.with_paths(journeys),
        }
        if stack.linkage is not None:
            tables["alias_pair"] = alias_pair_rows(stack, stack.linkage)
        return {**tables, **self.own.controller.final_rows()} if self.own is not None else tables

    def state(self) -> State:
        """The state to resume from; `carried` holds the recorded touches of present journeys."""
        state = state_of(self.stack)
        if self.own is not None:
            state.update({f"world.{name}": column for name, column in self.own.controller.arrays().items()})
            state["world.id"] = self.own.controller.worlds
        return state

    def carry_over(self) -> None:
        """Keep, of all touches so far, those of people's present journeys: a continued run's paths begin with them."""
        self.stack.carried = self.history.of_present_journeys(self.stack)
        self._ended, self.stack.closed = self.stack.closed, []


def controller_of(model: Model, task: Task, stack: Stack) -> Controller:
    """The controller of whole worlds, with its stored state where there is one."""
    place, state = task.place, task.state
    units = place.units()
    worlds = np.arange(place.worlds.start, place.worlds.stop)
    unit_world = np.array([world - place.worlds.start for world, _ in units])
    opponents = opponents_from_text(task.opponents)
    controller = Controller.of(model, worlds, (unit_world, stack.unit_people()), opponents)
    controller.followed = task.followed
    controller.heard = heard_of(model, task, worlds)
    if state is not None:
        restore_controller(controller, state)
    return controller


def heard_of(model: Model, task: Task, worlds: Ints) -> Heard | None:
    """What an agent from outside bids in these worlds; None where the policy asks none."""
    agent = task.scenario.agent
    if agent is None or not isinstance(model.us, OutsidePolicy):
        return None
    return Heard(worlds, agent.missing, task.sheets)


def restore_controller(controller: Controller, state: State) -> None:
    """Give a controller the part of a whole state that is about its worlds."""
    at = np.searchsorted(state["world.id"], controller.worlds)
    front = "world."
    arrays = {name[len(front) :]: column[at] for name, column in state.items() if name.startswith(front)}
    del arrays["id"]
    controller.restore(arrays)


def _stack(model: Model, task: Task) -> Stack:
    if task.state is None:
        return Stack.of(model, task.place)
    return stack_from(model, task.place, task.state, task.start_hour)
