"""One world played with slates: some of its people are users whom an agent serves, the others are neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.env.seat import Seat
from gaelp_sim.events import FEATURE_COUNT, NONE, US, Bools, Ints, TouchKind
from gaelp_sim.recsim.documents import AdDocument
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import HOURS_PER_DAY, from_micros
from gaelp_sim.world.shard import Shard, Tables, Task
from gaelp_sim.world.stack import Place

Response = dict[str, float]


@dataclass
class Step:
    """What a step brought to one user."""

    documents: Sequence[AdDocument]
    """The slate"""
    met: bool = False
    """There was an opportunity"""
    spent_usd: float = 0.0
    sales: int = 0
    value_usd: float = 0.0
    shown: int = NONE
    """Place in the slate of the document that won and was shown, NONE where none was"""
    clicked: bool = False
    dwell: float = 0.0
    """By an outside user model, in its own unit"""

    def responses(self) -> list[Response]:
        """A response for each place of the slate; what was not shown was not clicked."""
        found = []
        for place in range(len(self.documents)):
            here = place == self.shown
            clicked = here and self.clicked
            found.append({"shown": int(here), "clicked": int(clicked), "dwell": self.dwell if clicked else 0.0})
        return found


@dataclass
class Episode:
    """A world with its clock, from its first hour on."""

    scenario: Scenario
    people: Ints
    """(users,): who the users are"""
    shard: Shard
    seat: Seat
    seen: NDArray[np.float32]
    """(users, 41): what we knew of each at the last opportunity"""
    resolved: Ints
    """(users,): under which id we knew them then, NONE before"""
    hour: int = 0

    @staticmethod
    def of(scenario: Scenario, world: tuple[int, int], people: Ints, bid_multiple: float) -> Episode:
        """The users' world, newly born; world: (seed, number)."""
        seed, number = world
        seat = Seat.of(scenario, people, bid_multiple)
        place = Place(range(number, number + 1), range(1))
        shard = Shard(Task(scenario, seed, "rule", place, 0, None), us=seat)
        seen = np.zeros((len(people), FEATURE_COUNT), dtype=np.float32)
        return Episode(scenario, people, shard, seat, seen, np.full(len(people), NONE, dtype=np.int64))

    def play(self, slates: Sequence[Sequence[AdDocument]]) -> list[Step]:
        """Put up a slate a user, until the next hour in which a user has an opportunity, or the end."""
        steps = [Step(slate) for slate in slates]
        self.seat.creative[:], self.seat.met[:] = NONE, False
        for user, slate in enumerate(slates):
            for document in slate:
                self.seat.creative[user, document.channel] = document.creative
        dwelt = self._dwell()
        while not (self.seat.met.any() or self.bought().all() or self.is_over()):
            self.hour += 1
            self._take_in(steps, self.shard.advance(self.hour))
        for step, met, dwell in zip(steps, self.seat.met.tolist(), (self._dwell() - dwelt).tolist(), strict=True):
            step.met, step.dwell = met, dwell
        return steps

    def bought(self) -> Bools:
        """(users,): has decided to buy, from us or from another."""
        return self.shard.stack.people.decided_s[self.people] != NONE

    def is_over(self) -> bool:
        """The scenario's days are over."""
        return self.hour >= self.scenario.days * HOURS_PER_DAY

    def _dwell(self) -> NDArray[np.float64]:
        outside = self.shard.stack.outside
        return outside.dwell[self.people] if outside is not None else np.zeros(len(self.people))

    def _take_in(self, steps: list[Step], tables: Tables) -> None:
        """Read an hour's rows of the users."""
        for user, touch in self._rows(tables, "touchpoint", ("advertiser", "kind", "clicked", "channel")):
            if touch["advertiser"] == US and touch["kind"] == TouchKind.IMPRESSION:
                step = steps[user]
                step.clicked = bool(touch["clicked"])
                step.shown = [document.channel for document in step.documents].index(touch["channel"])
        for user, charge in self._rows(tables, "ledger", ("amount_micros",)):
            steps[user].spent_usd += from_micros(charge["amount_micros"])
        for user, sale in self._rows(tables, "conversion", ("advertiser", "value_micros")):
            if sale["advertiser"] == US:
                steps[user].sales += 1
                steps[user].value_usd += from_micros(sale["value_micros"])
        for user, decision in self._rows(tables, "decision", ("resolved_user_id", "place")):
            self.seen[user] = tables["decision"]["features"][decision["place"]]
            self.resolved[user] = decision["resolved_user_id"]

    def _rows(self, tables: Tables, table: str, names: Sequence[str]) -> list[tuple[int, dict[str, int]]]:
        """(user, values) of each row of a table that is about a user; `place` is the row's own."""
        if table not in tables:
            return []
        columns = tables[table]
        users = self.seat.user[columns["person_id"]]
        return [
            (int(users[at]), {name: int(at if name == "place" else columns[name][at]) for name in names})
            for at in np.flatnonzero(users != NONE)
        ]
