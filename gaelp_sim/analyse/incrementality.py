"""`gaelp incrementality`: what our ads truly brought about, by withholding them from the same people with the same luck."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from gaelp_sim.analyse.clusters import Interval, Sums, clusters_of, summed, total
from gaelp_sim.analyse.lives import Life, OnStep, Worlds, all_lived
from gaelp_sim.draws import Draws, Purpose
from gaelp_sim.errors import UsageError
from gaelp_sim.events import NONE, US, Bools, Floats, Ints, TouchKind
from gaelp_sim.store import RunRecord, Store, check_finished
from gaelp_sim.units import HOURS_PER_DAY
from gaelp_sim.world.counterfactual import Copies, Lives, Span, worlds_of
from gaelp_sim.world.crew import ALONE, Crew, Hands
from gaelp_sim.world.simulate import task_of
from gaelp_sim.world.stored_scenario import stored_scenario
from gaelp_sim.world.trial import Withheld

MARKET, WORLD = "M", "W"
TOUCH, CHANNEL, CAMPAIGN, ALL = "touch", "channel", "campaign", "all"
Table = dict[str, Ints]


@dataclass(frozen=True)
class Request:
    """What is asked: which ads are withheld together, in which market, and until when their sales count."""

    by: str = CHANNEL
    estimands: tuple[str, ...] = (MARKET,)
    touches: int = 0
    """By touch: how many are sampled; 0 for all of them"""
    run_out_days: int = 0
    """Days after the run during which its ads may still sell; we advertise no more, rivals do"""


@dataclass(frozen=True)
class Effect:
    """What one group of ads brought about."""

    estimand: str
    by: str
    code: int
    """Of the channel or campaign; NONE for all ads"""
    name: str
    """Of the channel or campaign, or `all ads`"""
    touches: int
    sales: Interval
    """Sales with the ads, less sales without them; by touch: the sum of what each touch alone brought about"""
    by_cluster: Sums


@dataclass(frozen=True)
class Found:
    """All effects, with what they are compared to."""

    effects: list[Effect]
    sales: int
    """Sales of ours in the worlds as they were, decided within the span"""
    per_touch: dict[str, Any]
    """Rows of table `truth_credit`"""


class _Ads(NamedTuple):
    """Our ads in the store that can be withheld: impressions and e-mails, in the order of (person, second, slot)."""

    row: Ints
    """Row of the person in the worlds' stack"""
    channel: Ints
    table: Table
    scripted: int
    """Ads of people whose moments are written down: those can't be withheld"""


class _Asked(NamedTuple):
    """What is asked of which worlds and ads."""

    worlds: Worlds
    ads: _Ads
    cluster: Ints
    """(people,)"""
    clusters: int
    run: RunRecord
    request: Request


def incrementality(
    store: Store, run: RunRecord, request: Request, on_step: OnStep, crew: Crew = ALONE
) -> Found:
    """Withhold the ads of a finished run in groups, and count the sales that are lost; kept beside the run.

    on_step: called with the share of the work done; crew: who lives through the worlds, the answer is the same.
    Raises UsageError for a run that is not finished or can't be tried.
    """
    check_finished(run, "can be tried")
    asked = _prepared(store, run, request)
    groups = _groups(run, store, asked.ads, request.by)
    trial = _Trial(asked, groups) if MARKET in request.estimands else None
    lives = [trial.life] if trial else []
    lives += _world_lives(groups) if WORLD in request.estimands else []
    with Hands(crew) as hands:
        lived = all_lived(asked.worlds, lives, hands, on_step)
    effects, per_touch = trial.told(lived[0]) if trial else ([], {})
    effects += _in_the_world(asked, groups, lived[len(lives) - len(groups) - 1 :]) if WORLD in request.estimands else []
    _keep(store, run, effects, per_touch)
    return Found(effects, int(lived[0].sales.sum()), per_touch)


def gaps(effects: list[Effect]) -> list[tuple[Effect, Interval]]:
    """M - W of each group that both were asked for."""
    world = {(effect.by, effect.code): effect for effect in effects if effect.estimand == WORLD}
    pairs = [(effect, world.get((effect.by, effect.code))) for effect in effects if effect.estimand == MARKET]
    return [(one, total(one.by_cluster - other.by_cluster)) for one, other in pairs if other is not None]


def _prepared(store: Store, run: RunRecord, request: Request) -> _Asked:
    task = task_of(store, run)
    if run.start_hour:
        raise UsageError(f"run {run.run_id} continues another one: ask that one, its people's lives begin there")
    stack = worlds_of(task).stack
    people = stack.people
    cluster, clusters = clusters_of(people.world, people.household.astype(np.int64))
    span = Span(run.end_hour + request.run_out_days * HOURS_PER_DAY, run.end_hour)
    edges = np.searchsorted(people.world, np.arange(run.worlds + 1))
    ads = _ads(store, run, stack.keys(np.arange(people.size)))
    return _Asked(Worlds(task, span, edges), ads, cluster, clusters, run, request)


def _ads(store: Store, run: RunRecord, keys: Ints) -> _Ads:
    names = ("world_id", "person_id", "occurred_s", "touch_slot", "kind", "channel")
    rows = {k: np.asarray(v) for k, v in store.read(run, "touchpoint", columns=names, where={"advertiser": US}).items()}
    ours = rows["kind"] != TouchKind.VISIT
    written = ours & (rows["person_id"] >= run.people)
    rows = {name: column[ours & ~written] for name, column in rows.items()}
    row = np.searchsorted(keys, rows["world_id"] << 32 | rows["person_id"])
    return _Ads(row, rows["channel"], rows, int(written.sum()))


class _Group(NamedTuple):
    """Ads withheld together."""

    by: str
    code: int
    name: str
    channels: Bools
    """(channels + 1,)"""
    touches: int


def _groups(run: RunRecord, store: Store, ads: _Ads, by: str) -> list[_Group]:
    """All ads, then each channel's, or each campaign's: a campaign is all that we show on its channel."""
    channels = int(np.asarray(store.read(run, "name", columns=("code",), where={"kind": "channel"})["code"]).max())
    groups = [_Group(ALL, NONE, "all ads", np.ones(channels, dtype=np.bool_), len(ads.row))]
    campaign = _campaign_of_channel(store, run, channels)
    kind = CAMPAIGN if by == CAMPAIGN else CHANNEL
    names = [str(name) for name in store.read(run, "name", columns=("name",), where={"kind": kind})["name"]]
    for channel in range(channels):
        touches = int((ads.channel == channel).sum())
        if touches:
            mask = np.arange(channels) == channel
            code = int(campaign[channel]) if by == CAMPAIGN else channel
            groups.append(_Group(kind, code, names[code], mask, touches))
    return groups


def _campaign_of_channel(store: Store, run: RunRecord, channels: int) -> Ints:
    rows = store.read(run, "touchpoint", columns=("channel", "campaign"), where={"advertiser": US})
    found = np.full(channels + 1, NONE)
    found[np.asarray(rows["channel"])] = np.asarray(rows["campaign"])
    return found


class _Tries(NamedTuple):
    """Copies of people for one group, or for single touches."""

    row: Ints
    withheld: Withheld


class _Trial:
    """Estimand M: copies of everybody touched, each with its ads withheld, in the market as it was."""

    def __init__(self, asked: _Asked, groups: list[_Group]) -> None:
        run, ads, request = asked.run, asked.ads, asked.request
        self.asked, self.groups = asked, groups
        self.chosen = _sample(run, ads, request.touches) if request.by == TOUCH else np.zeros(0, dtype=np.int64)
        self.tries = [_tries_of_group(ads, group) for group in groups]
        channels = len(groups[0].channels)
        if len(self.chosen):
            second = ads.table["occurred_s"][self.chosen] - run.start_s
            nothing = np.zeros((len(self.chosen), channels), dtype=np.bool_)
            self.tries.append(_Tries(ads.row[self.chosen], Withheld(nothing, second)))
        copies, self.places = _copied(self.tries, channels)
        self.life = Life(copies)

    def told(self, lives: Lives) -> tuple[list[Effect], dict[str, Any]]:
        """What it says of groups, and of single touches with their rows."""
        lost = lives.sales[self.life.copies.row] - lives.copies
        effects = [
            _effect(self.asked, MARKET, group, (one.row, lost[place]))
            for group, one, place in zip(self.groups, self.tries, self.places, strict=False)
        ]
        if not len(self.chosen):
            return effects, {}
        ads, delta = self.asked.ads, lost[self.places[-1]]
        weight = len(ads.row) / len(self.chosen)
        for group in self.groups:
            here = np.where(group.channels[ads.channel[self.chosen]], delta, 0) * weight
            effects.append(_effect(self.asked, MARKET, group._replace(by=TOUCH), (ads.row[self.chosen], here)))
        return effects, _touch_rows(self.asked.run, ads, self.chosen, delta)


def _sample(run: RunRecord, ads: _Ads, touches: int) -> Ints:
    """Indices of the touches that are tried: a simple random sample by keyed luck, or all of them."""
    if not touches or touches >= len(ads.row):
        return np.arange(len(ads.row))
    key = (ads.table["person_id"], ads.table["occurred_s"] - run.start_s, ads.table["touch_slot"])
    words = Draws(run.seed).words(Purpose.TOUCH_SAMPLE, ads.table["world_id"], *key)
    return np.sort(np.argsort(words[0].astype(np.int64) << 32 | words[1].astype(np.int64), kind="stable")[:touches])


def _tries_of_group(ads: _Ads, group: _Group) -> _Tries:
    row = np.unique(ads.row[group.channels[ads.channel]])
    mask = np.broadcast_to(group.channels, (len(row), len(group.channels)))
    return _Tries(row, Withheld(mask, np.full(len(row), NONE, dtype=np.int64)))


def _copied(tries: list[_Tries], channels: int) -> tuple[Copies, list[Ints]]:
    """All copies, with a control for everybody, ascending by row; and where each try's copies are among them."""
    touched = np.unique(np.concatenate([one.row for one in tries]))
    parts = [*tries, _Tries(touched, Withheld.nothing(len(touched), channels - 1))]
    row = np.concatenate([part.row for part in parts])
    order = np.argsort(row, kind="stable")
    withheld = Withheld(
        np.concatenate([part.withheld.channels for part in parts])[order],
        np.concatenate([part.withheld.second for part in parts])[order],
    )
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    ends = np.cumsum([0, *(len(one.row) for one in tries)])
    return Copies(row[order], withheld), [place[a:b] for a, b in zip(ends[:-1], ends[1:], strict=True)]


def _world_lives(groups: list[_Group]) -> list[Life]:
    """Estimand W: the worlds as they were, then again without each group's ads; budgets, rivals and prices react."""
    nobody = Copies(np.zeros(0, dtype=np.int64), Withheld.nothing(0, len(groups[0].channels) - 1))
    return [Life(nobody), *(Life(nobody, group.channels) for group in groups)]


def _in_the_world(asked: _Asked, groups: list[_Group], lived: list[Lives]) -> list[Effect]:
    people, factual = np.arange(len(asked.cluster)), lived[0].sales
    return [
        _effect(asked, WORLD, group, (people, factual - without.sales))
        for group, without in zip(groups, lived[1:], strict=True)
    ]


def _effect(asked: _Asked, estimand: str, group: _Group, lost: tuple[Ints, Floats | Ints]) -> Effect:
    """lost: rows of people, and the sales that each lost."""
    row, delta = lost
    by_cluster = summed(asked.cluster[row], asked.clusters, delta)
    return Effect(estimand, group.by, group.code, group.name, group.touches, total(by_cluster), by_cluster)


def _touch_rows(run: RunRecord, ads: _Ads, chosen: Ints, delta: Ints) -> dict[str, Any]:
    scenario = stored_scenario(run)
    ltv_micros = round(scenario.economics.ltv_usd * 1_000_000)
    keys = {name: ads.table[name][chosen] for name in ("world_id", "person_id", "occurred_s", "touch_slot")}
    return {
        "estimand": [MARKET] * len(chosen), **keys, "sales_delta": delta.astype(np.float64),
        "value_micros": delta * ltv_micros, "inclusion": np.full(len(chosen), len(chosen) / max(len(ads.row), 1)),
    }


def _keep(store: Store, run: RunRecord, effects: list[Effect], per_touch: dict[str, Any]) -> None:
    if per_touch:
        store.add_analysis(run, {"truth_credit": per_touch}, replacing={"estimand": MARKET})
    for estimand, by in sorted({(effect.estimand, effect.by) for effect in effects}):
        these = [effect for effect in effects if (effect.estimand, effect.by) == (estimand, by)]
        rows: dict[str, Any] = {
            "estimand": [estimand] * len(these), "effect_of": [by] * len(these),
            "code": np.array([effect.code for effect in these]), "touches": np.array([effect.touches for effect in these]),
            "sales_delta": np.array([effect.sales.value for effect in these]),
            "low": np.array([effect.sales.low for effect in these]),
            "high": np.array([effect.sales.high for effect in these]),
        }
        store.add_analysis(run, {"incremental": rows}, replacing={"estimand": estimand, "effect_of": by})
