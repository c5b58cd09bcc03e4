"""Flow pictures: blocks in columns, and bands between them as wide as what flows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from gaelp_sim.report.svg import WIDTH, Node, picture, shortened, text_at

_SIDE, _BLOCK, _TOP, _LINE = 104, 10, 6, 31
_LABEL_PX = 100

Flows = Mapping[tuple[int, str, str], float]
"""(column, from, to) -> how much"""


@dataclass(frozen=True)
class _Block:
    top: float
    height: float
    value: float


def flow_chart(title: str, columns: Sequence[Sequence[Node]], flows: Flows) -> Markup:
    """Columns of blocks and the bands between neighbouring columns; the same scale for all of them.

    Blocks of nothing are left out. A block is at least one unit high, so that a rare ending can be seen at all.
    """
    kept = [[node for node in column if _value(number, node.name, flows) > 0] for number, column in enumerate(columns)]
    most = max((len(column) for column in kept), default=0)
    height = max(220.0, most * _LINE + 2 * _TOP)
    total = sum(value for (number, _, _), value in flows.items() if number == 0)
    if not total:
        return Markup("")
    scale = _scale(
        [[_value(number, node.name, flows) for node in column] for number, column in enumerate(kept)], height - 2 * _TOP
    )
    blocks = [_blocks(column, number, flows, scale) for number, column in enumerate(kept)]
    places = [_SIDE + number * (WIDTH - 2 * _SIDE - _BLOCK) / max(len(kept) - 1, 1) for number in range(len(kept))]
    body = _bands(kept, blocks, flows, (scale, places))
    for number, column in enumerate(kept):
        body += _column(column, blocks[number], places[number], (number, len(kept), height))
    return picture(title, body, height)


def _value(number: int, name: str, flows: Flows) -> float:
    out = sum(value for (at, source, _), value in flows.items() if at == number and source == name)
    into = sum(value for (at, _, target), value in flows.items() if at == number - 1 and target == name)
    return max(out, into)


def _gap(one: float, other: float) -> float:
    """Between neighbouring blocks: enough for the two lines of each one's label to stand beside it."""
    return max(6.0, _LINE - (one + other) / 2)


def _needed(values: Sequence[float], scale: float) -> float:
    heights = [max(value * scale, 1.0) for value in values]
    return sum(heights) + sum(_gap(one, other) for one, other in pairwise(heights))


def _scale(columns: Sequence[Sequence[float]], room: float) -> float:
    """The largest scale at which every column has room; found by halving, since gaps depend on it."""
    low, high = 0.0, room / max(sum(column) for column in columns)
    for _ in range(40):
        middle = (low + high) / 2
        fits = all(_needed(column, middle) <= room for column in columns)
        low, high = (middle, high) if fits else (low, middle)
    return low


def _blocks(column: Sequence[Node], number: int, flows: Flows, scale: float) -> dict[str, _Block]:
    found: dict[str, _Block] = {}
    top, before = float(_TOP), None
    for node in column:
        value = _value(number, node.name, flows)
        height = max(value * scale, 1.0)
        top += 0.0 if before is None else _gap(before, height)
        found[node.name] = _Block(top, height, value)
        top, before = top + height, height
    return found


def _bands(
    columns: Sequence[Sequence[Node]],
    blocks: Sequence[dict[str, _Block]],
    flows: Flows,
    drawn: tuple[float, Sequence[float]],
) -> list[Markup]:
    scale, places = drawn
    parts = []
    for number in range(len(columns) - 1):
        used = {node.name: 0.0 for node in columns[number + 1]}
        for node in columns[number]:
            start = blocks[number][node.name].top
            for target in columns[number + 1]:
                value = flows.get((number, node.name, target.name), 0.0)
                if not value:
                    continue
                end = blocks[number + 1][target.name].top + used[target.name]
                parts.append(
                    _band(
                        (places[number] + _BLOCK, start),
                        (places[number + 1], end),
                        value * scale,
                        (node.series, f"{node.name} to {target.name}: {value:,.0f}"),
                    )
                )
                start, used[target.name] = start + value * scale, used[target.name] + value * scale
    return parts


def _band(one: tuple[float, float], other: tuple[float, float], thick: float, told: tuple[int, str]) -> Markup:
    (x, y), (x2, y2), middle = one, other, (one[0] + other[0]) / 2
    thick = max(thick, 0.6)
    path = (
        f"M{x:.1f} {y:.1f}C{middle:.1f} {y:.1f} {middle:.1f} {y2:.1f} {x2:.1f} {y2:.1f}v{thick:.1f}"
        f"C{middle:.1f} {y2 + thick:.1f} {middle:.1f} {y + thick:.1f} {x:.1f} {y + thick:.1f}z"
    )
    return Markup('<path class="b f{}" d="{}"><title>{}</title></path>').format(told[0], path, told[1])


def _column(column: Sequence[Node], blocks: dict[str, _Block], place: float, where: tuple[int, int, float]) -> list[Markup]:
    number, columns, height = where
    parts = []
    tops = _apart([blocks[node.name].top + blocks[node.name].height / 2 - 14 for node in column], height)
    for node, top in zip(column, tops, strict=True):
        block = blocks[node.name]
        parts.append(
            Markup('<rect class="f{}" x="{:.1f}" y="{:.1f}" width="{}" height="{:.1f}"/>').format(
                node.series, place, block.top, _BLOCK, block.height
            )
        )
        x, anchor = (place - 5, "end") if number == 0 else (place + _BLOCK + 5, "start")
        wide = _LABEL_PX if number in (0, columns - 1) else 0.86 * _LABEL_PX
        parts.append(text_at(x, top + 12, shortened(node.name, wide), anchor, "h"))
        parts.append(text_at(x, top + 26, f"{block.value:,.0f}", anchor, "m h"))
    return parts


def _apart(tops: Sequence[float], height: float) -> list[float]:
    """Tops of labels in order, pushed down, then up, until none touches another or leaves the picture."""
    placed: list[float] = []
    for top in tops:
        placed.append(max(top, placed[-1] + _LINE - 2 if placed else 0.0))
    limit = height - _LINE
    for number in range(len(placed) - 1, -1, -1):
        placed[number] = min(placed[number], limit)
        limit = placed[number] - (_LINE - 2)
    return placed
