"""A stored run as journeys to learn from: what was seen, done and earned, and how each user's story ended or was cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.errors import UsageError
from gaelp_sim.events import FEATURE_COUNT, NONE, US, Bools, Floats, Ints
from gaelp_sim.store import RunRecord, Store, check_finished
from gaelp_sim.units import MICROS_PER_UNIT, SECONDS_PER_DAY, SECONDS_PER_HOUR

_NUMBERS = (
    "world_id", "occurred_s", "person_id", "resolved_user_id", "channel", "signal", "participate", "level", "creative",
    "propensity", "bid_micros", "charge_micros",
)
_SALES = ("world_id", "person_id", "decided_s", "reported_s", "advertiser", "value_micros")
_SHEET = ("world_id", "hour", "signal", "bid_micros")
_ROW_BYTES = 4 * FEATURE_COUNT
Rows = dict[str, np.ndarray]


@dataclass(frozen=True)
class Logged:
    """Decisions of a run in the order (user, time): (n,) columns."""

    run_id: str
    user: Ints
    """Resolved users of all worlds, numbered from 0"""
    second: Ints
    """Unix time"""
    channel: Ints
    signal: Ints
    """NONE in an imported log"""
    bid_micros: Ints
    """NONE in an imported log"""
    price_micros: Ints
    """The market's price on the hour's bid sheet, pacing applied; NONE where the run kept none"""
    action: Ints
    """The run's own, a row of `triples`"""
    triples: Ints
    """(actions, 3): participate, level, creative of each action that the run took"""
    propensity: Floats
    reward_usd: Floats
    """Less what was charged; a sale of ours is paid at the person's last decision before it"""
    days: NDArray[np.float32]
    """Since the user's decision before; 0 for the first"""
    observation: NDArray[np.float32]
    """(n, 41)"""
    begins: Ints
    """(users + 1,): where each journey begins"""
    bought: Bools
    """(users,): a sale of ours was paid to one of the user's decisions"""
    person: Ints
    """World << 32 | person of each decision"""

    @property
    def terminal(self) -> Bools:
        """(n,): the last decision of a user who bought."""
        return self._last(self.bought)

    @property
    def timeout(self) -> Bools:
        """(n,): the last decision of a user whom the run's end cut short: what would have come is not known."""
        return self._last(~self.bought)

    def _last(self, of: Bools) -> Bools:
        found = np.zeros(len(self.user), dtype=np.bool_)
        found[self.begins[1:] - 1] = of
        return found


def read_logged(store: Store, run: RunRecord, *, reported_only: bool = False) -> Logged:
    """Every resolved user's decisions in a finished run, whole journeys; read in parts of 65,536 rows.

    reported_only: sales of which the advertiser had not heard by the run's end are not paid
    Raises UsageError for a run that is not finished, that logged only wins or no decisions, and for decisions without
    observations or with propensities outside (0, 1].
    """
    _check_run(run)
    rows, observation = _decisions(store, run)
    sales = {name: np.asarray(column) for name, column in store.read(run, "conversion", columns=_SALES).items()}
    sheet = {name: np.asarray(column) for name, column in store.read(run, "bid_sheet", columns=_SHEET).items()}
    heard_by_s = run.start_s + run.end_hour * SECONDS_PER_HOUR if reported_only else None
    return logged_of(run.run_id, LogRows(rows, observation, sales, sheet, run.start_s), heard_by_s)


class LogRows(NamedTuple):
    """Rows of a log as its tables have them."""

    decisions: Rows
    """`decision`, each person's by time"""
    observation: NDArray[np.float32]
    """(decisions, 41 or more)"""
    sales: Rows
    """`conversion`"""
    sheet: Rows
    """`bid_sheet`"""
    start_s: int


def logged_of(name: str, told: LogRows, heard_by_s: int | None) -> Logged:
    """A log of that name from its rows; sales reported after heard_by_s are not paid, None pays all."""
    rows = told.decisions
    person = rows["world_id"] << 32 | rows["person_id"]
    reward = -rows["charge_micros"] / MICROS_PER_UNIT
    paid = _pay(told.sales, (person, rows["occurred_s"]), reward, heard_by_s)
    _, user = np.unique(np.stack([rows["world_id"], rows["resolved_user_id"]]), axis=1, return_inverse=True)
    user = user.ravel().astype(np.int64)
    triples, action = np.unique(
        np.stack([rows["participate"], rows["level"], rows["creative"]], axis=1), axis=0, return_inverse=True
    )
    order = np.argsort(user, kind="stable")  # rows come by time
    second, begins = rows["occurred_s"][order], np.searchsorted(user[order], np.arange(user.max() + 2))
    days = np.diff(second, prepend=second[0]) / SECONDS_PER_DAY
    days[begins[:-1]] = 0.0
    return Logged(
        name, user[order], second, rows["channel"][order], rows["signal"][order], rows["bid_micros"][order],
        _prices(told)[order], action.ravel()[order], triples, rows["propensity"][order], reward[order],
        days.astype(np.float32), told.observation[order], begins, np.isin(np.arange(len(begins) - 1), user[paid]),
        person[order],
    )


def _check_run(run: RunRecord) -> None:
    check_finished(run, "can be learned from")
    if run.log != "all":
        raise UsageError(f"run {run.run_id} logged {run.log} alone (log: {run.log}): what was lost or passed over is not "
                         "there to learn from; run it again with --set log=all")


def _decisions(store: Store, run: RunRecord) -> tuple[Rows, NDArray[np.float32]]:
    """Columns of table `decision` in the order of time within each world, and (n, 41) observations."""
    parts: list[Rows] = []
    seen: list[NDArray[np.float32]] = []
    for part in store.read_parts(run, "decision", (*_NUMBERS, "features")):
        blobs = part.pop("features")
        seen.append(_observations(run, [bytes(blob) for blob in blobs]))  # type: ignore[arg-type]
        parts.append({name: np.asarray(column) for name, column in part.items()})
    if not parts:
        raise UsageError(f"run {run.run_id} holds no decision of ours: there is nothing to learn from; next: a run whose "
                         "policy takes part, or import a log with its propensities")
    rows = {name: np.concatenate([part[name] for part in parts]) for name in _NUMBERS}
    likely = (rows["propensity"] > 0) & (rows["propensity"] <= 1)
    if not likely.all():
        raise UsageError(f"run {run.run_id}: propensity {rows['propensity'][~likely][0]:g} of a decision is outside "
                         "(0, 1]; next: log the probability of what was chosen")
    return rows, np.concatenate(seen)


def _observations(run: RunRecord, blobs: list[bytes]) -> NDArray[np.float32]:
    """(n, 41) of packed features; an import that named none left zeros."""
    if any(len(blob) != _ROW_BYTES for blob in blobs):
        raise UsageError(f"run {run.run_id} did not log the {FEATURE_COUNT} features that its decisions saw; run it again "
                         "with --set log=all")
    seen = np.frombuffer(b"".join(blobs), dtype="<f4").reshape(-1, FEATURE_COUNT).astype(np.float32)
    if not seen.any():
        raise UsageError(f"run {run.run_id}: its decisions saw nothing (all features are 0); next: import the log again "
                         "with `features` in the mapping")
    return seen


def _pay(sold: Rows, at: tuple[Ints, Ints], reward_usd: Floats, heard_by_s: int | None) -> Ints:
    """Add our sales' values to the rewards; rows that were paid. at: person and second of each decision."""
    heard = np.ones(len(sold["advertiser"]), dtype=np.bool_) if heard_by_s is None else sold["reported_s"] <= heard_by_s
    ours = np.flatnonzero((sold["advertiser"] == US) & heard)
    buyer = sold["world_id"][ours] << 32 | sold["person_id"][ours]
    order = np.lexsort([at[1], at[0]])
    row = last_before((at[0][order], at[1][order]), buyer, sold["decided_s"][ours])
    known = row != NONE
    paid = order[row[known]]
    np.add.at(reward_usd, paid, sold["value_micros"][ours][known] / MICROS_PER_UNIT)
    return paid


def closed(logged: Logged) -> tuple[Ints, Bools]:
    """(rows,): the decision of each row, in order, and whether it is a closing row, which follows a timeout's last one."""
    times = 1 + logged.timeout
    row = np.repeat(np.arange(len(times)), times)
    closing = np.zeros(len(row), dtype=np.bool_)
    closing[(np.cumsum(times) - 1)[logged.timeout]] = True
    return row, closing


def last_before(steps: tuple[Ints, Ints], who: Ints, when: Ints) -> Ints:
    """(k,): which step is the last one of `who` at or before `when`; NONE without one.

    steps: key and time of each, ascending by both

    >>> steps = np.array([1, 1, 4]), np.array([10, 20, 10])
    >>> last_before(steps, np.array([1, 1, 4, 9]), np.array([19, 20, 9, 99])).tolist()
    [0, 1, -1, -1]
    """
    key, second = steps
    _, place = np.unique(np.concatenate([second, when]), return_inverse=True)
    ranks = int(place.max()) + 1 if len(place) else 1
    names, number = np.unique(np.concatenate([key, who]), return_inverse=True)
    packed = number * ranks + place
    at = np.searchsorted(packed[: len(key)], packed[len(key) :], side="right") - 1
    found = (at >= 0) & (key[np.maximum(at, 0)] == who) if len(key) else np.zeros(len(who), dtype=np.bool_)
    return np.where(found, at, NONE)


def _prices(told: LogRows) -> Ints:
    """(n,): the price on the bid sheet of each decision's world, hour and signal; NONE where there is no such sheet."""
    rows, sheet = told.decisions, told.sheet
    hour = (rows["occurred_s"] - told.start_s) // SECONDS_PER_HOUR
    if not len(sheet["hour"]):
        return np.full(len(hour), NONE)
    hours = int(max(sheet["hour"].max(), hour.max())) + 1
    signals = int(max(sheet["signal"].max(), rows["signal"].max())) + 1
    key = (sheet["world_id"] * hours + sheet["hour"]) * signals + sheet["signal"]
    wanted = (rows["world_id"] * hours + hour) * signals + rows["signal"]
    order = np.argsort(key)
    at = np.minimum(np.searchsorted(key[order], wanted), len(key) - 1)
    return np.where(key[order][at] == wanted, sheet["bid_micros"][order][at], NONE)
