"""`gaelp attribute`: a stored run's sales credited to touches, channels and campaigns; kept beside the run."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from gaelp_sim.analyse.journey_rewards import reward_rows
from gaelp_sim.analyse.touch_paths import SalePaths, Window, stored_paths, touch_slots
from gaelp_sim.attribution.models import CHANNEL_WEIGHTS, HALF_LIFE_DAYS, Credits, Options, credited
from gaelp_sim.attribution.paths import Paths
from gaelp_sim.events import NONE, US, Floats, Ints
from gaelp_sim.store import RunRecord, Store, check_finished

CHANNEL, CAMPAIGN = "channel", "campaign"
_LOW_32 = 2**32 - 1
_NOT_IN_LABEL = {"model", "as_of_s"}


@dataclass(frozen=True)
class Request:
    """What is to be attributed, and how."""

    model: str
    window: Window = Window()
    by: str = CHANNEL
    """What sets of channels and chains are made of: channel or campaign"""
    half_life_days: float = HALF_LIFE_DAYS
    order: int = 1

    @property
    def settings(self) -> dict[str, Any]:
        """All settings by name."""
        own = {"by": self.by, "half_life_days": self.half_life_days, "order": self.order}
        return {"model": self.model, **asdict(self.window), **own}

    @property
    def label(self) -> str:
        """The model, with the settings that are not the default: `time_decay?lookback_days=90`."""
        usual = Request(self.model).settings
        told = [f"{name}={_told(value)}" for name, value in self.settings.items() if value != usual[name]]
        return self.model + ("?" + ",".join(told) if told else "")


def _told(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)


@dataclass(frozen=True)
class Attribution:
    """What one model gives."""

    request: Request
    found: SalePaths
    credits: Credits
    sums: dict[str, Any] = field(repr=False)
    """Rows of table `credit_sum`"""
    rewards: dict[str, Any] = field(repr=False)
    """Rows of table `journey_reward`; empty where no rule was named"""

    @property
    def reward_micros(self) -> int:
        """What all journeys pay."""
        return int(self.rewards["reward_micros"].sum()) if self.rewards else 0


def attribute(store: Store, run: RunRecord, requests: list[Request], reward: str = "") -> list[Attribution]:
    """Attribute a finished run's sales by each request, and keep the credits, and rewards where a rule is named.

    Asking again replaces what the same settings gave before. Raises UsageError for a run that is not finished.
    """
    check_finished(run, "can be attributed")
    read: dict[Window, SalePaths] = {}
    done = []
    for request in requests:
        if request.window not in read:
            read[request.window] = stored_paths(store, run, request.window)
        done.append(_attributed((store, run), read[request.window], request, reward))
    for attribution in done:
        _keep(store, run, attribution)
    return done


def _attributed(stored: tuple[Store, RunRecord], found: SalePaths, request: Request, reward: str) -> Attribution:
    store, run = stored
    paths = _grouped(found, request.by)
    options = Options(request.half_life_days, request.order, _channel_weights(store, run, paths, request.by))
    credits = credited(paths, request.model, options)
    rewards = reward_rows(store, run, found, credits.shares, reward) if reward else {}
    return Attribution(request, found, credits, _sums(found, paths, credits), rewards)


def _grouped(found: SalePaths, by: str) -> Paths:
    """The paths with campaigns in place of channels; touches of no campaign stay known by their channel."""
    paths = found.paths
    if by == CHANNEL:
        return paths
    campaign = found.touches.record["campaign"].astype(np.int64)
    ours = (found.touches.record["advertiser"] == US) & (campaign != NONE)
    group = np.where(ours, paths.channels + campaign, paths.channel)
    return Paths(
        paths.starts, group, paths.second, paths.ended_s, paths.sales, paths.nulls,
        paths.channels + int(campaign.max(initial=-1)) + 1,
    )


def _channel_weights(store: Store, run: RunRecord, paths: Paths, by: str) -> Floats:
    """The data-driven rule's weight of each group: that of its channel, whoever advertised there."""
    weight = np.ones(paths.channels)
    names = channel_names(store, run)
    own = np.array([CHANNEL_WEIGHTS.get(name, 1.0) for name in names])
    weight[: len(own)] = own
    weight[len(own) : 2 * len(own)] = own
    if by == CAMPAIGN:
        for channel, campaign in _channels_of_campaigns(store, run).items():
            if 2 * len(own) + channel < len(weight):
                weight[2 * len(own) + channel] = own[campaign]
    return weight


def channel_names(store: Store, run: RunRecord) -> list[str]:
    """The run's channels by code."""
    return [str(name) for name in store.read(run, "name", columns=("name",), where={"kind": "channel"})["name"]]


def _channels_of_campaigns(store: Store, run: RunRecord) -> dict[int, int]:
    """Channel of each campaign that was charged for anything."""
    rows = store.read(run, "ledger", columns=("campaign", "channel"))
    campaign, first = np.unique(np.asarray(rows["campaign"]), return_index=True)
    return dict(zip(campaign.tolist(), np.asarray(rows["channel"])[first].tolist(), strict=True))


def _sums(found: SalePaths, paths: Paths, credits: Credits) -> dict[str, Any]:
    """Credit and value by advertiser, channel and campaign: what a group gets, split as its touches' shares are.

    What the chain gives to a group that is in no sale's path is split evenly among its touches, at a sale's mean value.
    Sales that no touch lies before are a row of nobody's.
    """
    sold = found.sale_of_touch != NONE
    share = np.where(sold, credits.shares, 0.0)
    met = paths.by_channel(share)
    share = np.where(met[paths.channel] > 0, share, 1.0)
    each = credits.by_channel / np.maximum(paths.by_channel(share), 1e-300)
    conversions = share * each[paths.channel]
    value_micros = found.sales["value_micros"].astype(np.float64)
    mean = float(value_micros.mean()) if found.count else 0.0
    value = conversions * (np.where(sold, value_micros[found.sale_of_touch], mean) if found.count else 0.0)
    keys, at = np.unique(_places(found), return_inverse=True)
    left = found.untouched
    return {
        **{name: np.append(column, np.full(min(len(left), 1), NONE)) for name, column in _placed(keys).items()},
        "conversions": np.append(np.bincount(at, conversions, len(keys)), [float(len(left))] * bool(len(left))),
        "value_micros": np.append(np.bincount(at, value, len(keys)), [value_micros[left].sum()] * bool(len(left))),
    }


def _places(found: SalePaths) -> Ints:
    """Advertiser, channel and campaign of each touch, as one number."""
    record = found.touches.record
    advertiser, channel, campaign = (record[name].astype(np.int64) for name in ("advertiser", "channel", "campaign"))
    return advertiser << 40 | channel << 20 | campaign + 1


def _placed(places: Ints) -> dict[str, Ints]:
    return {"advertiser": places >> 40, "channel": places >> 20 & 0xFFFFF, "campaign": (places & 0xFFFFF) - 1}


def _keep(store: Store, run: RunRecord, attribution: Attribution) -> None:
    label, found = attribution.request.label, attribution.found
    tables: dict[str, dict[str, Any]] = {
        "attribution_settings": {
            "model": [label], "rule": [attribution.request.model],
            "settings": [json.dumps(attribution.request.settings)], "sales": np.array([found.count]),
            "untouched": np.array([len(found.untouched)]),
        },
        "credit": _labelled(label, _credit_rows(attribution)),
        "credit_sum": _labelled(label, attribution.sums),
    }
    if attribution.rewards:
        tables["journey_reward"] = _labelled(label, attribution.rewards)
    store.add_analysis(run, tables, replacing={"model": label})


def _labelled(label: str, rows: dict[str, Any]) -> dict[str, Any]:
    n = len(next(iter(rows.values())))
    return {"model": [label] * n, **rows}


def _credit_rows(attribution: Attribution) -> dict[str, Ints | Floats]:
    """Rows of table `credit`: every touch that gets a share of a sale."""
    found, shares = attribution.found, attribution.credits.shares
    sale = found.sale_of_touch
    given = np.flatnonzero((sale != NONE) & (shares > 0))
    sale, record, person = sale[given], found.touches.record[given], found.touches.person[given]
    buyer = found.sales["person"][sale]
    return {
        "world_id": buyer >> 32, "person_id": buyer & _LOW_32, "decided_s": found.sales["decided_s"][sale],
        "touch_person_id": person & _LOW_32, "occurred_s": record["occurred_s"].astype(np.int64),
        "touch_slot": touch_slots(record), "share": shares[given],
    }
