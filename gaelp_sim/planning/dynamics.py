"""One person's world as tables: from each state, what an hour may bring and where it leads.

A `Lead` tells where something leads: a few next states with their chances, and the mean value of sales on the way. All
of them are made once, for all states at a time; the recursion and the bidders only look them up.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.events import NONE, Floats, Ints
from gaelp_sim.market.creatives import Fits
from gaelp_sim.planning.leads import Lead, after_change, after_mail, where_lost, where_shown
from gaelp_sim.planning.prices import Prices, prices_of
from gaelp_sim.planning.states import LIVE, SEGMENT, States
from gaelp_sim.population.people import LEVELS
from gaelp_sim.population.sessions import signal_shares
from gaelp_sim.scenario.schema import Scenario, Variation
from gaelp_sim.units import HOURS_PER_DAY, MICROS_PER_UNIT, PER_MILLE, SECONDS_PER_HOUR
from gaelp_sim.world.model import Model


class Options(NamedTuple):
    """The ads that we may show, by channel: (options,) each channel's together, and (options, states)."""

    first: Ints
    """(channels + 1,): where each channel's begin"""
    creative: NDArray[np.int16]
    clicks: Floats
    """Probability of a click"""
    rank: Floats
    """What our bid is multiplied by where it competes: the quality where the channel ranks by it"""
    paid: Floats
    """What of the price to beat we pay on average where we win, in dollars"""
    shown: Lead
    """(options x states)"""
    stands: Ints
    """(channels, creatives): the option that does what a creative does there, NONE where it may not be shown"""


class Dynamics(NamedTuple):
    """Everything that does not change from hour to hour."""

    states: States
    prices: Prices
    options: Options
    lists: int
    """2 where being on the e-mail list is part of a person's state, else 1"""
    segments: int
    signal_shares: Floats
    """(signals, segments x LIVE): P(signal | channel, segment, stage)"""
    first_signal: Ints
    """(channels + 1,)"""
    fitting: Ints
    """(signals,): the option that the rule shows somebody unknown"""
    slots_per_day: Floats
    """(states,): opportunities"""
    channel: Floats
    """(channels, states): on which channel the next one is"""
    lost: Lead
    """(channels x states): somebody else's ad is shown"""
    changes_per_day: Floats
    """(states,): changes of stage or segment, and decisions to buy"""
    changed: Lead
    struck: Ints
    """(states,): where news leads that turns people crisis"""
    mails_per_day: float
    mail_usd: float
    mailed: Lead
    alive: Floats
    """(LEVELS,): probability that a unit of a level survives an hour"""


class Calendar(NamedTuple):
    """What is known of each hour ahead: (hours,) columns."""

    day_share: Floats
    """Share of a day's events"""
    traffic: Floats
    """Factor on opportunities"""
    price: Floats
    """Factor on rivals' bids"""
    strikes: Floats
    """(hours, segments): probability that news turns a person crisis"""


def dynamics_of(model: Model) -> Dynamics:
    """Compile a model."""
    scenario = model.scenario
    listed = scenario.email is not None and scenario.email.per_day > 0 and bool((model.signup > 0).any())
    lists, segments = 2 if listed else 1, model.kinds.segments
    states = States.all(lists, segments)
    prices, options = prices_of(model), _options(model, states, mails=listed)
    signals = np.cumsum([0, *(len(channel.signals) for channel in scenario.channels)]).astype(np.int64)
    total, channel = _slots(model, states)
    changes, changed = after_change(model, states)
    return Dynamics(
        states, prices, options, lists, segments, _shares(model), signals, _fitting(model, options, signals), total,
        channel, where_lost(model, prices.sold[signals[:-1]], states), changes, changed, _struck(model, states),
        float(scenario.email.per_day) if scenario.email else 0.0, model.email_cost_micros / MICROS_PER_UNIT,
        after_mail(model, states), 2.0 ** (-SECONDS_PER_HOUR / model.half_life_s[:LEVELS]),
    )


def calendar_of(model: Model, hours: int) -> Calendar:
    """The first `hours` of a model's worlds, as everybody knows them beforehand."""
    known = replace(model.seasons, variation=Variation(market_noise_sd=0.0))
    nobody = np.zeros(1, dtype=np.int64)
    days = [known.day(day, nobody, nobody) for day in range(-(-hours // HOURS_PER_DAY))]
    passed = np.diff(model.traffic_passed)
    hour = np.arange(hours)
    local = (hour + model.scenario.utc_offset_hours) % HOURS_PER_DAY
    event = np.array([float(day.prices[0]) for day in days])[hour // HOURS_PER_DAY]
    return Calendar(
        passed[hour % HOURS_PER_DAY], np.array([float(day.traffic[0]) for day in days])[hour // HOURS_PER_DAY],
        event * model.local_hour_price[local], _strikes(model.scenario, hours),
    )


def _strikes(scenario: Scenario, hours: int) -> Floats:
    names = [segment.name for segment in scenario.population.segments]
    strikes = np.zeros((hours, len(names)))
    days = np.arange(hours) // HOURS_PER_DAY
    for news in scenario.crises:
        daily = np.full(hours, news.per_year / 365.25) if news.on_day is None else (days == news.on_day).astype(float)
        here = [names.index(name) for name in news.segments]
        strikes[:, here] += (daily * news.turns_crisis / HOURS_PER_DAY)[:, None]
    crisis = np.array([segment.crisis for segment in scenario.population.segments])
    strikes[:, crisis] = 0.0
    return strikes if crisis.any() else np.zeros_like(strikes)


def _struck(model: Model, states: States) -> Ints:
    here = np.arange(len(states.stage))
    if model.crisis_segment == NONE:
        return here
    return np.asarray(here + (model.crisis_segment - states.segment) * SEGMENT)


def _slots(model: Model, states: States) -> tuple[Floats, Floats]:
    """Opportunities a day, and how they part into channels."""
    rates = model.kinds.rate_per_day[: model.channels, states.segment, states.stage]
    rates = np.where(states.goodwill >= model.goodwill_needed[:, None], rates, 0.0)
    total = rates.sum(axis=0)
    return total, rates / np.maximum(total, 1e-300)


def _shares(model: Model) -> Floats:
    crisis = model.chain.crisis_segment.astype(np.int64)
    parts = [signal_shares(channel)[crisis][:, :LIVE].transpose(2, 0, 1) for channel in model.scenario.channels]
    whole = np.concatenate(parts)
    return np.ascontiguousarray(whole.reshape(len(whole), -1))


def _options(model: Model, states: States, *, mails: bool) -> Options:
    """Creatives by channel; of several that do the same, the first."""
    fits, effects = Fits.of(model.scenario), model.effects
    channels: list[int] = []
    creatives: list[int] = []
    stands = np.full((model.channels, len(model.scenario.creatives)), NONE, dtype=np.int64)
    for channel in range(model.channels):
        known: list[tuple[float, ...]] = []
        first = len(channels)
        for code in dict.fromkeys(fits.options[channel][: int(fits.option_count[channel])].tolist()):
            does = (*effects.match[code].tolist(), float(effects.family[code]), mails * float(model.signup[code]))
            if does not in known:
                known.append(does)
                channels.append(channel)
                creatives.append(code)
            stands[channel, code] = first + known.index(does)
    worn = np.where(effects.family[creatives][:, None] == 0, states.teach, states.offer)
    quality = effects.match[creatives][:, states.stage] * effects.worn[worn]
    rate = effects.click_rate[channels][:, states.stage] * effects.segment_click[states.segment]
    clicks = np.minimum(rate * quality, 1.0)
    ranked, per_click = model.rules.quality_ranked[channels, None], model.rules.per_click[channels, None]
    rank = np.where(ranked, np.maximum(quality, 1e-6), 1.0)
    paid = np.where(per_click, clicks / rank, 1.0 / PER_MILLE)
    shown = [where_shown(model, place, states) for place in zip(channels, creatives, strict=True)]
    return Options(
        np.searchsorted(channels, np.arange(model.channels + 1)).astype(np.int64), np.array(creatives, dtype=np.int16),
        clicks, rank, paid, Lead.stacked(shown), stands,
    )


def _fitting(model: Model, options: Options, first_signal: Ints) -> Ints:
    """The rule's creative for somebody unknown on each signal, as an option; NONE where we run no campaign."""
    best, match, family = Fits.of(model.scenario).best[0], model.effects.match, model.effects.family
    fitting = np.full(len(best), NONE, dtype=np.int64)
    for channel in range(model.channels):
        mine = range(int(options.first[channel]), int(options.first[channel + 1]))
        for signal in range(int(first_signal[channel]), int(first_signal[channel + 1])):
            for option in reversed(mine):
                code, wanted = options.creative[option], best[signal]
                if family[code] == family[wanted] and (match[code] == match[wanted]).all():
                    fitting[signal] = option
    return fitting

