"""The page's colours, light and dark, and how readable they are on each other."""

from __future__ import annotations

from collections.abc import Mapping

Colours = Mapping[str, str]

SERIES = 8
LIGHT: Colours = {
    "ground": "#ffffff",
    "card": "#f6f7f9",
    "text": "#15191e",
    "muted": "#4d5661",
    "rule": "#c9ced6",
    "good": "#14652f",
    "bad": "#a3201a",
    "s0": "#1b5e9b",
    "s1": "#a04a00",
    "s2": "#1d6b3a",
    "s3": "#6b3fa0",
    "s4": "#a3201a",
    "s5": "#0b6870",
    "s6": "#5c6570",
    "s7": "#8a2b6b",
}
DARK: Colours = {
    "ground": "#12161b",
    "card": "#1b2128",
    "text": "#eceff3",
    "muted": "#b0b8c3",
    "rule": "#46505c",
    "good": "#74d493",
    "bad": "#ff9d95",
    "s0": "#7db9f2",
    "s1": "#f2ac6b",
    "s2": "#74d493",
    "s3": "#c5a5f5",
    "s4": "#ff9d95",
    "s5": "#62ccd4",
    "s6": "#b0b8c3",
    "s7": "#f09bcf",
}
"""`ground` and `card` lie behind everything; `rule` draws lines that carry no meaning; s0 to s7 tell series apart."""


def contrast(one: str, other: str) -> float:
    """How far two colours (#rrggbb) stand apart, from 1 to 21.

    Source: WCAG 2.1, relative luminance and contrast ratio.
    >>> round(contrast("#000000", "#ffffff"), 1)
    21.0
    """
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    shares = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def variables(colours: Colours) -> str:
    """The colours as CSS custom properties."""
    return "".join(f"--{name}:{value};" for name, value in colours.items())
