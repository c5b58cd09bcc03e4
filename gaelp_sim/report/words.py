"""Figures as people read them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

UNKNOWN = "not known"
Said = Callable[[float | None], str]


class Known(NamedTuple):
    """A figure with its 95 % interval; None where it, or the interval, is not known."""

    value: float | None
    low: float | None = None
    high: float | None = None


def usd(amount: float | None) -> str:
    """An amount; cents below 1,000, fractions of a cent below a cent.

    >>> usd(1234.5), usd(-88.79), usd(0.0032), usd(None)
    ('$1,234', '-$88.79', '$0.0032', 'not known')
    """
    if amount is None:
        return UNKNOWN
    size = abs(amount)
    sign = "-" if amount < 0 else ""
    if size >= 999.995:
        return f"{sign}${size:,.0f}"
    return f"{sign}${size:.2f}" if size >= 0.1 or size == 0 else f"{sign}${size:.4f}"


def round_usd(amount: float | None) -> str:
    """A round amount, as axes have them.

    >>> round_usd(0), round_usd(2.5), round_usd(5000)
    ('$0', '$2.5', '$5,000')
    """
    return UNKNOWN if amount is None else f"${amount:,.10g}"


def count(number: float | None) -> str:
    """A number of things; one digit behind the point where it is no whole number.

    >>> count(12345), count(7.25), count(None)
    ('12,345', '7.2', 'not known')
    """
    if number is None:
        return UNKNOWN
    return f"{number:,.0f}" if float(number).is_integer() or abs(number) >= 1000 else f"{number:,.1f}"


def percent(share: float | None) -> str:
    """A share of 1; more digits for small ones.

    >>> percent(0.417), percent(0.0014), percent(None)
    ('41.7 %', '0.14 %', 'not known')
    """
    if share is None:
        return UNKNOWN
    return f"{100 * share:.1f} %" if abs(share) >= 0.1 or share == 0 else f"{100 * share:.2f} %"


def times(ratio: float | None) -> str:
    """A ratio.

    >>> times(2.027)
    '2.03'
    """
    return UNKNOWN if ratio is None else f"{ratio:.2f}"


def moment(second: int | None) -> str:
    """A UTC second as date and time.

    >>> moment(1756684800)
    '1 Sep 2025, 00:00'
    """
    if second is None:
        return UNKNOWN
    when = datetime.fromtimestamp(second, UTC)
    return f"{when.day} {when:%b %Y, %H:%M}"


def plural(number: int, noun: str) -> str:
    """A number with its noun.

    >>> plural(1, "day"), plural(2000, "sale")
    ('1 day', '2,000 sales')
    """
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def spoken(code: str | None) -> str:
    """A name as the scenario or the store writes it, as a word; nothing is nobody's.

    >>> spoken("CRISIS_PERSON"), spoken("crisis_parent"), spoken("Net Nanny"), spoken(None)
    ('crisis person', 'crisis parent', 'Net Nanny', 'none')
    """
    if code is None:
        return "none"
    text = code.replace("_", " ")
    return text.lower() if text.isupper() else text
