"""A scenario with every default filled in: as canonical YAML, as a hash, and what editors and newcomers start from."""

from __future__ import annotations

import hashlib
import json
import re

from gaelp_sim.scenario.catalogue import list_scenarios, new_scenario_text
from gaelp_sim.scenario.editor_schema import json_schema
from gaelp_sim.scenario.lifting import MARK
from gaelp_sim.scenario.scalars import plain_scalar
from gaelp_sim.scenario.schema import Scenario
from gaelp_sim.scenario.shipped import shipped_names, shipped_path

__all__ = [
    "json_schema", "list_scenarios", "new_scenario_text", "resolved_text", "scenario_hash", "shipped_names", "shipped_path",
    "yaml_text",
]

COLUMNS_MAX = 120
_PLAIN = re.compile(r"[A-Za-z]([A-Za-z0-9_ .-]*[A-Za-z0-9_.-])?|[0-9]{4}-[0-9]{2}-[0-9]{2}")
_OLD_WORDS = frozenset("y n yes no on off".split())
"""Words that readers of YAML 1.1 take for true or false; quoted, so that they stay text everywhere."""
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}


def resolved_text(scenario: Scenario) -> str:
    """The scenario as canonical YAML with all values written out; parse_scenario reads it back to an equal scenario.

    >>> from gaelp_sim.scenario.loading import load_scenario, parse_scenario
    >>> scenario = load_scenario("quickstart")
    >>> parse_scenario(resolved_text(scenario), "resolved.yaml") == scenario
    True
    """
    return yaml_text(scenario.written())


def yaml_text(values: dict[str, object]) -> str:
    """Plain mappings, lists and scalars as YAML in the form of resolved scenarios."""
    return "\n".join(_mapping_lines(values, indent="")) + "\n"


def scenario_hash(scenario: Scenario) -> str:
    """SHA-256 of the scenario's canonical JSON, 64 hex digits; the seed is left out, it is stored beside it."""
    values = {key: value for key, value in scenario.written().items() if key != "seed"}
    return hashlib.sha256(json.dumps(values, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _mapping_lines(values: dict[str, object], *, indent: str) -> list[str]:
    lines = []
    for key, value in values.items():
        flow = f"{indent}{key}: {_flow(value)}"
        if _is_short(value) and (len(flow) <= COLUMNS_MAX or _is_curve(value)):
            lines.append(flow)
        elif isinstance(value, dict):
            lines += [f"{indent}{key}:", *_mapping_lines(value, indent=indent + "  ")]
        elif isinstance(value, list):
            lines += [f"{indent}{key}:", *_list_lines(value, indent=indent + "  ")]
        else:
            lines.append(flow)
    return lines


def _list_lines(values: list[object], *, indent: str) -> list[str]:
    lines = []
    for value in values:
        flow = f"{indent}- {_flow(value)}"
        if not isinstance(value, dict) or (_is_short(value) and len(flow) <= COLUMNS_MAX):
            lines.append(flow)
            continue
        inner = _mapping_lines(value, indent=indent + "  ")
        lines += [f"{indent}- {inner[0].lstrip()}", *inner[1:]]
    return lines


def _is_short(value: object) -> bool:
    """Scalars, lists and mappings of scalars, and intervals: they may stand on one line."""
    if isinstance(value, dict) and MARK in value:
        return True
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return not any(isinstance(part, (dict, list)) for part in parts)


def _is_curve(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(part, float) for part in value)


def _flow(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return _text(value) if isinstance(value, str) else json.dumps(value)


def _text(value: str) -> str:
    """Text as a plain scalar where every reader takes it for text, else in double quotes."""
    is_text = isinstance(plain_scalar(value), str) and value.lower() not in _OLD_WORDS
    if _PLAIN.fullmatch(value) and is_text:
        return value
    return '"' + "".join(map(_escaped, value)) + '"'


def _escaped(letter: str) -> str:
    if letter in _ESCAPES:
        return _ESCAPES[letter]
    # U+FEFF and characters that YAML calls unprintable, or line breaks, must not stand bare.
    if letter.isprintable() and letter != "\ufeff" and ord(letter) < 0x10000:
        return letter
    return f"\\U{ord(letter):08x}"
