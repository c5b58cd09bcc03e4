"""Identity as we resolve it while a world runs: what requests tell of devices that we have met, and the users they make.

Evidence comes from draws of its own and changes nothing that anybody does. A device that we meet today is known with all of
today's requests from midnight on, and from then on with each hour's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from gaelp_sim.draws import Draws
from gaelp_sim.events import NONE, Column, DeviceKind, Floats, Ints
from gaelp_sim.identity.evidence import Aliases, Sightings
from gaelp_sim.identity.joins import Asked, Links, Moves
from gaelp_sim.identity.pairs import Parameters
from gaelp_sim.identity.stream import Memories, Rules, Stream
from gaelp_sim.identity.weighing import KINDS
from gaelp_sim.observe.memory import SLOTS
from gaelp_sim.population.people import People
from gaelp_sim.population.sightings import HOURS_PER_BLOCK, Devices, Told, habits, homes_of, seen_on_day
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import HOURS_PER_DAY, SECONDS_PER_DAY, SECONDS_PER_HOUR

ACCOUNT = len(DeviceKind)
_PAIRS_FROM = 0.01
"""Pairs of a lower probability are not kept."""


class _Day(NamedTuple):
    """Requests of a day, by hour."""

    day: int
    seen: Sightings
    edges: Ints
    """(25,): where each hour's begin"""


@dataclass
class Linkage:
    """The linker of one stack, and where its aliases live there."""

    stream: Stream
    row: Ints
    """(aliases,): row of the alias's owner"""
    kind: Ints
    alias_id: Ints
    account_id: Ints
    """(aliases,): id of the owner's account, which a log-in tells"""
    alias: Ints
    """(people x KINDS,): alias of each device, NONE where nobody owns it"""
    user: Ints
    """(people x KINDS,): where the memory of each device's user stands"""
    draws: Draws
    devices: Devices
    told: Told
    shift_hours: int
    """Hours from UTC to local time"""
    logins: list[tuple[int, int]] = field(default_factory=list)
    """Log-ins since the last update: row, kind"""
    _day: _Day | None = None

    @staticmethod
    def of(draws: Draws, scenario: Scenario, people: People, alias_ids: Ints) -> Linkage:
        """Nobody met yet. Aliases stand in the order of (unit, id), which says nothing of whose they are."""
        row, kind = np.nonzero((people.owned[:, None] >> np.arange(KINDS) & 1) == 1)
        order = np.lexsort([alias_ids[row, kind], people.unit[row].astype(np.int64)])
        row, kind = row[order], kind[order]
        unit, person = people.unit[row].astype(np.int64), people.person[row].astype(np.int64)
        devices = Devices(people.world[row], person, people.household[row].astype(np.int64), kind, np.zeros_like(row))
        observed, curve = scenario.identity.observed, np.array(scenario.curves.hour)
        habit = habits(draws, devices, curve, observed.habit)
        blocks = curve.reshape(-1, HOURS_PER_BLOCK).sum(axis=1)
        linking = scenario.identity.linking
        rules = Rules(Parameters(**linking.weights.model_dump()), linking.join_at, linking.part_below)
        stream = Stream.of(Aliases(unit, kind, np.full_like(row, NONE)), blocks / blocks.sum(), rules)
        alias = np.full(people.size * KINDS, NONE, dtype=np.int64)
        alias[row * KINDS + kind] = np.arange(len(row))
        user = np.arange(people.size)[:, None] * SLOTS + 1 + np.arange(KINDS)
        told = Told(observed, scenario.population.people, homes_of(scenario), habit)
        return Linkage(
            stream, row, kind, alias_ids[row, kind], alias_ids[row, ACCOUNT], alias, user.reshape(-1), draws, devices, told,
            scenario.utc_offset_hours,
        )

    def users_of(self, rows: Ints, device: Column) -> Ints:
        """Where the memory of these devices' users stands: row x SLOTS + slot."""
        return self.user[rows * KINDS + device]

    def founded(self, founders: Ints) -> Ints:
        """The same for users by the aliases that founded them."""
        return self.row[founders] * SLOTS + 1 + self.kind[founders]

    def update(self, hour: int, first_seen_s: Ints, memories: Memories) -> Moves:
        """Bring users up to date at the start of `hour`, with what the hours before have told.

        first_seen_s: (people, KINDS); memories: how many decisions are remembered of users, by where their memory stands
        """
        self._observe(hour, first_seen_s)
        for row, kind in self.logins:
            alias = int(self.alias[row * KINDS + kind])
            if alias != NONE:
                self.stream.log_in(alias, int(self.account_id[alias]))
        self.logins = []
        moves = self.stream.update(lambda founders: memories(self.founded(founders)))
        self.user[self.row[moves.alias] * KINDS + self.kind[moves.alias]] = self.founded(moves.user)
        return moves

    def _observe(self, hour: int, first_seen_s: Ints) -> None:
        """Take in the requests of the hour before `hour`; at midnight all of yesterday's of devices met yesterday."""
        if hour == 0:
            return
        day, last = divmod(hour - 1, HOURS_PER_DAY)
        if self._day is None or self._day.day != day:
            self._day = self._requests(day, self._met(first_seen_s, 0, day))
        a, b = self._day.edges[last], self._day.edges[last + 1]
        self.stream.observe(_part(self._day.seen, a, b))
        if last == HOURS_PER_DAY - 1:
            self.stream.observe(self._requests(day, self._met(first_seen_s, day, day + 1)).seen)

    def _met(self, first_seen_s: Ints, day: int, before: int) -> Ints:
        """Aliases that we met first on these days."""
        met_s = first_seen_s[self.row, self.kind]
        return np.flatnonzero((met_s >= day * SECONDS_PER_DAY) & (met_s < before * SECONDS_PER_DAY))

    def _requests(self, day: int, aliases: Ints) -> _Day:
        some = Devices(*(column[aliases] for column in self.devices))
        seen = seen_on_day(self.draws, some, day, self.told._replace(habit=self.told.habit[aliases]))
        hour = (seen.hour - self.shift_hours) % HOURS_PER_DAY
        order = np.argsort(hour, kind="stable")
        found = Sightings(
            aliases[seen.device[order]], seen.hour[order] // HOURS_PER_BLOCK, seen.address[order], seen.place[order]
        )
        return _Day(day, found, np.searchsorted(hour[order], np.arange(HOURS_PER_DAY + 1)))

    def possible(self) -> Asked:
        """Pairs of aliases that may be one user."""
        return self.stream.possible(_PAIRS_FROM)

    def confidence_of(self, rows: Ints, device: Column) -> Floats:
        """Confidence that these devices are their users': the probability of the weakest link."""
        return self.stream.confidence()[self.alias[rows * KINDS + device]]

    def arrays(self, people: People) -> dict[str, Column]:
        """Users and links by people, (people, ...), named by the person and the device of founder or partner."""
        links, at = self.stream.links, self.row * KINDS + self.kind
        n = people.size * KINDS
        user, partner = np.full(n, NONE, dtype=np.int64), np.full((n, KINDS), NONE, dtype=np.int64)
        chance = np.zeros((n, KINDS))
        name = people.person[self.row].astype(np.int64) * KINDS + self.kind
        user[at], chance[at] = name[links.user], links.chance
        partner[at] = np.where(links.partner == NONE, NONE, name[links.partner])
        shape = (people.size, KINDS)
        return {
            "user": user.reshape(shape), "partner": partner.reshape(people.size, -1),
            "chance": chance.reshape(people.size, -1),
        }

    def restore(self, people: People, hour: int, arrays: dict[str, Column], known: tuple[Ints, Ints]) -> None:
        """Take up users as they stood before `hour`; known: first_seen_s and login_s, (people, KINDS) each.

        Evidence is told again: being keyed, it is the same.
        """
        first_seen_s, login_s = known
        for past in range(1, hour):
            self._observe(past, first_seen_s)
        joined_s = login_s[self.row, self.kind]
        for alias in np.flatnonzero(joined_s != NONE).tolist():
            if joined_s[alias] < (hour - 1) * SECONDS_PER_HOUR:
                self.stream.log_in(alias, int(self.account_id[alias]))
            else:
                self.logins.append((int(self.row[alias]), int(self.kind[alias])))
        self.stream.restore(self._links(people, arrays))
        self.user[self.row * KINDS + self.kind] = self.founded(self.stream.links.user)

    def _links(self, people: People, arrays: dict[str, Column]) -> Links:
        key = people.world << 32 | people.person.astype(np.int64)
        world = people.world[self.row][:, None]

        def alias_of(names: Ints) -> Ints:
            person, kind = np.divmod(names, KINDS)
            row = np.minimum(np.searchsorted(key, world << 32 | person), people.size - 1)
            return np.where(names == NONE, NONE, self.alias[row * KINDS + kind])

        at = self.row * KINDS + self.kind
        return Links(
            alias_of(arrays["partner"].reshape(-1, KINDS)[at]), arrays["chance"].reshape(-1, KINDS)[at],
            self.stream.links.next_in_account, alias_of(arrays["user"].reshape(-1)[at][:, None])[:, 0],
        )


def _part(seen: Sightings, begin: int, end: int) -> Sightings:
    return Sightings(seen.alias[begin:end], seen.block[begin:end], seen.address[begin:end], seen.place[begin:end])
