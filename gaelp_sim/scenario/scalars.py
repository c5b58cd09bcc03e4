"""Scalars of YAML 1.2's core schema, told apart by hand: `no` is a string, `012` is twelve, `1e3` is a float."""

from __future__ import annotations

import re

Scalar = str | int | float | bool | None

_CHARACTERS_MAX = 40
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}


def plain_scalar(text: str) -> Scalar:
    """The value of an unquoted scalar; whatever is no word or number of the core schema stays a string.

    >>> [plain_scalar(text) for text in ("no", "012", "1e3", "2025-09-01", "~", "1_000", "12:30")]
    ['no', 12, 1000.0, '2025-09-01', None, '1_000', '12:30']
    """
    if text in _WORDS:
        return _WORDS[text]
    # A number of more digits than any setting needs stays text: Python refuses to read thousands of them.
    if len(text) > _CHARACTERS_MAX:
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text) + 0.0  # turns -0.0 into 0.0, so that equal scenarios have equal hashes
    if _OCTAL.fullmatch(text):
        return int(text, 8)
    return int(text, 16) if _HEX.fullmatch(text) else text


def shown(value: object, *, characters: int = 40) -> str:
    """A value as an error shows it: one line, YAML's own words, cut to `characters`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        return f"'{one_line(value, characters=characters)}'"
    return one_line(str(value), characters=characters)


def one_line(text: str, *, characters: int = 200) -> str:
    """Text without line breaks, control or unprintable characters, cut to `characters`."""
    cut = text if len(text) <= characters else text[: characters - 3] + "..."
    return "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in cut)
