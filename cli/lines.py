"""Errors as single lines."""

from __future__ import annotations

import re

_LOCATION = re.compile(r"^[^\s:][^:]*:\d+:\d+: ")


def one_line(text: str) -> str:
    """The text on one line: line breaks become "; ".

    >>> one_line("no such run\\n  see gaelp runs list")
    'no such run; see gaelp runs list'
    """
    return "; ".join(line.strip() for line in text.splitlines() if line.strip())


def error_line(text: str) -> str:
    """The line that tells a user's mistake; a place in a file comes first, so that editors and terminals can jump there.

    >>> error_line("no run 'x'"), error_line("a.yaml:3:1: days: is 0; it must be 1 or more")
    ("error: no run 'x'", 'a.yaml:3:1: days: is 0; it must be 1 or more')
    """
    line = one_line(text)
    return line if _LOCATION.match(line) else f"error: {line}"
