"""What a stored run measured: click rates, prices, paths, lags and curves, each with its luck."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gaelp_sim.analyse.estimates import Estimate, mean, quantile, ratio, share
from gaelp_sim.events import US, Bools, Column, TouchKind
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.store import RunRecord, Store
from gaelp_sim.units import HOURS_PER_DAY, MICROS_PER_UNIT, PER_MILLE, SECONDS_PER_DAY, SECONDS_PER_HOUR

Table = dict[str, Column]
Figures = dict[str, Estimate]
PERSON_BITS = 32
ALL_CHANNELS = {"search", "social", "display", "video", "retarget"}
"""Only with all of them does the number of ad slots a day mean the same as in the band."""


@dataclass(frozen=True)
class StoredRun:
    """The columns of a finished run that its figures are taken from."""

    record: RunRecord
    scenario: Scenario
    touches: Table
    sales: Table
    auctions: Table
    people: Table

    @staticmethod
    def of(store: Store, record: RunRecord, scenario: Scenario) -> StoredRun:
        """Read a run's columns."""
        touches, sales, auctions, people = (
            {column: np.asarray(values) for column, values in store.read(record, table).items()}
            for table in ("touchpoint", "conversion", "auction_hour", "person")
        )
        return StoredRun(record, scenario, touches, sales, auctions, people)

    @property
    def start_s(self) -> int:
        """Epoch second at which this run begins."""
        return self.record.start_s + self.record.start_hour * SECONDS_PER_HOUR

    @property
    def end_s(self) -> int:
        """Epoch second at which this run ends."""
        return self.record.start_s + self.record.end_hour * SECONDS_PER_HOUR


def figures_of(run: StoredRun) -> Figures:
    """Every figure that this run has, by name."""
    found: Figures = {}
    for part in (_channels, _market, _paths, _lags, _curves):
        found |= part(run)
    return found


def _ours(run: StoredRun, kind: TouchKind) -> Bools:
    return (run.touches["advertiser"] == US) & (run.touches["kind"] == kind)


def _channels(run: StoredRun) -> Figures:
    """CTR of each channel, price of a click where clicks are charged, else price of a thousand impressions."""
    found: Figures = {}
    touches = run.touches
    for code, channel in enumerate(run.scenario.channels):
        here = _ours(run, TouchKind.IMPRESSION) & (touches["channel"] == code)
        clicked, price = touches["clicked"][here] > 0, touches["price_micros"][here] / MICROS_PER_UNIT
        found[f"CTR {channel.name}"] = share(int(clicked.sum()), len(clicked))
        if channel.charge == "cpc":
            found[f"CPC {channel.name}"] = mean(price[clicked])
        else:
            found[f"CPM {channel.name}"] = mean(price * PER_MILLE)
    mails = touches["clicked"][_ours(run, TouchKind.EMAIL)]
    found["CTR e-mail"] = share(int(mails.sum()), len(mails))
    return found


def _market(run: StoredRun) -> Figures:
    auctions = run.auctions
    cell = auctions["world_id"] << 40 | auctions["hour"] << 8 | auctions["channel"]
    _, first = np.unique(cell, return_index=True)
    slots = int(auctions["opportunities"][first].sum())
    wins = int(auctions["wins"][auctions["advertiser"] == US].sum())
    days = run.record.people * run.record.worlds * (run.record.end_hour - run.record.start_hour) / HOURS_PER_DAY
    per_day = slots / days
    half = 1.96 * slots**0.5 / days
    found: Figures = {"win rate": share(wins, slots)}
    if ALL_CHANNELS <= {channel.name for channel in run.scenario.channels}:
        found["opportunities per person-day"] = Estimate(per_day, per_day - half, per_day + half, slots)
    return found


def _paths(run: StoredRun) -> Figures:
    """What our buyers had met of ours before they decided, and how long before."""
    touches, buyer, decided = run.touches, *_buyers(run)
    ours = touches["advertiser"] == US
    person, second = _person(touches)[ours], touches["occurred_s"][ours]
    kind = touches["kind"][ours]
    at = np.searchsorted(buyer, person)
    before = (at < len(buyer)) & (buyer[np.minimum(at, max(len(buyer) - 1, 0))] == person) if len(buyer) else at < 0
    before[before] = second[before] <= decided[at[before]]
    at, second, kind = at[before], second[before], kind[before]
    impression = kind == TouchKind.IMPRESSION
    met = _interactions(run)[ours][before]
    impressions, paths = _counts(at[impression], len(buyer)), _counts(at[met], len(buyer))
    first_touch, first_met = _first(at, second, len(buyer)), _first(at[met], second[met], len(buyer))
    days = [(decided - first)[first >= 0] / SECONDS_PER_DAY for first in (first_touch, first_met)]
    reached, long = impressions[first_touch >= 0], paths[paths > 0]
    return {
        "won impressions per converter, median": quantile(reached, 0.5),
        **{f"interactions per converter, {name}": quantile(long, level) for name, level in _PATH_LEVELS},
        "interactions per converter, mean": mean(long),
        "converters without an interaction": share(int((paths == 0).sum()), len(paths)),
        "first touch to sale, median days": quantile(days[0], 0.5),
        "first touch to sale, 90 % days": quantile(days[0], 0.9),
        "first interaction to sale, median days": quantile(days[1], 0.5),
        "first interaction to sale, 90 % days": quantile(days[1], 0.9),
        "sales by crisis parents": _crisis_share(run, buyer),
    }


_PATH_LEVELS = (("25 %", 0.25), ("median", 0.5), ("75 %", 0.75), ("90 %", 0.9))


def _person(table: Table) -> Column:
    return table["world_id"] << PERSON_BITS | table["person_id"]


def _buyers(run: StoredRun) -> tuple[Column, Column]:
    """Our buyers, ascending, and when they decided."""
    ours = run.sales["advertiser"] == US
    buyer, decided = _person(run.sales)[ours], run.sales["decided_s"][ours]
    order = np.argsort(buyer)
    return buyer[order], decided[order]


def _interactions(run: StoredRun) -> Bools:
    """What an ad platform counts on a path: clicks and engaged views, with e-mails and visits of our site."""
    touches = run.touches
    videos = [code for code, channel in enumerate(run.scenario.channels) if channel.name == "video"]
    engaged = (touches["kind"] == TouchKind.IMPRESSION) & np.isin(touches["channel"], videos) & (touches["examined"] > 0)
    return (touches["clicked"] > 0) | engaged | (touches["kind"] == TouchKind.EMAIL) | (touches["kind"] == TouchKind.VISIT)


def _counts(at: Column, buyers: int) -> Column:
    return np.bincount(at, minlength=buyers)


def _first(at: Column, second: Column, buyers: int) -> Column:
    """Second of each buyer's first touch, -1 without one."""
    first = np.full(buyers, np.iinfo(np.int64).max)
    np.minimum.at(first, at, second)
    return np.where(first == np.iinfo(np.int64).max, -1, first)


def _crisis_share(run: StoredRun, buyer: Column) -> Estimate:
    crisis = [code for code, segment in enumerate(run.scenario.population.segments) if segment.crisis]
    person = _person(run.people)
    order = np.argsort(person)
    segment = run.people["segment"][order][np.searchsorted(person[order], buyer)]
    return share(int(np.isin(segment, crisis).sum()), len(segment))


def _lags(run: StoredRun) -> Figures:
    """From deciding to paying (everybody's sales), and from paying to our report."""
    sales = run.sales
    ours = sales["advertiser"] == US
    hours = (sales["purchased_s"] - sales["decided_s"]) / SECONDS_PER_HOUR
    late = sales["purchased_s"][ours] >= run.end_s
    reports = (sales["reported_s"] - sales["purchased_s"]) / SECONDS_PER_HOUR
    longest = float(reports.max(initial=0.0))
    return {
        "decided to paid, 25 % hours": quantile(hours, 0.25),
        "decided to paid, median hours": quantile(hours, 0.5),
        "decided to paid, 75 % hours": quantile(hours, 0.75),
        "decided to paid, mean hours": mean(hours),
        "paid within 24 hours": share(int((hours <= 24).sum()), len(hours)),
        "paid within 14 days": share(int((hours <= 336).sum()), len(hours)),
        "sales paid after the last day": share(int(late.sum()), len(late)),
        "report delay, median hours": quantile(reports, 0.5),
        "report delay, longest hours": Estimate(longest, longest, longest, len(reports)),
    }


def _curves(run: StoredRun) -> Figures:
    """When impressions are shown: the busiest hour and weekday over the quietest."""
    shown = run.touches["occurred_s"][run.touches["kind"] == TouchKind.IMPRESSION]
    by_hour = np.bincount(shown // SECONDS_PER_HOUR % HOURS_PER_DAY, minlength=HOURS_PER_DAY)
    days = np.arange(run.start_s, run.end_s, SECONDS_PER_DAY)
    found: Figures = {"busiest hour over quietest": ratio(float(by_hour.max()), float(by_hour.min()))}
    lived = np.bincount(_weekday(days), minlength=7)
    if lived.min():
        per_day = np.bincount(_weekday(shown), minlength=7) / lived
        busiest, quietest = per_day.argmax(), per_day.argmin()
        odds = ratio(per_day[busiest] * lived[busiest], per_day[quietest] * lived[quietest])
        scale = lived[quietest] / lived[busiest]
        found["busiest weekday over quietest"] = Estimate(
            odds.value * scale, odds.low * scale, odds.high * scale, odds.count
        )
    return found


def _weekday(second: Column) -> Column:
    """0 for Monday; 1970-01-01 was a Thursday."""
    return (second // SECONDS_PER_DAY + 3) % 7
