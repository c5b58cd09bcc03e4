"""The 41 features of an observation: one row each, in column order, with unit, range and source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gaelp_sim.events import FEATURE_COUNT

Group = Literal["journey", "user", "market", "budget"]

HOURS_SINCE_HIGH = 720.0
"""Hours since a touch or click are capped here; "never" reads the same as "longer ago than this"."""
USD_HIGH = 1e6
"""Remaining budgets are capped here; a budget without a limit reads as this."""


@dataclass(frozen=True)
class Feature:
    """One column of an observation; every produced value lies in [low, high].

    A latent feature holds the advertiser's own estimate in mode "observed" and the truth in mode "full"; the others
    are the same in both.
    """

    name: str
    group: Group
    unit: str
    low: float
    high: float
    source: str
    latent: bool = False


def _history() -> tuple[Feature, ...]:
    place = ("latest", "second latest", "third latest")
    return (
        *(
            Feature(f"last_channel_{i + 1}", "journey", "code + 1", 0, 127, f"Channel of our {place[i]} touch; 0 none.")
            for i in range(3)
        ),
        Feature("days_since_first_touch", "journey", "days", 0, 365, "Time since our first touch; 0 before it."),
        Feature(
            "days_in_journey",
            "journey",
            "days",
            0,
            365,
            "Days begun since the journey's first touch, counting from 1; 0 outside a journey.",
        ),
        Feature(
            "hours_since_last_touch",
            "journey",
            "hours",
            0,
            HOURS_SINCE_HIGH,
            "Time since our last impression or e-mail; the high end also means never.",
        ),
        Feature(
            "hours_since_last_click",
            "journey",
            "hours",
            0,
            HOURS_SINCE_HIGH,
            "Time since the last click on us; the high end also means never.",
        ),
    )


def _dealings() -> tuple[Feature, ...]:
    return (
        Feature("total_spend_on_user_usd", "journey", "USD", 0, 1000, "Sum of what we were charged for this user."),
        Feature("impressions", "journey", "count", 0, 1000, "Our impressions shown to this user."),
        Feature("clicks", "journey", "count", 0, 1000, "Clicks of this user on our ads and e-mails."),
        Feature("emails", "journey", "count", 0, 1000, "E-mails we sent to this user."),
        Feature(
            "competitor_exposures",
            "journey",
            "count",
            0,
            1000,
            "Auctions for this user that we did not win; in full, the rivals' goodwill.",
            latent=True,
        ),
        *_stages(),
        Feature(
            "engagement_trend",
            "journey",
            "share",
            -1,
            1,
            "Clicks per touch lately (recent ones weigh more) less clicks per touch overall.",
        ),
    )


def _stages() -> tuple[Feature, ...]:
    names = ("unaware", "aware", "considering", "intent")
    return (
        *(
            Feature(
                f"stage_{name}",
                "journey",
                "probability",
                0,
                1,
                f"Naive Bayes posterior of stage {name.upper()} given this signal and the remembered ones and clicks.",
                latent=True,
            )
            for name in names
        ),
        Feature(
            "stage_progression",
            "journey",
            "stages",
            -3,
            4,
            "Expected stage now (in full, the true one) less the one that memory alone suggests.",
            latent=True,
        ),
    )


def _user() -> tuple[Feature, ...]:
    return (
        *(
            Feature(
                f"segment_{i}",
                "user",
                "probability",
                0,
                1,
                f"Posterior of the scenario's segment {i}; what the three columns lack is any later segment.",
                latent=True,
            )
            for i in range(3)
        ),
        Feature("attention", "user", "probability", 0, 1, "Segments' attention, averaged by posterior.", latent=True),
        Feature(
            "price_sensitivity", "user", "share", 0, 1, "Segments' price sensitivity, averaged by posterior.", latent=True
        ),
        Feature("urgency", "user", "share", 0, 1, "Segments' urgency, averaged by posterior.", latent=True),
        Feature(
            "fatigue_teach", "user", "level", 0, 3, "Our decayed, probably examined impressions that teach.", latent=True
        ),
        Feature(
            "fatigue_offer", "user", "level", 0, 3, "Our decayed, probably examined impressions that offer.", latent=True
        ),
        Feature("goodwill", "user", "level", 0, 3, "Decayed sum of what our touches add in expectation.", latent=True),
        Feature("on_list", "user", "flag", 0, 1, "1 where the user is on our e-mail list."),
        Feature("device", "user", "code + 1", 0, 3, "Kind of device of this opportunity."),
    )


def _market() -> tuple[Feature, ...]:
    return (
        Feature("channel", "market", "code + 1", 0, 127, "Channel of this opportunity."),
        Feature("signal", "market", "code + 1", 0, 128, "Query class or audience signal of this opportunity."),
        Feature("hour_sin", "market", "sine", -1, 1, "Sine of the local hour as an angle (24 hours a turn)."),
        Feature("hour_cos", "market", "cosine", -1, 1, "Cosine of the local hour as an angle (24 hours a turn)."),
        Feature("weekday", "market", "day", 0, 6, "Local day of the week, Monday 0."),
        Feature(
            "avg_cpc_trend", "market", "share", -1, 1, "Our latest average price over the one before, less 1; 0 level."
        ),
        Feature(
            "competitor_aggression",
            "market",
            "probability",
            0,
            1,
            "How much likelier than usual the price to beat is above the market's lately, as we estimate it; 0.5 is usual.",
        ),
        Feature("seasonality", "market", "factor", 0, 10, "The calendar's factor on traffic today; 1 on a usual day."),
    )


def _budget() -> tuple[Feature, ...]:
    return (
        Feature("daily_remaining_usd", "budget", "USD", 0, USD_HIGH, "What is left of today; the high end: no limit."),
        Feature(
            "monthly_remaining_usd", "budget", "USD", 0, USD_HIGH, "What is left of the month; the high end: no limit."
        ),
        Feature("current_roi", "budget", "ratio", -1, 100, "Reported revenue over spend, less 1; 0 before any spend."),
        Feature("pacing", "budget", "ratio", 0, 2, "Spend today over an even day's spend by now; 1 on track."),
    )


FEATURES: tuple[Feature, ...] = (*_history(), *_dealings(), *_user(), *_market(), *_budget())
NAMES: tuple[str, ...] = tuple(feature.name for feature in FEATURES)
COLUMN: dict[str, int] = {name: column for column, name in enumerate(NAMES)}
LOW: NDArray[np.float32] = np.array([feature.low for feature in FEATURES], np.float32)
HIGH: NDArray[np.float32] = np.array([feature.high for feature in FEATURES], np.float32)

assert len(FEATURES) == FEATURE_COUNT
