"""From a broken rule to the one line a user reads: place, key, what is wrong, and the nearest valid name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any, TypeAlias, get_args

from pydantic_core import ErrorDetails

from gaelp_sim.scenario.parts import Part
from gaelp_sim.scenario.scalars import shown
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.scenario.yaml_nodes import Node, Place

Path: TypeAlias = tuple[str | int, ...]
"""Keys and list positions from the top of the scenario to a value."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One broken rule: the path of the value, and the rule in words; an unknown key's words are found when it is told."""

    path: Path
    message: str = ""
    unknown_key: bool = False


def nearest(name: str, valid: Iterable[str]) -> str:
    """`, did you mean 'x'?` where a valid name is near, else the valid names."""
    names = sorted(set(valid))
    near = get_close_matches(name[:60], names, n=1, cutoff=0.6) or [known for known in names if known.startswith(name)]
    if near and name:
        return f", did you mean '{near[0]}'?"
    return f"; valid: {', '.join(names)}" if names else ""


def unknown_name(path: Path, name: str, valid: Iterable[str], *, kind: str) -> Problem:
    """The problem of a reference to something that isn't there."""
    return Problem(path, f"no {kind} is named {shown(name)}{nearest(name, valid)}")


def first_of(problems: Sequence[Problem], root: Node, model: type[Part] = Scenario) -> tuple[Place, str, str]:
    """Place, key and message of the first problem: unknown keys before the rest, then in the file's order.

    model: what the whole file is held against
    The message ends in how many more there are.
    """
    located = sorted(((_place(root, problem), problem) for problem in problems), key=_order)
    place, problem = located[0]
    message = _unknown_key(problem.path, model) if problem.unknown_key else problem.message
    more = f" (and {len(located) - 1} more)" if len(located) > 1 else ""
    return place, key_text(root, problem.path) or model.__name__.lower(), message + more


def _order(located: tuple[Place, Problem]) -> tuple[bool, bool, Place]:
    place, problem = located
    return not problem.unknown_key, isinstance(place, tuple), place


def _place(root: Node, problem: Problem) -> Place:
    """The place of an unknown key, of a list's or mapping's key, else of the value; an option that set it comes first."""
    node = root
    for step in problem.path:
        child = node.child(step)
        if child is None:
            break
        node = child
    if isinstance(node.place, str):
        return node.place
    if problem.unknown_key or isinstance(node.content, (dict, list)):
        return next(_options(node), node.key_place or node.place)
    return node.place


def _options(node: Node) -> Iterator[str]:
    if isinstance(node.place, str):
        yield node.place
    for child in node.children():
        yield from _options(child)


def key_text(root: Node, path: Path) -> str:
    """A path as users write it: list items by their name where they have one, else by position from 0; empty
    for the whole.

    `channels.search.slots`, `curves.hour.3`.
    """
    node: Node | None = root
    words = []
    for step in path:
        node = node.child(step) if node else None
        name = node.child("name") if node and isinstance(step, int) else None
        words.append(name.content if name and isinstance(name.content, str) and name.content else str(step))
    return ".".join(words)


def problem_of(error: ErrorDetails) -> Problem:
    """A pydantic error in our words; `missing` stands at the part that lacks the key."""
    path: Path = tuple(error["loc"])
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return Problem(path, unknown_key=True)
    if kind == "missing":
        return Problem(path[:-1], f"key '{path[-1]}' is missing")
    if kind == "literal_error":
        valid = [word.strip("'") for word in context["expected"].replace(" or ", ", ").split(", ")]
        return Problem(path, f"{shown(error['input'])} is not allowed{nearest(str(error['input']), valid)}")
    if kind in ("too_short", "too_long"):
        bound = f"at least {context['min_length']}" if kind == "too_short" else f"at most {context['max_length']}"
        return Problem(path, f"the list has too {'few' if kind == 'too_short' else 'many'} items; {bound}")
    if kind in ("value_error", "assertion_error"):
        return Problem(path, error["msg"].partition(", ")[2] or error["msg"])
    is_mapping = kind == "float_type" and isinstance(error["input"], dict)
    hint = "; an interval is written {between: [low, high]}" if is_mapping else ""
    return Problem(path, f"{shown(error['input'])} {_rule(kind, context) or _lower(error['msg'])}{hint}")


def _rule(kind: str, context: Mapping[str, Any]) -> str:
    """The rule that a value broke, as the end of a sentence that begins with the value."""
    bound = {name: f"{limit:.10g}" if isinstance(limit, float) else str(limit) for name, limit in context.items()}
    rules = {
        "greater_than_equal": "is too small; at least {ge}",
        "greater_than": "is too small; it must be more than {gt}",
        "less_than_equal": "is too large; at most {le}",
        "less_than": "is too large; it must be less than {lt}",
        "finite_number": "is not a finite number",
        "float_type": "is not a number",
        "int_type": "is not a whole number",
        "bool_type": "is neither true nor false",
        "string_type": "is not text; put it in quotes",
        "string_too_long": "is too long; at most {max_length} characters",
        "list_type": "is not a list",
        "model_type": "is not a mapping of keys",
        "string_pattern_mismatch": "does not match {pattern}",
    }
    return rules[kind].format(**bound) if kind in rules else ""


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]


def _unknown_key(path: Path, model: type[Part]) -> str:
    key = str(path[-1])
    here = part_at(path[:-1], model)
    near = nearest(key, here.model_fields if here else ())
    if model is Scenario and near.startswith("; valid") and (elsewhere := _homes().get(key)):
        near = f", did you mean '{elsewhere}'?"
    return f"unknown key {shown(key)}{near}"


@cache
def _homes() -> dict[str, str]:
    """Where each key one level down belongs, for keys that stand at a wrong level: `people` -> `population.people`."""
    homes: dict[str, str] = {}
    for part in Scenario.model_fields:
        model = part_at((part,))
        for key in model.model_fields if model else ():
            homes.setdefault(key, f"{part}.{key}")
    return homes


def part_at(path: Path, whole: type[Part] = Scenario) -> type[Part] | None:
    """The model of the part at a path of a whole, or None where no part can stand."""
    model: type[Part] | None = whole
    for step in path:
        if isinstance(step, int):
            continue
        field = model.model_fields.get(step) if model else None
        model = _part_in(field.annotation) if field else None
    return model


def _part_in(annotation: Any) -> type[Part] | None:
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return annotation
    return next((part for inner in get_args(annotation) if (part := _part_in(inner))), None)
