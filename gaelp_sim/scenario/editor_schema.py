"""The JSON schema of scenario files, with every description taken from the docstrings of schema.py."""

from __future__ import annotations

import ast
import inspect
from typing import Any

from gaelp_sim.scenario import schema

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_INTERVAL = {
    "type": "object",
    "description": "Each world draws its own value between the bounds.",
    "properties": {
        "between": {
            "type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2,
            "description": "Lower and upper bound.",
        },
        "scale": {"enum": ["linear", "log"], "default": "linear", "description": "What values are even in."},
        "together": {"type": "string", "description": "Name of the luck that it shares with other intervals."},
    },
    "required": ["between"],
    "additionalProperties": False,
}


def json_schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) that editors check and complete scenarios with.

    Whatever parse_scenario accepts is valid under it; the rules between parts (checks.py) are beyond it.
    """
    described = schema.Scenario.model_json_schema()
    parts = {**described["$defs"], "Scenario": described}
    for name, texts in _field_texts().items():
        for field, text in texts.items():
            if name in parts and field in parts[name]["properties"]:
                parts[name]["properties"][field]["description"] = text
    told = _with_intervals(described)
    told["$defs"]["Interval"] = _INTERVAL
    return {"$schema": DIALECT, **_without_titles(told)}


def _with_intervals(value: Any) -> Any:
    """Let an interval stand wherever a number that is not a whole one may."""
    if isinstance(value, list):
        return [_with_intervals(part) for part in value]
    if not isinstance(value, dict):
        return value
    if value.get("type") != "number":
        return {key: _with_intervals(part) for key, part in value.items()}
    outside = {key: value[key] for key in ("default", "description", "title") if key in value}
    number = {key: part for key, part in value.items() if key not in outside}
    return {"anyOf": [number, {"$ref": "#/$defs/Interval"}], **outside}


def _field_texts() -> dict[str, dict[str, str]]:
    """The docstring under each field of each class of schema.py; read only here, so that loading stays quick."""
    texts: dict[str, dict[str, str]] = {}
    for node in ast.parse(inspect.getsource(schema)).body:
        if isinstance(node, ast.ClassDef):
            texts[node.name] = dict(_documented(node.body))
    return texts


def _documented(body: list[ast.stmt]) -> list[tuple[str, str]]:
    found = []
    for field, below in zip(body, body[1:], strict=False):
        if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
            continue
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
            found.append((field.target.id, inspect.cleandoc(str(below.value.value))))
    return found


def _without_titles(value: Any, *, is_properties: bool = False) -> Any:
    """Drop pydantic's generated titles, which only repeat the keys."""
    if isinstance(value, dict):
        return {
            key: _without_titles(part, is_properties=key == "properties" and not is_properties)
            for key, part in value.items()
            if is_properties or key != "title"
        }
    return [_without_titles(part) for part in value] if isinstance(value, list) else value
