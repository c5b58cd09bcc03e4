"""Opportunities and memory -> observations: float32 of shape (n, 41), columns as in `table.FEATURES`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.events import FEATURE_COUNT, NONE, Bools, Column, Columns, Floats, Ints
from gaelp_sim.observe.beliefs import SEGMENT_COLUMNS, STAGES, Beliefs
from gaelp_sim.observe.memory import SLOTS, Memory, Records, halved
from gaelp_sim.observe.table import COLUMN, HIGH, LOW, USD_HIGH
from gaelp_sim.units import MICROS_PER_UNIT, SECONDS_PER_DAY, SECONDS_PER_HOUR

HOURS_PER_WEEK = 168
EPOCH_WEEKDAY = 3
"""1970-01-01 was a Thursday; Monday is 0."""

_CHANNELS = slice(COLUMN["last_channel_1"], COLUMN["last_channel_3"] + 1)
_COUNTS = slice(COLUMN["impressions"], COLUMN["competitor_exposures"] + 1)
_STAGES = slice(COLUMN["stage_unaware"], COLUMN["stage_intent"] + 1)
_TRAITS = slice(COLUMN["segment_0"], COLUMN["urgency"] + 1)
_CLOCK = slice(COLUMN["hour_sin"], COLUMN["weekday"] + 1)
_STANDING = slice(COLUMN["avg_cpc_trend"], COLUMN["pacing"] + 1)


def _clock_table() -> NDArray[np.float32]:
    """(168, 3): sine and cosine of the hour, and the weekday, by hour since the epoch modulo a week."""
    hours = np.arange(HOURS_PER_WEEK)
    angle = 2 * np.pi * (hours % 24) / 24
    return np.stack([np.sin(angle), np.cos(angle), (hours // 24 + EPOCH_WEEKDAY) % 7], axis=1).astype(np.float32)


CLOCK = _clock_table()
_RANK = np.arange(STAGES, dtype=np.float64)[:, None]


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

    segment: Column
    stage: Column
    goodwill: Column
    rival_goodwill: Column
    fatigue_teach: Column
    fatigue_offer: Column
    attention: Floats
    price_sensitivity: Floats
    urgency: Floats


@dataclass(frozen=True)
class Context:
    """Opportunities to observe, as equal-length columns, and what surrounds them."""

    rows: Ints
    slots: Ints
    second: Ints
    channel: Column
    signal: Column
    device: Column
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
    records = memory.flat[context.rows * SLOTS + context.slots]
    out = np.empty((len(context.rows), FEATURE_COUNT), np.float32)
    weights, halves = _remembered(records, context.second, memory.beliefs)
    _fill_history(out, records, context, timeout_s=memory.beliefs.timeout_s)
    _fill_trend(out, records, halves[0])
    _fill_place(out, context)
    if full:
        assert context.truth is not None, "mode full needs the truth"
        _fill_true(out, context.truth, _expected_stage(memory.beliefs.stage_prior[:, None] * weights))
    else:
        _fill_estimates(out, context, weights, beliefs=memory.beliefs)
        _fill_levels(out, records, halves)
    np.maximum(out, LOW, out=out)
    return np.minimum(out, HIGH, out=out)


def _remembered(records: Records, second: Ints, beliefs: Beliefs) -> tuple[Floats, list[Floats]]:
    """Odds of the stages by memory alone, (4, n), and the factors by which fatigue and goodwill have decayed."""
    elapsed_s = np.maximum(second - records["recent_s"], 0)
    halves = [halved(elapsed_s, rate) for rate in beliefs.halves_per_second]
    weights = np.ones((STAGES, len(records)))
    np.exp(records["evidence"].T * halves[2], out=weights[1:])
    return weights, halves


def _fill_history(out: NDArray[np.float32], records: Records, context: Context, *, timeout_s: int) -> None:
    second, first_s, last_s = context.second, records["first_s"], records["last_s"]
    out[:, _CHANNELS] = records["last_channels"]
    known = first_s >= 0
    out[:, COLUMN["days_since_first_touch"]] = (second - first_s) * known / SECONDS_PER_DAY
    silent_s = second - last_s
    running = known & (silent_s <= timeout_s)
    out[:, COLUMN["days_in_journey"]] = ((second - records["journey_s"]) // SECONDS_PER_DAY + 1) * running
    # NONE reads as 56 years ago, which the range turns into "never".
    out[:, COLUMN["hours_since_last_touch"]] = silent_s / SECONDS_PER_HOUR
    out[:, COLUMN["hours_since_last_click"]] = (second - records["last_click_s"]) / SECONDS_PER_HOUR
    out[:, COLUMN["total_spend_on_user_usd"]] = records["spend_micros"] / MICROS_PER_UNIT
    for column, name in enumerate(("impressions", "clicks", "emails", "losses"), _COUNTS.start):
        out[:, column] = records[name]


def _fill_trend(out: NDArray[np.float32], records: Records, half: Floats) -> None:
    """Recent clicks per recent touch less the lifetime's; one more touch below the line keeps both under 1."""
    recent_touches = (records["recent_teach"] + records["recent_offer"]) * half + 1
    recent = np.minimum(records["recent_clicks"] * half / recent_touches, 1)
    overall = records["clicks"] / (records["impressions"] + records["emails"] + 1)
    out[:, COLUMN["engagement_trend"]] = recent - overall


def _fill_place(out: NDArray[np.float32], context: Context) -> None:
    """The opportunity itself, the clock, and how market and budget stand."""
    out[:, COLUMN["on_list"]] = context.on_list
    out[:, COLUMN["device"]] = context.device + 1
    out[:, COLUMN["channel"]] = context.channel + 1
    out[:, COLUMN["signal"]] = context.signal + 1
    out[:, _CLOCK] = CLOCK[(context.second + context.utc_offset_s) // SECONDS_PER_HOUR % HOURS_PER_WEEK]
    out[:, _STANDING] = _standing_block(context.standing)[context.standing_row]


def _standing_block(standing: Standing) -> NDArray[np.float32]:
    """(standing rows, 7): the market and budget columns, worked out once for each row."""
    spent = standing.spent_micros
    roi = np.where(spent > 0, (standing.revenue_micros - spent) / np.maximum(spent, 1), 0.0)
    columns = (
        standing.avg_cpc_trend,
        standing.competitor_aggression,
        standing.seasonality,
        _usd_left(standing.daily_remaining_micros),
        _usd_left(standing.monthly_remaining_micros),
        roi,
        standing.pacing_ratio,
    )
    return np.stack(columns, axis=1).astype(np.float32)


def _usd_left(remaining_micros: Ints) -> Floats:
    return np.where(remaining_micros == NONE, USD_HIGH, remaining_micros / MICROS_PER_UNIT)


def _expected_stage(weights: Floats) -> Floats:
    return (weights * _RANK).sum(0) / weights.sum(0)


def _fill_estimates(out: NDArray[np.float32], context: Context, weights: Floats, *, beliefs: Beliefs) -> None:
    """Stage by naive Bayes on this place and the remembered ones; segment and traits given stage and place."""
    place = context.channel.astype(np.int64) * beliefs.signal_size + context.signal
    posterior = beliefs.stage_given.take(place, axis=1) * weights
    posterior /= posterior.sum(0)
    before = _expected_stage(beliefs.stage_prior[:, None] * weights)
    out[:, _STAGES] = posterior.T
    out[:, COLUMN["stage_progression"]] = (posterior * _RANK).sum(0) - before
    out[:, _TRAITS] = (beliefs.traits.take(place, axis=2) * posterior).sum(1).T


def _fill_levels(out: NDArray[np.float32], records: Records, halves: list[Floats]) -> None:
    out[:, COLUMN["fatigue_teach"]] = records["recent_teach"] * halves[0]
    out[:, COLUMN["fatigue_offer"]] = records["recent_offer"] * halves[0]
    out[:, COLUMN["goodwill"]] = records["goodwill"] * halves[1]


def _fill_true(out: NDArray[np.float32], truth: Truth, expected_stage: Floats) -> None:
    out[:, _STAGES] = truth.stage[:, None] == np.arange(STAGES)
    out[:, COLUMN["stage_progression"]] = truth.stage - expected_stage
    out[:, COLUMN["segment_0"] : COLUMN["attention"]] = truth.segment[:, None] == np.arange(SEGMENT_COLUMNS)
    out[:, COLUMN["competitor_exposures"]] = truth.rival_goodwill
    for name in ("attention", "price_sensitivity", "urgency", "fatigue_teach", "fatigue_offer", "goodwill"):
        out[:, COLUMN[name]] = getattr(truth, name)
