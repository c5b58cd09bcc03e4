"""A stack: the people and cells of one process, with all that changes while the clock runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.draws import Purpose, Who, normal_quantile, uniform
from gaelp_sim.errors import UsageError
from gaelp_sim.events import NONE, Column, DeviceKind, Floats, Ints
from gaelp_sim.market.budgets import Budgets
from gaelp_sim.market.frequency import Frequency
from gaelp_sim.market.landscape import BUCKETS
from gaelp_sim.market.learning import SALES, Lessons
from gaelp_sim.market.seasons import MarketDay
from gaelp_sim.observe.memory import SLOTS, Memory
from gaelp_sim.population.people import People, born, joined
from gaelp_sim.population.proposals import DayPlan
from gaelp_sim.units import SECONDS_PER_HOUR
from gaelp_sim.world.control import REVENUE, STATISTICS, Orders, Report
from gaelp_sim.world.knowing import no_notes
from gaelp_sim.world.linkage import Linkage
from gaelp_sim.world.log import Log, Table
from gaelp_sim.world.model import Model
from gaelp_sim.world.outside_users import OutsideUsers
from gaelp_sim.world.outsiders import Outsiders

if TYPE_CHECKING:
    from gaelp_sim.world.trial import Trial

PEOPLE_MAX = 2**25
"""Rows are sorted by keys of 64 bits that leave them 25."""
ACCOUNT_ALIAS = len(DeviceKind)
"""Column of the account's id in `Stack.alias`, after the devices'."""


@dataclass(frozen=True)
class Place:
    """Which part of the run a stack holds: worlds, and the range of cells of each."""

    worlds: range
    cells: range

    def units(self) -> list[tuple[int, int]]:
        """(world, cell) of each unit, in order."""
        return [(world, cell) for world in self.worlds for cell in self.cells]


@dataclass
class Stack:
    """People of some (world, cell) units and everything of theirs that changes."""

    model: Model
    place: Place
    people: People
    memory: Memory
    budgets: Budgets
    unit_world_id: Ints
    """(units,)"""
    unit_noise: Floats
    """(units,): the world's market noise on prices"""
    unit_shift_days: Ints
    """(units,): the world's shift of the season"""
    alias: Ints
    """(people, 4): observed id of each device, and of the account"""
    login_s: Ints
    """(people, devices): when each device was joined to the account, NONE before"""
    first_seen_s: Ints
    """(people, devices): our first touch on the device, NONE before"""
    last_seen_s: Ints
    pending: dict[str, Ints]
    """Purchases decided and not yet paid or reported: row, purchased_s, reported_s, advertiser, value_micros, and the
    signal of the rival's click that the sale followed"""
    carried: Table
    """Recorded touches of open journeys that an earlier run began, as touch columns"""
    frequency: Frequency | None
    """Our impressions by user, (people x SLOTS), where a cap counts them"""
    log: Log = field(default_factory=Log)
    closed: list[Table] = field(default_factory=list)
    plan: DayPlan | None = None
    market: MarketDay | None = None
    """How the market stands today; as `plan`, of the day that is being played"""
    spent_micros: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    statistics: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    shown: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """(units, 2, signals, creatives): our impressions of this hour, and the clicks on them"""
    orders: Orders | None = None
    lessons: Lessons = field(init=False)
    """What rivals have learned since the last report"""
    prices: NDArray[np.int32] = field(init=False)
    """(units, signals, BUCKETS, kinds): prices to beat of this hour"""
    outsiders: Outsiders = field(init=False)
    rival_sales: Ints = field(init=False)
    """(units, rivals, signals): rivals' sales reported since, by the signal of the click that they followed"""
    standings: list[tuple[int, dict[str, Floats]]] = field(default_factory=list)
    """How market and budget stood in each hour with a logged decision, since the last commit"""
    reported_micros: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """(units,): our revenue reported since the last hour's report"""
    taken: NDArray[np.int8] = field(default_factory=lambda: np.zeros(0, dtype=np.int8))
    """(people,), all 0: room for one mark a person while an hour's moves are sorted out"""
    played_s: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """(people,): second of the person's last opportunity; only this hour's matter"""
    settled_s: int = NONE
    """Purchases and reports up to this second have been settled"""
    now_s: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """(people,): the last moment of this hour at which something happened to the person; older ones don't matter"""

    trial: Trial | None = None
    """What is done differently in a world that is lived through once more, None in a run"""
    linkage: Linkage | None = None
    """Users linked by evidence, where the scenario does so"""
    notes: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), dtype=np.float32))
    """(people x SLOTS, notes): what an informed policy keeps of each user"""
    outside: OutsideUsers | None = None
    """What an outside user model keeps of the people, where the scenario names one"""

    def __post_init__(self) -> None:
        if self.people.size > PEOPLE_MAX:
            raise UsageError(
                f"{self.people.size:,} people in one process; at most {PEOPLE_MAX:,}: take more --workers, or fewer worlds"
            )
        self.taken = np.zeros(self.people.size, dtype=np.int8)
        self.played_s = np.full(self.people.size, NONE, dtype=np.int64)
        self.now_s = np.zeros(self.people.size, dtype=np.int64)
        self.reported_micros = np.zeros(self.units, dtype=np.int64)
        self.rival_sales = np.zeros((self.units, *self._seats[::2]), dtype=np.int64)
        self.lessons = Lessons.none(self.units, self._seats)
        self.outsiders = Outsiders(self.model.outsiders, self.units)
        if not self.notes.size:
            self.notes = no_notes(self.model, self.people.size)

    @property
    def _seats(self) -> tuple[int, int, int]:
        """Rivals, channels and signals that lessons are about."""
        return self.model.seats if self.model.scenario.rivals_learn else (0, 0, 0)

    @staticmethod
    def of(model: Model, place: Place) -> Stack:
        """The people of these units as they are born."""
        people = joined([born(model.draws, model.scenario, world, place.cells) for world in place.worlds])
        stack = Stack.of_people(model, place, people, Memory.empty(people.size, model.beliefs))
        stack.outside = OutsideUsers.born(model.scenario, model.draws, people)
        return stack

    @staticmethod
    def of_people(model: Model, place: Place, people: People, memory: Memory) -> Stack:
        """A stack around people and what we remember of them; nothing pending."""
        worlds = np.array([world for world, _ in place.units()])
        noise, shift = world_conditions(model, worlds)
        budgets = Budgets.of(model.accounts, len(worlds), model.channels)
        never = np.full((people.size, len(DeviceKind)), NONE, dtype=np.int64)
        alias = alias_ids(model, people)
        linked = model.scenario.identity.mode == "linked"
        linkage = Linkage.of(model.draws, model.scenario, people, alias) if linked else None
        return Stack(
            model, place, people, memory, budgets, worlds, noise, shift, alias, never,
            never.copy(), never.copy(), _no_pending(), {},
            Frequency.of(model.scenario.us.frequency_cap, people.size * SLOTS), linkage=linkage,
        )

    @property
    def units(self) -> int:
        """Number of (world, cell) units."""
        return len(self.unit_world_id)

    def unit_people(self) -> Ints:
        """(units,): how many people live in each unit."""
        return np.bincount(self.people.unit, minlength=self.units)

    def take_orders(self, orders: Orders) -> None:
        """Start an hour: leases are filled, those whose accounts refilled may bid again, sums are zero."""
        self.orders = orders
        self.outsiders.take(orders.minds)
        self.budgets.left_micros[:] = orders.lease_micros
        self.budgets.refused_micros[:] = 0
        self.budgets.dropped[:] = ~orders.again
        self.budgets.exhausted_s[orders.refilled] = -1
        channels = self.model.channels + 1
        self.spent_micros = np.zeros((self.units, self.model.bidders, channels), dtype=np.int64)
        self.statistics = np.zeros((self.units, len(STATISTICS)), dtype=np.int64)
        self.shown = self.model.nothing_shown(self.units)
        self.prices = np.zeros((self.units, self.model.seats[2], BUCKETS, 4), dtype=np.int32)

    def report(self) -> Report:
        """End an hour: what the controller may know of it."""
        budgets = self.budgets
        self.statistics[:, REVENUE] = self.reported_micros
        self.reported_micros = np.zeros(self.units, dtype=np.int64)
        lessons, self.lessons = self.lessons, Lessons.none(self.units, self._seats)
        lessons.clicks[..., SALES] = self.rival_sales
        self.rival_sales = np.zeros_like(self.rival_sales)
        return Report(
            budgets.left_micros.copy(), budgets.exhausted_s.copy(), budgets.refused_micros.copy(), self.spent_micros,
            self.statistics, self.shown, lessons, self.prices, self.outsiders.report(),
        )

    def users_of(self, rows: Ints, device: Column) -> Ints:
        """Users as whom we recognise these people on these devices: where their memory stands, row x SLOTS + slot."""
        if self.linkage is not None:
            return self.linkage.users_of(rows, device)
        if self.model.scenario.identity.mode == "perfect":
            return rows * SLOTS
        known = self.people.logged_in[rows] >> device & 1
        return rows * SLOTS + np.where(known, 0, device + 1)

    def resolved_user(self, users: Ints) -> Ints:
        """Ids of users as we resolve them: the account's, or a device's."""
        row, slot = np.divmod(users, SLOTS)
        return self.alias[row, np.where(slot == 0, ACCOUNT_ALIAS, slot - 1)]

    def clearing_key(self, rows: Ints, second: Ints) -> Ints:
        """Integers that sort within an hour in the order (unit, second, person)."""
        key = self.people.unit[rows].astype(np.int64) * SECONDS_PER_HOUR
        key += second % SECONDS_PER_HOUR
        key <<= 32
        key |= self.people.person[rows]
        return key

    def moment(self, rows: Ints, second: Ints) -> Ints:
        """When a natural move proposed for `second` takes place: never before what has already happened this hour.

        An hour's auctions come first, then a person's visit, change and e-mail; rows are unique.
        """
        self.now_s[rows] = np.maximum(self.now_s[rows], second)
        return self.now_s[rows]

    def who(self, rows: Ints, second: Ints) -> Who:
        """Whose draws these are, and for which second."""
        return Who(self.people.world[rows], self.people.person[rows], second)

    def keys(self, rows: Ints) -> Ints:
        """People named apart from the stack they live in: world and person in one integer, ascending with the rows."""
        return self.people.world[rows] << 32 | self.people.person[rows]


def world_conditions(model: Model, worlds: Ints) -> tuple[Floats, Ints]:
    """Market noise on prices (normal(1, sd), at least .5) and the season's shift in days of each world.

    World 0 of a single-world run is drawn like any other: the noise is part of the world.
    """
    words = model.draws.words(Purpose.WORLD, worlds, 0, 0)
    variation = model.scenario.variation
    noise = np.maximum(1.0 + variation.market_noise_sd * normal_quantile(uniform(words[0]) + 2.0**-33), 0.5)
    widest = variation.season_shift_days_max
    return noise, (uniform(words[1]) * (2 * widest + 1)).astype(np.int64) - widest


def alias_ids(model: Model, people: People) -> Ints:
    """(people, 4): ids an advertiser sees, 62 keyed bits that say nothing of the person."""
    n = people.size
    slots = ACCOUNT_ALIAS + 1
    words = model.draws.words(
        Purpose.ALIAS, np.tile(people.world, slots), np.tile(people.person, slots), 0, np.repeat(np.arange(slots), n)
    ).astype(np.int64)
    return ((words[0] >> 1) << 31 | words[1] >> 1).reshape(slots, n).T.copy()


def _no_pending() -> dict[str, Ints]:
    names = ("row", "purchased_s", "reported_s", "advertiser", "value_micros", "clicked_signal")
    return {name: np.zeros(0, dtype=np.int64) for name in names}


