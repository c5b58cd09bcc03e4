"""`gaelp resolve`: the devices of a stored run linked into users again, by what an advertiser could have observed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from gaelp_sim.draws import Draws
from gaelp_sim.errors import UsageError
from gaelp_sim.events import NONE, Column, Ints
from gaelp_sim.identity.evidence import Aliases, Evidence, Sightings, beside
from gaelp_sim.identity.fitting import fit_from_logins, fit_parameters
from gaelp_sim.identity.linker import Resolution, linked, weighed
from gaelp_sim.identity.pairs import Pairs, Parameters
from gaelp_sim.population.people import cell_of
from gaelp_sim.population.sightings import HOURS_PER_BLOCK, Devices, Told, habits, homes_of, seen_on_day
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.store import RunRecord, Store, check_finished
from gaelp_sim.units import HOURS_PER_DAY, SECONDS_PER_DAY
from gaelp_sim.world.crew import ALONE, Crew, Hands, shared_out
from gaelp_sim.world.stored_scenario import stored_scenario

LINK_MIN = 0.01
"""Pairs of a lower probability are not kept."""
PIECE = 50_000
"""Devices that may be looked at apart from others: fewer take less time than a worker takes to start."""
SIGHTINGS_AT_ONCE = 2_000_000
"""Sightings that are counted together: sorting a few often takes longer than many once."""
FITS = {"em": fit_parameters, "logins": fit_from_logins}


@dataclass(frozen=True)
class Request:
    """What is asked: settings of `identity.observed` on top of the run's, how to fit, and where to draw the line."""

    sets: tuple[str, ...] = ()
    parameters: str = "em"
    """em, logins, or default"""
    thresholds: tuple[float, ...] = (0.3, 0.5, 0.7, 0.9)


@dataclass(frozen=True)
class _Met:
    """The aliases that we have met: what the linker may know of them, and what the sightings come from."""

    world: Ints
    alias_id: Ints
    aliases: Aliases
    devices: Devices


def resolve_run(store: Store, run: RunRecord, request: Request, crew: Crew = ALONE) -> list[int]:
    """Link a finished run's aliases anew, once for each threshold; returns the new resolutions' ids.

    Sightings are those of the run's people and seed: the same whenever they are asked for, whoever of the crew finds them.
    The run itself is not touched.
    """
    check_finished(run, "has devices that can be linked")
    scenario = stored_scenario(run, _observed_only(request.sets))
    met = _met(store, run, scenario)
    if not len(met.alias_id):
        raise UsageError(f"run {run.run_id} has met no device: nothing to link")
    with Hands(crew) as hands:
        evidence = observed_evidence(met.devices, run, scenario, hands)
    fit = FITS.get(request.parameters)
    parameters = fit(met.aliases, evidence) if fit else Parameters()
    last = max(np.asarray(store.read(run, "resolution", columns=("resolution_id",))["resolution_id"]).tolist(), default=0)
    kept, pairs = [], weighed(met.aliases, evidence, parameters)
    for place, threshold in enumerate(request.thresholds):
        found = linked(met.aliases, *pairs, threshold)
        told = {"parameters": parameters, "settings": scenario.identity.observed.model_dump(mode="json")}
        _keep(store, run, (last + 1 + place, threshold, told), _rows(met, found, links=place == 0))
        kept.append(last + 1 + place)
    return kept


def _observed_only(sets: tuple[str, ...]) -> list[str]:
    for one in sets:
        if not one.startswith("identity.observed."):
            raise UsageError(f"--set {one}: only identity.observed.* can be changed here; people's lives are as they are")
    return list(sets)


def _met(store: Store, run: RunRecord, scenario: Scenario) -> _Met:
    """Aliases met, in the order of (world, alias id), which says nothing of whose they are."""
    device, alias, person = (
        {name: np.asarray(column) for name, column in store.read(run, table, columns=columns).items()}
        for table, columns in (
            ("device", ("world_id", "person_id", "device", "alias_id")),
            ("alias", ("world_id", "alias_id", "first_seen_s", "account_id")),
            ("person", ("world_id", "person_id", "household_id")),
        )
    )
    alias = {name: column[alias["first_seen_s"] != NONE] for name, column in alias.items()}
    order = np.lexsort([alias["alias_id"], alias["world_id"]])
    alias = {name: column[order] for name, column in alias.items()}
    owner = _join((device["world_id"], device["alias_id"]), (alias["world_id"], alias["alias_id"]))
    home = _join((person["world_id"], person["person_id"]), (alias["world_id"], device["person_id"][owner]))
    household = person["household_id"][home]
    aliases = Aliases(
        _units(run, alias["world_id"], household, person), device["device"][owner],
        alias["account_id"],
    )
    since = np.maximum(alias["first_seen_s"] - run.start_s, 0) // SECONDS_PER_DAY
    devices = Devices(alias["world_id"], device["person_id"][owner], household, device["device"][owner], since)
    return _Met(alias["world_id"], alias["alias_id"], aliases, devices)


def _join(known: tuple[Ints, Ints], wanted: tuple[Ints, Ints]) -> Ints:
    """Index of each wanted pair among the known ones, all of which are there."""
    order = np.lexsort([known[1], known[0]])
    both = np.concatenate([known[1][order], wanted[1]])
    world = np.concatenate([known[0][order], wanted[0]])
    sort = np.lexsort([both, world])
    number = np.empty(len(both), dtype=np.int64)
    number[sort] = np.cumsum((np.diff(both[sort], prepend=-1) != 0) | (np.diff(world[sort], prepend=-1) != 0))
    return order[np.searchsorted(number[: len(order)], number[len(order) :])]


def _units(run: RunRecord, world: Ints, household: Ints, person: dict[str, Column]) -> Ints:
    """The (world, cell) of each alias: linkage never crosses cells."""
    homes = np.arange(int(person["household_id"].max(initial=0)) + 1, dtype=np.int32)
    cell = cell_of(homes, run.cells)[household].astype(np.int64)
    _, unit = np.unique(world * run.cells + cell, return_inverse=True)
    return unit


def observed_evidence(devices: Devices, run: RunRecord, scenario: Scenario, hands: Hands) -> Evidence:
    """All that had been seen of these devices by the run's end; parts of them are looked at apart, by `hands`."""
    count = len(devices.world)
    pieces = -(-count // PIECE)
    shares = max(hands.crew.shares(pieces), min(pieces, 1))
    parts = [Devices(*(column[part.start : part.stop] for column in devices)) for part in shared_out(range(count), shares)]
    return beside(list(hands.each(_Looking(run.seed, run.end_hour // HOURS_PER_DAY, scenario), parts)))


@dataclass(frozen=True)
class _Looking:
    """What is seen of devices depends on nobody else's, so it can be found out anywhere."""

    seed: int
    days: int
    scenario: Scenario

    def __call__(self, devices: Devices) -> Evidence:
        """All that has been seen of them."""
        draws, observed = Draws(self.seed), self.scenario.identity.observed
        habit = habits(draws, devices, np.array(self.scenario.curves.hour), observed.habit)
        telling = Told(observed, self.scenario.population.people, homes_of(self.scenario), habit)
        evidence, new = Evidence.none(len(devices.world)), list[Sightings]()
        for day in range(self.days):
            seen = seen_on_day(draws, devices, day, telling)
            new.append(Sightings(seen.device, seen.hour // HOURS_PER_BLOCK, seen.address, seen.place))
            if sum(len(one.alias) for one in new) >= SIGHTINGS_AT_ONCE or day == self.days - 1:
                evidence, new = evidence.plus(Sightings.together(new)), []
        return evidence


def _rows(met: _Met, found: Resolution, *, links: bool) -> dict[str, dict[str, Any]]:
    """Rows of `resolved_alias`, and of `alias_link` once for all thresholds: they are the same pairs."""
    tables: dict[str, dict[str, Any]] = {"resolved_alias": {
        "world_id": met.world, "alias_id": met.alias_id, "resolved_user_id": met.alias_id[found.user],
        "match_confidence": found.confidence,
    }}
    if links:
        some = found.probability >= LINK_MIN
        one, other = found.pairs.one[some], found.pairs.other[some]
        tables["alias_link"] = {
            "world_id": met.world[one], "alias_id": met.alias_id[one], "other_alias_id": met.alias_id[other],
            "probability": found.probability[some], "method": _methods(found.pairs, some),
        }
    return tables


def _methods(pairs: Pairs, some: Column) -> list[str]:
    names = np.array(["hours", "address,hours", "place,hours", "address,place,hours"])
    return [str(name) for name in names[pairs.address_agrees[some] + 2 * pairs.place_agrees[some]]]


def _keep(
    store: Store, run: RunRecord, of: tuple[int, float, dict[str, Any]], tables: dict[str, dict[str, Any]]
) -> None:
    resolution, threshold, told = of
    for columns in tables.values():
        columns["resolution_id"] = np.full(len(columns["world_id"]), resolution)
    tables["resolution"] = {
        "resolution_id": np.array([resolution]), "threshold": np.array([threshold]),
        "parameters": [json.dumps(told["parameters"]._asdict())], "settings": [json.dumps(told["settings"])],
    }
    store.add_analysis(run, tables, replacing={"resolution_id": resolution})
