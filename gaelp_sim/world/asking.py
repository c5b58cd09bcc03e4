"""A live agent from outside: each hour its sheet is put up in the store, its answers are waited for, and both are kept.

The wait is by the wall clock and never enters results: what is late is as if it had never come. A replay takes the
sheets from the stored run, and asks nobody.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from gaelp_sim.errors import StoreBusyError, UsageError
from gaelp_sim.events import NONE
from gaelp_sim.market.outside_policy import OUTSIDE
from gaelp_sim.scenario.agent import Agent
from gaelp_sim.store import RunRecord
from gaelp_sim.store.outside import Given, Mailbox
from gaelp_sim.world.crew import Crew
from gaelp_sim.world.executors import Executor
from gaelp_sim.world.inherit import is_replay
from gaelp_sim.world.log import joined_columns
from gaelp_sim.world.request import Waiting

FIRST_LOOK_S, LOOKS_S = 0.002, 0.05
"""Between two looks into the mailbox: soon at first, since a quick agent answers in milliseconds."""
TELL_EVERY_S = 1.0
T = TypeVar("T")


def asks(run: RunRecord) -> bool:
    """Whether a run asks an agent from outside, hour by hour."""
    return run.policy == OUTSIDE and not is_replay(run)


def check_askable(run: RunRecord, crew: Crew) -> None:
    """Raise UsageError for a run that asks an agent in a way in which none could be asked."""
    if not asks(run):
        return
    if crew.ray or crew.processes > 1:
        asked = f"--ray {crew.ray}" if crew.ray else f"--workers {crew.processes}"
        raise UsageError(f"{asked}: an agent from outside is asked by one process, hour by hour; leave it out")
    if run.lake:
        raise UsageError("--lake: an agent from outside reads touches and decisions in the database; leave it out")


@dataclass
class Asking:
    """The conversation of one run with its agent."""

    mailbox: Mailbox
    agent: Agent
    executor: Executor
    on_waiting: Callable[[Waiting], None]
    _told_s: float = field(default=0.0, repr=False)

    def hear(self, hour: int, stopped: Callable[[], bool]) -> bool:
        """Let the worlds know the bids of an hour, all or those that came in time; False where the user stops the wait."""
        sheet = joined_columns(self.executor.ask("asked", hour))
        ends_s = time.monotonic() + self.agent.wait_s
        self.patiently(lambda: self.mailbox.ask(hour, sheet))
        given = self._waited(hour, ends_s, stopped)
        if given is None:
            return False
        worlds, signals = np.unique(sheet["world_id"]), int(sheet["signal"].max()) + 1
        bids = np.full((len(worlds), signals), NONE, dtype=np.int64)
        for (world, _, signal), bid in given.bids.items():
            bids[np.searchsorted(worlds, world), signal] = bid
        self.executor.ask("hear", hour, worlds, bids)
        return True

    def _waited(self, hour: int, ends_s: float, stopped: Callable[[], bool]) -> Given | None:
        """What came until all was there, or until the time was up; None where the user stops."""
        given, look_s = self.patiently(lambda: self.mailbox.take(hour)), FIRST_LOOK_S
        while not given.complete:
            if stopped():
                return None
            left_s = ends_s - time.monotonic()
            if left_s <= 0:
                return self.patiently(lambda: self.mailbox.take(hour, closing=True))
            self._tell(hour, given, left_s)
            time.sleep(min(look_s, left_s))
            look_s = min(2 * look_s, LOOKS_S)
            if self.patiently(self.mailbox.has_rows):
                given, look_s = self.patiently(lambda: self.mailbox.take(hour)), FIRST_LOOK_S
        return given

    def _tell(self, hour: int, given: Given, left_s: float) -> None:
        now_s = time.monotonic()
        if now_s - self._told_s >= TELL_EVERY_S:
            self._told_s = now_s
            run, place = self.mailbox.run.run_id, self.mailbox.database.url
            self.on_waiting(Waiting(place, run, hour, len(given.bids), given.asked, given.refused, left_s))

    def close(self, hour: int) -> None:
        """Judge what came too late for the last hour, and ask no more."""
        self.patiently(lambda: self.mailbox.take(hour, closing=True))

    def patiently(self, step: Callable[[], T]) -> T:
        """Do it; while the agent holds the database's lock, try again for as long as an hour would wait."""
        ends_s = time.monotonic() + self.agent.wait_s
        while True:
            try:
                return step()
            except StoreBusyError:
                if time.monotonic() >= ends_s:
                    raise
                time.sleep(LOOKS_S)
