"""Cells of an export as people's programs write them: numbers, shares and days in the locale of whoever exported."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

MISSING = frozenset(("", "-", "--", "—", "–", "n/a", "na", "(not set)", "null"))
_SIGNS = {"$": "USD", "us$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR", "a$": "AUD", "c$": "CAD", "ca$": "CAD",
          "r$": "BRL", "zł": "PLN", "kč": "CZK", "chf": "CHF", "fr.": "CHF", "kr": "", "₺": "TRY", "₩": "KRW"}
"""Signs of money beside the three-letter codes; `kr` is one of several."""
_MONEY = re.compile(r"^(?P<before>[^\d.,+-]*)(?P<number>[+-]?[\d.,]*\d)(?P<after>[^\d.,]*)$")
_SPACES = re.compile(r"[\s\u00a0\u202f\u2009'’]")
_MONTHS = {
    name: number
    for number, names in enumerate((
        "jan january januar jän jänner janvier janv ene enero janeiro gennaio gen",
        "feb february februar février févr fev febrero fevereiro febbraio",
        "mar march märz mär mrz mars marzo março",
        "apr april avr avril abr abril aprile",
        "may mai mayo maio maggio mag",
        "jun june juni juin junio junho giugno giu",
        "jul july juli juil juillet julio julho luglio lug",
        "aug august août aout ago agosto",
        "sep sept september septembre septiembre setembro settembre set",
        "oct october okt oktober octobre octubre out outubro ott",
        "nov november novembre noviembre novembro",
        "dec december dez dezember déc décembre dic diciembre dezembro dicembre",
    ), start=1)
    for name in names.split()
}
_NUMERIC_DAY = re.compile(r"(\d{1,2})[./-](\d{1,2})[./-](\d{4}|\d{2})")


class CellError(ValueError):
    """A cell that can't be read; the message is what is wrong with it, without its place."""


@dataclass(frozen=True)
class Locale:
    """How a file writes numbers and days."""

    decimal: str = "."
    month_first: bool | None = None
    """For days such as 9/1/2025; None: the file's days don't tell"""


def is_missing(cell: str) -> bool:
    """Whether a cell says that there is no figure."""
    return cell.strip().lower() in MISSING


def split_money(cell: str) -> tuple[str, str]:
    """(digits with separators, currency) of a cell; the currency is a code, or empty.

    >>> split_money("1.234,56 €"), split_money("US$1,234.50"), split_money("EUR 3")
    (('1.234,56', 'EUR'), ('1,234.50', 'USD'), ('3', 'EUR'))
    """
    bare = _SPACES.sub("", cell)
    match = _MONEY.match(bare)
    if match is None:
        raise CellError(f"'{shown(cell)}' is not a number")
    sign = (match["before"] + match["after"]).lower()
    currency = sign.upper() if re.fullmatch(r"[a-z]{3}", sign) else _SIGNS.get(sign, "") if sign else ""
    if sign and sign not in _SIGNS and not currency:
        raise CellError(f"'{shown(cell)}' is not a number")
    return match["number"], currency


def told_mark(number: str) -> str:
    """The mark before decimals that a number gives away, or none.

    A mark that stands once, not before exactly three digits, is one; so is the last of two different marks.
    >>> [told_mark(number) for number in ("1.234,56", "0.5", "1.234", "1,234,567", "12")]
    [',', '.', '', '.', '']
    """
    dots, commas = number.count("."), number.count(",")
    if dots and commas:
        return "." if number.rfind(".") > number.rfind(",") else ","
    if dots + commas == 1:
        mark = "." if dots else ","
        lead, _, tail = number.partition(mark)
        return "" if len(tail) == 3 and lead not in ("", "0", "-0") else mark
    if dots > 1 or commas > 1:
        return "," if dots else "."
    return ""


def number_of(digits: str, decimal: str) -> float:
    """The number that digits and separators stand for; raises CellError where groups are not of three."""
    grouping = "," if decimal == "." else "."
    whole, mark, tail = digits.partition(decimal)
    groups = whole.lstrip("+-").split(grouping)
    sound = all(len(group) == 3 for group in groups[1:]) and (len(groups) == 1 or 1 <= len(groups[0]) <= 3)
    # Indian grouping (12,34,567) has groups of two before the last.
    sound |= len(groups) > 2 and len(groups[-1]) == 3 and all(len(group) == 2 for group in groups[1:-1])
    if not sound or grouping in tail or decimal in tail:
        raise CellError(f"'{shown(digits)}' is not a number of this file's locale (decimals after '{decimal}')")
    return float("".join(groups if digits[:1] not in "+-" else [digits[0], *groups]) + (f".{tail}" if mark else ""))


def share_of(cell: str, decimal: str) -> tuple[float, float]:
    """Bounds of a share: equal for `12.5 %`, open below for `< 10 %`, open above for `> 90 %`.

    >>> share_of("12,5 %", ","), share_of("< 10%", "."), share_of("> 90 %", ".")
    ((0.125, 0.125), (0.0, 0.1), (0.9, 1.0))
    """
    bare = _SPACES.sub("", cell)
    sign = bare[:1] if bare[:1] in "<>" else ""
    digits = bare.lstrip("<>≤≥").removesuffix("%")
    if not re.fullmatch(r"[\d.,]+", digits):
        raise CellError(f"'{shown(cell)}' is not a share; write it as 12.5 %, < 10 % or > 90 %")
    value = round(number_of(digits, decimal) / (100 if "%" in bare else 1), 12)
    if not 0 <= value <= 1:
        raise CellError(f"'{shown(cell)}' is not between 0 and 100 %")
    return (0.0, value) if sign == "<" else (value, 1.0) if sign == ">" else (value, value)


def month_first(cells: Sequence[str]) -> bool | None:
    """Whether days such as 9/1/2025 begin with the month: by a part above 12, else by which reading leaves no gaps."""
    parts = [match.groups() for cell in cells if (match := _NUMERIC_DAY.fullmatch(cell.strip()))]
    if not parts:
        return None
    if any("." in cell for cell in cells if _NUMERIC_DAY.fullmatch(cell.strip())):
        return False
    first, second = (max(int(part[place]) for part in parts) for place in (0, 1))
    if first > 12 or second > 12:
        if first > 12 and second > 12:
            raise CellError("days are written with the month first and with the day first; export them as YYYY-MM-DD")
        return second > 12
    gaps = {order: _gap(parts, month_first=order) for order in (True, False)}
    return None if gaps[True] == gaps[False] else gaps[True] < gaps[False]


def _gap(parts: Sequence[tuple[str, ...]], *, month_first: bool) -> int:
    days = sorted({_ordinal(year, *((a, b) if month_first else (b, a))) for a, b, year in parts})
    return max((later - earlier for earlier, later in pairwise(days)), default=0)


def _ordinal(year: str, month: str, day: str) -> int:
    return date(_year(year), int(month), int(day)).toordinal()


def _year(text: str) -> int:
    return int(text) + (2000 if len(text) == 2 else 0)


def day_of(cell: str, locale: Locale) -> int:
    """The proleptic ordinal of a day as exports write it.

    >>> written = ("2025-09-01", "20250901", "Sep 1, 2025", "Monday, September 1, 2025", "1. September 2025", "9/1/2025")
    >>> {day_of(cell, Locale(month_first=True)) for cell in (*written, "01.09.2025")}
    {739495}
    """
    text = cell.strip()
    try:
        if match := re.fullmatch(r"(\d{4})[-/.]?(\d{2})[-/.]?(\d{2})", text):
            return date(*map(int, match.groups())).toordinal()
        if match := _NUMERIC_DAY.fullmatch(text):
            first, second, year = match.groups()
            by_month = False if "." in text else locale.month_first
            if by_month is None and first != second:
                raise CellError(f"'{shown(cell)}' may be a day of two months; export days as YYYY-MM-DD")
            return _ordinal(year, *((first, second) if by_month else (second, first)))
        return _worded_day(text)
    except CellError:
        raise
    except ValueError:
        raise CellError(f"'{shown(cell)}' is not a day; write it as YYYY-MM-DD") from None


def _worded_day(text: str) -> int:
    words = re.findall(r"[^\W\d_]+|\d+", text.lower())
    months = [_MONTHS[word] for word in words if word in _MONTHS]
    numbers = [word for word in words if word.isdigit()]
    if len(months) != 1 or len(numbers) != 2:
        raise ValueError
    year = next((number for number in numbers if len(number) == 4), "")
    day = next(number for number in numbers if number != year)
    return date(int(year), months[0], int(day)).toordinal()


def hour_of(cell: str) -> int:
    """An hour of the day, 0 to 23: `13`, `13:00`, `1 PM`.

    >>> hour_of("13"), hour_of("13:00 - 13:59"), hour_of("12 AM"), hour_of("1 p.m.")
    (13, 13, 0, 13)
    """
    text = cell.strip().lower().replace(".", "")
    match = re.match(r"(\d{1,2})(?::\d\d)?(?::\d\d)?\s*(am|pm)?", text)
    if match is None or (hour := int(match[1])) > (12 if match[2] else 23):
        raise CellError(f"'{shown(cell)}' is not an hour of the day, 0 to 23")
    return hour % 12 + (12 if match[2] == "pm" else 0) if match[2] else hour


def shown(cell: str) -> str:
    """A cell as an error shows it: printable, at most 40 characters."""
    cut = cell if len(cell) <= 40 else cell[:37] + "..."
    return "".join(letter if letter.isprintable() else "?" for letter in cut)
