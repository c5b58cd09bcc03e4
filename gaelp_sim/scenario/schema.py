"""The scenario as its author writes it: strict, frozen models; every default of the simulator lives here.

Units stand last in a key (`_usd`, `_days`, `_per_day`, `_hours`); shares and probabilities lie in [0, 1]. Things with
names are lists of `- name:`, so that a misspelt key is always an error. A text under a field is its help: editors show
it through `json_schema`. Rules that hold between parts stand in checks.py.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, model_validator

from gaelp_sim.scenario.agent import Agent
from gaelp_sim.scenario.intervals import Randomised
from gaelp_sim.scenario.observed import Linking, Observed
from gaelp_sim.scenario.parts import (
    ClassPath,
    HalfLife,
    IsoDate,
    Logit,
    Match,
    MonthDay,
    Multiple,
    Name,
    NonNegative,
    Part,
    Positive,
    Rate,
    Share,
    Slope,
    SlotFactor,
    Usd,
)


class StageShares(Part):
    """Shares of a segment's people by stage at the start; they sum to 1."""

    unaware: Share
    aware: Share
    considering: Share
    intent: Share

    @model_validator(mode="after")
    def _sum_to_one(self) -> StageShares:
        total = self.unaware + self.aware + self.considering + self.intent
        if abs(total - 1) > 1e-6:
            raise ValueError(f"shares sum to {total:.6g}; they must sum to 1")
        return self


class StageRates(Part):
    """A rate or factor for each live stage."""

    unaware: NonNegative
    aware: NonNegative
    considering: NonNegative
    intent: NonNegative


class UpRates(Part):
    """Natural moves one stage up, per day, from each stage."""

    unaware: Rate
    aware: Rate
    considering: Rate


class TouchEffects(Part):
    """Probability that a touch moves the person one stage up, from each stage."""

    unaware: Share
    aware: Share
    considering: Share


class Segment(Part):
    """A kind of people, with its own pace, interests and value."""

    name: Name
    share: Share
    start: StageShares
    up_per_day: UpRates
    purchase_per_day: Rate
    """Hazard of deciding to buy while in INTENT."""
    purchase_per_click: Share
    """Probability of deciding to buy at once on a click in INTENT, before goodwill."""
    search_rate_factor: Multiple = 1.0
    click_rate_factor: Multiple = 1.0
    crisis_per_day: Rate = 0.0
    """Rate at which a person of this segment turns into the crisis segment."""
    drift_per_day: Rate = 0.0
    """Rate at which a person drifts to `drift_to`."""
    drift_to: Name | None = None
    crisis: bool = False
    """True for the segment that a crisis moves people to; at most one."""
    urgency: Share = 0.2
    price_sensitivity: Share = 0.5
    attention: Share = 0.8
    """Probability of looking on to the next slot down the page."""


class Household(Part):
    """How people share homes: shares of households of 1, 2 and 3 people."""

    one: Share = 0.35
    two: Share = 0.4
    three: Share = 0.25


class Devices(Part):
    """What people own and how a session moves from one device to the next."""

    owns_desktop: Share = 0.7
    owns_tablet: Share = 0.25
    stays_on_device: Share = 0.75
    desktop_weight: StageRates = StageRates(unaware=0.5, aware=0.6, considering=0.9, intent=1.4)
    """Odds of moving to the desktop against the mobile, by stage."""
    tablet_weight: Positive = 0.3
    login_on_click: Share = 0.1
    """Probability that a click on our ad ends in a log-in, which joins the device to the person's account."""


class Forgetting(Part):
    """Half-lives of falling back one stage."""

    aware: HalfLife = 90.0
    considering: HalfLife = 30.0
    intent: HalfLife = 10.0


class Population(Part):
    """Who lives in a world, and at what pace they move."""

    people: Annotated[int, Field(ge=1, le=20_000_000)]
    segments: Annotated[list[Segment], Field(min_length=1, max_length=32)]
    households: Household = Household()
    devices: Devices = Devices()
    forgetting_half_life_days: Forgetting = Forgetting()
    visits_per_day: StageRates = StageRates(unaware=0.0, aware=0.01, considering=0.06, intent=0.12)
    """Organic visits to our site; they cost nothing and change no level."""
    opportunities_per_hour_max: Annotated[int, Field(ge=1, le=4)] = 1
    user_model: ClassPath | None = None
    """module:Class of a RecSim user model that decides clicks in place of the channels' click rates. Its code is
    run, so a file may not name it: `--set` does."""


class SeasonEvent(Part):
    """Days that come back each year (a holiday, back to school): factors on top of the curves, both ends included."""

    name: Name
    first_day: MonthDay
    last_day: MonthDay
    """Earlier in the year than first_day: the event runs over New Year."""
    traffic: Annotated[float, Field(gt=0, le=10)] = 1.0
    """Factor on opportunities."""
    prices: Annotated[float, Field(gt=0, le=10)] = 1.0
    """Factor on what rivals bid."""


class Curves(Part):
    """When people are active: each curve is scaled to mean 1."""

    hour: Annotated[list[Positive], Field(min_length=24, max_length=24)]
    weekday: Annotated[list[Positive], Field(min_length=7, max_length=7)] = [1.0] * 7
    """Monday to Sunday."""
    season_amplitude: Annotated[float, Field(ge=0, lt=1)] = 0.0
    season_peak_day: Annotated[int, Field(ge=1, le=366)] = 330
    """Day of the year at which the yearly wave peaks."""
    events: Annotated[list[SeasonEvent], Field(max_length=32)] = []
    """Where events overlap, their factors multiply."""


class Signal(Part):
    """A query class (search) or audience signal (elsewhere): what bidders see, and what its slots cost."""

    name: Name
    price_median_usd: Usd
    """Median of the price to beat among the five rivals: per click, or per thousand impressions."""
    share: StageRates
    """Probability of this signal by stage."""
    crisis_share: StageRates | None = None
    """The same for people in the crisis segment."""
    branded: Literal["none", "us", "rival"] = "none"


class Channel(Part):
    """A place where ads are shown: its auction, its traffic and what its ads do to people."""

    name: Name
    mechanism: Literal["first_price", "second_price", "gsp", "vcg"] = "second_price"
    charge: Literal["cpc", "cpm"] = "cpm"
    slots: Annotated[int, Field(ge=1, le=8)] = 1
    slot_factors: Annotated[list[SlotFactor], Field(max_length=8)] = []
    """Clicks of each slot relative to the top one, as the seller reckons them: vcg prices a click by them, the other
    mechanisms don't ask. Empty: 1, .8, .64, ..."""
    reserve_usd: Usd = 0.0
    quality_ranked: bool = False
    tells_min_bid_to_win: bool = False
    opportunities_per_day: StageRates
    click_rate: StageRates
    examined: Share
    click_moves_up: TouchEffects
    view_moves_up: TouchEffects
    view_adds_goodwill: Share
    goodwill_needed: Annotated[int, Field(ge=0, le=3)] = 0
    """Retargeting reaches only people whose goodwill for us is at least this."""
    search_like: bool = False
    """True where the segment's search factor scales the traffic."""
    signals: Annotated[list[Signal], Field(min_length=1, max_length=8)]


class StageMatch(Part):
    """How well a creative fits each stage: multiplies click rate and effects."""

    unaware: Match
    aware: Match
    considering: Match
    intent: Match


class Creative(Part):
    """An ad of ours: its fatigue family, and how well it fits each stage."""

    name: Name
    family: Literal["teach", "offer"]
    match: StageMatch
    made_for: list[Name] = []
    """Signals for which the default policy prefers this creative among equals."""
    signup_on_click: Share = 0.0
    """Probability that a click on this creative ends on our e-mail list."""
    refresh_days: Annotated[list[Annotated[int, Field(ge=0, le=3650)]], Field(max_length=100)] = []
    """Days of the run, from 0, at whose start it is made anew: nobody is tired of its family then."""


class Response(Part):
    """How touches act on people: wear-out, goodwill, over-exposure and brand choice."""

    fatigue_per_exposure: Slope = 0.30
    fatigue_half_life_days: HalfLife = 3.0
    goodwill_half_life_days: HalfLife = 14.0
    rival_goodwill_half_life_days: HalfLife = 14.0
    click_adds_goodwill: Share = 0.55
    overexposure_from: Annotated[int, Field(ge=1, le=6)] = 3
    overexposure_harm: Share = 0.25
    rival_move_factor: Share = 0.5
    """A rival's ad moves people up with this share of the channel's view effect: rivals teach the category."""
    rival_click_goodwill: NonNegative = 0.7
    click_buy_goodwill: Slope = 0.2
    """kappa exp(x goodwill - x rival goodwill): the chance to buy at once on a click."""
    brand_base: Logit = -2.9
    brand_goodwill: Slope = 1.5
    brand_rival_goodwill: Slope = 0.7


class LagPart(Part):
    """One lognormal of the lag from deciding to paying."""

    weight: Share
    median_hours: Annotated[float, Field(gt=0, le=87_600)]
    sigma: Annotated[float, Field(gt=0, le=5)]


class Conversion(Part):
    """From the decision to buy to the sale we hear of."""

    purchase_lag: Annotated[list[LagPart], Field(min_length=1, max_length=4)]
    purchase_lag_max_days: Annotated[float, Field(gt=0, le=3_650)] = 30.0
    """Longer lags are drawn again: the mixture is cut off here."""
    report_delay_max_hours: Annotated[float, Field(ge=0, le=87_600)] = 48.0
    """A sale is reported this long after the purchase at most; the delay is uniform from 0."""


class Timeout(Part):
    """When a silent journey is called LOST; a label only, the person may still buy."""

    days: Annotated[float, Field(gt=0, le=3_650)] = 14.0
    since: Literal["last_touch", "first_touch"] = "last_touch"


class Email(Part):
    """The owned channel: costs money, runs no auction, reaches those on the list."""

    per_day: Rate = 0.25
    cost_usd: Usd = 0.002
    open_rate: Share = 0.30
    click_rate: Share = 0.026
    unsubscribe_rate: Share = 0.004
    view_adds_goodwill: Share = 0.03
    click_moves_up: TouchEffects = TouchEffects(unaware=0.5, aware=0.3, considering=0.2)


class WorldCrisis(Part):
    """News that strikes a whole world: each person of the named segments turns crisis with a probability."""

    name: Name
    per_year: NonNegative = 0.0
    on_day: Annotated[int, Field(ge=0, le=3650)] | None = None
    """A fixed day of the run instead of a rate."""
    segments: Annotated[list[Name], Field(min_length=1)]
    turns_crisis: Share


class Campaign(Part):
    """A named (channel, creatives, budget) of ours."""

    name: Name
    channel: Name
    creatives: Annotated[list[Name], Field(min_length=1, max_length=8)]
    budget_usd_day: Usd | None = None


class Budget(Part):
    """What we may spend: `hard` is never a micro over; `google` lets a day take twice its share, a month 30.4 days."""

    usd_day: Usd | None = None
    usd_month: Usd | None = None
    mode: Literal["hard", "google"] = "hard"


class DeviceFactors(Part):
    """Factors on our bids by the device that asks; 0 stays off it."""

    mobile: Match = 1.0
    desktop: Match = 1.0
    tablet: Match = 1.0


class FrequencyCap(Part):
    """At most so many of our impressions to a user (as we resolve them) in any so many days, on all channels together."""

    impressions: Annotated[int, Field(ge=1, le=1_000)]
    days: Annotated[float, Field(gt=0, le=365)]


class Policy(Part):
    """Our default rule: a multiple of the market price by signal and hour, with keyed exploration."""

    bid_multiplier: Multiple = 1.0
    repeat_visitor_factor: Multiple = 1.4
    device_adjustments: DeviceFactors = DeviceFactors()
    creatives: Literal["fit", "rotate", "thompson"] = "fit"
    """fit: by the signal alone; rotate: the other family's best where ours is worn; thompson: by clicks so far."""
    rotate_after: Annotated[float, Field(gt=0, le=10)] = 1.5
    """Looks at a family that have not worn off, as we reckon, from which `rotate` shows the other one."""
    returning_moves_up: Share = 0.0
    """Share of users who have clicked us before that we take to be one stage further than their signal says."""
    exploration: Annotated[float, Field(gt=0, le=1)] = 0.1
    pacing: Literal["none", "even", "throttle", "pid", "dual"] = "even"
    """How budgets are spread over their day and month: not at all; by holding back once a day's spend runs ahead; by
    taking part in a share of auctions; by a controller on bids; by the budget's own price (adaptive pacing)."""


class Us(Part):
    """Our own advertiser."""

    name: Name
    campaigns: Annotated[list[Campaign], Field(min_length=1, max_length=32)]
    budget: Budget = Budget()
    frequency_cap: FrequencyCap | None = None
    """Kept whatever the policy bids; e-mails don't count."""
    policy: Policy = Policy()


Strategy = Literal["lognormal", "rule", "random", "q_learning", "policy_gradient", "value"]


class Rival(Part):
    """A competitor and the strategy it bids by."""

    name: Name
    strategy: Strategy = "lognormal"
    """The first three never learn. The others do where `rivals_learn` is true, and until then bid like lognormal: a
    Q-learner, a policy gradient, and a learner of what a click is worth."""
    level: Multiple = 1.0
    """Scales the bids: 1 keeps the five seats' maximum at the channel's median price to beat."""
    sale_value_usd: Usd = 180.0
    """What a sale is worth to it; only a value learner asks."""
    sigma: Annotated[float, Field(ge=0, le=2)] = 0.6
    budget_usd_day: Usd | None = None
    budget_usd_month: Usd | None = None


class Economics(Part):
    """What a sale is worth and what it may cost."""

    ltv_usd: Usd = 180.0
    cac_target_usd: Usd = 100.0


class Variation(Part):
    """How worlds of one run differ from each other."""

    market_noise_sd: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    season_shift_days_max: Annotated[int, Field(ge=0, le=182)] = 0
    """Whole days by which a world lives ahead of or behind the calendar: its yearly wave and its events."""
    day_noise_sd: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Of the logarithm of each day's prices around the world's level; days are independent."""
    price_drift_sd_per_day: Annotated[float, Field(ge=0, le=0.2)] = 0.0
    """Step of the random walk that the logarithm of prices takes from day to day."""
    volume_drift_sd_per_day: Annotated[float, Field(ge=0, le=0.2)] = 0.0
    """The same for opportunities."""
    rival_value_sd: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Spread, in logs, of what opportunities are worth to a rival from world to world."""
    rival_budget_sd: Annotated[float, Field(ge=0, le=2)] = 0.0
    """The same for rivals' budgets."""
    rival_strategies: Annotated[list[Strategy], Field(max_length=16)] = []
    """Each world draws each seat's strategy from these; none: as written under `rivals`."""


class Identity(Part):
    """What an advertiser can recognise: a device, joined on log-in; users linked by evidence; or the person (`perfect`)."""

    mode: Literal["devices", "linked", "perfect"] = "devices"
    observed: Observed = Observed()
    linking: Linking = Linking()


class ScriptEvent(Part):
    """One scripted moment of one person's journey; the keys that the kind does not use stay out."""

    day: Annotated[int, Field(ge=1, le=3650)]
    hour: Annotated[int, Field(ge=0, le=23)]
    minute: Annotated[int, Field(ge=0, le=59)] = 0
    kind: Literal["impression", "email", "visit", "crisis", "signup", "purchase"]
    channel: Name | None = None
    signal: Name | None = None
    query: Annotated[str, Field(max_length=120)] | None = None
    advertiser: Name | None = None
    creative: Name | None = None
    device: Literal["mobile", "desktop", "tablet"] = "mobile"
    bids: list[ScriptBid] = []
    price_usd: Usd = 0.0
    clicked: bool = False
    stage: Literal["unaware", "aware", "considering", "intent"] | None = None
    segment: Name | None = None
    note: Annotated[str, Field(max_length=200)] = ""
    """Whose idea this moment is: the worked text's, or ours."""


class ScriptBid(Part):
    """What one bidder offered at a scripted auction."""

    advertiser: Name
    bid_usd: Usd


class ScriptPerson(Part):
    """A person whose journey is written down instead of drawn."""

    name: Name
    segment: Name
    events: Annotated[list[ScriptEvent], Field(min_length=1, max_length=500)]


class Scenario(Randomised):
    """A whole scenario; see `scenarios/parental_controls.yaml` for the flagship."""

    name: Name
    description: Annotated[str, Field(max_length=400)] = ""
    start: IsoDate = date(2025, 9, 1)
    utc_offset_hours: Annotated[int, Field(ge=-12, le=14)] = 0
    days: Annotated[int, Field(ge=1, le=3650)] = 30
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    worlds: Annotated[int, Field(ge=1, le=10_000)] = 1
    cells: Annotated[int, Field(ge=1, le=10_000)] = 1
    log: Literal["all", "wins"] = "all"
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "USD"
    economics: Economics = Economics()
    population: Population
    curves: Curves
    channels: Annotated[list[Channel], Field(min_length=1, max_length=16)]
    creatives: Annotated[list[Creative], Field(min_length=1, max_length=8)]
    us: Us
    agent: Agent | None = None
    """Who bids for us from outside, hour by hour; none: a policy of the simulator's."""
    rivals: Annotated[list[Rival], Field(max_length=63)]
    rivals_learn: bool = False
    """Whether rivals that can learn do; otherwise they keep the bids they began with."""
    difficulty: Literal["easy", "moderate", "hard", "full"] = "full"
    """How hard rivals make it, for a curriculum: what opportunities are worth to them, and how many of them may learn."""
    response: Response = Response()
    conversion: Conversion
    timeout: Timeout = Timeout()
    email: Email | None = None
    crises: list[WorldCrisis] = []
    identity: Identity = Identity()
    variation: Variation = Variation()
    script: list[ScriptPerson] = []
