"""Opportunities and memory -> observations: float32 of shape (n, 41), columns as in `table.FEATURES`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.events import FEATURE_COUNT, NONE, Bools, Columns, Floats, Ints
from gaelp_sim.observe.beliefs import SEGMENT_COLUMNS, STAGES, TRAITS, Beliefs, Singles
from gaelp_sim.observe.memory import SLOTS, Codes, Memory, Records, decay
from gaelp_sim.observe.table import COLUMN, HIGH, LOW, USD_HIGH
from gaelp_sim.units import MICROS_PER_UNIT, SECONDS_PER_DAY, SECONDS_PER_HOUR

HOURS_PER_WEEK = 168
EPOCH_WEEKDAY = 3
"""1970-01-01 was a Thursday; Monday is 0."""

_CHANNELS = slice(COLUMN["last_channel_1"], COLUMN["last_channel_3"] + 1)
_SCALED = slice(COLUMN["days_since_first_touch"], COLUMN["total_spend_on_user_usd"] + 1)
_UNITS = np.array([SECONDS_PER_DAY, 1, SECONDS_PER_HOUR, SECONDS_PER_HOUR, MICROS_PER_UNIT], np.float32)[:, None]
"""What one unit of each scaled column is in seconds or micros."""
_COUNTS = slice(COLUMN["impressions"], COLUMN["competitor_exposures"] + 1)
_STAGES = slice(COLUMN["stage_unaware"], COLUMN["stage_intent"] + 1)
_SEGMENTS = slice(COLUMN["segment_0"], COLUMN["segment_0"] + SEGMENT_COLUMNS)
_TRAITS = slice(COLUMN["segment_0"], COLUMN["urgency"] + 1)
_CODES = slice(COLUMN["device"], COLUMN["signal"] + 1)
_CLOCK = slice(COLUMN["hour_sin"], COLUMN["weekday"] + 1)
_STANDING = slice(COLUMN["avg_cpc_trend"], COLUMN["pacing"] + 1)
_TIMES = ("first_s", "last_s", "last_click_s", "journey_s")


def _clock_table() -> Singles:
    """(3, 168): sine and cosine of the hour, and the weekday, by hour since the epoch modulo a week."""
    hours = np.arange(HOURS_PER_WEEK)
    angle = 2 * np.pi * (hours % 24) / 24
    return np.stack([np.sin(angle), np.cos(angle), (hours // 24 + EPOCH_WEEKDAY) % 7]).astype(np.float32)


CLOCK = _clock_table()
_RANK = np.arange(STAGES, dtype=np.float32)[:, None]


@dataclass(frozen=True)
class Standing(Columns):
    """How market and budget stand, a row for each unit (or unit and campaign): what the advertiser reads hourly."""

    avg_cpc_trend: Floats
    competitor_aggression: Floats
    seasonality: Floats
    daily_remaining_micros: Ints
    """NONE where the day has no limit."""
    monthly_remaining_micros: Ints
    """NONE where the month has no limit."""
    spent_micros: Ints
    revenue_micros: Ints
    """Reported so far."""
    pacing_ratio: Floats


@dataclass(frozen=True)
class Truth(Columns):
    """What only the simulator knows of the person behind each opportunity."""

    segment: Codes
    stage: Codes
    goodwill: Codes
    rival_goodwill: Codes
    fatigue_teach: Codes
    fatigue_offer: Codes
    attention: Floats
    price_sensitivity: Floats
    urgency: Floats


@dataclass(frozen=True)
class Context:
    """Opportunities to observe, as equal-length columns, and what surrounds them."""

    rows: Ints
    slots: Ints
    second: Ints
    channel: Codes
    signal: Codes
    device: Codes
    on_list: Bools
    standing_row: Ints
    """Row of `standing` that each opportunity reads."""
    standing: Standing
    utc_offset_s: int = 0
    truth: Truth | None = None
    """Mode "full" when given with `observe(..., full=True)`; mode "observed" never reads it."""


def observe(memory: Memory, context: Context, *, full: bool = False) -> NDArray[np.float32]:
    """Observe each opportunity: float32 (n, 41) in C order, every value in its feature's range.

    full: the truth in the latent columns (needs `context.truth`) in place of the advertiser's estimates.
    """
    return observe_records(memory.take(context.rows * SLOTS + context.slots), context, memory.beliefs, full=full)


def observe_records(
    records: Records, context: Context, beliefs: Beliefs, *, full: bool = False
) -> NDArray[np.float32]:
    """Observe opportunities by what was remembered of their users at the time: `records` (n,), as `memory.take` gives.

    For features that are only logged: many rounds at once cost a fraction of round by round.
    """
    second = context.second
    factors = decay(np.maximum(second - records["recent_s"], 0), beliefs)
    weights = _remembered(records, factors[2])
    # One feature a row while it is worked out: numpy fills and bounds long rows fastest.
    sheet = np.empty((FEATURE_COUNT, len(second)), np.float32)
    _fill_history(sheet, records, second, timeout_s=beliefs.timeout_s)
    _fill_trend(sheet, records, factors[0])
    _fill_place(sheet, context)
    if full:
        assert context.truth is not None, "mode full needs the truth"
        _fill_true(sheet, context.truth, _expected_stage(beliefs.stage_prior * weights))
    else:
        _fill_estimates(sheet, context, weights, beliefs=beliefs)
        _fill_levels(sheet, records, factors)
    np.maximum(sheet, LOW[:, None], out=sheet)
    np.minimum(sheet, HIGH[:, None], out=sheet)
    return np.ascontiguousarray(sheet.T)


def _remembered(records: Records, factor: Singles) -> Singles:
    """Odds of the stages by memory alone, (4, n), UNAWARE's being 1."""
    weights = np.ones((STAGES, len(records)), np.float32)
    np.exp(records["evidence"].T * factor, out=weights[1:])
    return weights


def _fill_history(sheet: Singles, records: Records, second: Ints, *, timeout_s: int) -> None:
    # NONE reads as 56 years ago: no touch is no running journey, and ranges turn the hours into "never".
    first_s, silent_s, click_s, journey_s = (second - records[name] for name in _TIMES)
    sheet[_CHANNELS] = records["last_channels"].T
    np.multiply(first_s, records["first_s"] >= 0, out=sheet[COLUMN["days_since_first_touch"]], casting="same_kind")
    np.floor_divide(journey_s, SECONDS_PER_DAY, out=journey_s)
    journey_s += 1
    np.multiply(journey_s, silent_s <= timeout_s, out=sheet[COLUMN["days_in_journey"]], casting="same_kind")
    sheet[COLUMN["hours_since_last_touch"]] = silent_s
    sheet[COLUMN["hours_since_last_click"]] = click_s
    sheet[COLUMN["total_spend_on_user_usd"]] = records["spend_micros"]
    sheet[_SCALED] /= _UNITS
    for column, name in enumerate(("impressions", "clicks", "emails", "losses"), _COUNTS.start):
        sheet[column] = records[name]


def _fill_trend(sheet: Singles, records: Records, factor: Singles) -> None:
    """Recent clicks per recent touch less the lifetime's; one more touch below the line keeps both under 1."""
    recent_touches = (records["recent_teach"] + records["recent_offer"]) * factor + 1
    recent = np.minimum(records["recent_clicks"] * factor / recent_touches, 1)
    overall = records["clicks"] / (records["impressions"] + records["emails"] + 1)
    sheet[COLUMN["engagement_trend"]] = recent - overall


def _fill_place(sheet: Singles, context: Context) -> None:
    """The opportunity itself, the clock, and how market and budget stand."""
    sheet[COLUMN["on_list"]] = context.on_list
    for column, code in enumerate((context.device, context.channel, context.signal), _CODES.start):
        sheet[column] = code
    sheet[_CODES] += 1
    hours = (context.second + context.utc_offset_s) // SECONDS_PER_HOUR
    sheet[_CLOCK] = CLOCK.take(hours % HOURS_PER_WEEK, axis=1)
    sheet[_STANDING] = _standing_block(context.standing).take(context.standing_row, axis=1)


def _standing_block(standing: Standing) -> Singles:
    """(7, standing rows): the market and budget columns, worked out once for each row."""
    spent_micros = standing.spent_micros
    profit_micros = (standing.revenue_micros - spent_micros) * (spent_micros > 0)
    block = np.empty((_STANDING.stop - _STANDING.start, len(standing)), np.float32)
    block[0] = standing.avg_cpc_trend
    block[1] = standing.competitor_aggression
    block[2] = standing.seasonality
    for row, left_micros in enumerate((standing.daily_remaining_micros, standing.monthly_remaining_micros), 3):
        block[row] = left_micros / MICROS_PER_UNIT
        block[row][left_micros == NONE] = USD_HIGH
    block[5] = profit_micros / np.maximum(spent_micros, 1)
    block[6] = standing.pacing_ratio
    return block


def _expected_stage(weights: Singles) -> Singles:
    expected: Singles = np.add.reduce(weights * _RANK) / np.add.reduce(weights)
    return expected


def _fill_estimates(sheet: Singles, context: Context, weights: Singles, *, beliefs: Beliefs) -> None:
    """Stage by naive Bayes on this signal and the remembered ones; segment and traits given stage and signal."""
    given = beliefs.given.take(context.signal, axis=1)
    posterior = given[:STAGES] * weights
    posterior /= np.add.reduce(posterior)
    before = _expected_stage(beliefs.stage_prior * weights)
    sheet[_STAGES] = posterior
    sheet[COLUMN["stage_progression"]] = np.add.reduce(posterior * _RANK) - before
    traits = given[STAGES:].reshape(TRAITS, STAGES, -1)
    traits *= posterior
    np.add.reduce(traits, axis=1, out=sheet[_TRAITS])


def _fill_levels(sheet: Singles, records: Records, factors: Singles) -> None:
    for name, field, factor in (
        ("fatigue_teach", "recent_teach", factors[0]),
        ("fatigue_offer", "recent_offer", factors[0]),
        ("goodwill", "goodwill", factors[1]),
    ):
        np.multiply(records[field], factor, out=sheet[COLUMN[name]])


def _fill_true(sheet: Singles, truth: Truth, expected_stage: Singles) -> None:
    sheet[_STAGES] = truth.stage == np.arange(STAGES)[:, None]
    sheet[COLUMN["stage_progression"]] = truth.stage - expected_stage
    sheet[_SEGMENTS] = truth.segment == np.arange(SEGMENT_COLUMNS)[:, None]
    sheet[COLUMN["competitor_exposures"]] = truth.rival_goodwill
    for name in ("attention", "price_sensitivity", "urgency", "fatigue_teach", "fatigue_offer", "goodwill"):
        sheet[COLUMN[name]] = getattr(truth, name)
