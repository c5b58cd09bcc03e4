"""Reading a user's SQL as words, strings and comments: enough to find its parameters, never to judge its safety."""

from __future__ import annotations

import re
from collections.abc import Iterator

_TOKEN = re.compile(
    r"""
    (?P<comment>--[^\n]*|/\*.*?\*/)
  | (?P<string>'(?:[^']|'')*'|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
  | (?P<quoted>"(?:[^"]|"")*"|`(?:[^`]|``)*`)
  | (?P<cast>::)
  | (?P<parameter>:[A-Za-z_]\w*)
  | (?P<word>[^\W\d][\w$]*)
  | (?P<space>\s+)
  | (?P<other>.)
    """,
    re.DOTALL | re.VERBOSE,
)


def tokens(sql: str) -> Iterator[tuple[str, str]]:
    """Each token's kind (comment, string, quoted, cast, parameter, word, space, other) and text; all text is kept."""
    for match in _TOKEN.finditer(sql):
        kind = match.lastgroup or "other"
        yield ("string" if kind == "tag" else kind), match[0]


def parameter_names(sql: str) -> list[str]:
    """Names of the `:name` parameters, in order of first use."""
    return list(dict.fromkeys(text[1:] for kind, text in tokens(sql) if kind == "parameter"))


def pieces(sql: str) -> list[tuple[str, str]]:
    """The SQL cut at its parameters: ("text", SQL) and ("parameter", name) in order."""
    return [("parameter", text[1:]) if kind == "parameter" else ("text", text) for kind, text in tokens(sql)]


def statement(sql: str) -> str:
    """One statement without its closing semicolons, and without what is white around it."""
    kept = list(tokens(sql))
    while kept and (kept[-1][0] in ("comment", "space") or kept[-1][1] == ";"):
        kept.pop()
    return "".join(text for _, text in kept).strip()


def first_word(sql: str) -> str:
    """The first word in capitals; empty for none."""
    return next((text.upper() for kind, text in tokens(sql) if kind == "word"), "")
