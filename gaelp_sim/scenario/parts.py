"""What every part of a scenario is built of: strict, frozen models, and the kinds of number, name and day in them."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_ .-]{0,39}$")]
Share = Annotated[float, Field(ge=0, le=1)]
Rate = Annotated[float, Field(ge=0, le=24)]
Positive = Annotated[float, Field(gt=0, le=1e9)]
NonNegative = Annotated[float, Field(ge=0, le=1e9)]
ClassPath = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_]*$", max_length=200)]
SlotFactor = Annotated[float, Field(ge=0.001, le=1)]
Usd = Annotated[float, Field(ge=0, le=1e6)]
Multiple = Annotated[float, Field(gt=0, le=100)]
HalfLife = Annotated[float, Field(ge=0.03, le=36_500)]
"""Days; the shortest is a rate of 24 a day, the fastest that hours can follow."""
Match = Annotated[float, Field(ge=0, le=10)]
Logit = Annotated[float, Field(ge=-50, le=50)]
Slope = Annotated[float, Field(ge=0, le=10)]
START_YEARS = (1971, 2200)


def _iso_date(value: object) -> object:
    """Accept `2025-09-01` and dates; other forms that Python would read (ordinals, week dates, times) are refused."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        try:
            value = date.fromisoformat(value)
        except ValueError:
            raise ValueError(f"'{value}' is not a day of the calendar") from None
    if not isinstance(value, date):
        raise ValueError("it must be a day written as YYYY-MM-DD")
    if not START_YEARS[0] <= value.year <= START_YEARS[1]:
        raise ValueError(f"year {value.year} is outside {START_YEARS[0]} to {START_YEARS[1]}")
    return value


IsoDate = Annotated[date, BeforeValidator(_iso_date)]


def _month_day(value: object) -> object:
    """Accept `11-28` for a day that comes back each year; 02-29 is one, though not of every year."""
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{2}-[0-9]{2}", value):
        raise ValueError("it must be a day of the year written as MM-DD")
    try:
        date.fromisoformat(f"2024-{value}")
    except ValueError:
        raise ValueError(f"'{value}' is not a day of the calendar") from None
    return value


MonthDay = Annotated[str, Field(pattern=r"^[0-9]{2}-[0-9]{2}$"), BeforeValidator(_month_day)]


class Part(BaseModel):
    """A part of a scenario: strict types, no unknown keys, frozen."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)
