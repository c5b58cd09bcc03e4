"""What an advertiser may observe of devices: the dial between behaviour alone and household addresses."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

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
