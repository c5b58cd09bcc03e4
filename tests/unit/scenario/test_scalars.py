"""Scalars of YAML 1.2's core schema."""

from __future__ import annotations

import math

import pytest

from gaelp_sim.scenario.scalars import one_line, plain_scalar, shown


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"), ("yes", "yes"), ("on", "on"), ("012", 12), ("-7", -7), ("+3", 3), ("0x1F", 31), ("0o17", 15),
        ("1e3", 1000.0), ("1_000", "1_000"), ("12:30", "12:30"), ("2025-09-01", "2025-09-01"), (".5", 0.5), ("1.", 1.0),
        ("~", None), ("", None), ("null", None), ("Null", None), ("nULL", "nULL"), ("true", True), ("FALSE", False),
        (".inf", math.inf), ("-.Inf", -math.inf), ("1e400", math.inf), ("٣", "٣"), ("1.2.3", "1.2.3"), ("0b1", "0b1"),
        ("<<", "<<"), ("9" * 41, "9" * 41),
    ],
)
def test_core_schema(text: str, value: object) -> None:
    """Each plain scalar has the value and the type that YAML 1.2's core schema gives it."""
    got = plain_scalar(text)
    assert got == value and type(got) is type(value)


def test_nan_and_negative_zero() -> None:
    """NaN is told apart later, by the schema; minus zero is zero, so that equal scenarios have equal hashes."""
    assert math.isnan(plain_scalar(".nan"))  # type: ignore[arg-type]
    assert math.copysign(1, plain_scalar("-0.0")) == 1  # type: ignore[arg-type]


def test_shown_is_one_short_line() -> None:
    """Whatever a value holds, an error stays one line."""
    assert shown("a\nb\u2028c") == "'a\\u000ab\\u2028c'"
    assert shown("x" * 99) == "'" + "x" * 37 + "...'"
    assert [shown(value) for value in (None, True, 1.5, [], {})] == ["null", "true", "1.5", "a list", "a mapping"]
    assert one_line("a\tb") == "a\\u0009b"
