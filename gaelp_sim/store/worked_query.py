"""What a worked query is: a name, the question it answers, its SQL and its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

END_OF_TIME_S = 253_402_300_799  # 9999-12-31T23:59:59Z
"""`:as_of` where none is given: everything is known."""

Value = int | float | str | bytes | None


@dataclass(frozen=True)
class NamedQuery:
    """One worked query: its name, the question it answers in one line, its SQL and its parameters' defaults."""

    name: str
    question: str
    sql: str
    defaults: Mapping[str, Value] = field(default_factory=dict)
