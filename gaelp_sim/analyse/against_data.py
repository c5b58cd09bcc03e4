"""A stored run beside samples of real data: the same figures from both, each with its 95 % interval."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gaelp_sim.analyse.estimates import Z_95, Estimate, share
from gaelp_sim.analyse.figures import StoredRun
from gaelp_sim.analyse.real_samples import WEEKDAYS, path_figures, real_figures
from gaelp_sim.events import US, Bools, Floats, Ints, TouchKind
from gaelp_sim.store import Store, check_finished
from gaelp_sim.units import HOURS_PER_DAY, SECONDS_PER_DAY, SECONDS_PER_HOUR
from gaelp_sim.world.stored_scenario import stored_scenario

SESSION_GAP_S = 1_800
"""Site visits and clicks on us closer than this are one session."""
SALE_WITHIN_S = SECONDS_PER_DAY
"""A session sells where the person decides for us so soon after its start."""
DIGITS = 4
FEED = "social"
"""The channel that is like a feed."""


@dataclass(frozen=True)
class Beside:
    """One figure, real and simulated; `agrees` where the two intervals meet."""

    quantity: str
    real: Estimate
    simulated: Estimate
    source: str

    @property
    def agrees(self) -> bool:
        """Whether the intervals meet."""
        return self.real.low <= self.simulated.high and self.simulated.low <= self.real.high

    def as_json(self) -> dict[str, Any]:
        """Plain values, rounded as they are shown."""
        numbers = (self.real.value, self.real.low, self.real.high,
                   self.simulated.value, self.simulated.low, self.simulated.high)
        names = ("real", "real_low", "real_high", "simulated", "low", "high")
        told = {name: float(f"{number:.{DIGITS}g}") if np.isfinite(number) else None
                for name, number in zip(names, numbers, strict=True)}
        return {"quantity": self.quantity, **told, "agrees": self.agrees, "source": self.source}


def against_data(db_url: str, run_ref: str, folder: Path) -> tuple[list[Beside], list[str]]:
    """Figures of a finished run beside those of the samples in a folder, and the samples that are not there.

    Raises RunNotFoundError, and UsageError for a run that is not finished or a folder without samples.
    """
    real, missing = real_figures(folder)
    with Store.open(db_url, must_exist=True) as store:
        record = store.find_run(run_ref)
        check_finished(record, "can be compared")
        scenario = stored_scenario(record)
        simulated = simulated_figures(StoredRun.of(store, record, scenario))
    return [
        Beside(name, figure, simulated[name], source)
        for name, (figure, source) in real.items() if name in simulated and simulated[name].count
    ], missing


def simulated_figures(run: StoredRun) -> dict[str, Estimate]:
    """The run's figures under the names of the samples'."""
    return {**_curves(run), **_feed(run), **_paths(run), **_sessions(run)}


def _curves(run: StoredRun) -> dict[str, Estimate]:
    """Impressions by local hour and by weekday, mean 1, days' spread as their luck."""
    shift_s = run.scenario.utc_offset_hours * SECONDS_PER_HOUR
    second = run.touches["occurred_s"][run.touches["kind"] == TouchKind.IMPRESSION] + shift_s
    days = (run.end_s - run.start_s) // SECONDS_PER_DAY
    day = (second - run.start_s) // SECONDS_PER_DAY
    inside = (day >= 0) & (day < days)
    table = np.zeros((days, HOURS_PER_DAY))
    np.add.at(table, (day[inside], second[inside] // SECONDS_PER_HOUR % HOURS_PER_DAY), 1)
    by_day = table.sum(axis=1)
    weekday = (run.start_s // SECONDS_PER_DAY + 3 + np.arange(days)) % WEEKDAYS
    found = {f"hour {hour}": _level(table[:, hour], by_day / HOURS_PER_DAY) for hour in range(HOURS_PER_DAY)}
    if days >= 2 * WEEKDAYS:
        mean = np.mean([by_day[weekday == at].mean() for at in range(WEEKDAYS)])
        found |= {
            f"weekday {at}": _level(by_day[weekday == at], np.full((weekday == at).sum(), mean)) for at in range(WEEKDAYS)
        }
    return found


def _level(above: Floats, below: Floats) -> Estimate:
    """A ratio of sums, with the spread of its residuals over days, at least that of counting."""
    total, base, n = float(above.sum()), float(below.sum()), len(above)
    if not total or not base:
        return Estimate(0.0, 0.0, np.inf, 0)
    ratio = total / base
    spread = float(((above - ratio * below) ** 2).sum()) * n / max(n - 1, 1)
    half = Z_95 * max(spread, total) ** 0.5 / base
    return Estimate(ratio, ratio - half, ratio + half, int(total))


def _feed(run: StoredRun) -> dict[str, Estimate]:
    codes = [code for code, channel in enumerate(run.scenario.channels) if channel.name == FEED]
    here = _ours(run) & (run.touches["kind"] == TouchKind.IMPRESSION) & np.isin(run.touches["channel"], codes)
    clicked = run.touches["clicked"][here] > 0
    return {"click rate, feed": share(int(clicked.sum()), len(clicked))}


def _ours(run: StoredRun) -> Bools:
    ours: Bools = run.touches["advertiser"] == US
    return ours


def _person(table: dict[str, Ints]) -> Ints:
    return table["world_id"].astype(np.int64) << 32 | table["person_id"]


def _paths(run: StoredRun) -> dict[str, Estimate]:
    """Clicks, e-mails and visits of ours before each sale of ours."""
    person, second, _ = _meetings(run)
    buyer, decided = _sales(run)
    lengths = _before(person, second, buyer, decided)
    return path_figures(lengths[lengths > 0])


def _meetings(run: StoredRun) -> tuple[Ints, Ints, Bools]:
    """People, seconds, and whether on our site, of whatever an analyst counts as a touch; in the order of both."""
    touches = run.touches
    site = _ours(run) & ((touches["clicked"] > 0) | (touches["kind"] == TouchKind.VISIT))
    met = site | (_ours(run) & (touches["kind"] == TouchKind.EMAIL))
    person, second, on_site = _person(touches)[met], touches["occurred_s"][met], site[met]
    order = np.lexsort([second, person])
    return person[order], second[order], on_site[order]


def _sales(run: StoredRun) -> tuple[Ints, Ints]:
    ours = run.sales["advertiser"] == US
    return _person(run.sales)[ours], run.sales["decided_s"][ours]


def _before(person: Ints, second: Ints, buyer: Ints, decided: Ints) -> Ints:
    """(sales,): how many of these moments the buyer had had by the decision."""
    base = int(min(second.min(initial=0), decided.min(initial=0)))
    people, code = np.unique(np.concatenate([person, buyer]), return_inverse=True)
    key = code[: len(person)].astype(np.int64) << 34 | (second - base)
    start = np.searchsorted(key, code[len(person) :].astype(np.int64) << 34)
    return np.searchsorted(key, code[len(person) :].astype(np.int64) << 34 | (decided - base), side="right") - start


def _sessions(run: StoredRun) -> dict[str, Estimate]:
    """Sessions on our site that sell; a session is new where it is the person's first in the run."""
    person, second, on_site = _meetings(run)
    person, second = person[on_site], second[on_site]
    first = np.concatenate([[True], person[1:] != person[:-1]])[: len(person)]
    begins = first | np.concatenate([[True], np.diff(second) > SESSION_GAP_S])[: len(person)]
    visitor, start, new = person[begins], second[begins], first[begins]
    sold = _sells(run, visitor, start)
    weekend = (start // SECONDS_PER_DAY + 3) % WEEKDAYS >= WEEKDAYS - 2
    return {
        name: share(int(sold[keep].sum()), int(keep.sum()))
        for name, keep in (
            ("sessions that sell, new visitors", new), ("sessions that sell, returning visitors", ~new),
            ("sessions that sell, weekend", weekend), ("sessions that sell, Monday to Friday", ~weekend),
        )
    }


def _sells(run: StoredRun, visitor: Ints, start: Ints) -> Bools:
    """(sessions,): each sale of ours belongs to the person's last session that began within a day before it."""
    sold = np.zeros(len(visitor), dtype=np.bool_)
    buyer, decided = _sales(run)
    base = int(min(start.min(initial=0), decided.min(initial=0)))
    people, code = np.unique(np.concatenate([visitor, buyer]), return_inverse=True)
    key = code[: len(visitor)].astype(np.int64) << 34 | (start - base)
    wanted = code[len(visitor) :].astype(np.int64) << 34 | (decided - base)
    place = np.searchsorted(key, wanted, side="right") - 1
    place, wanted = place[place >= 0], wanted[place >= 0]
    near = (key[place] >> 34 == wanted >> 34) & (wanted - key[place] <= SALE_WITHIN_S)
    sold[place[near]] = True
    return sold
