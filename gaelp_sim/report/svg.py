"""Pictures as inline SVG: lines, bars with intervals, rows with intervals, flows; no script, no outside font or image.

All are drawn 420 units wide with text of 13, so that they can be read on a telephone. Colours are classes of the page's
style sheet (`f0` fills, `l0` strokes). Every text is escaped by MarkupSafe as it is put in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

WIDTH, HEIGHT = 420, 220
_RIGHT, _TOP, _BOTTOM = 12, 12, 40
TEXT_PX = 13
_NARROW, _WIDE = 0.6, 0.68
"""Widths of a small letter, and of a digit or capital, over the size of the text: those of DejaVu Sans, a wide fallback"""

Said = Callable[[float], str]
Point = tuple[float, float]


@dataclass(frozen=True)
class Axis:
    """An axis from low to high, with what its numbers are called and how they are written."""

    low: float
    high: float
    name: str
    said: Said

    def at(self, value: float, start: float, end: float) -> float:
        """Where a value lies between two places on the picture."""
        span = self.high - self.low
        return start + (end - start) * ((value - self.low) / span if span > 0 else 0.5)


@dataclass(frozen=True)
class Line:
    """One line of a picture; `series` picks its colour, dashes tell what is no measurement."""

    name: str
    points: Sequence[Point]
    series: int = 0
    dashed: bool = False


@dataclass(frozen=True)
class Bar:
    """One bar; low and high draw its interval, `told` is what a pointer held over it reads."""

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    series: int = 0
    told: str = ""


@dataclass(frozen=True)
class Node:
    """One block of a flow picture."""

    name: str
    series: int = 6


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers from low to high, at most so many.

    >>> ticks(0, 6, 4), ticks(0, 0)
    ([0.0, 2.0, 4.0, 6.0], [0.0])
    """
    if high <= low:
        return [low + 0.0]
    rough = (high - low) / max(most - 1, 1)
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * times for times in (1, 2, 5, 10, 20) if (high - low) / (size * times) <= most - 1 + 1e-9)
    first = math.ceil(low / step - 1e-9)
    return [step * number for number in range(first, math.floor(high / step + 1e-9) + 1)]


def text_width(text: str, size: float = TEXT_PX) -> float:
    """About how wide a text is drawn; rather too much than too little."""
    return size * sum(_WIDE if letter.isdigit() or letter.isupper() else _NARROW for letter in text)


def shortened(text: str, width: float) -> str:
    """The text, cut where it is wider than that.

    >>> shortened("comparison", 60), shortened("offer", 60)
    ('compar…', 'offer')
    """
    if text_width(text) <= width:
        return text
    kept = text
    while len(kept) > 1 and text_width(kept + "…") > width:
        kept = kept[:-1]
    return kept + "…"


def line_chart(title: str, lines: Sequence[Line], x: Axis, y: Axis) -> Markup:
    """Lines over a numbered axis."""
    body, left = [_frame(x, y)], _left(y)
    for line in lines:
        path = "M" + "L".join(
            f"{x.at(one, left, WIDTH - _RIGHT):.1f} {y.at(two, HEIGHT - _BOTTOM, _TOP):.1f}" for one, two in line.points
        )
        dashes = Markup(' stroke-dasharray="5 4"') if line.dashed else ""
        if line.points:
            body.append(
                Markup('<path class="l l{}"{} d="{}"><title>{}</title></path>').format(line.series, dashes, path, line.name)
            )
    return picture(title, body, HEIGHT)


def bar_chart(title: str, bars: Sequence[Bar], x_name: str, y: Axis) -> Markup:
    """Upright bars side by side; labels are left out where they would touch."""
    x = Axis(0, max(len(bars), 1), x_name, lambda _: "")
    body = [_frame(x, y, numbered=False)]
    start = _left(y)
    room = (WIDTH - start - _RIGHT) / max(len(bars), 1)
    every = max(1, math.ceil(max((text_width(bar.label) + 6 for bar in bars), default=0) / room))
    base = y.at(max(y.low, 0.0), HEIGHT - _BOTTOM, _TOP)
    for number, bar in enumerate(bars):
        left, top = start + number * room, y.at(bar.value, HEIGHT - _BOTTOM, _TOP)
        wide = max(room * 0.8, 1.0)
        body.append(
            Markup(
                '<rect class="f{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"><title>{}</title></rect>'
            ).format(
                bar.series,
                left + (room - wide) / 2,
                min(top, base),
                wide,
                abs(base - top),
                bar.told or f"{bar.label}: {y.said(bar.value)}",
            )
        )
        if bar.low is not None and bar.high is not None:
            body.append(_upright(left + room / 2, (bar.low, bar.high), y))
        if number % every == 0:
            body.append(text_at(left + room / 2, HEIGHT - _BOTTOM + 16, bar.label, "middle"))
    return picture(title, body, HEIGHT)


def row_chart(title: str, bars: Sequence[Bar], x: Axis) -> Markup:
    """Lying bars under each other, each with its label and, where it is known, its interval."""
    left = min(max((text_width(bar.label) for bar in bars), default=0) + 10, 150)
    row, height = 24, 24 * len(bars) + _BOTTOM + 4
    body = _numbers_below(x, left, height)
    zero = x.at(min(max(0.0, x.low), x.high), left, WIDTH - _RIGHT - 14)
    for number, bar in enumerate(bars):
        top, end = number * row + 6, x.at(min(max(bar.value, x.low), x.high), left, WIDTH - _RIGHT - 14)
        body.append(text_at(left - 6, top + 12, shortened(bar.label, left - 6), "end"))
        body.append(
            Markup('<rect class="f{}" x="{:.1f}" y="{}" width="{:.1f}" height="14"><title>{}</title></rect>').format(
                bar.series, min(zero, end), top, max(abs(end - zero), 0.5), bar.told or f"{bar.label}: {x.said(bar.value)}"
            )
        )
        if bar.low is not None and bar.high is not None:
            low, high = (x.at(min(max(one, x.low), x.high), left, WIDTH - _RIGHT - 14) for one in (bar.low, bar.high))
            body.append(
                Markup('<path class="e" d="M{0:.1f} {2}H{1:.1f}M{0:.1f} {3}v8M{1:.1f} {3}v8"/>').format(
                    low, high, top + 7, top + 3
                )
            )
    return picture(title, body, height)


def spark(title: str, points: Sequence[Point], series: int = 0) -> Markup:
    """A small line without axes; its height runs from 0 to the highest value."""
    top = max((two for _, two in points), default=0.0) or 1.0
    first, last = (points[0][0], points[-1][0]) if points else (0.0, 1.0)
    x, y = Axis(first, last, "", str), Axis(0.0, top, "", str)
    path = "M" + "L".join(f"{x.at(one, 2, 158):.1f} {y.at(two, 28, 3):.1f}" for one, two in points)
    line = Markup('<path class="l l{}" d="{}"/>').format(series, path) if points else Markup("")
    return Markup('<svg class="spark" viewBox="0 0 160 32" role="img"><title>{}</title>{}</svg>').format(title, line)


def _left(y: Axis) -> float:
    """Where the axes begin: right of the widest number of y."""
    return max([40.0, *(text_width(y.said(value)) + 12 for value in ticks(y.low, y.high))])


def _frame(x: Axis, y: Axis, *, numbered: bool = True) -> Markup:
    """Lines across at round numbers of y, numbers of x below where asked for, and both names."""
    parts, left = [], _left(y)
    for value in ticks(y.low, y.high):
        height = y.at(value, HEIGHT - _BOTTOM, _TOP)
        parts.append(Markup('<path class="r" d="M{} {:.1f}H{}"/>').format(f"{left:.1f}", height, WIDTH - _RIGHT))
        parts.append(text_at(left - 6, height + 4, y.said(value), "end", "m"))
    if numbered:
        for value in ticks(x.low, x.high, 6):
            parts.append(text_at(x.at(value, left, WIDTH - _RIGHT), HEIGHT - _BOTTOM + 16, x.said(value), "middle", "m"))
    parts.append(text_at((left + WIDTH - _RIGHT) / 2, HEIGHT - 6, x.name, "middle", "m"))
    return Markup("").join(parts)


def _numbers_below(x: Axis, left: float, height: float) -> list[Markup]:
    parts = []
    for value in ticks(x.low, x.high, 5):
        place = x.at(value, left, WIDTH - _RIGHT - 14)
        parts.append(Markup('<path class="r" d="M{:.1f} 0V{}"/>').format(place, height - _BOTTOM))
        parts.append(text_at(place, height - _BOTTOM + 16, x.said(value), "middle", "m"))
    return [*parts, text_at((left + WIDTH - _RIGHT) / 2, height - 6, x.name, "middle", "m")]


def _upright(x: float, interval: Point, y: Axis) -> Markup:
    low, high = (y.at(min(max(one, y.low), y.high), HEIGHT - _BOTTOM, _TOP) for one in interval)
    return Markup('<path class="e" d="M{0:.1f} {2:.1f}V{3:.1f}M{1:.1f} {2:.1f}h6M{1:.1f} {3:.1f}h6"/>').format(
        x, x - 3, low, high
    )


def text_at(x: float, y: float, text: str, anchor: str, kind: str = "") -> Markup:
    """One line of text; anchor: start, middle or end; kind: classes of the style sheet."""
    kind = Markup(' class="{}"').format(kind) if kind else ""
    return Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}"{}>{}</text>').format(x, y, anchor, kind, text)


def picture(title: str, body: Sequence[Markup], height: float) -> Markup:
    """The whole picture; its title is what a reader of the screen says."""
    return Markup('<svg viewBox="0 0 {} {}" role="img"><title>{}</title>{}</svg>').format(
        WIDTH, f"{height:g}", title, Markup("").join(body)
    )
