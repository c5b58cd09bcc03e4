"""Rules between the parts of a scenario: each broken one is told where it is broken."""

# ruff: noqa: E501 - a case is a row: what is changed, and the whole message

from __future__ import annotations

import pytest

from gaelp_sim.errors import ScenarioError
from gaelp_sim.scenario.loading import load_scenario

FLAGSHIP = [
    ("rivals.Bark.name=Circle", "rivals.Circle.name: 'Circle' is given twice; names in this list must differ"),
    ("channels.video.name=social", "channels.social.name: 'social' is given twice; names in this list must differ"),
    ("channels.social.signals.broad.name=interest", "'interest' is given twice; names in this list must differ"),
    ("channels.video.name=email", "channels.email.name: the name 'email' is kept for the owned channel; see `email`"),
    ("rivals.Bark.name=Aura", "rivals.Aura.name: 'Aura' is our own name (us.name); a rival needs another"),
    ("us.campaigns.Video.channel=vidoe", "us.campaigns.Video.channel: no channel is named 'vidoe', did you mean 'video'?"),
    ("us.campaigns.Video.channel=search", "us.campaigns.Video.channel: 'search' has a campaign already; one campaign a channel"),
    ("us.campaigns.Video.creatives.0=teech", "us.campaigns.Video.creatives.0: no creative is named 'teech', did you mean 'teach'?"),
    ("us.campaigns.Video.creatives.0=offer", "us.campaigns.Video.creatives.1: 'offer' is given twice; names in this list must differ"),
    ("creatives.emergency.made_for.0=urgnt", "creatives.emergency.made_for.0: no signal is named 'urgnt', did you mean 'urgent'?"),
    ("population.segments.casual.crisis=true", "'crisis' is the crisis segment; there can be only one"),
    ("population.segments.crisis.crisis_per_day=0.1", "people of the crisis segment are in crisis already; it must be 0"),
    ("population.segments.crisis.crisis=false", "no segment has `crisis: true`, so nobody can turn crisis; mark one, or set 0"),
    ("population.segments.casual.drift_per_day=0.1", "drift needs a rate and a goal: drift_to names no segment"),
    ("population.segments.casual.drift_to=crisis", "drift needs a rate and a goal: drift_per_day is 0"),
    ("crises.app in the news.segments.0=concernd", "no segment outside crisis is named 'concernd', did you mean 'concerned'?"),
    ("crises.app in the news.segments.0=crisis", "no segment outside crisis is named 'crisis'; valid: casual, concerned, researcher"),
    ("crises.app in the news.on_day=3", "on_day fixes the day; leave per_year out or set 0"),
    ("population.segments.casual.share=0.36", "population.segments: the segments' shares sum to 1.01; they must sum to 1"),
    ("population.households.one=0.4", "population.households: the shares of homes sum to 1.05; they must sum to 1"),
    ("conversion.purchase_lag.0.weight=0.5", "conversion.purchase_lag: the weights sum to 0.992; they must sum to 1"),
    (
        "channels.search.signals.urgent.share.intent=0.3",
        "channels.search.signals: share.intent of the signals sum to 1.1; they must sum to 1",
    ),
    (
        "channels.search.signals.urgent.crisis_share.aware=0.3",
        "channels.search.signals: crisis_share.aware of the signals sum to 0.99; they must sum to 1",
    ),
    (
        "channels.search.signals.urgent.crisis_share=null",
        "crisis_share is given for other signals of this channel; give it for all, or for none",
    ),
    ("channels.search.click_rate.intent=1.5", "channels.search.click_rate.intent: a click rate is a probability; at most 1"),
    (
        "channels.search.opportunities_per_day.intent=20",
        "channels.search.opportunities_per_day.intent: all channels together reach 30.75 opportunities per person-day; at most 24",
    ),
    ("population.visits_per_day.aware=30", "population.visits_per_day.aware: more than 24 a day; at most one an hour"),
    (
        "curves.events=[{name: a, first_day: 11-01, last_day: 11-02}, {name: a, first_day: 12-01, last_day: 12-02}]",
        "curves.events.a.name: 'a' is given twice; names in this list must differ",
    ),
    ("curves.events=[{name: a, first_day: 02-30, last_day: 03-01}]", "curves.events.a.first_day: '02-30' is not a day of the calendar"),
    ("curves.events=[{name: a, first_day: 02-29, last_day: 3-1}]", "curves.events.a.last_day: it must be a day of the year written as MM-DD"),
    ("us.frequency_cap={impressions: 0, days: 7}", "us.frequency_cap.impressions: 0 is too small; at least 1"),
    ("us.frequency_cap={impressions: 3}", "us.frequency_cap: key 'days' is missing"),
    ("us.policy.device_adjustments.phone=2", "unknown key 'phone'; valid: desktop, mobile, tablet"),
    ("us.policy.creatives=rotat", "us.policy.creatives: 'rotat' is not allowed, did you mean 'rotate'?"),
    ("creatives.teach.refresh_days=[-1]", "creatives.teach.refresh_days.0: -1 is too small; at least 0"),
    ("cells=101", "cells: 101 cells are too many for 10000 people; at most 100, one per 100 people"),
    ("response.goodwill_half_life_days=0.01", "response.goodwill_half_life_days: 0.01 is too small; at least 0.03"),
]
SCRIPT = [
    ("script.Lisa.segment=concerned", "script.Lisa.segment: no segment is named 'concerned', did you mean 'concerned_parent'?"),
    ("script.Lisa.events.0.advertiser=Norton", "script.Lisa.events.0.advertiser: no advertiser is named 'Norton'; valid: Aura, Bark, Qustodio"),
    ("script.Lisa.events.0.signal=urgnt", "script.Lisa.events.0.signal: no signal of search is named 'urgnt', did you mean 'urgent'?"),
    ("script.Lisa.events.0.channel=serch", "script.Lisa.events.0.channel: no channel is named 'serch', did you mean 'search'?"),
    ("script.Lisa.events.0.creative=offer", "script.Lisa.events.0.creative: rivals' creatives have no names here; only Aura shows creatives"),
    ("script.Lisa.events.1.creative=offr", "script.Lisa.events.1.creative: no creative is named 'offr', did you mean 'offer'?"),
    ("script.Lisa.events.0.bids.2.advertiser=Bark", "script.Lisa.events.0.bids.2.advertiser: 'Bark' bids twice; once an auction"),
    ("script.Lisa.events.1.price_usd=1.9", "script.Lisa.events.1.price_usd: the price 1.9 is above the bid 1.8 of Aura"),
    ("script.Lisa.events.1.bids=[{advertiser: Bark, bid_usd: 1}]", "'Aura' is shown but does not bid; add its bid"),
    ("script.Lisa.events.2.price_usd=1", "script.Lisa.events.2.price_usd: a moment of kind 'signup' has no price_usd; remove it"),
    ("script.Lisa.events.6.channel=null", "script.Lisa.events.6: a moment of kind 'impression' needs the key 'channel'"),
    ("script.Lisa.events.1.day=1", "script.Lisa.events.1.day: the moment is earlier than the one before it; write them in order"),
    ("script.Lisa.events.8.day=9", "script.Lisa.events.8.day: day 9 is after the run's last day, 7 (see `days`)"),
    ("script.Lisa.events.2.advertiser=Bark", "only our own e-mails are simulated; leave it out, or write Aura"),
    ("script.Lisa.events.3.segment=semi", "script.Lisa.events.3.segment: no segment is named 'semi', did you mean 'semi_crisis'?"),
]

SLOTS = [
    ("channels.search.slots=2", "channels.search.slot_factors: 3 factors for 2 slots; give one a slot, or none"),
    ("channels.search.slot_factors=[0.9, 0.8, 0.6]", "channels.search.slot_factors.0: the top slot's factor is 0.9; the others are relative to it, so it must be 1"),
    ("channels.search.slot_factors=[1, 0.5, 0.6]", "channels.search.slot_factors.2: 0.6 is above the slot before it, 0.5; factors must not rise"),
    ("channels.search.tells_min_bid_to_win=true", "a VCG price of several slots lies below the least bid that wins one, so it can't be told; set false"),
    ("channels.search.mechanism=first_price", "channels.search.slots: 3 slots need `mechanism: gsp or vcg`; first_price sells one"),
]


@pytest.mark.parametrize(("name", "option", "message"), [("parental_controls", *c) for c in FLAGSHIP] + [("vcg_slots", *c) for c in SLOTS] + [("lisa", *c) for c in SCRIPT])
def test_broken_rule(name: str, option: str, message: str) -> None:
    """A shipped scenario with one value changed breaks one rule, told in one line that names the option."""
    with pytest.raises(ScenarioError) as refusal:
        load_scenario(name, [option])
    text = str(refusal.value).partition(" (and ")[0]
    assert text.startswith(f"--set {option}: ") and text.endswith(message)


def test_sums_within_rounding() -> None:
    """Shares that miss 1 by less than a millionth are rounding, not a mistake."""
    load_scenario("parental_controls", ["population.segments.casual.share=0.3500005"])


def test_slot_factors_may_be_left_out() -> None:
    """VCG without factors has its own; other mechanisms don't ask for them."""
    assert load_scenario("vcg_slots", ["channels.search.slot_factors=[]", "channels.search.slots=5"]).channels[0].slots == 5
    assert load_scenario("vcg_slots", ["channels.search.mechanism=gsp"]).channels[0].slot_factors


def test_cells_of_a_small_world() -> None:
    """One cell is always allowed, however few the people."""
    assert load_scenario("short", ["population.people=1"]).cells == 1
