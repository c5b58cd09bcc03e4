"""Rules for scripted journeys: known names, time that never goes back, and only the keys that a moment's kind uses."""

from __future__ import annotations

from collections.abc import Iterator

from gaelp_sim.scenario.problems import Path, Problem, unknown_name
from gaelp_sim.scenario.scalars import shown
from gaelp_sim.scenario.schema import Scenario, ScriptEvent, ScriptPerson
from gaelp_sim.units import HOURS_PER_DAY

ALWAYS = frozenset({"day", "hour", "minute", "kind", "note", "device", "stage"})
KEYS_BY_KIND = {
    "impression": ALWAYS | {"channel", "signal", "query", "advertiser", "creative", "bids", "price_usd", "clicked"},
    "email": ALWAYS | {"query", "advertiser", "creative", "price_usd", "clicked"},
    "visit": ALWAYS | {"advertiser"},
    "crisis": ALWAYS | {"segment"},
    "signup": ALWAYS | {"advertiser"},
    "purchase": ALWAYS | {"advertiser"},
}
NEEDED_BY_KIND = {"impression": ("channel", "signal", "advertiser")}


def script_problems(scenario: Scenario) -> Iterator[Problem]:
    """Every broken rule of the scripted people."""
    segments = [segment.name for segment in scenario.population.segments]
    for position, person in enumerate(scenario.script):
        here: Path = ("script", position)
        if person.segment not in segments:
            yield unknown_name((*here, "segment"), person.segment, segments, kind="segment")
        yield from _times(here, person, scenario)
        for at, event in enumerate(person.events):
            yield from _event((*here, "events", at), event, scenario)


def _times(here: Path, person: ScriptPerson, scenario: Scenario) -> Iterator[Problem]:
    last, days, offset = (0, 0, 0), scenario.days, scenario.utc_offset_hours
    for at, event in enumerate(person.events):
        moment = (event.day, event.hour, event.minute)
        if event.day > days:
            yield Problem((*here, "events", at, "day"), f"day {event.day} is after the run's last day, {days} (see `days`)")
        elif not 0 <= (event.day - 1) * HOURS_PER_DAY + event.hour - offset < days * HOURS_PER_DAY:
            outside = f"{event.hour} o'clock here lies outside the run, whose days are UTC (see `utc_offset_hours`)"
            yield Problem((*here, "events", at, "hour"), outside)
        if moment < last:
            yield Problem((*here, "events", at, "day"), "the moment is earlier than the one before it; write them in order")
        last = moment


def _event(here: Path, event: ScriptEvent, scenario: Scenario) -> Iterator[Problem]:
    yield from _keys(here, event)
    yield from _places(here, event, scenario)
    us, rivals = scenario.us.name, [rival.name for rival in scenario.rivals]
    advertisers = [us, *rivals]
    if event.advertiser is not None and event.advertiser not in advertisers:
        yield unknown_name((*here, "advertiser"), event.advertiser, advertisers, kind="advertiser")
    if event.kind in ("email", "signup") and event.advertiser not in (None, us):
        yield Problem((*here, "advertiser"), f"only our own e-mails are simulated; leave it out, or write {us}")
    creatives = [creative.name for creative in scenario.creatives]
    if event.creative is not None and event.advertiser not in (None, us):
        yield Problem((*here, "creative"), f"rivals' creatives have no names here; only {us} shows creatives")
    elif event.creative is not None and event.creative not in creatives:
        yield unknown_name((*here, "creative"), event.creative, creatives, kind="creative")
    segments = [segment.name for segment in scenario.population.segments]
    if event.segment is not None and event.segment not in segments:
        yield unknown_name((*here, "segment"), event.segment, segments, kind="segment")
    yield from _bids(here, event, advertisers)


def _keys(here: Path, event: ScriptEvent) -> Iterator[Problem]:
    for key, field in ScriptEvent.model_fields.items():
        given = field.is_required() or getattr(event, key) != field.get_default(call_default_factory=True)
        if given and key not in KEYS_BY_KIND[event.kind]:
            yield Problem((*here, key), f"a moment of kind '{event.kind}' has no {key}; remove it")
    for key in NEEDED_BY_KIND.get(event.kind, ()):
        if getattr(event, key) is None:
            yield Problem(here, f"a moment of kind '{event.kind}' needs the key '{key}'")


def _places(here: Path, event: ScriptEvent, scenario: Scenario) -> Iterator[Problem]:
    channels = {channel.name: channel for channel in scenario.channels}
    if event.channel is None:
        return
    if event.channel not in channels:
        yield unknown_name((*here, "channel"), event.channel, channels, kind="channel")
        return
    signals = [signal.name for signal in channels[event.channel].signals]
    if event.signal is not None and event.signal not in signals:
        yield unknown_name((*here, "signal"), event.signal, signals, kind=f"signal of {event.channel}")


def _bids(here: Path, event: ScriptEvent, advertisers: list[str]) -> Iterator[Problem]:
    bids: dict[str, float] = {}
    for at, bid in enumerate(event.bids):
        path: Path = (*here, "bids", at, "advertiser")
        if bid.advertiser not in advertisers:
            yield unknown_name(path, bid.advertiser, advertisers, kind="advertiser")
        if bid.advertiser in bids:
            yield Problem(path, f"{shown(bid.advertiser)} bids twice; once an auction")
        bids[bid.advertiser] = bid.bid_usd
    own = bids.get(event.advertiser or "")
    if bids and event.advertiser in advertisers and own is None:
        yield Problem((*here, "bids"), f"{shown(event.advertiser)} is shown but does not bid; add its bid")
    if own is not None and event.price_usd > own:
        yield Problem((*here, "price_usd"), f"the price {event.price_usd:g} is above the bid {own:g} of {event.advertiser}")
