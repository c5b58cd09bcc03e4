"""Rules that hold between the parts of a scenario; each broken one is a Problem at the value to change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, pairwise
from typing import Protocol

from gaelp_sim.scenario.problems import Path, Problem, unknown_name
from gaelp_sim.scenario.scalars import shown
from gaelp_sim.scenario.schema import Channel, Scenario, StageRates, StageShares
from gaelp_sim.scenario.script_checks import script_problems

SUM_TOLERANCE = 1e-6
PEOPLE_PER_CELL_MIN = 100
PER_DAY_MAX = 24.0
STAGES = ("unaware", "aware", "considering", "intent")
RESERVED_CHANNEL = "email"
SEVERAL_SLOTS = ("gsp", "vcg")
NO_CRISIS_SEGMENT = "no segment has `crisis: true`, so nobody can turn crisis"


class _Named(Protocol):
    @property
    def name(self) -> str: ...


def cross_problems(scenario: Scenario) -> list[Problem]:
    """Every broken rule between parts, in no particular order; empty for a sound scenario."""
    rules: tuple[Callable[[Scenario], Iterator[Problem]], ...] = (
        _unique_names,
        _population,
        _segment_moves,
        _channels,
        _creatives,
        _campaigns,
        _rivals,
        _crises,
        _sums,
        script_problems,
    )
    return list(chain.from_iterable(rule(scenario) for rule in rules))


def _names(items: Sequence[_Named]) -> list[str]:
    return [item.name for item in items]


def _unique_names(scenario: Scenario) -> Iterator[Problem]:
    lists: list[tuple[Path, Sequence[_Named]]] = [
        (("population", "segments"), scenario.population.segments),
        (("channels",), scenario.channels),
        (("creatives",), scenario.creatives),
        (("us", "campaigns"), scenario.us.campaigns),
        (("rivals",), scenario.rivals),
        (("curves", "events"), scenario.curves.events),
        (("crises",), scenario.crises),
        (("script",), scenario.script),
    ]
    lists += [(("channels", i, "signals"), channel.signals) for i, channel in enumerate(scenario.channels)]
    for path, items in lists:
        yield from _repeated(path, _names(items), key="name")


def _repeated(path: Path, names: Sequence[str], *, key: str | None = None) -> Iterator[Problem]:
    for position, name in enumerate(names):
        if name in names[:position]:
            where: Path = (*path, position, key) if key else (*path, position)
            yield Problem(where, f"{shown(name)} is given twice; names in this list must differ")


def _population(scenario: Scenario) -> Iterator[Problem]:
    people, cells = scenario.population.people, scenario.cells
    if cells > 1 and cells > people / PEOPLE_PER_CELL_MIN:
        most = max(1, people // PEOPLE_PER_CELL_MIN)
        rule = f"at most {most}, one per {PEOPLE_PER_CELL_MIN} people"
        yield Problem(("cells",), f"{cells} cells are too many for {people} people; {rule}")
    for stage in STAGES:
        if getattr(scenario.population.visits_per_day, stage) > PER_DAY_MAX:
            yield Problem(("population", "visits_per_day", stage), f"more than {PER_DAY_MAX:g} a day; at most one an hour")


def _segment_moves(scenario: Scenario) -> Iterator[Problem]:
    segments = scenario.population.segments
    crisis = [position for position, segment in enumerate(segments) if segment.crisis]
    for position in crisis[1:]:
        message = f"{shown(segments[crisis[0]].name)} is the crisis segment; there can be only one"
        yield Problem(("population", "segments", position, "crisis"), message)
    for position, segment in enumerate(segments):
        here: Path = ("population", "segments", position)
        if segment.crisis_per_day > 0 and not crisis:
            yield Problem((*here, "crisis_per_day"), f"{NO_CRISIS_SEGMENT}; mark one, or set 0")
        if segment.crisis_per_day > 0 and segment.crisis:
            yield Problem((*here, "crisis_per_day"), "people of the crisis segment are in crisis already; it must be 0")
        if (segment.drift_per_day > 0) != (segment.drift_to is not None):
            lacking = "drift_to names no segment" if segment.drift_to is None else "drift_per_day is 0"
            yield Problem((*here, "drift_per_day"), f"drift needs a rate and a goal: {lacking}")
        if segment.drift_to == segment.name:
            yield Problem((*here, "drift_to"), "a segment cannot drift to itself")
        elif segment.drift_to is not None and segment.drift_to not in _names(segments):
            yield unknown_name((*here, "drift_to"), segment.drift_to, _names(segments), kind="segment")


def _channels(scenario: Scenario) -> Iterator[Problem]:
    for position, channel in enumerate(scenario.channels):
        here: Path = ("channels", position)
        if channel.name == RESERVED_CHANNEL:
            yield Problem((*here, "name"), "the name 'email' is kept for the owned channel; see `email`")
        if channel.slots > 1 and channel.mechanism not in SEVERAL_SLOTS:
            needed, given = " or ".join(SEVERAL_SLOTS), channel.mechanism
            yield Problem((*here, "slots"), f"{channel.slots} slots need `mechanism: {needed}`; {given} sells one")
        yield from _slot_factors((*here, "slot_factors"), channel)
        if channel.slots > 1 and scenario.population.user_model is not None:
            yield Problem((*here, "slots"), "population.user_model is asked about one ad at a time; set 1")
        for stage in STAGES:
            if getattr(channel.click_rate, stage) > 1:
                yield Problem((*here, "click_rate", stage), "a click rate is a probability; at most 1")
        yield from _crisis_shares(here, channel)
    yield from _traffic(scenario)


def _slot_factors(path: Path, channel: Channel) -> Iterator[Problem]:
    factors = channel.slot_factors
    if factors and len(factors) != channel.slots:
        yield Problem(path, f"{len(factors)} factors for {channel.slots} slots; give one a slot, or none")
    if factors and factors[0] != 1:
        rule = "the others are relative to it, so it must be 1"
        yield Problem((*path, 0), f"the top slot's factor is {factors[0]:g}; {rule}")
    for position, (above, factor) in enumerate(pairwise(factors), start=1):
        if factor > above:
            yield Problem((*path, position), f"{factor:g} is above the slot before it, {above:g}; factors must not rise")


def _crisis_shares(here: Path, channel: Channel) -> Iterator[Problem]:
    given = [signal.crisis_share is not None for signal in channel.signals]
    if any(given) and not all(given):
        message = "crisis_share is given for other signals of this channel; give it for all, or for none"
        yield Problem((*here, "signals", given.index(False)), message)


def _traffic(scenario: Scenario) -> Iterator[Problem]:
    """A person can have at most one opportunity an hour (or as many as the scenario allows), so a day's rate is bounded."""
    most = PER_DAY_MAX * scenario.population.opportunities_per_hour_max
    fastest = max(segment.search_rate_factor for segment in scenario.population.segments)
    for stage in STAGES:
        rates = [
            getattr(channel.opportunities_per_day, stage) * (fastest if channel.search_like else 1)
            for channel in scenario.channels
        ]
        if sum(rates) > most:
            path: Path = ("channels", rates.index(max(rates)), "opportunities_per_day", stage)
            total = f"{sum(rates):.6g} opportunities per person-day"
            yield Problem(path, f"all channels together reach {total}; at most {most:g}")


def _creatives(scenario: Scenario) -> Iterator[Problem]:
    signals = sorted({signal.name for channel in scenario.channels for signal in channel.signals})
    for position, creative in enumerate(scenario.creatives):
        path: Path = ("creatives", position, "made_for")
        yield from _repeated(path, creative.made_for)
        for at, name in enumerate(creative.made_for):
            if name not in signals:
                yield unknown_name((*path, at), name, signals, kind="signal")


def _campaigns(scenario: Scenario) -> Iterator[Problem]:
    channels, creatives = _names(scenario.channels), _names(scenario.creatives)
    for position, campaign in enumerate(scenario.us.campaigns):
        here: Path = ("us", "campaigns", position)
        if campaign.channel not in channels:
            yield unknown_name((*here, "channel"), campaign.channel, channels, kind="channel")
        if campaign.channel in [earlier.channel for earlier in scenario.us.campaigns[:position]]:
            yield Problem((*here, "channel"), f"{shown(campaign.channel)} has a campaign already; one campaign a channel")
        yield from _repeated((*here, "creatives"), campaign.creatives)
        for at, creative in enumerate(campaign.creatives):
            if creative not in creatives:
                yield unknown_name((*here, "creatives", at), creative, creatives, kind="creative")


def _rivals(scenario: Scenario) -> Iterator[Problem]:
    for position, rival in enumerate(scenario.rivals):
        if rival.name == scenario.us.name:
            message = f"{shown(rival.name)} is our own name (us.name); a rival needs another"
            yield Problem(("rivals", position, "name"), message)


def _crises(scenario: Scenario) -> Iterator[Problem]:
    segments = scenario.population.segments
    calm = [segment.name for segment in segments if not segment.crisis]
    for position, crisis in enumerate(scenario.crises):
        here: Path = ("crises", position)
        if len(calm) == len(segments):
            yield Problem(here, f"{NO_CRISIS_SEGMENT}; mark one, or remove the crisis")
        if crisis.on_day is not None and crisis.per_year > 0:
            yield Problem((*here, "per_year"), "on_day fixes the day; leave per_year out or set 0")
        yield from _repeated((*here, "segments"), crisis.segments)
        for at, name in enumerate(crisis.segments):
            if name not in calm:
                yield unknown_name((*here, "segments", at), name, calm, kind="segment outside crisis")


def _sums(scenario: Scenario) -> Iterator[Problem]:
    segments = [segment.share for segment in scenario.population.segments]
    yield from _sum_to_one(("population", "segments"), segments, what="the segments' shares")
    homes = scenario.population.households
    yield from _sum_to_one(("population", "households"), (homes.one, homes.two, homes.three), what="the shares of homes")
    lags = [part.weight for part in scenario.conversion.purchase_lag]
    yield from _sum_to_one(("conversion", "purchase_lag"), lags, what="the weights")
    for position, channel in enumerate(scenario.channels):
        path: Path = ("channels", position, "signals")
        crisis = [signal.crisis_share for signal in channel.signals if signal.crisis_share is not None]
        yield from _stages_sum_to_one(path, [signal.share for signal in channel.signals], what="share")
        if len(crisis) == len(channel.signals):
            yield from _stages_sum_to_one(path, crisis, what="crisis_share")


def _stages_sum_to_one(path: Path, shares: Sequence[StageRates | StageShares], *, what: str) -> Iterator[Problem]:
    for stage in STAGES:
        yield from _sum_to_one(path, [getattr(share, stage) for share in shares], what=f"{what}.{stage} of the signals")


def _sum_to_one(path: Path, shares: Sequence[float], *, what: str) -> Iterator[Problem]:
    total = sum(shares)
    if abs(total - 1) > SUM_TOLERANCE:
        yield Problem(path, f"{what} sum to {total:.6g}; they must sum to 1")
