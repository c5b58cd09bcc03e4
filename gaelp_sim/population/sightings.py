"""Requests in which an advertiser sees devices that it knows: when, from which address, in which place.

They are keyed by person, device and day alone, and change nothing that anybody does: a world is the same whether it is
looked at or not.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.compiled import compiled
from gaelp_sim.draws import Draws, Purpose, Who, Words, normal_quantile, uniform
from gaelp_sim.events import NONE, DeviceKind, Floats, Ints
from gaelp_sim.scenario.observed import Observed
from gaelp_sim.scenario.schema import Scenario

PER_DAY_MAX = 8
BLOCKS = 6
"""Blocks of the local day."""
HOURS_PER_BLOCK = 4
_DAY_BLOCKS = (2, 5)
"""From the third to the fifth block phones may be away from home."""
_SHARED_CODES = 2**40
"""Codes of addresses of a single home are above, those that many share below."""


class Devices(NamedTuple):
    """Devices that are looked at, (n,) each."""

    world: Ints
    person: Ints
    household: Ints
    kind: Ints
    """`DeviceKind`"""
    since_day: Ints
    """Day on which we met it first; earlier requests are not known to us"""


class Seen(NamedTuple):
    """Requests, (m,) each."""

    device: Ints
    """Index among the devices"""
    hour: Ints
    """Local hour of the day"""
    address: Ints
    """NONE where it is not told"""
    place: Ints
    """NONE where it is not told"""


class Told(NamedTuple):
    """What requests tell, in which world."""

    observed: Observed
    people: int
    """Of a world: as many homes, places and carriers' addresses as they need"""
    homes: int
    habit: Floats
    """(n, BLOCKS): the owners' `habits`"""


class _Homes(NamedTuple):
    """Of each device's home on one day."""

    address: Ints
    place: Ints
    places: int
    carriers: int


def habits(draws: Draws, devices: Devices, curve: Floats, spread: float) -> Floats:
    """(n, BLOCKS): cumulated shares of the owner's requests by block; curve: (24,) everybody's hours."""
    blocks = draws.blocks(Purpose.HABIT, Who(devices.world, devices.person, np.zeros_like(devices.person)), slots=2)
    luck = normal_quantile(uniform(blocks[:BLOCKS]) + 2.0**-33).T
    weight = np.asarray(curve).reshape(BLOCKS, -1).sum(axis=1) * np.exp(spread * luck)
    return np.cumsum(weight / weight.sum(axis=1, keepdims=True), axis=1)


def homes_of(scenario: Scenario) -> int:
    """Homes of a world, as many as its people need on average."""
    shares = scenario.population.households
    total = shares.one + shares.two + shares.three
    return max(round(scenario.population.people * total / (shares.one + 2 * shares.two + 3 * shares.three)), 1)


def seen_on_day(draws: Draws, devices: Devices, day: int, told: Told) -> Seen:
    """Requests of a day, device by device."""
    observed = told.observed
    here = np.flatnonzero(devices.since_day <= day)
    some = Devices(*(column[here] for column in devices))
    per_day = observed.sightings_per_day
    rate = np.array([getattr(per_day, kind.name.lower()) for kind in DeviceKind])[some.kind]
    who = Who(some.world, some.person, day * len(DeviceKind) + some.kind)
    words = draws.blocks(Purpose.SIGHTING, who, slots=1 + PER_DAY_MAX)
    homes = _homes(draws, some, day, told)
    mobile = some.kind == DeviceKind.MOBILE
    shares = np.array([observed.addresses, observed.places, observed.place_noise, observed.away])
    rows = _requests(words, (rate, mobile, told.habit[here]), homes, shares)
    return Seen(here[rows[0]], rows[1], rows[2], rows[3])


def _homes(draws: Draws, devices: Devices, day: int, told: Told) -> _Homes:
    observed, homes, people = told.observed, told.homes, told.people
    fixed = draws.words(Purpose.ADDRESS, devices.world, devices.household, 0)
    lease = (day + fixed[0].astype(np.int64) % observed.lease_days) // observed.lease_days
    words = draws.words(Purpose.ADDRESS, devices.world, devices.household, lease + 1).astype(np.int64)
    own = _SHARED_CODES + ((words[0] >> 1) << 31 | words[1] >> 1) % (2**62 - _SHARED_CODES)
    pool = max(homes // 200, 1)
    shared = uniform(fixed[1]) < observed.shared_homes
    places = max(homes // observed.homes_per_place, 1)
    carriers = max(people // observed.people_per_carrier_address, 1)
    address = np.where(shared, carriers + words[2] % pool, own)
    return _Homes(address, fixed[2].astype(np.int64) % places, places, carriers)


@compiled
def _requests(
    words: Words, who: tuple[Floats, NDArray[np.bool_], Floats], homes: _Homes, shares: Floats
) -> Ints:
    """Rows of (device, hour, address, place) by requests."""
    rate, mobile, cumulated = who
    rows, found = np.empty((4, len(rate) * PER_DAY_MAX), dtype=np.int64), 0
    for i in range(len(rate)):
        left, term, count = words[0, i] * 2.0**-32, np.exp(-rate[i]), 0
        while left >= term and count < PER_DAY_MAX:  # Poisson by inversion, cut off
            left -= term
            count += 1
            term *= rate[i] / count
        for request in range(count):
            first = 4 * (request + 1)
            luck, block = words[first, i] * 2.0**-32, 0
            while block < BLOCKS - 1 and luck >= cumulated[i, block]:
                block += 1
            before = cumulated[i, block - 1] if block else 0.0
            hour = HOURS_PER_BLOCK * block + min(int(HOURS_PER_BLOCK * (luck - before) / (cumulated[i, block] - before)), 3)
            by_day = _DAY_BLOCKS[0] <= block < _DAY_BLOCKS[1]
            away = mobile[i] and by_day and (words[first + 1, i] >> 16) * 2.0**-16 < shares[3]
            address = np.int64(words[first + 1, i] & 0xFFFF) % homes.carriers if away else homes.address[i]
            place = homes.place[i]
            if (words[first + 2, i] >> 16) * 2.0**-16 < shares[2]:
                place = np.int64(words[first + 2, i] & 0xFFFF) % homes.places
            told = words[first + 3, i]
            rows[0, found], rows[1, found] = i, hour
            rows[2, found] = address if (told >> 16) * 2.0**-16 < shares[0] else NONE
            rows[3, found] = place if (told & 0xFFFF) * 2.0**-16 < shares[1] else NONE
            found += 1
    return rows[:, :found]
