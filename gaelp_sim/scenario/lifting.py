"""From what the file says to intervals: `{between: [low, high]}` where a number may stand becomes an Interval."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any, get_args

from gaelp_sim.scenario.intervals import LOG, SCALES, Interval
from gaelp_sim.scenario.problems import Path, Problem, key_text, nearest, part_at
from gaelp_sim.scenario.scalars import Scalar, shown
from gaelp_sim.scenario.yaml_nodes import Node

MARK = "between"
_KEYS = (MARK, "scale", "together")
_FIXED = {
    "population.segments.*.share": "shares that sum to 1 stay numbers",
    "population.segments.*.start.*": "shares that sum to 1 stay numbers",
    "population.households.*": "shares that sum to 1 stay numbers",
    "channels.*.signals.*.share.*": "shares that sum to 1 stay numbers",
    "channels.*.signals.*.crisis_share.*": "shares that sum to 1 stay numbers",
    "conversion.purchase_lag.*.weight": "weights that sum to 1 stay numbers",
    "channels.*.slot_factors.*": "slot factors must not rise, so they stay numbers",
    "variation.*": "variation itself says how worlds differ; write a number",
    "script.*": "a scripted moment is written down; write a number",
}
"""Numbers that can't be intervals, and why; whole numbers can't either."""
_SHARED_NAME_MAX = 40


def lifted(root: Node) -> tuple[tuple[Interval, ...], list[Problem]]:
    """Take the intervals out of a read scenario: each leaves the middle of its bounds in its place.

    The problems are those of intervals; whether bounds suit their keys is for the schema to say.
    """
    intervals: list[Interval] = []
    problems: list[Problem] = []
    for path, node in list(_marked(root, ())):
        found = _interval(root, path, node)
        if isinstance(found, Interval):
            intervals.append(found)
            node.content = found.at(0.5)
        elif found is not None:
            problems.append(found)
    return tuple(sorted(intervals, key=lambda interval: interval.key)), problems


def _marked(node: Node, path: Path) -> Iterator[tuple[Path, Node]]:
    if isinstance(node.content, dict):
        if MARK in node.content:
            yield path, node
            return
        for key, child in node.content.items():
            yield from _marked(child, (*path, key))
    elif isinstance(node.content, list):
        for position, child in enumerate(node.content):
            yield from _marked(child, (*path, position))


def _interval(root: Node, path: Path, node: Node) -> Interval | Problem | None:
    """The interval at a path, what is wrong with it, or None where no number may stand (the schema then says so)."""
    kinds = _kinds(path)
    if float not in kinds:
        return Problem(path, "a whole number can't be an interval; write one number") if int in kinds else None
    dotted = ".".join(map(str, path))
    for pattern, reason in _FIXED.items():
        if fnmatchcase(dotted, pattern):
            return Problem(path, f"this can't be an interval: {reason}")
    assert isinstance(node.content, dict)
    for key in node.content:
        if key not in _KEYS:
            return Problem((*path, key), f"unknown key {shown(key)} of an interval{nearest(key, _KEYS)}")
    return _bounded(path, key_text(root, path), node)


def _bounded(path: Path, key: str, node: Node) -> Interval | Problem:
    between = node.child(MARK)
    bounds = [_number(item.content) for item in between.children()] if between and isinstance(between.content, list) else []
    if len(bounds) != 2 or None in bounds:
        return Problem((*path, MARK), "write the bounds as two numbers: between: [low, high]")
    low, high = float(bounds[0] or 0), float(bounds[1] or 0)
    if not low < high:
        return Problem((*path, MARK), f"{low:g} is not below {high:g}; write the lower bound first")
    scale, together = _text(node, "scale", "linear"), _text(node, "together", "")
    if scale not in SCALES:
        return Problem((*path, "scale"), f"{shown(scale)} is not allowed{nearest(str(scale), SCALES)}")
    if scale == LOG and low <= 0:
        return Problem((*path, MARK), f"{low:g} has no logarithm; with `scale: log` both bounds must be more than 0")
    if not isinstance(together, str) or len(together) > _SHARED_NAME_MAX:
        return Problem((*path, "together"), f"it must be a name of at most {_SHARED_NAME_MAX} characters")
    return Interval(path, key, (low, high), str(scale), together)


def _number(content: Any) -> float | None:
    is_number = isinstance(content, int | float) and not isinstance(content, bool)
    return float(content) if is_number and abs(content) < float("inf") else None


def _text(node: Node, key: str, default: str) -> Scalar:
    child = node.child(key)
    content = default if child is None else child.content
    return None if isinstance(content, dict | list) else content


def _kinds(path: Path) -> set[Any]:
    """The plain types that a value at this path may have."""
    names = list(path)
    while names and isinstance(names[-1], int):
        names.pop()
    part = part_at(tuple(names[:-1])) if names else None
    field = part.model_fields.get(str(names[-1])) if part else None
    return set(_leaves(field.annotation)) if field else set()


def _leaves(annotation: Any) -> Iterator[Any]:
    inner = get_args(annotation)
    if not inner:
        yield annotation
    for one in inner:
        if isinstance(one, type) or get_args(one):
            yield from _leaves(one)
