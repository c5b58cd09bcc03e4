"""What an advertiser may observe of devices, from behaviour alone to household addresses, and how it links them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from gaelp_sim.scenario.parts import Part, Share

PerDay = Annotated[float, Field(ge=0, le=6)]


class SightingsPerDay(Part):
    """Requests a day in which we see a device that we have met; at most eight of a day are looked at."""

    mobile: PerDay = 1.5
    desktop: PerDay = 1.0
    tablet: PerDay = 0.5


class Observed(Part):
    """What requests tell of the device behind them, apart from the cookie or app id.

    Assumptions, chosen so that linking everybody's devices over a month scores as published: F0.5 of .85 with addresses
    (ICDM 2015 Drawbridge, .86), F1 of .35 to .46 by behaviour alone (CIKM Cup 2016, .42).
    """

    sightings_per_day: SightingsPerDay = SightingsPerDay()
    addresses: Share = 1.0
    """Share of requests whose network address is told; 0 leaves behaviour alone"""
    places: Share = 1.0
    """Share of requests whose coarse place is told"""
    place_noise: Share = 0.1
    """Share of those whose place is another one"""
    homes_per_place: Annotated[int, Field(ge=1, le=100_000)] = 5
    habit: Annotated[float, Field(ge=0, le=3)] = 0.6
    """How much people's hours differ: the spread of the log of each block's weight"""
    away: Share = 0.4
    """Share of a phone's requests by day that come from the carrier's addresses, not the home's"""
    people_per_carrier_address: Annotated[int, Field(ge=1, le=1_000_000)] = 200
    shared_homes: Share = 0.3
    """Share of homes behind an address that many homes share"""
    lease_days: Annotated[int, Field(ge=1, le=3650)] = 14
    """Days for which a home keeps its address"""


Chance = Annotated[float, Field(gt=0, lt=1)]


class Weights(Part):
    """What comparisons are weighed by; `gaelp resolve` fits them to a stored run, without labels or with log-ins."""

    same: Annotated[float, Field(gt=0, le=2)] = 0.9
    """Other devices of the same person that a device has, on average"""
    home: Annotated[float, Field(gt=0, le=20)] = 1.5
    """Devices of others of its household, of another kind than itself"""
    address: Chance = 0.9
    """Probability that two devices of one home are known to share an address"""
    place: Chance = 0.9
    """Probability that their commonest places are the same"""
    habit: Annotated[float, Field(gt=0, le=1000)] = 12.0
    """How alike one person's hours are on two devices: the smaller, the more people differ"""


class Linking(Part):
    """When `identity.mode: linked` takes devices for one user, hour by hour."""

    join_at: Chance = 0.6
    """Probability from which two devices are joined"""
    part_below: Chance = 0.3
    """Probability below which they are parted again"""
    weights: Weights = Weights()

    @model_validator(mode="after")
    def _parts_later_than_it_joins(self) -> Linking:
        if self.part_below > self.join_at:
            raise ValueError(f"part_below {self.part_below:g} is above join_at; take at most {self.join_at:g}")
        return self
