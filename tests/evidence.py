"""Evidence of devices whose owners are known: the flagship's people, looked at for a month."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from gaelp_sim.draws import Draws
from gaelp_sim.events import NONE, Ints
from gaelp_sim.identity.evidence import Aliases, Evidence, Sightings
from gaelp_sim.population.people import born
from gaelp_sim.population.sightings import HOURS_PER_BLOCK, Devices, Told, habits, homes_of, seen_on_day
from gaelp_sim.scenario.loading import load_scenario


class Known(NamedTuple):
    """Devices with what is observed of them, and the truth apart."""

    aliases: Aliases
    days: list[Sightings]
    person: Ints
    household: Ints

    @property
    def evidence(self) -> Evidence:
        """All of it."""
        evidence = Evidence.none(len(self.person))
        for day in self.days:
            evidence = evidence.plus(day)
        return evidence


@cache
def known_devices(people: int, *sets: str, days: int = 30, logins: float = 0.0, seed: int = 1) -> Known:
    """Devices of some people, in an order that says nothing; `logins`: share of devices that people have logged in on."""
    scenario = load_scenario("parental_controls", [f"population.people={people}", *sets])
    draws, told = Draws(seed), scenario.identity.observed
    folk = born(draws, scenario, 0, range(1))
    row, kind = np.nonzero((folk.owned[:, None] >> np.arange(3) & 1) == 1)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(row))
    row, kind = row[order], kind[order].astype(np.int64)
    person, household = folk.person[row].astype(np.int64), folk.household[row].astype(np.int64)
    devices = Devices(np.zeros_like(person), person, household, kind, np.zeros_like(person))
    habit = habits(draws, devices, np.array(scenario.curves.hour), told.habit)
    telling = Told(told, people, homes_of(scenario), habit)
    account = np.where(rng.random(len(row)) < logins, 10**9 + rng.permutation(people)[person], NONE)
    seen = [seen_on_day(draws, devices, day, telling) for day in range(days)]
    return Known(
        Aliases(np.zeros_like(person), kind, account),
        [Sightings(one.device, one.hour // HOURS_PER_BLOCK, one.address, one.place) for one in seen], person, household,
    )
