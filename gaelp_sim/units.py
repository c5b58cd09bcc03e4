"""Money and time in the units the simulator computes with: integer micros and integer seconds UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime

MICROS_PER_UNIT = 1_000_000
PPM = 1_000_000
PER_MILLE = 1_000
SECONDS_PER_HOUR = 3_600
HOURS_PER_DAY = 24
SECONDS_PER_DAY = 86_400


def micros(amount: float) -> int:
    """Convert an amount of currency units to integer micros, rounding half to even.

    >>> micros(1.8)
    1800000
    """
    return round(amount * MICROS_PER_UNIT)


def from_micros(amount_micros: int) -> float:
    """Convert integer micros to currency units.

    >>> from_micros(8_700_000)
    8.7
    """
    return amount_micros / MICROS_PER_UNIT


def epoch_seconds(day: date) -> int:
    """Seconds since 1970-01-01 UTC at the start of `day`.

    >>> epoch_seconds(date(2025, 9, 1))
    1756684800
    """
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
