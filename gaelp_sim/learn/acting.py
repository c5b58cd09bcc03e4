"""A learned policy outside of any world: decisions for rows of real observations, each user's in the order of time."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.draws import Draws, Purpose
from gaelp_sim.errors import UsageError
from gaelp_sim.events import DeviceKind, Floats, Ints, Opportunities
from gaelp_sim.learn.policy import LearnedPolicy
from gaelp_sim.market.bidder import Known, Moment
from gaelp_sim.observe.table import COLUMN, FEATURES, HIGH, LOW, NAMES
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import MICROS_PER_UNIT, PPM

USER, SECOND = "user", "occurred_s"
SECOND_MAX = 1e12
_SLACK = 1e-3
"""Values may lie so far outside their range: what was logged is rounded."""


@dataclass(frozen=True)
class Rows:
    """Observations of users: (n,) columns in the order of the file."""

    user: list[str]
    second: Floats
    observation: NDArray[np.float32]
    """(n, 41)"""


def read_rows(path: Path, scenario: Scenario) -> Rows:
    """Rows of a CSV file (or Parquet, with the extra [logs]): `user`, `occurred_s` and the 41 features by name.

    Channels, signals and devices may be told by name. Raises UsageError with file, line, column and rule.
    """
    codes = _codes(scenario)
    users, seconds, seen = [], [], []
    for line, row in _lines(path):
        users.append(str(row[USER]))
        seconds.append(_number(path, line, (SECOND, row[SECOND]), (-SECOND_MAX, SECOND_MAX)))
        seen.append([_feature(path, line, place, codes.get(name, {}).get(str(row[name]), row[name]))
                     for place, name in enumerate(NAMES)])
    if not users:
        raise UsageError(f"{path}: it has no rows; give one for each opportunity")
    return Rows(users, np.array(seconds), np.array(seen, dtype=np.float32))


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows by column, with their lines from 1; what is no table is refused."""
    try:
        if path.suffix == ".parquet":
            yield from _parquet_lines(path)
            return
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            _check_columns(path, list(reader.fieldnames or []))
            for row in reader:
                if None in row or None in row.values():
                    raise UsageError(f"{path}:{reader.line_num}: it has too many or too few cells; the header has "
                                     f"{len(reader.fieldnames or [])}")
                yield reader.line_num, row
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}; name a CSV or Parquet file") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path}: it is no CSV file in UTF-8 ({error})") from None


def _parquet_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise UsageError(f"{path}: Parquet needs pyarrow; next: pip install 'gaelp-sim[logs]'") from None
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            _check_columns(path, list(file.schema_arrow.names))
            line = 1
            for batch in file.iter_batches(columns=[USER, SECOND, *NAMES]):
                for row in batch.to_pylist():
                    line += 1
                    yield line, row
    except pyarrow.ArrowException as error:
        raise UsageError(f"{path}: {' '.join(str(error).split())[:120]}; that is no Parquet file") from None


def _check_columns(path: Path, names: list[str]) -> None:
    missing = [name for name in (USER, SECOND, *NAMES) if name not in names]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise UsageError(f"{path}: it has no column {', '.join(missing[:3])}{more}; a row has {USER}, {SECOND} and the "
                         f"{len(NAMES)} features that decisions are logged with")


def _codes(scenario: Scenario) -> dict[str, dict[str, float]]:
    """Codes by name, where a feature is one."""
    channels = {one.name: place + 1.0 for place, one in enumerate(scenario.channels)}
    signals = [one.name for channel in scenario.channels for one in channel.signals]
    # A signal's name alone may stand for several; `channel/signal` never does.
    full = [f"{channel.name}/{one.name}" for channel in scenario.channels for one in channel.signals]
    named = {name: place + 1.0 for place, name in enumerate(signals) if signals.count(name) == 1}
    named |= {name: place + 1.0 for place, name in enumerate(full)}
    devices = {kind.name.lower(): kind + 1.0 for kind in DeviceKind}
    return {"channel": channels, "signal": named, "device": devices} | {f"last_channel_{k}": channels for k in (1, 2, 3)}


def _feature(path: Path, line: int, place: int, cell: Any) -> float:
    slack = _SLACK * max(1.0, abs(float(HIGH[place])))
    value = _number(path, line, (FEATURES[place].name, cell), (float(LOW[place]) - slack, float(HIGH[place]) + slack))
    return min(max(value, float(LOW[place])), float(HIGH[place]))


def _number(path: Path, line: int, told: tuple[str, Any], within: tuple[float, float]) -> float:
    name, cell = told
    try:
        value = float(cell)
    except (TypeError, ValueError):
        value = math.nan
    if not within[0] <= value <= within[1]:
        raise UsageError(f"{path}:{line}: {name}: {str(cell)[:40]!r} is no number from {within[0]:g} to {within[1]:g}")
    return value


def act(policy: LearnedPolicy, scenario: Scenario, rows: Rows, seed: int) -> list[dict[str, Any]]:
    """What the policy does with each row, in the order of the file; a user's memory begins with its first row.

    Rows at the same moment are taken in the order of the file. Raises UsageError where channel and signal don't belong
    together.
    """
    place, rank = _in_turn(rows)
    notes = np.zeros((int(place.max()) + 1, policy.notes), dtype=np.float32)
    action, propensity = np.zeros(len(place), dtype=np.int64), np.zeros(len(place))
    luck = Draws(seed).words(Purpose.ACTING, 0, np.arange(len(place)), 0)[0]
    offered = _offered(policy, rows)
    for turn in range(int(rank.max()) + 1):
        now = np.flatnonzero(rank == turn)
        one = Opportunities(**offered.take(now))
        known = Known(place[now], np.zeros(len(now), dtype=bool), notes, None, rows.observation[now])
        decided = policy.decide(one, _moment(scenario, luck[now]), known)
        action[now], propensity[now] = decided.action, decided.propensity
    return _told(policy, scenario, rows, (offered.signal, action, propensity))


def _in_turn(rows: Rows) -> tuple[Ints, Ints]:
    """(n,) each: the user's number, and which of the user's rows this is, by time."""
    _, place = np.unique(rows.user, return_inverse=True)
    order = np.lexsort([np.arange(len(place)), rows.second, place])
    begins = np.diff(place[order], prepend=-1) != 0
    rank = np.empty(len(place), dtype=np.int64)
    rank[order] = np.arange(len(place)) - np.flatnonzero(begins)[np.cumsum(begins) - 1]
    return place.astype(np.int64), rank


def _offered(policy: LearnedPolicy, rows: Rows) -> Opportunities:
    channel = rows.observation[:, COLUMN["channel"]].astype(np.int16) - 1
    signal = rows.observation[:, COLUMN["signal"]].astype(np.int16) - 1
    of_signal = policy.actions.channel_of_signal
    wrong = (signal < 0) | (signal >= len(of_signal))
    wrong |= of_signal[np.clip(signal, 0, len(of_signal) - 1)] != channel
    if wrong.any():
        at = int(np.argmax(wrong))
        raise UsageError(f"row {at + 1}: signal {signal[at] + 1} is none of channel {channel[at] + 1}'s in this scenario; "
                         "codes count from 1, in the scenario's order")
    n = np.arange(len(channel))
    device = np.maximum(rows.observation[:, COLUMN["device"]].astype(np.int16) - 1, 0)
    # The network sees days between rows; counted from the first row, floats of seconds stay exact enough.
    second = np.rint(rows.second - rows.second.min()).astype(np.int64)
    return Opportunities(n, np.zeros_like(n), second, channel, signal, device)


def _moment(scenario: Scenario, luck: NDArray[np.uint32]) -> Moment:
    whole = np.full((1, len(scenario.channels)), PPM, dtype=np.int64)
    return Moment(0, 0, np.ones(1), luck, np.zeros(len(luck), dtype=bool), whole, whole)


def _told(
    policy: LearnedPolicy, scenario: Scenario, rows: Rows, done: tuple[NDArray[np.int16], Ints, Floats]
) -> list[dict[str, Any]]:
    signal, action, propensity = done
    level, creative = policy.actions.level(action), policy.actions.creative(action)
    bid = policy.actions.bid_micros(action, signal)
    names = [one.name for one in scenario.creatives]
    return [
        {
            USER: rows.user[i], SECOND: float(rows.second[i]), "participate": bool(level[i] > 0),
            "bid_usd": int(bid[i]) / MICROS_PER_UNIT, "level": int(level[i]),
            "creative": names[creative[i]] if level[i] else None, "propensity": float(propensity[i]),
        }
        for i in range(len(rows.user))
    ]
