"""A scenario compiled once into tables: everything about a world that never changes while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.draws import Draws
from gaelp_sim.events import NONE, FatigueFamily, Floats, Ints
from gaelp_sim.market.auction import Rules
from gaelp_sim.market.bidder import Bidder
from gaelp_sim.market.budgets import Account, accounts_of
from gaelp_sim.market.cast import crisis_signals
from gaelp_sim.market.creatives import ClickRates
from gaelp_sim.market.landscape import Places, bucket_edges, bucket_middles
from gaelp_sim.market.rivals import HOUR_POWER, Panel
from gaelp_sim.market.rule_policy import RulePolicy
from gaelp_sim.market.seasons import Seasons
from gaelp_sim.observe.beliefs import Beliefs
from gaelp_sim.population.kinds import Kinds, kinds_of
from gaelp_sim.population.proposals import Proposer
from gaelp_sim.population.sessions import Chain, chain_of
from gaelp_sim.response.sale import Sales
from gaelp_sim.response.touch import Effects
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.units import HOURS_PER_DAY, SECONDS_PER_DAY, epoch_seconds, micros

EMAIL_CHANNEL = "email"
SITE_CHANNEL = "site"


@dataclass(frozen=True)
class Model:
    """Tables of one scenario under one seed."""

    scenario: Scenario
    draws: Draws
    kinds: Kinds
    proposer: Proposer
    chain: Chain
    effects: Effects
    sales: Sales
    rules: Rules
    places: Places
    accounts: list[Account]
    beliefs: Beliefs
    seasons: Seasons
    click_rates: ClickRates | None
    """What our controller learns of creatives, where it picks one for the hour"""
    us: Bidder
    outsiders: dict[int, Callable[[], Bidder]]
    """How to make bidders from outside, by code"""
    panel: Panel
    crisis_signals: NDArray[np.bool_]
    """(signals,): by these one tells people in a crisis"""
    truthful: NDArray[np.bool_]
    """(channels,): bidding one's value is best there whatever the others do"""
    bidder_names: list[str]
    market_price_micros: Ints
    """(signals,): median price to beat"""
    quality_ranks: bool
    several_slots: bool
    half_life_s: Floats
    """(LEVELS,): goodwill, rivals' goodwill, fatigue of both families"""
    refreshed: dict[int, set[int]]
    """Fatigue families that are made anew at the start of a day of the run"""
    goodwill_needed: NDArray[np.int8]
    """(channels,)"""
    campaign_of_channel: NDArray[np.int16]
    """(channels,): our campaign's code, NONE where we run none"""
    attention: Floats
    """(segments,)"""
    signup: Floats
    """(creatives,)"""
    crisis_segment: int
    drift_to: NDArray[np.int8]
    """(segments,)"""
    local_hour_price: Floats
    """(24,): price factor by local hour"""
    traffic_passed: Floats
    """(25,): share of a day's traffic before each UTC hour"""
    start_s: int
    timeout_s: int

    @property
    def channels(self) -> int:
        """Number of auction channels; e-mail and site visits are coded after them."""
        return len(self.scenario.channels)

    @property
    def bidders(self) -> int:
        """Us and the rivals."""
        return 1 + len(self.scenario.rivals)

    @property
    def seats(self) -> tuple[int, int, int]:
        """Numbers of rivals, channels and signals."""
        return len(self.scenario.rivals), self.channels, len(self.market_price_micros)

    @property
    def email_cost_micros(self) -> int:
        """Cost of one e-mail."""
        return micros(self.scenario.email.cost_usd) if self.scenario.email else 0

    def nothing_shown(self, units: int) -> Ints:
        """Impressions and clicks of nobody: (units, 2, signals, creatives)."""
        return np.zeros((units, 2, len(self.market_price_micros), len(self.signup)), dtype=np.int64)

    def local_hour(self, hour: int) -> int:
        """Local hour of the day at an hour since the start."""
        return (hour + self.scenario.utc_offset_hours) % HOURS_PER_DAY

    def names(self) -> dict[str, list[str]]:
        """The names behind the codes, by kind."""
        scenario = self.scenario
        return {
            "channel": [channel.name for channel in scenario.channels] + [EMAIL_CHANNEL, SITE_CHANNEL],
            "creative": [creative.name for creative in scenario.creatives],
            "signal": [signal.name for channel in scenario.channels for signal in channel.signals],
            "segment": [segment.name for segment in scenario.population.segments],
            "advertiser": [scenario.us.name] + [rival.name for rival in scenario.rivals],
            "campaign": [campaign.name for campaign in scenario.us.campaigns] + [EMAIL_CHANNEL],
            "parameter": [interval.key for interval in scenario.intervals],
        }


def model_of(
    scenario: Scenario, seed: int, us: Bidder | None = None, outsiders: dict[int, Callable[[], Bidder]] | None = None
) -> Model:
    """Compile a scenario; `us` bids for us in place of the default rule, `outsiders` in place of other seats."""
    draws, kinds = Draws(seed), kinds_of(scenario)
    rules, segments = Rules.of(scenario), scenario.population.segments
    prices = np.array([micros(signal.price_median_usd) for channel in scenario.channels for signal in channel.signals])
    names = [segment.name for segment in segments]
    crisis = [code for code, segment in enumerate(segments) if segment.crisis]
    local = np.array(scenario.curves.hour) / np.mean(scenario.curves.hour)
    utc = np.roll(local, -scenario.utc_offset_hours)
    return Model(
        scenario, draws, kinds,
        Proposer.of(draws, kinds, scenario),
        chain_of(scenario), Effects.of(scenario), Sales.of(scenario), rules,
        Places(bucket_edges(prices), bucket_middles(prices), _campaigns(scenario) != NONE, rules), accounts_of(scenario),
        Beliefs.of(scenario), Seasons.of(scenario, draws), ClickRates.of(scenario, draws),
        us or RulePolicy.of(scenario), outsiders or {}, Panel.of(scenario), crisis_signals(scenario),
        np.array([channel.mechanism in ("second_price", "vcg") or (channel.mechanism == "gsp" and channel.slots == 1)
                  for channel in scenario.channels]),
        [scenario.us.name] + [rival.name for rival in scenario.rivals],
        prices,
        any(channel.quality_ranked for channel in scenario.channels),
        any(channel.slots > 1 for channel in scenario.channels),
        _half_lives(scenario), _refreshed(scenario),
        np.array([channel.goodwill_needed for channel in scenario.channels], dtype=np.int8),
        _campaigns(scenario),
        np.array([segment.attention for segment in segments]),
        np.array([creative.signup_on_click for creative in scenario.creatives]),
        crisis[0] if crisis else NONE,
        np.array([names.index(s.drift_to) if s.drift_to else code for code, s in enumerate(segments)], dtype=np.int8),
        local**HOUR_POWER,
        np.concatenate([[0.0], np.cumsum(utc) / utc.sum()]),
        epoch_seconds(scenario.start), round(scenario.timeout.days * SECONDS_PER_DAY),
    )


def _half_lives(scenario: Scenario) -> Floats:
    response = scenario.response
    days = [
        response.goodwill_half_life_days, response.rival_goodwill_half_life_days,
        response.fatigue_half_life_days, response.fatigue_half_life_days,
    ]
    assert [FatigueFamily.TEACH, FatigueFamily.OFFER] == [0, 1], "levels are stored by family"
    return np.array(days) * SECONDS_PER_DAY


def _refreshed(scenario: Scenario) -> dict[int, set[int]]:
    days: dict[int, set[int]] = {}
    for creative in scenario.creatives:
        for day in creative.refresh_days:
            days.setdefault(day, set()).add(int(FatigueFamily[creative.family.upper()]))
    return days


def _campaigns(scenario: Scenario) -> NDArray[np.int16]:
    names = [channel.name for channel in scenario.channels]
    codes = np.full(len(names), NONE, dtype=np.int16)
    for code, campaign in reversed(list(enumerate(scenario.us.campaigns))):
        codes[names.index(campaign.channel)] = code
    return codes

